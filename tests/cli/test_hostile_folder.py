"""Commands given in a folder of a stranger's: no module, program or setting that lies there is run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPT = Path(sys.executable).parent / "netspec"
MODULES = [
    "netspec",
    "torch",
    "numpy",
    "yaml",
    "json",
    "re",
    "pickle",
    "struct",
    "site",
    "sitecustomize",
    "usercustomize",
    "encodings",
    "pydantic",
    "graphviz",
    "rich",
    "onnx",
    "onnx_ir",
    "onnxruntime",
    "safetensors",
    "matplotlib",
    "torchmetrics",
    "pygls",
    "multiprocessing",
]
PROGRAMS = ["dot", "graphviz-pure", "git", "python", "python3", "gcc", "g++", "cc", "ldconfig", "uname", "sh"]
SPEC = "netspec: 1\nname: net\ninputs: {x: [N, 2]}\nnetwork: [linear: 2]\n"
SETTINGS = {
    "core.fsmonitor": "touch RAN",
    "core.sshCommand": "touch RAN",
    "core.pager": "touch RAN",
    "core.gitProxy": "touch RAN",
    "core.alternateRefsCommand": "touch RAN",
    "alias.ls-tree": "!touch RAN",
    "diff.external": "touch RAN",
    "diff.x.textconv": "touch RAN",
    "filter.x.smudge": "touch RAN",
    "protocol.ext.allow": "always",
    "remote.origin.url": "ext::sh -c touch% RAN",
    "remote.origin.promisor": "true",
    "core.repositoryformatversion": "1",
    "extensions.partialClone": "origin",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with modules and programs that leave a file behind where they are run."""
    for name in MODULES:
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'RAN')!r}, 'w').close()\nraise ImportError\n")
    for name in PROGRAMS:
        (tmp_path / name).write_text(f"#!/bin/sh\n: > '{tmp_path / 'RAN'}'\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "matplotlibrc").write_text("backend: module://netspec\ntext.usetex: True\n")
    (tmp_path / "net.yaml").write_text(SPEC)
    return tmp_path


def run(folder: Path, *words: str, **environment: str) -> tuple[int, str]:
    """The script as it is installed, with the folder on PATH in all ways that mean it."""
    if not SCRIPT.exists():
        pytest.skip("netspec is not installed as a script")
    path = os.pathsep.join([".", "", "./", os.environ["PATH"], ""])
    done = subprocess.run(
        [str(SCRIPT), *words],
        cwd=folder,
        env={**os.environ, "PATH": path, "COLUMNS": "80", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert not (folder / "RAN").exists(), words
    return done.returncode, done.stdout + done.stderr


def test_the_front_half(folder: Path):
    for words in (["check", "net.yaml"], ["list"], ["diagram", "net.yaml", "-o", "net.svg"]):
        assert run(folder, *words)[0] == 0


def test_workers(folder: Path):
    """One of them is enough: ``--max-restarts`` starts it as ``--devices`` starts several."""
    words = [
        "train",
        "xor",
        "--max-restarts",
        "1",
        "--set",
        "train.epochs=1",
        "--set",
        "train.compile=none",
        "-o",
        "run",
    ]
    code, told = run(folder, *words)
    assert code == 0, told


def git(folder: Path, *words: str) -> str:
    own = ["git", "-c", "user.name=n", "-c", "user.email=n@example.org", *words]
    return subprocess.run(own, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def test_a_repository(folder: Path):
    git(folder, "init", "-q")
    git(folder, "add", "net.yaml")
    git(folder, "commit", "-qm", "first")
    (folder / "net.yaml").write_text(SPEC.replace("linear: 2", "linear: 3"))
    git(folder, "commit", "-qam", "second")
    lost = git(folder, "rev-parse", "HEAD~1:net.yaml")
    for name, value in SETTINGS.items():
        git(folder, "config", name, value)
    (folder / ".gitattributes").write_text("*.yaml diff=x filter=x\n")
    code, told = run(folder, "diff", "net.yaml@HEAD~1", "net.yaml")
    assert (code, "linear" in told) == (0, True)
    (folder / ".git/objects" / lost[:2] / lost[2:]).unlink()
    code, told = run(folder, "diff", "net.yaml@HEAD~1", "net.yaml", GIT_NO_LAZY_FETCH="0", GIT_ALLOW_PROTOCOL="ext")
    assert code == 3
    assert "git cannot read net.yaml@HEAD~1" in told


def test_a_repository_that_the_environment_names_is_not_the_file_s(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
):
    other = tmp_path_factory.mktemp("other")
    git(other, "init", "-q")
    git(folder, "init", "-q")
    git(folder, "add", "net.yaml")
    git(folder, "commit", "-qm", "first")
    code, told = run(folder, "diff", "net.yaml", GIT_DIR=str(other / ".git"), GIT_EXTERNAL_DIFF="touch RAN")
    assert (code, "no difference" in told) == (0, True)
