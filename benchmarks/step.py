"""Step time of compiled networks against hand-written modules: the same weights, the same input, one thread.

The compiled network is the emitted source, run eagerly. Batches, images and vocabularies are small, so that what
counts is the overhead of a layer rather than the arithmetic that both share; GPT-2 alone is of its own size. Times are
CPU time of the process. Two copies of one module differ by up to 2 % in this measure on a busy machine.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from pairs import (
    Bar,
    alternate,
    collector_paused,
    finish,
    import_torchvision,
    judge,
    keep_memory,
    ratios,
    seconds,
    timed,
)
from torch import Tensor, nn
from written import GPT2, AttentionDecoder, CifarResNet, GatedLanguageModel, LanguageModel, Mamba

import netspec

Make = Callable[[], tuple[nn.Module, nn.Module]]

BAR = Bar(1.03)
RESNET = Path(netspec.__file__).parent.parent / "specs" / "resnet.yaml"


def narrow_resnet50() -> tuple[nn.Module, nn.Module]:
    """ResNet-50 at an eighth of its width: the spec's text with other numbers, and torchvision's own parts."""
    resnet = import_torchvision().models.resnet

    class Narrow(resnet.ResNet):
        def __init__(self) -> None:
            nn.Module.__init__(self)
            self._norm_layer, self.inplanes, self.dilation, self.groups, self.base_width = nn.BatchNorm2d, 8, 1, 1, 64
            self.conv1 = nn.Conv2d(3, 8, kernel_size=7, stride=2, padding=3, bias=False)
            self.bn1 = nn.BatchNorm2d(8)
            self.relu = nn.ReLU(inplace=True)
            self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
            self.layer1 = self._make_layer(resnet.Bottleneck, 8, 3)
            self.layer2 = self._make_layer(resnet.Bottleneck, 16, 4, stride=2)
            self.layer3 = self._make_layer(resnet.Bottleneck, 32, 6, stride=2)
            self.layer4 = self._make_layer(resnet.Bottleneck, 64, 3, stride=2)
            self.avgpool = nn.AdaptiveAvgPool2d(1)
            self.fc = nn.Linear(256, 1000)

    text = RESNET.read_text(encoding="utf-8")
    for wide, narrow in (
        ("[64, 128, 256, 512]", "[8, 16, 32, 64]"),
        ("conv1, out_channels: 64", "conv1, out_channels: 8"),
    ):
        assert text.count(wide) == 1, f"{RESNET} no longer says `{wide}`"
        text = text.replace(wide, narrow)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "resnet.yaml"
        path.write_text(text, encoding="utf-8")
        ours = netspec.load(path, variant="resnet50").module()
    return ours, Narrow()


def resnet18() -> tuple[nn.Module, nn.Module]:
    return netspec.load("resnet18").module(), import_torchvision().models.resnet18()


def resnet1202() -> tuple[nn.Module, nn.Module]:
    return netspec.load("resnet1202").module(), CifarResNet(1202)


def lstm_lm() -> tuple[nn.Module, nn.Module]:
    return netspec.load("lstm_lm").module(), LanguageModel(28, 32, 256)


def lstm_lm_gates() -> tuple[nn.Module, nn.Module]:
    return netspec.load("lstm_lm_gates").module(), GatedLanguageModel(28, 32, 256)


def rnn_attention() -> tuple[nn.Module, nn.Module]:
    return netspec.load("rnn_attention", source_vocab=400, target_vocab=400).module(), AttentionDecoder(400, 256)


def gpt2() -> tuple[nn.Module, nn.Module]:
    return netspec.load("gpt2").module(), GPT2(50257, 1024, 768, 12, 12)


def mamba() -> tuple[nn.Module, nn.Module]:
    return netspec.load("mamba", vocab=400, width=128, layers=4).module(), Mamba(400, 128, 4)


def convnext_tiny() -> tuple[nn.Module, nn.Module]:
    return netspec.load("convnext_tiny").module(), import_torchvision().models.convnext_tiny()


def swin_tiny() -> tuple[nn.Module, nn.Module]:
    return netspec.load("swin_t", size=112).module(), import_torchvision().models.swin_t()


def image(*shape: int) -> list[Tensor]:
    return [torch.randn(shape)]


def tokens(below: int, *shapes: tuple[int, int]) -> list[Tensor]:
    return [torch.randint(below, shape) for shape in shapes]


NETWORKS: dict[str, tuple[Make, Callable[[], list[Tensor]], int]] = {
    "resnet18": (resnet18, partial(image, 1, 3, 64, 64), 60),
    "resnet50 of width 1/8": (narrow_resnet50, partial(image, 2, 3, 64, 64), 80),
    "resnet1202": (resnet1202, partial(image, 1, 3, 16, 16), 24),
    "lstm_lm": (lstm_lm, partial(tokens, 28, (4, 35)), 100),
    "lstm_lm_gates": (lstm_lm_gates, partial(tokens, 28, (4, 35)), 80),
    "rnn_attention": (rnn_attention, partial(tokens, 400, (4, 20), (4, 20)), 100),
    "mamba": (mamba, partial(tokens, 400, (4, 64)), 40),
    "convnext_tiny": (convnext_tiny, partial(image, 1, 3, 64, 64), 30),
    "swin_tiny": (swin_tiny, partial(image, 1, 3, 112, 112), 30),
    "gpt2, batch 1": (gpt2, partial(tokens, 50257, (1, 128)), 10),
    "gpt2, batch 8": (gpt2, partial(tokens, 50257, (8, 128)), 3),
}
"""The maker of each pair, its inputs, and the rounds."""


def scores(made: Tensor | dict[str, Tensor]) -> Tensor:
    """Return the value that a network is trained by, beside which it may give the weights of its attention."""
    return made["logits"] if isinstance(made, dict) else made


def forward(module: nn.Module, inputs: list[Tensor]) -> Callable[[], object]:
    def step() -> None:
        with torch.no_grad():
            module(*inputs)

    return step


def train(module: nn.Module, inputs: list[Tensor]) -> Callable[[], object]:
    def step() -> None:
        scores(module(*inputs)).square().mean().backward()
        for parameter in module.parameters():
            parameter.grad = None

    return step


def seeded(module: nn.Module, inputs: list[Tensor]) -> Tensor | dict[str, Tensor]:
    """Return the outputs of the module, with the same elements dropped each time."""
    torch.manual_seed(0)
    with torch.no_grad():
        made: Tensor | dict[str, Tensor] = module(*inputs)
    return made


def settle(module: nn.Module, inputs: list[Tensor]) -> None:
    """Give each BatchNorm the statistics of these inputs: fresh ones let 600 residual blocks grow beyond float32."""
    norms = [each for each in module.modules() if isinstance(each, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    module(*inputs)
    for norm in norms:
        norm.momentum = 0.1


def compare(name: str, make: Make, example: Callable[[], list[Tensor]], rounds: int) -> list[bool]:
    torch.manual_seed(0)
    ours, theirs = make()
    inputs = example()
    settle(ours, inputs)
    theirs.load_state_dict(ours.state_dict())
    results = []
    for mode, step in (("forward", forward), ("forward and backward", train)):
        training = step is train
        ours.train(training), theirs.train(training)
        torch.testing.assert_close(seeded(ours, inputs), seeded(theirs, inputs), rtol=1e-4, atol=1e-4)
        first, second = (partial(timed, step(module, inputs), collect=False) for module in (ours, theirs))
        first(), second()
        with collector_paused():
            pairs = alternate(first, second, rounds)
        results.append(judge(f"{name}, {mode}", ratios(pairs), BAR, seconds(pairs)))
    return results


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("networks", nargs="*", default=list(NETWORKS), help=f"of {', '.join(NETWORKS)}")
    options.add_argument("--rounds", type=int, help="pairs to time, where the default is not enough")
    given = options.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    print("compiled : hand-written")
    results = []
    for name in given.networks:
        make, example, rounds = NETWORKS[name]
        results += compare(name, make, example, given.rounds or rounds)
    finish(results)


if __name__ == "__main__":
    main()
