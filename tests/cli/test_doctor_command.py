"""`netspec doctor`: what is there, what is missing, and the exit code that says whether netspec can work."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import torch

from netspec.cli import main
from netspec.cli.commands.reference.doctor import installation, trials
from netspec.cli.commands.reference.doctor.trials import ImportTrial


def test_all_that_is_needed_is_there(capsys: pytest.CaptureFixture[str]):
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert torch.__version__ in told
    assert told.rpartition("\n\n")[2].startswith("netspec works here")
    assert max(map(len, told.splitlines())) <= 80


def test_json_says_the_same(capsys: pytest.CaptureFixture[str]):
    assert main(["doctor", "--format", "json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["faults"] == []
    assert {"torch", "pydantic", "onnx"} <= {each["name"] for each in record["packages"] if not each["extra"]}
    assert "CPU" in record["runtimes"]


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """Versions of packages that differ from those that are installed."""
    given: dict[str, str | None] = {}
    real = installation.version

    def version(name: str) -> str:
        found = given[name] if name in given else real(name)
        if found is None:
            raise PackageNotFoundError(name)
        return found

    monkeypatch.setattr(installation, "version", version)
    return given


def test_what_is_missing_or_too_old_is_a_fault(versions: dict[str, str | None], capsys: pytest.CaptureFixture[str]):
    versions |= {"graphviz": None, "rich": "12.6.0"}
    assert main(["doctor"]) == 3
    told = capsys.readouterr().out
    assert "graphviz is missing: `pip install 'graphviz>=0.20'`" in told
    assert "rich 12.6.0: `pip install 'rich>=13'`" in told


def test_a_missing_extra_is_none(versions: dict[str, str | None], capsys: pytest.CaptureFixture[str]):
    versions |= {"safetensors": None}
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert "training: `pip install 'netspec[train]'`" in told
    assert "training (safetensors)" in told.rpartition("netspec works here, but for: ")[2]


def test_lines_are_given_as_they_are_known(monkeypatch: pytest.MonkeyPatch):
    """Before the trial of a package are the lines of those before it; a trial is made once."""
    asked = []

    def tried(names: list[str]) -> Iterator[ImportTrial]:
        for name in names:
            asked.append(name)
            yield ImportTrial(name)

    monkeypatch.setattr(trials, "tried", tried)
    lines = installation.Installation.find().lines()
    assert next(lines).startswith("netspec ")
    assert asked == []
    told = next(line for line in lines if line.startswith("  "))
    assert [installation.module_of(told.split()[0])] == asked
    assert len([*lines]) > 10
    assert len(asked) == len({*asked})


def test_one_of_two_packages_of_onnxruntime_is_enough(versions: dict[str, str | None]):
    versions |= {"onnxruntime-gpu": None, "onnxruntime": "1.24.0"}
    assert main(["doctor"]) == 0


BROKEN = {
    "onnx": ('raise ImportError("libprotobuf.so.3: cannot open shared object file")', "libprotobuf.so.3: cannot open"),
    "safetensors": ("raise KeyError()", "KeyError"),
    "graphviz": ("import none_such", "it needs none_such, which is missing"),
    "rich": ("import os, sys\nprint('the end', file=sys.stderr)\nos.abort()", "is ended by SIGABRT: the end"),
    "onnxruntime": ("import os\nos._exit(7)", "its import ends the process with code 7"),
    "torch": ("raise MemoryError", "there is not enough memory to load it"),
    "torchvision": ('raise ImportError("libjpeg.so.62")', "but cannot be imported: libjpeg.so.62"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_a_package_that_does_not_load_is_told(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Each in the process that tries it, whatever becomes of that; the others are tried all the same."""
    code, told = BROKEN[name]
    (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = {trial.module: trial for trial in trials.tried(["yaml", name, "PIL"])}
    assert [*found] == ["yaml", name, "PIL"]
    assert told in (found[name].fault or "")
    assert found["yaml"].fault is found["PIL"].fault is None


def test_faults_of_what_all_need_are_netspec_s(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    given = {"onnx": "libprotobuf.so.3: cannot open shared object file", "torchvision": "libjpeg.so.62"}
    given |= {"torch": "there is not enough memory to load it"}
    monkeypatch.setattr(trials, "tried", lambda names: (ImportTrial(name, given.get(name)) for name in names))
    assert main(["doctor"]) == 3
    told = capsys.readouterr().out
    assert "onnx is installed, but does not load: libprotobuf.so.3: cannot open" in told
    assert "GPU                    not known, as torch does not load" in told
    assert "does not load: libjpeg.so.62" in told
    del given["onnx"], given["torch"]
    assert main(["doctor"]) == 0
    assert "netspec works here, but for: " in (told := capsys.readouterr().out)
    assert "torchvision" in told.rpartition("but for: ")[2]


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit is Linux's")
@pytest.mark.parametrize("kilobytes", [250_000, 500_000, 1_500_000])
def test_little_memory_is_told(kilobytes: int):
    line = f"ulimit -v {kilobytes}; exec {shlex.quote(sys.executable)} -m netspec doctor"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (3 if "torch is installed, but" in done.stdout else 0, "")
    assert done.stdout.startswith("netspec")
    if kilobytes == 250_000:
        assert "torch is installed, but does not load: there is not enough memory to load it" in done.stdout


def test_a_source_tree_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def requires(name: str) -> list[str]:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(installation, "requires", requires)
    assert main(["doctor"]) == 3
    assert "`pip install -e .`" in capsys.readouterr().err
