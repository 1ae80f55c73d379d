"""Networks that generate, held against hand-written PyTorch with the same keys."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import netspec
from netspec.pipeline import compile_spec
from netspec.train.optimize.objective import Objective


class Autoencoder(nn.Module):
    """PyTorch's example of a variational autoencoder (github.com/pytorch/examples, vae/main.py)."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(784, 400)
        self.fc21 = nn.Linear(400, 20)
        self.fc22 = nn.Linear(400, 20)
        self.fc3 = nn.Linear(20, 400)
        self.fc4 = nn.Linear(400, 784)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = F.relu(self.fc1(x.view(-1, 784)))
        mean, log_variance = self.fc21(hidden), self.fc22(hidden)
        code = mean
        if self.training:
            deviation = torch.exp(0.5 * log_variance)
            code = mean + torch.randn_like(deviation) * deviation
        return self.fc4(F.relu(self.fc3(code))), mean, log_variance


def loss_of(scores: Tensor, x: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """The example's loss, a row."""
    cross = F.binary_cross_entropy(torch.sigmoid(scores), x.view(-1, 784), reduction="sum")
    return (cross - 0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp())) / len(x)


def test_vae_is_pytorch_s_example() -> None:
    ours, theirs = netspec.load("vae").module(), Autoencoder()
    theirs.load_state_dict(ours.state_dict(), strict=True)
    x = torch.rand(5, 1, 28, 28)
    torch.testing.assert_close(ours.eval()(x).flatten(1), theirs.eval()(x)[0])
    torch.manual_seed(3)
    outputs = ours.train()(x)
    torch.manual_seed(3)
    wanted = theirs.train()(x)
    torch.testing.assert_close(outputs["scores"].flatten(1), wanted[0])
    recipe = compile_spec("vae").recipe
    assert recipe is not None
    loss = Objective(recipe.losses, {})(outputs, {"scores": x, "divergence": x})
    torch.testing.assert_close(loss, loss_of(wanted[0], x, *wanted[1:]))
