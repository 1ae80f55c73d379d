"""Which tensor becomes which, what is said of it, and the renames that would mend near misses."""

from __future__ import annotations

import re

import pytest
from zoo.networks import BUILDS, compiled
from zoo.vision import models, outlined

import netspec
from netspec.diagnostics import Report, Source, UsageError
from netspec.recipes.weights import WeightsSource
from netspec.spec import read_weights
from netspec.syntax import parse
from netspec.weights.keys import tensors_of
from netspec.weights.near import counterpart, rewriting
from netspec.weights.report import WeightsReport

FOUND = {*models.list_models()} & {*BUILDS} - {"alexnet"}
THEIRS = {"alexnet_torchvision": "alexnet", **{name: name for name in BUILDS if name in FOUND}}


def report(name: str, held: dict[str, tuple[int, ...]], **options: object) -> WeightsReport:
    """Match tensors of these shapes with an entry of the zoo."""
    source = WeightsSource("x.pth", **options)  # type: ignore[arg-type]
    return WeightsReport.of("x.pth", tensors_of(compiled(name)[0]), held, source)


def shapes(name: str = "resnet18") -> dict[str, tuple[int, ...]]:
    """The shapes in torchvision's own checkpoint."""
    quiet = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return {key: tuple(tensor.shape) for key, tensor in outlined(name, **quiet).state_dict().items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", {BUILDS[name].spec.name: name for name in reversed(THEIRS)}.values())
def test_every_checkpoint_of_torchvision_matches(name: str) -> None:
    found = report(name, shapes(THEIRS[name]))
    found.guard(complete=True)
    assert not found.found.unused
    assert not found.found.anew
    learned = [key for key in shapes(THEIRS[name]) if found.found.tensors[key].learned]
    assert found.line() == f"{len(learned):,} of {len(learned):,} parameters"


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("densenet121", r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2."),
        ("vit_b_16", r"\.mlp\.0\.", ".mlp.linear_1."),
        ("vit_b_16", r"\.mlp\.3\.", ".mlp.linear_2."),
    ],
)
def test_published_files_have_earlier_names(name: str, old: str, new: str) -> None:
    held = {re.sub(old, new, key): shape for key, shape in shapes(name).items()}
    assert held.keys() != shapes(name).keys()
    found = report(name, held)
    found.guard(complete=True)
    assert not found.found.unused
    assert "under earlier names" in found.line()


def test_a_new_head_is_told_in_a_line() -> None:
    held = shapes() | {"fc.weight": (5, 512), "fc.bias": (5,)}
    found = report("resnet18", held, skip=("fc.*",))
    found.guard()
    assert found.line() == "60 of 62 parameters; `fc` starts anew: 5 → 1000"
    assert found.record()["anew"] == ["fc.weight", "fc.bias"]
    assert report("resnet18", held, skip=("fc",)).line() == found.line()
    with pytest.raises(UsageError) as refused:
        report("resnet18", held).guard()
    assert str(refused.value) == (
        "`fc.weight` is [5, 512] in x.pth and [1000, 512] in the spec (1 more differs): "
        "`weights: {from: x.pth, skip: 'fc.*'}` lets it start anew"
    )


@pytest.mark.parametrize(
    ("changed", "rename"),
    [
        (lambda key: f"model.{key}", r"{'^model\.': ''}"),
        (lambda key: f"module.net.{key}", r"{'^module\.net\.': ''}"),
        (lambda key: key.replace("layer", "stage"), r"{'^stage(\d+)\.': 'layer\1.'}"),
        (
            lambda key: key.replace("bn1.weight", "bn1.gamma_").replace("bn2", "norm2"),
            r"{'\.norm(\d+)\.': '.bn\1.', '\.gamma_$': '.weight'}",
        ),
    ],
)
def test_near_misses_are_named_with_the_rename_that_mends_them(changed, rename: str) -> None:
    held = {changed(key): shape for key, shape in shapes().items()}
    found = report("resnet18", held)
    advice = found.advice()
    assert advice is not None
    assert rename in advice
    source = advice.partition("`weights: ")[2].removesuffix("`")
    model = netspec.load("resnet18")
    said = Report()
    written = read_weights(parse(Source("x", source), said), said)  # type: ignore[arg-type]
    assert not said.diagnostics
    mended = WeightsReport.of("x.pth", tensors_of(model.graph), held, written)  # type: ignore[arg-type]
    assert len(mended.found.taken) == len(shapes())


def test_renames_keep_the_numbers_of_layers() -> None:
    assert rewriting("encoder.layer.3.attn.weight", "h.3.attn.weight") == (r"^encoder\.layer\.", "h.")
    assert rewriting("block3.attn.qkv", "h.3.qkv") == (r"^block(\d+)\.attn\.", r"h.\1.")
    assert rewriting("a.b.gamma", "a.b.weight") == (r"\.gamma$", ".weight")
    assert rewriting("conv.weight", "stem.conv.weight") == ("^", "stem.")
    assert rewriting("stem.conv.weight", "conv.weight") == (r"^stem\.", "")


def test_what_could_be_several_is_not_guessed() -> None:
    names = ["layer.0.query.weight", "layer.0.key.weight", "layer.1.query.weight", "layer.1.key.weight"]
    assert counterpart("h.1.q.weight", names) is None
    assert counterpart("h.1.key.weight", names) == "layer.1.key.weight"
    assert counterpart("h.2.key.weight", names) is None
    assert counterpart("h.0.q.weight", ["layer.0.query.weight", "layer.1.query.weight"]) == "layer.0.query.weight"


def test_nothing_that_matches_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"nothing of x.pth matches the spec: its keys are `a`, `b` …") as refused:
        report("resnet18", {"a": (3,), "b": (4, 5)}).guard()
    assert str(refused.value).endswith("are these the weights of another network?")
    with pytest.raises(UsageError, match=r"holds no tensors"):
        report("resnet18", {}).guard()
    with pytest.raises(UsageError, match=r"nothing .* 122 more tensors match with `weights: .*'\^model"):
        report("resnet18", {f"model.{key}": shape for key, shape in shapes().items()}).guard()


def test_what_names_nothing_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"`skip: fcc\.\*` names nothing of the spec: did you mean `fc`\?"):
        report("resnet18", shapes(), skip=("fcc.*",))
    with pytest.raises(UsageError, match=r"the rename `\^net` of `weights` changes no key of x.pth, such as `conv1"):
        report("resnet18", shapes(), rename={"^net": ""})
    with pytest.raises(UsageError, match=r"make `layer1.0.conv1.weight` and `layer1.0.conv2.weight` the same key"):
        report("resnet18", shapes(), rename={r"conv\d": "conv"})


def test_a_prefix_takes_a_part_of_a_larger_file() -> None:
    held = {f"encoder.{key}": shape for key, shape in shapes().items()} | {"decoder.weight": (3, 4)}
    found = report("resnet18", held, prefix="encoder.")
    found.guard(complete=True)
    assert found.found.unused == ["decoder.weight"]
    assert found.line() == "62 of 62 parameters; `decoder.weight` of the source is left over"


def test_what_is_lacking_is_told_or_refused() -> None:
    held = {key: shape for key, shape in shapes().items() if not key.startswith(("layer4.1.bn2", "fc.bias"))}
    found = report("resnet18", held)
    found.guard()
    assert found.line() == "59 of 62 parameters; `layer4.1.bn2`, `fc.bias` start anew"
    with pytest.raises(UsageError, match=r"x.pth has no `layer4.1.bn2.weight`, .* and 2 more of the spec"):
        found.guard(complete=True)


def test_tied_tensors_need_one_of_their_keys() -> None:
    tensors = tensors_of(compiled("gpt2")[0])
    tied = next(tensor for tensor in tensors if tensor.tied)
    held = {tensor.key: tensor.shape for tensor in tensors}
    for left_out in (tied.key, tied.tied):
        found = report("gpt2", {key: shape for key, shape in held.items() if key != left_out})
        found.guard(complete=True)
        assert left_out in found.found.tied
        assert found.line() == "148 of 148 parameters"


def test_a_tensor_with_two_keys_is_one() -> None:
    tensors = tensors_of(compiled("gpt2")[0])
    tied = next(tensor for tensor in tensors if tensor.tied)
    held = {tensor.key: tensor.shape for tensor in tensors}
    aliases = {tied.key: tied.tied}
    found = WeightsReport.of("x.pth", tensors_of(compiled("resnet18")[0]), held, WeightsSource("x.pth"), aliases)
    assert tied.key not in found.found.unused
    assert len(found.found.unused) == 148
    assert WeightsReport.of("x.pth", tensors, held, WeightsSource("x.pth"), aliases).line() == "148 of 148 parameters"


def test_like_shapes_of_another_network_are_no_near_misses() -> None:
    small = {"vocab": 40, "width": 16, "heads": 2, "layers": 1, "context": 16}
    held = {tensor.key: tensor.shape for tensor in tensors_of(netspec.load("gpt2", **small).graph)}
    others = {"llama": {**small, "hidden": 32, "groups": 2}, "lstm_lm": {"vocab": 40, "width": 16, "hidden": 16}}
    for name, values in others.items():
        tensors = tensors_of(netspec.load(name, **values).graph)
        held = {key: shape for key, shape in held.items() if key != "lm_head.weight"}
        found = WeightsReport.of("x.pth", tensors, held, WeightsSource("x.pth"))
        with pytest.raises(UsageError, match=r"nothing of x.pth matches .* are these the weights of another network\?"):
            found.guard()
