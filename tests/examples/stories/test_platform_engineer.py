"""The platform engineer's story: a wheel by itself, no home, nowhere to write, pipes, encodings, exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from examples.stories.told import Story

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="the script is for Linux")]


@pytest.fixture(scope="module", autouse=True)
def _registry(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The script installs packages: without a registry there is nothing to run."""
    words = ["download", "-q", "--no-deps", "--disable-pip-version-check", "-d", str(tmp_path_factory.mktemp("wheels"))]
    if subprocess.run([sys.executable, "-m", "pip", *words, "hatchling"], capture_output=True).returncode:
        pytest.skip("no package can be installed here")


def test_the_job_ends_though_nobody_reads(story: Story):
    assert "xor" in story.out.splitlines()[0]
    result = json.loads((story.folder / "run/result.json").read_text())
    assert result["scores"]["train"]["accuracy"] == 1
    assert re.search(r"^train +[\d.]+ +1\.0000$", story.out, re.M)


def test_threads_have_seeds_of_their_own(story: Story):
    assert "\n8 of 8 threads have the weights of their seed\n" in story.out


def test_the_wheel_is_what_runs(story: Story):
    (wheel,) = (story.folder / "dist").iterdir()
    (folder,) = (story.folder / "ci/lib").glob("python*/site-packages")
    assert wheel.name.startswith("netspec-")
    assert (folder / "netspec/cli/__init__.py").is_file()
    assert not (folder / "torch").exists()
    assert "geräte.yaml    1 network  ok\n" in story.out


def test_every_exit_code_is_what_it_says(story: Story):
    codes = re.findall(r"^(\d)  (netspec|bash -c netspec) (\w+)", story.out, re.M)
    assert [(int(code), command) for code, _, command in codes] == [
        (0, "check"), (1, "check"), (2, "check"), (2, "shapes"), (3, "train"), (3, "list"),
    ]  # fmt: skip
    for line in re.findall(r"^netspec: .*$", story.page, re.M):
        assert line in story.out


def test_the_reports_can_be_read(story: Story):
    (run,) = json.loads((story.folder / "broken.sarif").read_text())["runs"]
    places = [each["locations"][0]["physicalLocation"]["region"]["startLine"] for each in run["results"]]
    assert [(each["ruleId"], line) for each, line in zip(run["results"], places)] == [
        ("unknown-argument", 5),
        ("unknown-op", 6),
    ]
    shown = re.findall(r"^::error .*$", story.page, re.M)
    assert shown == re.findall(r"^::error .*$", story.out, re.M)


def test_pipes_and_encodings(story: Story):
    assert "hidden    linear 16  N×16" in story.out
    assert "\nresnet152\n" in story.out
    plain = story.out.partition("devices  St\\u00f6rungen an Ger\\u00e4ten")[2].partition("in -> out")[0]
    assert "hidden    linear 32  Nx32" in plain
    assert plain.isascii()
    latin = (story.folder / "latin.txt").read_bytes().decode("latin-1")
    assert "Störungen an Geräten, aus 64 Messungen -> drei Klassen" in latin
    assert latin.partition("in -> out")[0].partition("Klassen.")[2] == plain.partition("Klassen.")[2]
