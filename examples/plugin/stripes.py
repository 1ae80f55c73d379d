"""A data set and a loss of one's own, to be named in a spec like netspec's: ``netspec train … --plugin stripes``.

The classes say what can be said without torch, so that ``netspec check`` holds a spec against them; the functions that
``torch`` names do the work, and import what they need when they are called.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from netspec.recipes import Column, DataSet, Loss

if TYPE_CHECKING:
    from torch import Tensor

    from netspec.train.data import Data


class Stripes(DataSet):
    """Noisy images of stripes that run across (0) or down (1)."""

    name = "stripes"
    main = "rows"
    torch = "stripes.read"

    rows: int = 600
    """the number of images"""
    size: int = 12
    """their height and width"""

    def columns(self) -> Mapping[str, Column]:
        return {"image": Column((1, self.size, self.size)), "label": Column((), "int64", 2, target=True)}


def read(data_set: Stripes, folder: Path) -> Data:
    """The rows: five sixths for training, a sixth for the test. ``folder`` is the spec's, for files beside it."""
    import torch

    from netspec.train.data import Data, TensorRows

    chance = torch.Generator().manual_seed(0)
    label = torch.randint(2, (data_set.rows,), generator=chance)
    waves = torch.sin(torch.arange(data_set.size) + 6 * torch.rand(data_set.rows, 1, generator=chance))
    across = waves[:, None, :, None].expand(-1, -1, -1, data_set.size)
    image = torch.where(label[:, None, None, None] == 0, across, across.transpose(2, 3))
    image = image + 0.7 * torch.randn(image.shape, generator=chance)
    cut = data_set.rows * 5 // 6
    train, test = (TensorRows({"image": image[part], "label": label[part]}) for part in (slice(cut), slice(cut, None)))
    return Data(data_set.columns(), train, test=test, words={"label": ("across", "down")})


class Poly(Loss):
    """Cross-entropy and ε·(1 − p) of the right class (Leng et al. 2022, arXiv:2204.12511)."""

    name = "poly"
    main = "epsilon"
    torch = "stripes.poly"
    task = "classes"
    metrics = ("accuracy",)

    epsilon: float = 1.0
    """how much of 1 − p is added: 0 is cross-entropy"""


def poly(output: Tensor, target: Tensor, epsilon: float) -> Tensor:
    """−log p + ε·(1 − p) of the right class, the mean over rows: (N, classes), (N) -> ()."""
    from torch.nn import functional as F

    loss = F.cross_entropy(output, target, reduction="none")
    return (loss + epsilon * (1 - (-loss).exp())).mean()
