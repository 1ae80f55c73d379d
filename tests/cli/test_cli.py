"""The command line as a user meets it: what it prints, what it leaves, how it exits."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
import torch

from netspec.cli import main
from netspec.cli.commands.network import shapes
from netspec.emit.diagram import render as render_module

TINY = """\
netspec: 1
name: tiny
params: {width: 4, activation: relu}
variants:
  wide: {width: 16}
inputs: {image: [N, 3, H, W]}
network:
  - conv2d: {out_channels: width, kernel_size: 3}
  - $activation
  - global_avg_pool
  - linear: {name: head, out_features: 2}
outputs: {logits: head}
"""


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(TINY)
    return "tiny.yaml"


@pytest.mark.parametrize(
    ("how", "said", "sizes"),
    [
        ("none", "exported: onnx.checker has passed the file; nothing was run to verify it (--verify none)", []),
        ("quick", "verified: PyTorch and onnxruntime agree", [3, 1, 2, 3]),
        ("full", "verified: PyTorch and onnxruntime agree", [33, 34, 64, 33]),
    ],
)
def test_how_much_is_verified(how: str, said: str, sizes: list[int], tiny: str, capsys: pytest.CaptureFixture[str]):
    assert main(["build", tiny, "--only", "onnx", "--verify", how]) == 0
    assert said in capsys.readouterr().out
    assert Path("build/tiny/model.onnx").is_file()
    checked = json.loads(Path("build/tiny/build.json").read_text())["checks"]
    assert checked["onnx.checker"] == "passed"
    runs = checked["onnxruntime"]["comparisons"] if how != "none" else []
    assert [each["sizes"]["N" if how == "quick" else "H"] for each in runs] == sizes
    assert main(["export", tiny, "-o", "net.onnx", "--verify", how]) == 0
    assert said in capsys.readouterr().out


def test_build_leaves_everything(tiny: str, capsys: pytest.CaptureFixture[str]):
    assert main(["build", tiny, "--set", "width=8"]) == 0
    out = capsys.readouterr().out
    folder = Path("build/tiny")
    assert {file.name for file in folder.iterdir()} == {
        "model.py", "model.onnx", "diagram.svg", "diagram.dot", "explorer.html", "shapes.json", "build.json",
    }  # fmt: skip
    assert (folder / "explorer.html").read_text().startswith("<!doctype html>")
    assert "verified: PyTorch and onnxruntime agree to" in out
    assert "conv2d 3×3, 8" in out

    table = json.loads((folder / "shapes.json").read_text())
    assert list(table["totals"]) == ["params", "frozen", "macs"]
    assert table["inputs"] == {"image": ["N", 3, "H", "W"]}
    assert table["rows"][0]["outputs"] == [["N", 8, "H - 2", "W - 2"]]
    assert sum(row["params"] for row in table["rows"]) == table["totals"]["params"]

    build = json.loads((folder / "build.json").read_text())
    assert build["parameters"] == {"width": 8, "activation": "relu"}
    assert build["checks"]["onnxruntime"]["passed"]
    assert len(build["checks"]["onnxruntime"]["comparisons"]) == 4
    onnx.checker.check_model(str(folder / "model.onnx"), full_check=True)


def test_the_source_that_build_leaves_stands_alone(tiny: str):
    assert main(["build", tiny, "-o", "here"]) == 0
    text = Path("here/model.py").read_text()
    namespace: dict = {}
    exec(text, namespace)
    assert namespace["Tiny"]()(torch.randn(2, 3, 9, 9)).shape == (2, 2)
    imports = [line for line in text.splitlines() if line.startswith(("import", "from"))]
    assert all(line.split()[1].split(".")[0] == "torch" for line in imports)


def test_build_without_a_renderer_says_how_to_get_one(tiny: str, monkeypatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(render_module, "renderers", lambda kind: [])
    assert main(["build", tiny]) == 0
    assert not Path("build/tiny/diagram.svg").exists()
    assert Path("build/tiny/diagram.dot").exists()
    error = capsys.readouterr().err
    assert "netspec[dot]" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["shapes", "tiny.yaml", "--set", "width=eight"], 1, "unknown name `eight`"),
        (["shapes", "tiny.yaml", "--set", "wdith=8"], 2, "did you mean `width`?"),
        (["shapes", "tiny.yaml", "--set", "width"], 2, "--set takes NAME=VALUE"),
        (["shapes", "tiny.yaml", "--variant", "wid"], 2, "did you mean `wide`?"),
        (["shapes", "tiny.yaml", "--dim", "H=0"], 2, "positive integer"),
        (["shapes", "tiny.yaml", "--dim", "Q=4"], 2, "no dimension `Q`"),
        (["shapes", "tiny.yaml", "--dim", "H=2"], 1, "conv2d has an empty output"),
        (["shapes", "tiny.yml"], 2, "tiny.yml"),
        (["shapes", "resnet5O"], 2, "did you mean `resnet5"),
        (["diagram", "tiny.yaml", "-o", "net.gif"], 2, ".gif"),
        (["ops", "conv2"], 2, "did you mean `conv2d`?"),
        (["ops", "adam"], 2, "`adam` is an optimizer: see `netspec help adam`"),
        (["ops", "mnist"], 2, "`mnist` is a data set: see `netspec help mnist`"),
        (["ops", "residual"], 2, "`residual` is a structure: see `netspec help residual`"),
        (["export", "tiny.yaml", "-o", "x.onnx", "--device", "warp"], 3, "no device `warp`"),
        (["export", "tiny.yaml", "-o", "x.onnx", "--for", "caffe"], 2, "no runtime `caffe`"),
        (["export", "tiny.yaml", "-o", "x.onnx", "--keep-float", "fc"], 2, "--keep-float is for --precision int8"),
        (["export", "tiny.yaml", "-o", "x.onnx", "--for", "openvino=="], 2, "`` is no version: write `openvino=="),
        (["export", "tiny.yaml", "-o", "x.onnx", "--verify-on", "caffe"], 2, "no file is verified on `caffe`"),
        (["export", "tiny.yaml", "-o", "tiny.yaml/x.onnx"], 3, "cannot write"),
    ],
)
def test_exit_codes_and_what_is_said(tiny, arguments: list[str], code: int, said: str, capsys):
    assert main(arguments) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["bild", "lenet"], ["build"], ["shapes", "lenet", "--format", "xml"]])
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: netspec" in capsys.readouterr().err


def test_a_bug_of_ours_is_called_one(tiny: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def broken(options: object) -> int:
        raise ValueError("oops")

    monkeypatch.setattr(shapes, "run", broken)
    assert main(["shapes", tiny]) == 4
    assert "a bug in netspec" in capsys.readouterr().err


def test_the_bound_on_a_file_is_named_and_raised(tiny: str, capsys: pytest.CaptureFixture[str]):
    Path(tiny).write_text(TINY + "doc: |\n" + ("  " + "x" * 998 + "\n") * 4500)
    assert main(["check", tiny]) == 1
    assert "raise the limit with `--max-file-size`" in capsys.readouterr().err
    assert main(["check", tiny, "--max-file-size", "8"]) == 0
    assert main(["shapes", tiny, "--max-file-size", "8"]) == 0
    assert main(["shapes", tiny, "--max-file-size", "0"]) == 2


def test_check_takes_every_variant(tiny: str, capsys: pytest.CaptureFixture[str]):
    assert main(["check", tiny]) == 0
    assert "2 variants" in capsys.readouterr().out
    Path(tiny).write_text(TINY.replace("wide: {width: 16}", "wide: {width: 16, expect: {params: 12}}"))
    assert main(["check", tiny]) == 1
    assert "wide: parameters are 482, not 12" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["json", "csv", "md"])
def test_formats(tiny: str, given: str, capsys: pytest.CaptureFixture[str]):
    assert main(["shapes", tiny, "--format", given]) == 0
    out = capsys.readouterr().out
    assert "head" in out
    if given == "json":
        assert json.loads(out)["model"] == "tiny"


def test_source_is_what_build_writes(tiny: str, capsys: pytest.CaptureFixture[str]):
    main(["source", tiny])
    printed = capsys.readouterr().out
    main(["build", tiny])
    assert Path("build/tiny/model.py").read_text() == printed


def test_list_and_ops(capsys: pytest.CaptureFixture[str]):
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert "resnet152" in out
    assert "lenet" in out
    assert main(["ops"]) == 0
    assert "max_pool2d" in capsys.readouterr().out
    assert main(["ops", "conv2d"]) == 0
    out = capsys.readouterr().out
    assert "padding_mode" in out
    assert "default zeros" in out


@pytest.mark.parametrize("command", ["build", "check", "shapes", "source", "export", "diagram", "list", "ops"])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"usage: netspec {command}" in capsys.readouterr().out
