"""Words that lead on: options of other tools, keys at another place, folders and the standard input as specs."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from netspec.cli import main
from netspec.diagnostics import SpecError
from netspec.pipeline import compile_spec, read_value
from netspec.recipes.recipe import Recipe

SPEC = "netspec: 1\nname: net\nparams: {width: 3}\ndims: {T: 8}\ninputs: {x: [N, T, 4]}\nnetwork: [{linear: width}]\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("train xor --epochs 3", "write `--set train.epochs=3`"),
        ("train --epochs 3 xor", "write `--set train.epochs=3`"),
        ("train xor --lr=0.1", "write `--set train.optimizer.lr=0.1`"),
        ("train xor --batch-size 4", "write `--set train.batch=4`"),
        ("train xor --seed 1", "write `--set train.seed=1`"),
        ("train xor --epocs 3", "did you mean `--set train.epochs=3`?"),
        ("train xor --fp16", "write `--set train.precision=float16`"),
        ("train xor --optimizer", "write `--set train.optimizer=VALUE`"),
        ("train xor --outptu x", "did you mean `--output`?"),
        ("train xor --gpus 2", "did you mean `--devices`?"),
        ("train xor --activation tanh", "write `--set activation=tanh`"),
        ("compare xor lenet --epochs 3", "write `--set train.epochs=3`"),
        ("shapes gpt2 --T 16", "write `--dim T=16`"),
    ],
)
def test_options_of_other_tools(words: str, told: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith(f"  help: {told}\n")


def test_an_option_that_means_nothing_is_told_alone(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["shapes", "lenet", "--zzz", "1"])
    assert capsys.readouterr().err.endswith("unrecognized arguments: --zzz 1\n")


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("train.epoch", "help: did you mean `epochs`?"),
        ("epochs", "has no parameter `epochs`: did you mean `train.epochs`?"),
        ("lr", "has no parameter `lr`: did you mean `train.optimizer.lr`?"),
    ],
)
def test_keys_of_the_recipe(key: str, told: str, capsys: pytest.CaptureFixture[str]):
    assert main(["shapes", "lenet", "--set", f"{key}=3"]) in (1, 2)
    assert told in capsys.readouterr().err


def test_null_does_without_a_key_of_the_recipe():
    def recipe(**given: str) -> Recipe:
        made = compile_spec("lenet", overrides={f"train.{key}": read_value(key, text) for key, text in given.items()})
        assert made.recipe is not None
        return made.recipe

    given = {"schedule": "cosine", "ema": "0.9", "augment": "horizontal_flip", "weights": "a.safetensors", "batch": "8"}
    with_all, without = recipe(**given), recipe(**dict.fromkeys(given, "null"))
    assert all((with_all.schedule, with_all.ema, with_all.augment, with_all.weights))
    assert (without.schedule, without.ema, without.augment, without.weights) == (None, None, (), None)
    assert (with_all.settings.batch, without.settings.batch) == (8, None)  # all rows, as ever
    with pytest.raises(SpecError, match="`train` needs `optimizer`"):
        recipe(optimizer="null")


def test_a_folder_with_one_spec_is_that_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "net.yaml").write_text(SPEC)
    (tmp_path / "blocks.yml").write_text("netspec: 1\nblocks: {}\n")
    (tmp_path / "compose.yaml").write_text("networks: {}\n")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    assert main(["check", ".", str(tmp_path)]) == 0
    assert main(["check", "empty"]) == 2
    assert "the folder empty has no spec in it" in capsys.readouterr().err
    (tmp_path / "other.yaml").write_text(SPEC)
    assert main(["shapes", "."]) == 2
    assert "the folder . has several specs: name one of net.yaml, other.yaml\n" in capsys.readouterr().err


def give(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Have the standard input hold a text."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


@pytest.mark.parametrize("words", ["check -", "shapes -", "source -", "show -", "emit shapes -", "diff - lenet"])
def test_a_spec_from_the_standard_input(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    give(monkeypatch, SPEC)
    assert main(words.split()) == 0
    assert capsys.readouterr().out


def test_a_fault_in_the_standard_input_has_its_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    give(monkeypatch, SPEC.replace("linear", "linaer"))
    assert main(["shapes", "-"]) == 1
    assert "--> <stdin>:6:12\n" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["serve -", "check - --watch", "diff -"])
def test_what_needs_a_file_says_so(words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    give(monkeypatch, SPEC)
    assert main(words.split()) == 2
    assert "the standard input" in capsys.readouterr().err


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "variables", "coloured"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
        (io.StringIO(), {"FORCE_COLOR": "1"}, True),
        (Terminal(), {"FORCE_COLOR": "0"}, False),
        (io.StringIO(), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_errors_have_colours_on_a_terminal(
    stream: io.StringIO, variables: dict[str, str], coloured: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "net.yaml").write_text(SPEC.replace("linear", "linaer"))
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm", **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stderr", stream)
    assert main(["check", str(tmp_path / "net.yaml")]) == 1
    assert ("\x1b[1;31merror[unknown-op]" in stream.getvalue()) == coloured
    stream.truncate(0)
