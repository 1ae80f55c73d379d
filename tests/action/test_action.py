"""The GitHub Action: its scripts run on a repository made here, its comment is written to a stand-in for GitHub."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.slow

ACTION = Path(__file__).parents[2] / "action"
SPEC = """\
netspec: 1
name: {name}
params: {{width: 8}}
inputs: {{x: [N, 4]}}
network:
  - linear: {{name: first, out_features: width}}
  - relu
  - linear: {{name: last, out_features: 2}}
"""
BLOCKS = "netspec: 1\nname: shared\nblocks:\n  wide:\n    params: {width: int}\n    body:\n      - linear: width\n"
USER = """\
netspec: 1
name: user
import: [shared.yaml]
inputs: {x: [N, 4]}
network:
  - wide: {width: 8}
"""


class Repository:
    """A git repository in a folder, and what the action's script makes of it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.outside = folder.parent
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, files: Mapping[str, str | None]) -> str:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text, encoding="utf-8")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "a step")
        return self.git("rev-parse", "HEAD")

    def report(self, base: str, folder: Path | None = None, **variables: str) -> tuple[str, dict[str, str], str]:
        """Return what is said on stdout, the outputs, and the summary."""
        report, outputs = self.outside / "report", self.outside / "outputs"
        shutil.rmtree(report, ignore_errors=True)
        outputs.unlink(missing_ok=True)
        environment = {**os.environ, "BASE": base, "GITHUB_OUTPUT": str(outputs), **variables}
        environment.pop("GITHUB_STEP_SUMMARY", None)
        environment["PYTHONPATH"] = str(ACTION.parent)
        done = subprocess.run(
            [sys.executable, str(ACTION / "report.py"), str(report)],
            cwd=folder or self.folder,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        told = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
        return done.stdout, told, (report / "summary.md").read_text(encoding="utf-8")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    folder = tmp_path / "repository"
    folder.mkdir()
    return Repository(folder)


def test_a_pull_request_is_told_what_has_changed(repository: Repository):
    base = repository.commit(
        {
            "nets/a.yaml": SPEC.format(name="a"),
            "nets/b.yaml": SPEC.format(name="b"),
            "gone.yaml": SPEC.format(name="gone"),
            "shared.yaml": BLOCKS,
            "user.yaml": USER,
            "other.yaml": "something: else\n",
        }
    )
    repository.commit(
        {
            "nets/a.yaml": SPEC.format(name="a").replace("width: 8", "width: 16").replace("  - relu\n", ""),
            "gone.yaml": None,
            "new.yaml": SPEC.format(name="new"),
            "shared.yaml": BLOCKS.replace("linear: width", "linear: 2 * width"),
        }
    )
    said, outputs, summary = repository.report(base)
    assert "::error" not in said
    assert {key: outputs[key] for key in ("failed", "changed", "pages")} == {
        "failed": "false",
        "changed": "4",
        "pages": "2",
    }
    assert "4 specs checked: no error." in summary
    before, after = 4 * 8 + 8 + 8 * 2 + 2, 4 * 16 + 16 + 16 * 2 + 2
    assert f"| <code>nets/a.yaml</code> | {before} → {after} ({(after - before) / before:+.1%}) |" in summary
    assert "−1 removed, ~1 changed |" in summary
    assert f"| <code>new.yaml</code> | {before} | " in summary
    assert "| <code>gone.yaml</code> | | | removed |" in summary
    assert "| <code>user.yaml</code> | 40 → 80 (+100.0%) |" in summary  # what it imports has changed
    assert "nets/b.yaml" not in summary
    assert "- 1      relu" in summary or "- 1 " in summary
    pages = sorted(path.name for path in Path(outputs["report"]).glob("*.html"))
    assert pages == ["nets_a.yaml.html", "user.yaml.html"]
    assert json.loads((Path(outputs["report"]) / "check.sarif").read_text())["runs"][0]["results"] == []


def test_an_error_is_an_annotation_and_in_the_sarif(repository: Repository):
    base = repository.commit({"a.yaml": SPEC.format(name="a"), "b.yaml": SPEC.format(name="b")})
    repository.commit({"a.yaml": SPEC.format(name="a").replace("relu", "reluu")})
    said, outputs, summary = repository.report(base)
    assert said.startswith("::error file=a.yaml,line=7,")
    assert outputs["failed"] == "true"
    assert "an error, see the annotations" in summary
    assert "| <code>a.yaml</code> | | | not comparable" in summary
    (result,) = json.loads((Path(outputs["report"]) / "check.sarif").read_text())["runs"][0]["results"]
    assert result["ruleId"] == "unknown-op"
    where = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert where in ("a.yaml", "./a.yaml")


def test_the_base_is_where_the_work_began(repository: Repository):
    repository.commit({"a.yaml": SPEC.format(name="a"), "b.yaml": SPEC.format(name="b")})
    repository.git("checkout", "-q", "-b", "work")
    repository.commit({"a.yaml": SPEC.format(name="a").replace("width: 8", "width: 9")})
    repository.git("checkout", "-q", "main")
    base = repository.commit({"b.yaml": SPEC.format(name="b").replace("width: 8", "width: 99")})
    repository.git("checkout", "-q", "work")
    _, outputs, summary = repository.report(base)
    assert outputs["changed"] == "1"
    assert "a.yaml" in summary
    assert "b.yaml" not in summary


def test_a_shallow_clone_fetches_the_base(repository: Repository, tmp_path: Path):
    base = repository.commit({"a.yaml": SPEC.format(name="a")})
    repository.git("config", "uploadpack.allowAnySHA1InWant", "true")
    repository.commit({"a.yaml": SPEC.format(name="a").replace("width: 8", "width: 9")})
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "--depth=1", repository.folder.as_uri(), str(clone)], check=True)
    _, outputs, _ = repository.report(base, clone)
    assert outputs["changed"] == "1"


@pytest.mark.parametrize("base", ["", "0" * 40, "f" * 40, "--help"])
def test_without_a_base_specs_are_checked_alone(repository: Repository, base: str):
    repository.commit({"a.yaml": SPEC.format(name="a")})
    said, outputs, summary = repository.report(base)
    assert ("::warning" in said) == (base[:1] == "f")
    assert outputs["changed"] == "0"
    assert "1 spec checked: no error." in summary


def test_patterns_choose_the_specs_and_strict_takes_warnings_for_errors(repository: Repository):
    unused = SPEC.format(name="a").replace("params: {width: 8}", "params: {width: 8, idle: 1}")
    base = repository.commit(
        {"nets/a.yaml": unused, "nets/b.yaml": SPEC.format(name="b"), "c.yaml": SPEC.format(name="c")}
    )
    _, outputs, summary = repository.report(base, SPECS="nets/*.yaml\n")
    assert "2 specs checked" in summary
    assert outputs["failed"] == "false"
    said, outputs, _ = repository.report(base, SPECS="nets/a.yaml", STRICT="true")
    assert said.startswith("::error file=nets/a.yaml")
    assert outputs["failed"] == "true"


def test_names_are_text_in_the_summary(repository: Repository):
    name = "a|b`<img src=x>@all.yaml"
    base = repository.commit({name: SPEC.format(name="a")})
    repository.commit({name: SPEC.format(name="a").replace("width: 8", "width: 9")})
    _, _, summary = repository.report(base)
    (row,) = [line for line in summary.splitlines() if line.startswith("| <code>a")]
    assert row.count("|") == 5
    assert "<img" not in summary.partition("```")[0]  # below, it stands in a block of code
    assert "@all" not in row


class GitHub:
    """A stand-in for GitHub: the comments of one pull request."""

    def __init__(self, status: int = 0):
        self.comments: list[dict[str, Any]] = [{"id": at, "body": "a remark"} for at in range(130)]
        self.asked: list[tuple[str, str]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(size)) if size else None
                owner.asked.append((self.command, self.path))
                assert self.headers["Authorization"] == "Bearer secret"
                code, found = (status, {}) if status else owner.ask(self.command, self.path, body)
                data = json.dumps(found).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = answer

            def log_message(self, format: str, *arguments: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def ask(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if method == "GET" and path.startswith("/repos/me/nets/issues/7/comments?"):
            page = int(path.rpartition("=")[2])
            return 200, self.comments[100 * (page - 1) : 100 * page]
        if method == "POST" and path == "/repos/me/nets/issues/7/comments":
            self.comments.append({"id": 1000, "body": body["body"]})
            return 201, self.comments[-1]
        if method == "PATCH" and path == "/repos/me/nets/issues/comments/1000":
            self.comments[-1]["body"] = body["body"]
            return 200, self.comments[-1]
        return 404, {}

    def write(self, summary: Path, pages: str = "") -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "GITHUB_API_URL": f"http://127.0.0.1:{self.server.server_port}",
            "GITHUB_REPOSITORY": "me/nets",
            "PULL_REQUEST": "7",
            "TOKEN": "secret",
            "PAGES": pages,
            "no_proxy": "127.0.0.1",
        }
        command = [sys.executable, str(ACTION / "comment.py"), str(summary)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


@pytest.fixture
def summary(tmp_path: Path) -> Path:
    path = tmp_path / "summary.md"
    path.write_text("<!-- netspec: what has changed -->\n### netspec\n\nOne.\n", encoding="utf-8")
    return path


def test_one_comment_is_written_and_written_anew(summary: Path):
    github = GitHub()
    assert github.write(summary, "https://example.org/pages").returncode == 0
    assert len(github.comments) == 131
    assert "(https://example.org/pages)" in github.comments[-1]["body"]
    summary.write_text(summary.read_text().replace("One.", "Two."), encoding="utf-8")
    assert github.write(summary).returncode == 0
    assert len(github.comments) == 131
    assert "Two." in github.comments[-1]["body"]
    assert [method for method, _ in github.asked] == ["GET", "GET", "POST", "GET", "GET", "PATCH"]


def test_a_comment_that_is_too_long_is_cut_between_details(summary: Path):
    details = "\n<details><summary>a</summary>\n" + "x" * 30_000 + "\n</details>\n"
    summary.write_text(summary.read_text() + 3 * details, encoding="utf-8")
    github = GitHub()
    assert github.write(summary).returncode == 0
    body = github.comments[-1]["body"]
    assert len(body) < 65_536
    assert body.count("<details>") == body.count("</details>") == 2


def test_a_token_that_may_not_write_is_a_warning(summary: Path):
    done = GitHub(status=403).write(summary)
    assert done.returncode == 0
    assert done.stdout.startswith("::warning title=netspec::the comment was not written")
    assert GitHub(status=500).write(summary).returncode != 0


def test_the_action_hands_its_inputs_over_as_variables():
    """An expression within a shell's text would let an input's author write commands."""
    action = yaml.safe_load((ACTION / "action.yml").read_text(encoding="utf-8"))
    assert action["runs"]["using"] == "composite"
    for step in action["runs"]["steps"]:
        assert "${{" not in step.get("run", "")
        assert "shell" in step or "uses" in step
    used = {word for step in action["runs"]["steps"] for word in step.get("env", {}).values()}
    assert {f"${{{{ inputs.{name} }}}}" for name in ("specs", "base", "strict", "token", "netspec")} <= used
    scripts = {path.name for path in ACTION.glob("*.py")}
    assert scripts == {name for name in scripts if any(name in step.get("run", "") for step in action["runs"]["steps"])}


def steps_run(
    repository: Repository, github: GitHub, inputs: Mapping[str, str]
) -> list[subprocess.CompletedProcess[str]]:
    """Run the steps of the action that are scripts, but for the installation, as a runner would."""
    action = yaml.safe_load((ACTION / "action.yml").read_text(encoding="utf-8"))
    temporary = repository.outside / "runner"
    (temporary / "netspec" / "bin").mkdir(parents=True)
    python = temporary / "netspec" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    values = {f"inputs.{name}": str(value["default"]) for name, value in action["inputs"].items()}
    values |= {f"inputs.{name}": value for name, value in inputs.items()}
    values |= {"github.action_path": str(ACTION), "github.event.pull_request.number": "7"}
    values |= {"steps.pages.outputs.artifact-url": "https://example.org/pages"}
    done = []
    for step in action["runs"]["steps"]:
        failing = step.get("if", "").startswith("steps.report.outputs.failed")
        if "run" not in step or "Install" in step.get("name", ""):
            continue
        if failing and values["steps.report.outputs.failed"] != "true":
            continue
        outputs = temporary / "outputs"
        outputs.write_text("")
        given = {name: values[text[3:-2].strip()] for name, text in step.get("env", {}).items()}
        runner = {"RUNNER_TEMP": str(temporary), "GITHUB_OUTPUT": str(outputs), "PYTHONPATH": str(ACTION.parent)}
        api = {"GITHUB_API_URL": f"http://127.0.0.1:{github.server.server_port}", "GITHUB_REPOSITORY": "me/nets"}
        environment = {**os.environ, **runner, **api, "no_proxy": "127.0.0.1", **given}
        command = ["bash", "-e", "-o", "pipefail", "-c", step["run"]]
        done.append(
            subprocess.run(command, cwd=repository.folder, env=environment, capture_output=True, text=True, timeout=300)
        )
        for line in outputs.read_text().splitlines():
            name, _, value = line.partition("=")
            values[f"steps.{step['id']}.outputs.{name}"] = value
    return done


def test_the_steps_hand_on_what_they_make(repository: Repository):
    base = repository.commit({"a.yaml": SPEC.format(name="a"), "b.yaml": SPEC.format(name="b")})
    repository.commit({"a.yaml": SPEC.format(name="a").replace("width: 8", "width: 9")})
    github = GitHub()
    done = steps_run(repository, github, {"base": base, "token": "secret"})
    assert [each.returncode for each in done] == [0, 0], [each.stderr for each in done]
    assert "<code>a.yaml</code>" in github.comments[-1]["body"]
    assert "https://example.org/pages" in github.comments[-1]["body"]


def test_an_error_fails_the_job_after_the_comment(repository: Repository):
    base = repository.commit({"a.yaml": SPEC.format(name="a")})
    repository.commit({"a.yaml": SPEC.format(name="a").replace("relu", "reluu")})
    github = GitHub()
    done = steps_run(repository, github, {"base": base, "token": "secret"})
    assert [each.returncode for each in done] == [0, 0, 1]
    assert "an error, see the annotations" in github.comments[-1]["body"]


def test_only_what_it_installs_is_needed():
    """Neither torch nor another package than those in its list is imported by what the script runs."""
    listed = {line.partition(">")[0] for line in (ACTION / "requirements.txt").read_text().split()}
    assert listed == {"pyyaml", "pydantic"}
    code = """
import sys

class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "numpy", "onnx", "onnxruntime", "graphviz", "rich", "packaging"}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Refused())
from netspec.cli import main

assert main(["check", "lenet"]) == 0
assert main(["check", "--error-format", "sarif", "lenet"]) == 0
assert main(["shapes", "lenet", "--format", "json"]) == 0
assert main(["diff", "lenet", "lenet_batch_norm"]) == 0
assert main(["diff", "lenet", "lenet_batch_norm", "--format", "json", "-o", sys.argv[1]]) == 0
"""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", code, str(Path(folder) / "diff.html")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
