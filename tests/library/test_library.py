"""The library's files: what each holds, when it is read, and whose block a name means."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from netspec import library
from netspec.checks.check import check_loaded
from netspec.cli import main
from netspec.diagnostics import Diagnostic, SpecError
from netspec.elaborate.steps import STRUCTURES
from netspec.graph import Call, Level, Node
from netspec.ops import OPS
from netspec.pipeline import compile_spec, load_spec

HEAD = "netspec: 1\nname: net\nparams: {width: 8}\ninputs: {x: [N, T, 8]}\n"


@pytest.mark.parametrize("name", library.names())
def test_a_file_holds_the_block_of_its_name_with_a_word_on_everything(name: str) -> None:
    block = library.find(name)
    assert block is not None
    first, blank, *rest = (block.doc or "").split("\n")
    assert first.endswith(".")
    assert "(N, " in first or "(…, " in first, "the first line gives the shapes"
    assert blank == ""
    assert any(word in "".join(rest) for word in ("arXiv:", "torch", "Hugging Face")), "and the others say whose it is"
    for parameter in block.params.values():
        assert parameter.spec is not None
        assert parameter.spec.doc
    assert name not in OPS
    assert name not in STRUCTURES


@pytest.mark.parametrize("name", library.names())
def test_netspec_ops_tells_all_of_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ops"]) == 0
    assert f"\n  {name} " in "\n" + capsys.readouterr().out.partition("\nlibrary\n")[2]
    assert main(["ops", name]) == 0
    told = capsys.readouterr().out
    block = library.find(name)
    assert block is not None
    for parameter in block.params.values():
        assert parameter.spec is not None
        assert f"  {parameter.key.text} " in told
        assert str(parameter.spec.doc) in told
    assert all(word in told for word in [*block.formal, *(block.outputs or ())])


def test_a_file_is_read_when_a_spec_calls_its_block_and_not_before() -> None:
    code = (
        "from netspec import library\nfrom netspec.pipeline import compile_spec\n"
        "compile_spec('resnet18'); print(sorted(path.stem for path in library.READ.values()))\n"
        "compile_spec('mobilenet_v2'); print(sorted(path.stem for path in library.READ.values()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n['conv_norm_activation', 'inverted_residual']\n"


def compiled(folder: Path, text: str) -> Level:
    path = folder / "net.yaml"
    path.write_text(HEAD + text)
    return compile_spec(path).body


def found(folder: Path, text: str) -> list[Diagnostic]:
    path = folder / "net.yaml"
    path.write_text(HEAD + text)
    try:
        return list(check_loaded(load_spec(path)).diagnostics)
    except SpecError as fault:
        return fault.diagnostics


def ops_in(level: Level) -> list[str]:
    return [each for step in level.steps for each in ([step.op.name] if isinstance(step, Node) else ops_in(step.body))]


def test_a_block_of_the_spec_comes_before_the_library_s(tmp_path: Path) -> None:
    own = "blocks: {feed_forward: {params: {hidden: int}, body: [relu]}}\n"
    assert ops_in(compiled(tmp_path, own + "network: [feed_forward: 4]\n")) == ["relu"]
    wanted = ["linear", "relu", "dropout", "linear", "dropout"]
    assert ops_in(compiled(tmp_path, "network: [feed_forward: 4]\n")) == wanted


def test_a_block_of_the_library_sees_nothing_of_the_spec(tmp_path: Path) -> None:
    """Neither its blocks, one of which has the name of one that it calls, nor its parameters."""
    own = "blocks: {conv_norm_activation: {body: [relu]}}\n"
    steps = "network:\n  - unsqueeze: 2\n  - transpose: {dim0: 1, dim1: 3}\n  - inverted_residual: 8\n"
    assert "batch_norm2d" in ops_in(compiled(tmp_path, own + steps))
    text = "blocks: {outer: {body: [feed_forward: {hidden: width}]}}\nnetwork: [outer: {}]\n"
    assert ops_in(compiled(tmp_path, text))[0] == "linear"


def test_a_name_that_is_given_means_the_spec_s_block(tmp_path: Path) -> None:
    own = "blocks: {twice: {body: [tanh, tanh]}}\n"
    assert ops_in(compiled(tmp_path, own + "network: [feed_forward: {hidden: 4, activation: twice}]\n")) == [
        "linear", "tanh", "tanh", "dropout", "linear", "dropout",
    ]  # fmt: skip


def test_what_a_given_block_sees_counts_when_variants_share(tmp_path: Path) -> None:
    """The library's block reads nothing of the spec, but the block that it is given does."""
    text = (
        "variants: {a: {width: 8}, b: {width: 3}}\nblocks: {grown: {body: [linear: width]}}\n"
        "network: [feed_forward: {hidden: 4, activation: grown}]\n"
    )
    path = tmp_path / "net.yaml"
    path.write_text(HEAD + text)
    graphs = check_loaded(load_spec(path)).graphs
    widths = {}
    for variant, graph in graphs.items():
        (call,) = graph.body.steps
        assert isinstance(call, Call)
        widths[variant] = call.body.steps[1].outputs[0].shape[-1]
    assert widths == {None: 8, "a": 8, "b": 3}


def test_a_fault_inside_is_told_at_the_call(tmp_path: Path) -> None:
    (fault,) = found(tmp_path, "network:\n  - relu\n  - feed_forward: {hidden: 4, activation: rellu}\n")
    assert fault.primary.span.source.name == str(tmp_path / "net.yaml")
    assert (fault.primary.span.line, fault.help) == (7, "did you mean `relu`?")
    inside = next(label.span for label in fault.secondary if library.owns(label.span.source))
    assert inside.source.name == "netspec/library/feed_forward.yaml"


def test_sizes_that_do_not_fit_inside_are_told_at_the_call(tmp_path: Path) -> None:
    text = "dims: {T: 3, S: 4}\nnetwork:\n  - select: {name: asked, dim: 1, index: 0}\n"
    text += "  - dot_attention: {query: asked, key: x, value: y}\n"
    path = tmp_path / "net.yaml"
    path.write_text(HEAD.replace("8]}", "8], y: [N, S, 8]}") + text)
    with pytest.raises(SpecError) as caught:
        compile_spec(path)
    (fault,) = caught.value.diagnostics
    assert (fault.primary.span.source.name, fault.primary.span.line) == (str(path), 8)


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ("self_attention: 3", "`self_attention` needs `shape[-1] % num_heads == 0`"),
        ("self_attention: {num_heads: 2, headz: 1}", "`self_attention` has no parameter `headz`"),
        ("self_attention: {}", "`self_attention` needs `num_heads`"),
        ("self_attention: 0", "`num_heads` is 0, but must be at least 1"),
        ("self_atention: 2", "there is no op or block named `self_atention`"),
        ("cross_attention: 2", "`cross_attention` needs its input `key`"),
        ("self_attention: {num_heads: 2, projection: conv1d}", "`projection` cannot be the string `conv1d`"),
    ],
)
def test_bad_calls(steps: str, told: str, tmp_path: Path) -> None:
    assert [each.message for each in found(tmp_path, f"network: [{steps}]\n")] == [told]
