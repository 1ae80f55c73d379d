"""Targets: netspec's own by one registry, and those of other packages by the same door."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import EXAMPLES, ROOT

import netspec
from netspec import UsageError
from netspec.cli import main
from netspec.plugins import all_targets, clear_plugins, find_target
from netspec.recipes.base import PLUGIN_MODULES
from netspec.targets import OWN, Target, Written, target

KERAS = (EXAMPLES / "plugin/keras_summary.py").read_text()
LENET = """\
Layer (type)                    Output Shape                   Param #
======================================================================
0 (conv2d)                      (None, 6, 28, 28)                  156
1 (sigmoid)                     (None, 6, 28, 28)                    0
2 (avg_pool2d)                  (None, 6, 14, 14)                    0
3 (conv2d)                      (None, 16, 10, 10)               2,416
4 (sigmoid)                     (None, 16, 10, 10)                   0
5 (avg_pool2d)                  (None, 16, 5, 5)                     0
6 (flatten)                     (None, 400)                          0
7 (linear)                      (None, 120)                     48,120
8 (sigmoid)                     (None, 120)                          0
9 (linear)                      (None, 84)                      10,164
10 (sigmoid)                    (None, 84)                           0
11 (linear)                     (None, 10)                         850
======================================================================
Total params: 61,706
"""


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Without plugins, before and after."""
    clear_plugins()
    yield
    for module in (*PLUGIN_MODULES, "mine"):
        sys.modules.pop(module, None)
    clear_plugins()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that Python imports from."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.fixture
def installed(folder: Path) -> Path:
    """A folder with a distribution that offers a target, as pip leaves it."""
    (folder / "keras_summary.py").write_text(KERAS)
    info = folder / "keras_summary-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: keras-summary\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[netspec.plugins]\nkeras = keras_summary\n")
    return folder


def told(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What a command says of a fault of usage."""
    assert main(words) == 2
    return capsys.readouterr().err


def test_a_package_offers_a_target(installed: Path, capsys: pytest.CaptureFixture[str]):
    """By its name alone it is printed, written, built, listed, and had from Python."""
    assert main(["emit", "source", "lenet"]) == 0
    assert "keras_summary" not in sys.modules
    capsys.readouterr()
    assert main(["emit", "keras", "lenet"]) == 0
    assert capsys.readouterr().out == LENET
    assert main(["emit", "keras", "lenet", "-o", str(installed / "k.txt")]) == 0
    assert (installed / "k.txt").read_text() == LENET
    assert main(["build", "lenet", "--only", "keras", "-o", str(installed / "b")]) == 0
    assert {each.name for each in (installed / "b").iterdir()} == {"summary.txt", "build.json"}
    assert (installed / "b/summary.txt").read_text() == LENET
    assert json.loads((installed / "b/build.json").read_text())["targets"] == ["keras"]
    capsys.readouterr()
    assert main(["emit"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [*OWN, "keras"]
    assert netspec.load("lenet").emit("keras") == LENET
    assert netspec.load("lenet").write("keras", installed / "c") == (installed / "c/summary.txt",)


def test_a_module_that_the_command_line_names_brings_a_target(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "mine.py").write_text(KERAS)
    assert main(["emit", "keras", "lenet", "--plugin", "mine"]) == 0
    assert capsys.readouterr().out == LENET


def test_from_an_installed_package_in_a_process_of_its_own_without_torch(installed: Path):
    code = (
        "import sys; from netspec.cli import main; code = main(['emit', 'keras', 'lenet'])\n"
        "print(code, sorted({'torch', 'onnx', 'numpy', 'onnxruntime'} & {*sys.modules}))"
    )
    environment = {"PYTHONPATH": f"{installed}:{ROOT}"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout == LENET + "0 []\n"


def test_every_target_of_ours_is_written_alone(tmp_path: Path):
    for each in all_targets():
        model = netspec.load("gpt2", width=8, heads=2, vocab=11, layers=1) if each.name == "hf" else netspec.load("xor")
        folder = tmp_path / each.name
        files = model.write(each.name, folder)
        assert sorted(folder.iterdir()) == sorted(files)
        assert {file.name for file in files} <= {*each.files}
        if each.text is None:
            with pytest.raises(UsageError, match="is not a text target"):
                model.emit(each.name)
        else:
            assert files[-1].read_text() == model.emit(each.name)


def test_texts_are_those_of_their_commands():
    model = netspec.load("resnet18")
    assert model.emit("source") == model.source()
    assert model.emit("shapes") == model.shapes().to_json()


def test_needing_torch_is_said_of_those_that_load_it():
    code = (
        "import sys, tempfile, netspec; from netspec.plugins import all_targets\n"
        "model, folder = netspec.load('xor'), tempfile.mkdtemp()\n"
        "for each in all_targets():\n"
        "    assert not each.needs_torch and 'torch' not in sys.modules or each.name in ('onnx', 'hf'), each.name\n"
        "    if not each.needs_torch: each.write(model.graph, __import__('pathlib').Path(folder), 'auto')\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (KERAS.replace('"keras"', '"source"'), "mine brings a target `source`, which already exists"),
        (
            KERAS.replace('"keras"', '"Keras"'),
            "a target is named by small letters, digits and underscores, not `Keras`",
        ),
        (
            KERAS.replace("summary.txt", "../summary.txt"),
            "the target `keras` writes into a folder, so `../summary.txt` cannot be its file",
        ),
        (
            KERAS.replace("Model(graph).shapes()", "1 / 0"),
            "the target `keras` of mine failed: ZeroDivisionError: division by zero",
        ),
    ],
    ids=["a name twice", "no name", "no file", "fails"],
)
def test_what_is_wrong_with_a_target_is_told(folder: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]):
    (folder / "mine.py").write_text(text)
    assert told(capsys, "emit", "keras", "lenet", "--plugin", "mine") == f"netspec: {said}\n"


def test_two_that_write_one_file_are_not_built_together(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "mine.py").write_text(KERAS.replace("summary.txt", "model.py"))
    words = ["build", "lenet", "--only", "source", "--only", "keras", "--plugin", "mine", "-o", str(folder / "b")]
    assert "`source` and `keras` both write model.py" in told(capsys, *words)


def test_names_that_are_unknown_and_words_that_are_missing(capsys: pytest.CaptureFixture[str]):
    assert (
        told(capsys, "emit", "sourc", "lenet") == "netspec: there is no target named `sourc`: did you mean `source`?\n"
    )
    assert "there is no target named `x`" in told(capsys, "build", "lenet", "--only", "x")
    assert "`netspec emit source` needs a spec" in told(capsys, "emit", "source")
    assert "`onnx` is not a text target: write it with `netspec build SPEC --only onnx`" in told(
        capsys, "emit", "onnx", "lenet"
    )


def test_what_is_built_alone_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["build", "xor", "--only", "onnx", "-o", str(tmp_path)]) == 0
    assert "verified: PyTorch and onnxruntime agree" in capsys.readouterr().out
    record = json.loads((tmp_path / "build.json").read_text())
    assert record["onnx"] == "model.onnx"
    assert record["checks"]["onnxruntime"]["passed"]


def test_a_target_may_write_several_files_and_fail(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "mine.py").write_text("""
from netspec.targets import Target, Written

def write(graph, folder, options):
    for name in ("a.txt", "b.txt"):
        (folder / name).write_text(options.device)
    return Written((folder / "a.txt", folder / "b.txt"), {"mine": 3}, ("careful",), ("done",), "not so good")

pair = Target("pair", "two files", ("a.txt", "b.txt"), write)
""")
    words = ["build", "xor", "--only", "pair", "--plugin", "mine", "--device", "cpu", "-o", str(folder / "b")]
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert out.endswith("a.txt, b.txt, build.json\ndone\n")
    assert err == "netspec: careful\nnetspec: not so good\n"
    assert (folder / "b/b.txt").read_text() == "cpu"
    assert json.loads((folder / "b/build.json").read_text())["checks"] == {"mine": 3}


def test_a_decorated_function_is_a_target():
    @target("lines", "nothing", file="x.txt")
    def lines(graph: object) -> str:
        return "x"

    assert isinstance(lines, Target)
    assert find_target("source").module == "netspec.emit.source.target"
    assert Written(()).failure is None
