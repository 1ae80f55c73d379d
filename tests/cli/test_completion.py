"""Completion: what may stand at the end of a line, and the shells themselves, which ask for it."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from netspec import zoo
from netspec.cli import main
from netspec.cli.commands import command_files
from netspec.cli.commands.reference.completion.line import candidates
from netspec.cli.commands.reference.completion.shells import answer_of, split_line
from netspec.diagnostics.catalogue import CATALOGUE
from netspec.ops import OPS

SPEC = """\
netspec: 1
name: mine
params:
  width: {type: int, default: 8, doc: the number of channels}
  act: {default: relu, choices: [relu, gelu]}
  bias: true
dims: {N: 1}
inputs: {x: [N, 4]}
network:
  - linear: width
  - $act
variants:
  wide: {width: 80}
"""
PATIENCE = 60
SHELLS = ("bash", "zsh", "fish")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a spec, and a run of it."""
    (tmp_path / "mine.yaml").write_text(SPEC)
    (tmp_path / "my specs").mkdir()
    (tmp_path / "my specs" / "one.yml").write_text(SPEC)
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / ".hidden.yaml").write_text("")
    run = tmp_path / "runs" / "mine" / "1"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def after(line: str) -> list[str]:
    """Return the candidates for the last word of a line without netspec's own name."""
    *before, current = line.split(" ")
    return [each.text for each in candidates(before, current)]


def test_every_command_is_there_with_its_help():
    found = {each.text: each.told for each in candidates([], "")}
    assert list(found) == [*command_files()]
    assert found["shapes"] == "print the shape table"
    assert after("sha") == ["shapes"]
    assert after("--v") == ["--version"]


@pytest.mark.parametrize("name", command_files())
def test_every_option_is_there_with_its_help(name: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main([name, "--help"])
    shown = set(re.findall(r"^  (?:-\w(?: [A-Z]+)?, )?(--[\w-]+)", capsys.readouterr().out, re.MULTILINE))
    found = {each.text: each.told for each in candidates([name], "--")}
    assert set(found) == shown
    assert all(found.values())


def test_a_spec_is_a_file_a_folder_or_one_of_the_zoo():
    assert after("shapes mine") == ["mine.yaml"]
    assert after("shapes my") == ["my specs/"]
    assert after("shapes ./my") == ["./my specs/"]
    assert candidates(["shapes"], "my specs/")[0].text == "my specs/one.yml"
    assert {"resnet", "resnet18"} <= {*after("shapes resn")}
    found = after("shapes ")
    assert {"mine.yaml", "my specs/", "resnet"} <= {*found}
    assert not {"notes.txt", ".hidden.yaml", "resnet18"} & {*found}
    assert after("shapes .h") == [".hidden.yaml"]
    assert "resnet18" in after("diff mine.yaml resnet1")


def test_the_zoos_names_are_all_found_by_their_beginnings():
    for letter in "abcdefghijklmnopqrstuvwxyz_0":
        assert zoo.names(letter) == [name for name in zoo.names() if name.startswith(letter)]


def test_variants_parameters_and_dimensions_are_those_of_the_spec_on_the_line():
    assert after("shapes mine.yaml --variant ") == ["wide"]
    assert after("shapes mine.yaml --variant=") == ["--variant=wide"]
    assert after("build mine.yaml --set ") == ["width=", "act=", "bias="]
    assert candidates(["build", "mine.yaml", "--set"], "w")[0].told == "the number of channels"
    assert after("build mine.yaml --set width=80 --set act=") == ["act=relu", "act=gelu"]
    assert after("build mine.yaml --set bias=t") == ["bias=true"]
    assert after("shapes mine.yaml --dim ") == ["N="]
    assert after("train resnet --variant resnet1") == ["resnet18", "resnet101", "resnet152"]


def test_a_spec_at_fault_or_none_has_no_values():
    Path("mine.yaml").write_text("netspec: 1\n")
    for line in ("mine.yaml --variant ", "missing.yaml --set ", "--dim "):
        assert after(f"shapes {line}") == []


def test_options_with_choices_have_these():
    assert after("build mine.yaml --verify ") == ["none", "quick", "full"]
    assert after("build mine.yaml --verify=q") == ["--verify=quick"]
    found = after("shapes --cached ")
    assert found[:2] == ["step", "begin"]
    assert "mine.yaml" in found  # an option that needs no value
    assert after("export mine.yaml --as ") == ["hf"]
    assert "my specs/" in after("export mine.yaml --as hf ")


def test_names_of_ops_words_diagnostics_and_targets():
    assert {*OPS, "swiglu"} <= {*after("ops ")}
    assert "residual" in after("help resid")
    assert after("explain ") == [*CATALOGUE]
    assert after("emit sou") == ["source"]
    assert after("new ") == ["image", "table", "text", "cell"]


def test_runs_are_found():
    assert after("predict ") == ["last", "runs/mine/last", "runs/mine/1"]
    assert after("train --resume runs/mine/1") == ["runs/mine/1", "runs/mine/1/"]
    assert {"runs/mine/1", "resnet18"} <= {*after("compare r")}
    assert {"notes.txt", "mine.yaml"} <= {*after("predict runs/mine/1 ")}


def test_options_follow_where_nothing_else_can():
    assert "--variant" in after("shapes mine.yaml ")
    assert after("frobnicate ") == []
    assert after("shapes mine.yaml --frobnicate=") == []


@pytest.mark.parametrize(
    ("line", "words", "quote"),
    [
        ("netspec shapes ", ["netspec", "shapes", ""], ""),
        (r"netspec shapes my\ specs/o", ["netspec", "shapes", "my specs/o"], ""),
        ("netspec shapes 'my specs/o", ["netspec", "shapes", "my specs/o"], "'"),
        ('netspec shapes "a \\"b', ["netspec", "shapes", 'a "b'], '"'),
        ("netspec shapes '' x", ["netspec", "shapes", "", "x"], ""),
        ("", [""], ""),
    ],
)
def test_a_line_is_split_as_bash_splits_it(line: str, words: list[str], quote: str):
    assert split_line(line) == (words, quote)


def test_bash_is_given_what_follows_its_breaks():
    breaks = " \t\n\"'@><=;|&(:"
    assert [*answer_of("bash", ["netspec build mine.yaml --set act=", breaks])] == ["relu", "gelu"]
    assert [*answer_of("bash", ["netspec build mine.yaml --verify=q", breaks])] == ["quick"]
    assert [*answer_of("bash", ["X=1 .venv/bin/netspec build mine.yaml --set act=", ""])] == ["act=relu", "act=gelu"]
    assert [*answer_of("bash", ["netspec shapes my", breaks])] == [r"my\ specs/"]
    assert [*answer_of("bash", ["netspec shapes 'my", breaks])] == ["my specs/"]


def test_an_answer_loads_the_front_half_alone():
    code = (
        "import sys; from netspec.cli import main; main(['completion', 'fish', '--answer=shapes', '--answer=mine.yaml',"
        " '--answer=--dim', '--answer=']); assert not {'torch', 'numpy', 'onnx'} & {*sys.modules}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "N=\tquoted at 1\n")


def test_another_shell_is_told(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["completion", "tcsh"])
    assert "choose from" in capsys.readouterr().err


class Terminal:
    """A shell at a terminal."""

    def __init__(self, end: int):
        self.end, self.seen = end, ""

    def type(self, text: str) -> None:
        os.write(self.end, text.encode())

    def completed(self, typed: str) -> str:
        """Type a line with tabs, and give what has become of it, as an `echo` before it prints it."""
        self.type(f"{typed}\x01echo [ \x05]\n")
        self.until("\n\\[ ")
        return self.until("\\]").rstrip(" ]")

    def until(self, pattern: str) -> str:
        """Read until a pattern is there, and give what was read since the last one."""
        limit = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.seen)):
            assert time.monotonic() < limit, f"{pattern!r} is not in {self.seen!r}"
            if select.select([self.end], [], [], 0.5)[0]:
                self.seen += os.read(self.end, 65536).decode(errors="replace")
        read, self.seen = self.seen[: found.end()], self.seen[found.end() :]
        return read


@contextmanager
def terminal(*command: str) -> Iterator[Terminal]:
    """Start a shell at a terminal in this folder; its `netspec` is this Python's."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    end, other = pty.openpty()
    shell = subprocess.Popen(
        command,
        stdin=other,
        stdout=other,
        stderr=other,
        env={"PATH": path, "HOME": os.getcwd(), "TERM": "dumb", "PS1": "> ", "LC_ALL": "C.UTF-8", "COLUMNS": "100"},
        start_new_session=True,
    )
    os.close(other)
    try:
        yield Terminal(end)
    finally:
        shell.kill()
        shell.wait()
        os.close(end)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash is installed")
def test_bash_completes_at_a_terminal():
    with terminal("bash", "--norc", "--noprofile", "-i") as shell:
        shell.type("bind 'set enable-bracketed-paste off'; eval \"$(netspec completion bash)\"; echo re''ady\n")
        shell.until("ready")
        assert shell.completed("netspec sha\t") == "netspec shapes"
        assert shell.completed("netspec build min\t--set a\tg\t--verify=q\t") == (
            "netspec build mine.yaml --set act=gelu --verify=quick"
        )
        assert shell.completed("netspec shapes my\to\t") == "netspec shapes my specs/one.yml"
        shell.type("netspec s\t\t")
        shell.until("serve")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh is installed")
def test_zsh_completes_at_a_terminal():
    with terminal("zsh", "-f", "-i") as shell:
        shell.type("autoload -Uz compinit; compinit -u; eval \"$(netspec completion zsh)\"; echo re''ady\n")
        shell.until("ready")
        assert shell.completed("netspec sha\t") == "netspec shapes"
        assert shell.completed("netspec build min\t--set a\tg\t--verify=q\t") == (
            "netspec build mine.yaml --set act=gelu --verify=quick"
        )
        assert shell.completed("netspec shapes my\to\t") == "netspec shapes my specs/one.yml"
        shell.type("netspec s\t")
        assert "print the shape table" in shell.until("print the PyTorch source")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish is installed")
def test_fish_completes():
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def completed(line: str) -> list[str]:
        code = f"netspec completion fish | source; complete -C '{line}'"
        environment = {**os.environ, "PATH": path, "HOME": os.getcwd()}
        done = subprocess.run(["fish", "--no-config", "-c", code], capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    assert completed("netspec sha") == ["shapes\tprint the shape table"]
    assert completed("netspec build mine.yaml --set act=") == ["act=gelu", "act=relu"]
    assert completed("netspec shapes mine.yaml --var") == ["--variant\ta variant of the spec"]
    assert completed("netspec shapes my\\ specs/") == ["my specs/one.yml"]


@pytest.mark.slow
@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_one_of_its_shell(shell: str):
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} is installed")
    script = subprocess.run([sys.executable, "-m", "netspec", "completion", shell], capture_output=True, text=True)
    checked = subprocess.run([shell, "-n", "/dev/stdin"], input=script.stdout, capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert script.stdout.count("netspec completion") >= 2
