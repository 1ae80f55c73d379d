"""Files that a command cannot, or must not, write its output to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from netspec.cli import main

SPEC = "netspec: 1\nname: net\ninputs: {x: [N, 4]}\nnetwork: [{linear: 3}]\n"


@pytest.mark.parametrize("command", ["export", "explorer"])
@pytest.mark.parametrize("name", ["net.yaml", "folder/../net.yaml", "link.yaml"])
def test_the_spec_is_not_replaced(command: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    spec = tmp_path / "net.yaml"
    spec.write_text(SPEC)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.yaml").symlink_to(spec)
    assert main([command, str(spec), "-o", str(tmp_path / name)]) == 2
    assert "is the spec itself" in capsys.readouterr().err
    assert spec.read_text() == SPEC


@pytest.mark.parametrize("name", ["file", "link"])
def test_a_folder_that_is_a_file(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    spec = tmp_path / "net.yaml"
    spec.write_text(SPEC)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert main(["build", str(spec), "-o", str(tmp_path / name)]) == 3
    assert f"{tmp_path / name} is not a folder" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


def test_a_pipe_is_as_wide_as_one_says(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def columns() -> list[str]:
        assert main(["shapes", "alexnet"]) == 0
        return next(line for line in capsys.readouterr().out.split("\n") if line.startswith("layer")).split()

    monkeypatch.delenv("COLUMNS", raising=False)
    assert columns() == ["layer", "op", "output", "params", "MACs"]
    monkeypatch.setenv("COLUMNS", "120")
    assert columns() == ["layer", "op", "output", "params", "MACs", "share", "field", "kept", "line", "input"]


WROTE = {
    ("explorer", "net.html"): "wrote net.html: open it in a browser\n",
    ("diagram", "net.mmd"): "wrote net.mmd\n",
    ("diff", "net.html"): "wrote net.html: open it in a browser\n",
    ("diff", "net.dot"): "wrote net.dot\n",
}


@pytest.mark.parametrize(("command", "name"), WROTE)
def test_the_file_is_said_last(
    command: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    specs = ["lenet", "lenet_batch_norm"] if command == "diff" else ["lenet"]
    assert main([command, *specs, "-o", name]) == 0
    assert capsys.readouterr().out.splitlines(keepends=True)[-1] == WROTE[command, name]
    assert Path(name).is_file()


def test_nothing_is_said_in_a_stream_nor_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["explorer", "lenet", "-o", "/dev/null"]) == 0
    assert capsys.readouterr().out == ""
    page = tmp_path / "diff.html"
    assert main(["diff", "lenet", "lenet_batch_norm", "--format", "json", "-o", str(page)]) == 0
    assert json.loads(capsys.readouterr().out)
    assert page.is_file()
