"""Each command is one module, found by its file: its first line is its help, and a new file is a new command."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

from netspec.cli.commands import command_files, command_help, load_command
from netspec.cli.parser import make_parser

SCRATCH = """\
\"\"\"``netspec scratch``: says a word twice.\"\"\"

from netspec.cli.options import add_command


def add(commands):
    add_command(commands, "scratch", "Say a word twice.").add_argument("word", metavar="WORD")


def run(options):
    print(options.word, options.word)
    return 3
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of netspec with one more file."""
    shutil.copytree(ROOT / "netspec", tmp_path / "netspec", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "netspec/cli/commands/reference/scratch.py").write_text(SCRATCH)
    return tmp_path


def netspec(tree: Path, *words: str) -> subprocess.CompletedProcess[str]:
    code = f"import sys; sys.path.insert(0, {str(tree)!r}); from netspec.cli import main; sys.exit(main())"
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)


def test_a_file_is_a_command(tree: Path):
    assert re.search("^    scratch +says a word twice$", netspec(tree, "--help").stdout, re.MULTILINE)
    done = netspec(tree, "scratch", "yes")
    assert (done.returncode, done.stdout) == (3, "yes yes\n")
    assert netspec(tree, "scratch", "--help").stdout.startswith("usage: netspec scratch [-h]")
    assert "invalid choice: 'scrtch'" in netspec(tree, "scrtch").stderr
    assert "unrecognized arguments: no" in netspec(tree, "scratch", "yes", "no").stderr


@pytest.mark.parametrize("name", command_files())
def test_the_first_line_of_a_command_is_its_help(name: str):
    file = command_files()[name]
    lines = ast.get_docstring(ast.parse(Path(file).read_text()))
    assert lines is not None
    assert lines.splitlines()[0] == f"``netspec {name}``: {command_help(file)}."
    assert load_command(name, file).__name__.rpartition(".")[2] == name.replace("-", "_")


def test_a_command_loads_no_other_nor_anything_that_it_needs_later():
    code = (
        "import sys; from netspec.cli.parser import make_parser; make_parser(['train', 'lenet']);"
        "print([name for name in sys.modules if name.startswith('netspec.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = ast.literal_eval(done.stdout)
    assert "netspec.cli.commands.training.train" in loaded
    assert not [name for name in loaded if "network" in name or name.startswith(("netspec.pipeline", "netspec.train"))]


def test_options_may_stand_before_the_command(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        make_parser(["--version", "check"]).parse_args(["--version", "check"])
    assert capsys.readouterr().out.startswith("netspec ")
