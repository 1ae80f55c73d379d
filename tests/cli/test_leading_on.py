"""Words that lead on: options of other tools, keys at another place, folders and the standard input as specs."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

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


@pytest.mark.parametrize(
    ("words", "same"),
    [
        ("shapes --cached gpt2", "shapes gpt2 --cached step"),
        ("shapes --depth 0 --cached gpt2", "shapes gpt2 --cached=step --depth 0"),
        ("shapes --cached begin transformer", "shapes transformer --cached begin"),
    ],
)
def test_an_option_takes_no_spec_for_its_value(words: str, same: str, capsys: pytest.CaptureFixture[str]):
    codes = main(words.split()), capsys.readouterr()
    assert codes == (main(same.split()), capsys.readouterr())


def test_an_option_that_takes_a_number_takes_no_run_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", "--augment-test", "runs/net/1"]) == 2
    assert capsys.readouterr().err.startswith("netspec: there is no run in runs/net/1")
    assert main(["train", "--find-lr", "nowhere.yaml"]) == 2
    assert "nowhere.yaml" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["export lenet", "diagram lenet", "explorer lenet", "import x.onnx", "predict x y"])
def test_no_file_is_called_as_the_standard_output(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    assert main([*words.split(), "-o", "-"]) == 2
    assert capsys.readouterr().err == (
        "netspec: `-o -` would write a file called `-`: give the file a name; texts are printed without -o\n"
    )
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("data", "missing"),
    [
        ("csv: {path: gone.csv, target: y, test: test.csv}", ["gone.csv", "test.csv"]),
        ("csv: {path: here.csv, target: y, validation: val.csv}", ["val.csv"]),
        ("npz: gone.npz", ["gone.npz"]),
        ("csv: {path: here.csv, target: y}", []),
        ("line", []),
    ],
)
def test_check_tells_of_data_that_are_not_there(
    data: str, missing: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """They are looked for beside the spec, wherever this is checked from; nothing in them is read."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "here.csv").write_bytes(b"\xff")
    text = "netspec: 1\nname: net\ninputs: {x: [N, 2]}\nnetwork: [linear: 1]\n"
    spec = tmp_path / "specs" / "net.yaml"
    spec.write_text(
        f"{text}train: {{data: {{{data}}}, loss: mse, optimizer: adam, epochs: 1}}\n".replace("{line}", "line")
    )
    assert main(["check", "specs/net.yaml"]) == 0
    told = capsys.readouterr().err
    assert [
        line.removeprefix("warning[missing-data]: there is no ") for line in told.splitlines() if "[" in line[:9]
    ] == (missing)
    assert main(["check", "--strict", "specs/net.yaml"]) == bool(missing)
    spec.write_text("\n".join(f"{line}  # netspec: ignore[missing-data]" for line in spec.read_text().splitlines()))
    capsys.readouterr()
    assert main(["check", "--strict", "specs/net.yaml"]) == 0
    assert capsys.readouterr().err == ""


def test_an_example_without_arguments_says_how_it_is_called():
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "answers_of_images.py"], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (1, "usage: python answers_of_images.py FILE.onnx IMAGE...\n")


@pytest.mark.parametrize("target", [".", "-"])
def test_a_folder_and_the_standard_input_are_built(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC)
    give(monkeypatch, SPEC)
    assert main(["build", target, "--only", "source"]) == 0
    assert Path("build/net/model.py").is_file()


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
