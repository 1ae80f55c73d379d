"""Ingredients of the user's own: found by their names, checked like netspec's, and never named by a spec alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import EXAMPLES

from netspec.cli import main
from netspec.recipes import add_plugin, base, ingredients, plugins

EXAMPLE = EXAMPLES / "plugin"


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Without plugins, before and after."""
    yield
    for module in base._plugins:
        sys.modules.pop(module, None)
    base._plugins.clear()
    ingredients.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that Python imports from."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What a command says of a fault."""
    assert main(words) != 0
    return capsys.readouterr().err


def test_the_example_trains_and_is_judged_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.syspath_prepend(EXAMPLE)
    spec, run = str(EXAMPLE / "stripes.yaml"), str(tmp_path / "run")
    assert main(["train", spec, "--plugin", "stripes", "-o", run]) == 0
    said = capsys.readouterr().out
    assert f"netspec evaluate {run} --plugin stripes" in said
    test = next(line for line in said.splitlines() if line.startswith("test"))
    assert float(test.split()[2]) >= 0.95
    assert main(["evaluate", run, "--plugin", "stripes"]) == 0
    assert test in capsys.readouterr().out


def test_a_spec_is_checked_against_it_without_torch(tmp_path: Path):
    found = tmp_path / "net.yaml"
    found.write_text((EXAMPLE / "stripes.yaml").read_text().replace("data: stripes", "data: {stripes: {sise: 9}}"))
    code = (
        "import sys; from netspec.cli import main; "
        f"code = main(['check', {str(found)!r}, '--plugin', 'stripes']); print(code, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{EXAMPLE}:{EXAMPLE.parent.parent}"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "1 False\n"
    assert "`stripes` has no argument `sise`" in done.stderr
    assert "did you mean `size`?" in done.stderr


def test_without_the_option_a_spec_cannot_reach_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.syspath_prepend(EXAMPLE)
    assert "no data set is called `stripes`" in told(capsys, "check", str(EXAMPLE / "stripes.yaml"))
    assert "stripes" not in sys.modules


def test_a_module_that_is_not_there(capsys: pytest.CaptureFixture[str]):
    said = told(capsys, "check", "lenet", "--plugin", "nowhere")
    assert said == "netspec: there is no module `nowhere`: install it, or put its folder on PYTHONPATH\n"
    assert plugins() == ()


def test_a_module_that_needs_another(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "needy.py").write_text("import nowhere_at_all\n")
    said = told(capsys, "check", "lenet", "--plugin", "needy")
    assert said == "netspec: the plugin `needy` needs nowhere_at_all, which is not installed\n"


def test_a_module_that_brings_nothing(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "empty.py").write_text("from netspec.recipes.losses import CrossEntropy\n")
    said = told(capsys, "check", "lenet", "--plugin", "empty")
    assert said == (
        "netspec: the plugin `empty` brings nothing: no class derived from one of netspec's, with a `name`\n"
    )


def test_a_name_that_there_is_already(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "twice.py").write_text(
        "from netspec.recipes.data.base import DataSet\n"
        "class Mine(DataSet):\n    name = 'mnist'\n    torch = 'twice.read'\n"
    )
    assert told(capsys, "check", "lenet", "--plugin", "twice") == (
        "netspec: twice brings a DataSet `mnist`, which there is already\n"
    )


def test_added_twice_it_is_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(EXAMPLE)
    add_plugin("stripes")
    add_plugin("stripes")
    assert plugins() == ("stripes",)
    assert {"stripes"} <= {*ingredients("data")}
    assert {"focal"} <= {*ingredients("loss")}
