"""The mixing of whole batches: each row with the row before it, and their targets alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from netspec.recipes.augmentations import CutMix, MixUp
from netspec.recipes.data import Mixing
from netspec.train.data.augmentations import seeded_numbers
from netspec.train.data.batches import Batch, seeded
from netspec.train.names import resolve


@dataclass(frozen=True, slots=True)
class Mixture:
    """A way to mix each row with the one before it, the first with the last: its own ``share`` is a number from 0 to 1.

    With a ``box``, (top, left, bottom, right), that part of an image is taken from the one before, rather than the mean
    of both.
    """

    share: float
    box: tuple[int, int, int, int] | None = None

    def mixed(self, rows: Tensor) -> Tensor:
        """Return rows mixed, [n, …]."""
        if self.box is None:
            return self.mean(rows)
        top, left, bottom, right = self.box
        made = rows.clone()
        made[..., top:bottom, left:right] = rows.roll(1, 0)[..., top:bottom, left:right]
        return made

    def mean(self, rows: Tensor) -> Tensor:
        """Return the mean of each row and the one before it, by the share, [n, …]."""
        return rows.roll(1, 0).mul_(1.0 - self.share).add_(rows.mul(self.share))


def mixup(transform: MixUp, rows: Tensor) -> Mixture:
    """Return a mixture by a random share, as torchvision's ``MixUp`` draws it."""
    return Mixture(_share(transform.alpha))


def cutmix(transform: CutMix, rows: Tensor) -> Mixture:
    """Return a mixture by a random rectangle of images, [n, C, H, W], as torchvision's ``CutMix`` draws it."""
    share, (height, width) = _share(transform.alpha), rows.shape[-2:]
    x, y = int(torch.randint(width, size=(1,))), int(torch.randint(height, size=(1,)))
    half = 0.5 * math.sqrt(1.0 - share)
    across, down = int(half * width), int(half * height)
    left, right = max(x - across, 0), min(x + across, width)
    top, bottom = max(y - down, 0), min(y + down, height)
    return Mixture(1.0 - (right - left) * (bottom - top) / (width * height), (top, left, bottom, right))


def _share(alpha: float) -> float:
    both = torch.tensor([alpha])
    return float(torch.distributions.Beta(both, both).sample(()))


class Mixer:
    """Mixes the rows of each batch by one of ``transforms``, or by none, as seed, epoch and the batch's number decide.

    ``classes`` has the outputs whose targets are numbers of classes, with how many there are; ``fixed`` those whose
    targets stay, as they are not compared.
    """

    def __init__(
        self, transforms: Sequence[Mixing], classes: Mapping[str, int], fixed: Sequence[str] = (), seed: int = 0
    ):
        self.transforms, self.classes, self.fixed, self.seed = tuple(transforms), classes, fixed, seed

    def mixed(self, batch: Batch, epoch: int, number: int) -> Batch:
        """Return a batch with its rows mixed; targets that are classes become probabilities, [n, classes]."""
        targets = {name: self._probabilities(name, target) for name, target in batch.targets.items()}
        images = next(each for each in batch.inputs if each is not None)
        with seeded_numbers(seeded(self.seed, "mixing", epoch, number).initial_seed()):
            transform = self._chosen(float(torch.rand(())))
            if transform is None:
                return batch._replace(targets=targets)
            mixture: Mixture = resolve(transform.torch)(transform, images)
        inputs = tuple(None if each is None else mixture.mixed(each) for each in batch.inputs)
        compared = {name: each for name, each in targets.items() if name not in self.fixed}
        return batch._replace(
            inputs=inputs, targets=targets | {name: mixture.mean(each) for name, each in compared.items()}
        )

    def _chosen(self, chance: float) -> Mixing | None:
        """Return the transform of a batch: shares that are above 1 in all are divided by their sum."""
        whole = max(1.0, sum(each.p for each in self.transforms))
        for transform in self.transforms:
            chance -= transform.p / whole
            if chance < 0:
                return transform
        return None

    def _probabilities(self, name: str, target: Tensor) -> Tensor:
        if name in self.fixed:
            return target
        return F.one_hot(target, self.classes[name]).float() if name in self.classes else target.float()
