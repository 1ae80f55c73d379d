"""Names from other tools: each is answered by what it means, or by the truth that there is none of it."""

from __future__ import annotations

import inspect

import pytest
from torch import nn
from torch.optim import lr_scheduler

from netspec import library, ops
from netspec.elaborate.messages import foreign
from netspec.elaborate.messages.foreign import ABSENT, FORMS, INGREDIENTS, folded, ingredient_help, op_help
from netspec.elaborate.steps import STRUCTURES
from netspec.recipes import ingredients

NAMES = (
    *ops.OPS,
    *STRUCTURES,
    *library.names(),
)
KNOWN = {folded(name) for name in NAMES}
MODULES = [name for name, kind in vars(nn).items() if inspect.isclass(kind) and issubclass(kind, nn.Module)]


def proposal(name: str) -> str | None:
    help = op_help(name, NAMES)
    return help.split("`")[1] if help.startswith("did you mean") else None


def test_what_is_proposed_exists_and_what_is_absent_does_not():
    assert set(foreign.OPS.values()) <= {*NAMES}
    for kind, table in INGREDIENTS.items():
        assert {*table.values()} <= {*ingredients(kind)}
        own = {folded(name): name for name in ingredients(kind)}
        assert all(own.get(name, meant) == meant for name, meant in table.items())
    for table in (foreign.OPS, FORMS, ABSENT):
        assert not {*table} & KNOWN
        assert {*table} == {folded(name) for name in table}
    assert not ABSENT & {*foreign.OPS, *FORMS}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("interpolate", "upsample"),
        ("Dense", "linear"),
        ("Conv2D", "conv2d"),
        ("MaxPooling2D", "max_pool2d"),
        ("GlobalAveragePooling2D", "global_avg_pool"),
        ("BatchNormalization", "batch_norm2d"),
        ("LayerNormalization", "layer_norm"),
        ("MultiHeadAttention", "multihead_attention"),
        ("nn.BatchNorm2d", "batch_norm2d"),
        ("Conv", "conv2d"),
        ("Gemm", "linear"),
        ("Clip", "clamp"),
        ("bmm", "matmul"),
        ("relu_", "relu"),
        ("LazyConv2d", "conv2d"),
        ("conv2", "conv2d"),
        ("maxpool2d", "max_pool2d"),
        ("lienar", "linear"),
        ("dropuot", "dropout"),
    ],
)
def test_a_name_is_answered_by_its_meaning(name: str, meant: str):
    assert proposal(name) == meant


@pytest.mark.parametrize("name", ["nonzero", "MaskedSelect", "unique", "Detect", "ConvLSTM2D"])
def test_what_there_is_not_is_said_to_be_absent(name: str):
    assert op_help(name, NAMES) == f"netspec has no equivalent of `{name}` yet; `netspec ops` lists the ops"


def test_no_module_of_torch_is_taken_for_another():
    for name in MODULES:
        found = proposal(name)
        if found is None or folded(found) == folded(name).removeprefix("lazy"):
            continue
        assert foreign.OPS.get(folded(name)) == found, f"{name} -> {found} by spelling alone"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("CrossEntropyLoss", "did you mean `cross_entropy`?"),
        ("SparseCategoricalCrossentropy", "did you mean `cross_entropy`?"),
        ("MSELoss", "did you mean `mse`?"),
        ("BCELoss", "`binary_cross_entropy` takes scores before the sigmoid: remove a final `sigmoid`"),
        ("FocalLoss", "did you mean `focal`?"),
        ("iou", None),
    ],
)
def test_losses(name: str, told: str | None):
    assert ingredient_help("loss", name, ingredients("loss")) == told


def test_schedulers_of_torch_are_taken_for_what_they_are():
    names = [name for name in lr_scheduler.__all__ if name not in ("LRScheduler", "ChainedScheduler")]
    found = {name: ingredient_help("schedule", name, ingredients("schedule")) for name in names}
    assert {name for name, help in found.items() if help} == {
        "ConstantLR",
        "CosineAnnealingLR",
        "ExponentialLR",
        "LinearLR",
        "MultiStepLR",
        "OneCycleLR",
        "ReduceLROnPlateau",
        "StepLR",
    }
    assert found["CosineAnnealingLR"] == "did you mean `cosine`?"
    assert ingredient_help("optimizer", "RAdam", ingredients("optimizer")) is None
    assert ingredient_help("optimizer", "Adamw", ingredients("optimizer")) == "did you mean `adamw`?"
