"""The extension of VS Code with its packages of npm, installed once for all tests that need them."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

EXTENSION = ROOT / "editors" / "vscode"
LEAST_NODE = 20
NO_REGISTRY = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH")
PATIENCE = 600


def needed() -> Path:
    """Return the folder of the extension, with what its lock file names. Skips the test where that cannot be had."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.lstrip("v").partition(".")[0]) < LEAST_NODE:
        pytest.skip(f"Node {LEAST_NODE} or later is needed, not {version}")
    with open(EXTENSION / ".npm.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install()
    return EXTENSION


def _install() -> None:
    """Install the packages, unless they are those of the lock file."""
    there = EXTENSION / "node_modules" / ".package-lock.json"
    if there.exists() and there.stat().st_mtime >= (EXTENSION / "package-lock.json").stat().st_mtime:
        return
    done = npm("ci", "--no-audit", "--no-fund")
    if done.returncode and any(reason in done.stderr for reason in NO_REGISTRY):
        pytest.skip("npm reaches no registry")
    assert done.returncode == 0, done.stderr


def npm(*words: str) -> subprocess.CompletedProcess[str]:
    """Run npm in the extension's folder. Its tests and its build use this Python."""
    return subprocess.run(
        ["npm", *words],
        cwd=EXTENSION,
        env={**os.environ, "PYTHON": sys.executable},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
