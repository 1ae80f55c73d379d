"""`netspec new`: specs to start from, each of which is checked, drawn and trained as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec.cli import main
from netspec.starts import KINDS


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_a_start_is_a_spec_that_is_right(kind: str, capsys: pytest.CaptureFixture[str]):
    assert main(["new", kind]) == 0
    assert f"netspec train {kind}.yaml" in capsys.readouterr().out
    assert main(["check", f"{kind}.yaml"]) == 0
    assert "warning" not in capsys.readouterr().err
    text = Path(f"{kind}.yaml").read_text()
    assert "NAME" not in text
    assert "FILE" not in text


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_start_trains(kind: str):
    assert main(["new", kind]) == 0
    assert main(["train", f"{kind}.yaml", "--set", "train.epochs=null", "--set", "train.steps=2"]) == 0
    assert Path(f"runs/{kind}/1/report.html").exists()


def test_the_file_has_the_name_that_is_given(folder: Path):
    (folder / "my nets").mkdir()
    assert main(["new", "table", "my nets/house_prices.yaml"]) == 0
    text = Path("my nets/house_prices.yaml").read_text()
    assert "name: house_prices\n" in text
    assert "netspec shapes 'my nets/house_prices.yaml'" in text


def test_the_file_is_named_as_by_other_commands(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["new", "image", "-o", "digits.yaml"]) == 0
    assert "name: digits\n" in Path("digits.yaml").read_text()
    assert main(["new", "image", "a.yaml", "-o", "b.yaml"]) == 2
    assert capsys.readouterr().err == "netspec: the file is named twice: a.yaml and -o b.yaml\n"
    assert not Path("a.yaml").exists()


def test_a_name_that_a_network_cannot_have(folder: Path):
    assert main(["new", "table", "2024 first.yaml"]) == 0
    assert "name: table\n" in Path("2024 first.yaml").read_text()
    assert main(["check", "2024 first.yaml"]) == 0


def test_nothing_is_overwritten(capsys: pytest.CaptureFixture[str]):
    Path("image.yaml").write_text("mine\n")
    assert main(["new", "image"]) == 2
    assert "image.yaml is there already" in capsys.readouterr().err
    assert Path("image.yaml").read_text() == "mine\n"


def test_a_spec_is_a_yaml_file(capsys: pytest.CaptureFixture[str]):
    assert main(["new", "image", "net.txt"]) == 2
    assert "a spec is a .yaml file" in capsys.readouterr().err


def test_an_unknown_kind_is_told_the_others(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["new", "graph"])
    assert "'table'" in capsys.readouterr().err
