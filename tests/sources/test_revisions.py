"""Specs as a git revision has them: what is read, from where, and what a hostile name or repository cannot do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from netspec.cli.commands.network.diff.sides import revision_of
from netspec.diagnostics import SpecError, UsageError
from netspec.pipeline import Loaded, compile_loaded, load_revision
from netspec.syntax import FileLimits

NET = """\
netspec: 1
name: net
import: [parts/blocks.yaml]
inputs: {image: [N, 3, 8, 8]}
network:
  - block
  - global_avg_pool
  - linear: {name: head, out_features: 10}
"""
BLOCKS = "netspec: 1\nblocks: {block: {body: [{conv2d: {out_channels: 4, kernel_size: 3}}, relu]}}\n"


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder: Path, message: str = "more") -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", message)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of a spec and what it imports, with the working files changed, and the import gone."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    folder = tmp_path / "repository"
    (folder / "specs/parts").mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    (folder / "specs/net.yaml").write_text(NET)
    (folder / "specs/parts/blocks.yaml").write_text(BLOCKS)
    commit(folder)
    (folder / "specs/net.yaml").write_text(NET.replace("10", "20").replace("parts/blocks.yaml", "parts/other.yaml"))
    (folder / "specs/parts/blocks.yaml").rename(folder / "specs/parts/other.yaml")
    monkeypatch.chdir(folder)
    return folder


def parameters(loaded: Loaded) -> int:
    return compile_loaded(loaded).body.parameter_count


def test_the_file_and_its_imports_come_from_the_revision(repository: Path):
    assert parameters(load_revision("specs/net.yaml", "HEAD")) == 112 + 50
    commit(repository)
    assert parameters(load_revision("specs/net.yaml", "HEAD")) == 112 + 100
    assert parameters(load_revision("specs/net.yaml", "HEAD~1")) == 112 + 50
    assert parameters(load_revision("specs/net.yaml", "main@{1}")) == 112 + 50


def test_from_another_folder_and_after_the_file_is_gone(repository: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(repository / "specs/parts")
    loaded = load_revision("../net.yaml", "HEAD")
    assert loaded.source.name == "../net.yaml@HEAD"
    assert [source.name for source in loaded.imported] == ["blocks.yaml@HEAD"]
    monkeypatch.chdir(repository.parent)
    git(repository, "rm", "-rfq", "--cached", "specs")
    for path in (repository / "specs/parts/other.yaml", repository / "specs/net.yaml"):
        path.unlink()
    (repository / "specs/parts").rmdir()
    (repository / "specs").rmdir()
    assert parameters(load_revision("repository/specs/net.yaml", "HEAD")) == 162


def test_a_fault_is_told_in_the_file_of_the_revision(repository: Path):
    (repository / "specs/net.yaml").write_text(NET.replace("linear", "linnear"))
    (repository / "specs/parts/other.yaml").rename(repository / "specs/parts/blocks.yaml")
    commit(repository)
    with pytest.raises(SpecError) as caught:
        compile_loaded(load_revision("specs/net.yaml", "HEAD"))
    assert "--> specs/net.yaml@HEAD:8:5" in str(caught.value)


def test_an_import_that_the_revision_lacks(repository: Path):
    git(repository, "rm", "-q", "--cached", "specs/parts/blocks.yaml")
    git(repository, "add", "specs/parts/other.yaml")
    git(repository, "commit", "-qm", "two")
    with pytest.raises(SpecError) as caught:
        load_revision("specs/net.yaml", "HEAD")
    assert "there is no file `parts/blocks.yaml`" in str(caught.value)


def test_imports_stay_in_the_project_of_the_revision(repository: Path):
    (repository / "blocks.yaml").write_text(BLOCKS)
    (repository / "specs/net.yaml").write_text(NET.replace("parts/blocks.yaml", "../blocks.yaml"))
    commit(repository)
    assert parameters(load_revision("specs/net.yaml", "HEAD")) == 162
    (repository / "specs/pyproject.toml").write_text("")
    commit(repository)
    with pytest.raises(SpecError) as caught:
        load_revision("specs/net.yaml", "HEAD")
    assert [each.message for each in caught.value.diagnostics] == ["the path leads outside the project"]
    assert parameters(load_revision("specs/net.yaml", "HEAD~1")) == 162


def test_a_link_is_not_followed(repository: Path, tmp_path: Path):
    (tmp_path / "secret.yaml").write_text(NET)
    (repository / "specs/link.yaml").symlink_to(tmp_path / "secret.yaml")
    commit(repository)
    with pytest.raises(UsageError, match=r"link\.yaml is a symbolic link"):
        load_revision("specs/link.yaml", "HEAD")


def test_a_file_too_large_is_not_read(repository: Path):
    with pytest.raises(SpecError) as caught:
        load_revision("specs/net.yaml", "HEAD", FileLimits(bytes=100))
    assert [each.message for each in caught.value.diagnostics] == ["the file is larger than 100 bytes"]


def test_no_conversion_of_the_repository_runs(repository: Path):
    (repository / ".gitattributes").write_text("*.yaml diff=evil filter=evil\n")
    for key in ("diff.evil.textconv", "filter.evil.smudge", "diff.external", "core.pager", "core.fsmonitor"):
        git(repository, "config", key, "touch ran; cat")
    assert parameters(load_revision("specs/net.yaml", "HEAD")) == 162
    assert not list(repository.rglob("ran"))


@pytest.mark.parametrize(
    "revision",
    [
        "--help",
        "--output=ran",
        "-p",
        "HEAD:specs/net.yaml",
        ":/more",
        "HEAD; touch ran",
        "$(touch ran)",
        "`touch ran`",
        "HEAD\n--output=ran",
        "HEAD\0",
        "HEAD..main",
        "HEAD^!",
        "",
        "no-such-branch",
        "HEAD~99",
        "HEAD^{tree}",
    ],
)
def test_a_name_that_is_no_revision(repository: Path, revision: str):
    with pytest.raises(UsageError, match="revision"):
        load_revision("specs/net.yaml", revision)
    assert not list(repository.rglob("ran"))


def test_where_there_is_no_repository(tmp_path: Path):
    (tmp_path / "net.yaml").write_text(NET)
    with pytest.raises(UsageError, match="in no git repository"):
        load_revision(str(tmp_path / "net.yaml"), "HEAD")


def test_a_file_that_the_revision_does_not_have(repository: Path):
    with pytest.raises(UsageError, match=r"the revision HEAD has no file specs/parts/other\.yaml"):
        load_revision("specs/parts/other.yaml", "HEAD")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("net.yaml", None),
        ("net.yaml@HEAD~1", ("net.yaml", "HEAD~1")),
        ("a/net.yml@main@{1}", ("a/net.yml", "main@{1}")),
        ("net.yaml@--help", ("net.yaml", "--help")),
        ("a@b/net.yaml@HEAD", ("a@b/net.yaml", "HEAD")),
        ("a@b/net.yaml", None),
        ("resnet18@HEAD", ("resnet18", "HEAD")),
    ],
)
def test_where_the_revision_begins(target: str, expected: tuple[str, str] | None):
    assert revision_of(target) == expected


def test_a_file_called_like_a_revision_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("net.yaml@HEAD").write_text(NET)
    assert revision_of("net.yaml@HEAD") is None
