"""Whatever a spec or a file's name says is text: nothing of it runs, ends a quotation, or is obeyed by a terminal.

``NETSPEC_MANY=20 pytest tests/test_foreign_text.py`` draws twenty times as many texts at random.
"""

from __future__ import annotations

import ast
import csv
import io
import json
import os
import random
import re
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from netspec.checks.check import check_loaded
from netspec.cli import main
from netspec.diagnostics import Source, SpecError
from netspec.diagnostics.formats import FORMATS, render_as
from netspec.emit.diagram.dot import dot_text
from netspec.emit.diagram.mermaid import mermaid_text
from netspec.emit.diagram.pair import diff_dot
from netspec.emit.diagram.render import drawn
from netspec.emit.diff import Diff
from netspec.emit.explorer import explorer_page
from netspec.emit.source import emit_source
from netspec.emit.table.table import ShapeTable
from netspec.graph import Graph
from netspec.pipeline import compile_loaded, load_source
from netspec.text.quoting import cell, code, docstring, github, json_text, literal, markdown, shell, visible

MANY = int(os.environ.get("NETSPEC_MANY", "1"))
RUN = 'open("RAN", "w").close()'
DANGEROUS = [
    f'"""; {RUN}; """',
    f'""" + {RUN} + """',
    f'\\"""; {RUN}; """',
    f'\\\\"""\n{RUN}\n"""',
    f"'''; {RUN}; '''",
    f'"); {RUN}; ("',
    f"'); {RUN}; ('",
    f"{{{RUN}}} %s {{0}} {{{{x}}}}",
    f"# \n{RUN}",
    'ends in a quote"',
    'ends in four""""',
    "ends in a backslash\\",
    "ends in two\\\\",
    '\\N{BULLET} \\x \\u12 \\"',
    '"' * 7,
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J \x08\x08 \r over",
    "\u202egnp.exe \u2066 \u200b \ufeff \u2028 \u2029 \x85",
    "<script>fetch('//x')</script><img src=x onerror=alert(1)>",
    "</title></script></style>--><svg/onload=alert(1)>]]>",
    "\" onmouseover='alert(1)' x=\"",
    "&lt;b&gt; &#60;script&#62; #60;script#62;",
    '"]; n0 -> n1 [URL="javascript:alert(1)"]; x [label="',
    '"] --> x\n  click n1 "javascript:alert(1)"',
    "x | y `z` [a](javascript:alert(1)) ![b](//x) <b>",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "::error file=x::y\n::set-env name=PATH::x %0A::error::z",
    "$(touch RAN) `touch RAN` ; touch RAN | touch RAN & '; touch RAN; '",
    "x" * 1200 + '""" \\',
    "a " * 70 + '"""' + "\\" * 119,
]
MARKS = sorted(set("".join(DANGEROUS)) - set("abcdefghijklmnopqrstuvwxyz"))


def texts() -> Iterator[str]:
    """The dangerous texts, and others of their characters."""
    yield from DANGEROUS
    rng = random.Random(7)
    for _ in range(30 * MANY):
        yield "".join(rng.choices([*MARKS, '"""', "\\", " a"], k=rng.choice((1, 3, 9, 40, 160))))


def spec(text: str, name: str = "net.yaml") -> Graph:
    """A network with the text wherever a spec can have one."""
    word = text.replace("{", "{{").replace("}", "}}")  # braces hold an expression there
    written = {
        "netspec": 1,
        "name": "net",
        "doc": text,
        "params": {
            "width": {"type": "int", "default": 4, "doc": text},
            "word": {"type": "str", "default": word, "doc": text},
            "chosen": {"type": "str", "default": word, "choices": [text, "other"]},
        },
        "dims": {"N": 1},
        "inputs": {"x": ["N", 3, 8, 8]},
        "blocks": {
            "part": {
                "doc": text,
                "params": {"out": {"type": "int", "doc": text}, "word": {"type": "str", "default": word}},
                "body": [{"conv2d": {"out_channels": "out", "kernel_size": 3, "padding": 1}}, "relu"],
            }
        },
        "network": [
            {"part": {"name": "first", "out": "width", "word": word}},
            {"residual": [{"part": {"out": "width", "word": "word"}}]},
            "flatten",
            {"linear": 2},
        ],
    }
    return compile_loaded(load_source(Source(name, json.dumps(written))))


def statements(source: str) -> str:
    """The program, without what its docstrings say."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            first.value.value = ""
    return ast.dump(tree)


class Tags(HTMLParser):
    """The tags of a page with the names of their attributes, and the texts of what would run."""

    def __init__(self, page: str):
        super().__init__()
        self.found: list[Any] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, [name for name, _ in attributes]))

    def handle_comment(self, data: str) -> None:
        self.found.append("comment")


def tags(page: str) -> list[Any]:
    return Tags(page).found


def is_shown(text: str) -> bool:
    """Whether a terminal has nothing to obey in a text."""
    return all(each.isprintable() or each == "\n" or each == "\u3000" for each in text)


@pytest.fixture(scope="module")
def harmless() -> Graph:
    return spec("a word")


def test_a_source_has_the_same_statements(harmless: Graph):
    expected = statements(emit_source(harmless).text)
    for text in texts():
        for graph in (spec(text), spec("a word", text.replace("/", "|").replace("\0", "") or "x")):
            made = emit_source(graph).text
            assert statements(made) == expected, text
            assert is_shown(made)
            made.encode()


def test_a_docstring_says_what_the_text_says():
    for text in texts():
        line = text.replace("\n", " ").replace("\r", " ")
        for around in (f'"""{docstring(line)}"""', f'"""\n{docstring(line)}\n"""', f'"""{docstring(line)}\n"""'):
            (statement,) = ast.parse(around).body
            assert isinstance(statement, ast.Expr)
            assert ast.literal_eval(statement.value).strip("\n") == line.strip("\n")
        assert ast.literal_eval(literal(text)) == text


def test_pages_have_the_same_tags(harmless: Graph):
    table, page = tags(ShapeTable(harmless)._repr_html_()), tags(explorer_page(harmless))
    for text in texts():
        graph = spec(text)
        assert tags(ShapeTable(graph)._repr_html_()) == table
        assert tags(explorer_page(graph)) == page


@pytest.mark.slow
def test_pictures_have_the_same_marks(harmless: Graph):
    def marks(dot: str) -> tuple[int, int, int]:
        """How many edges, lists of attributes and tags there are outside of texts."""
        bare = re.sub(r"(<[^<>]*>)[^<>]*(?=<)", r"\1", re.sub(r'"(?:[^"\\]|\\.)*"', "", dot))
        return bare.count("->"), bare.count(" ["), bare.count("</")

    def lines(text: str) -> list[str]:
        """Mermaid without its quoted texts."""
        return re.sub(r'"[^"\n]*"', '""', text).split("\n")

    dot, mermaid = dot_text(harmless), mermaid_text(harmless)
    difference = diff_dot(Diff(spec("another word"), harmless))
    for text in texts():
        graph = spec(text, text.replace("/", "|"))
        assert marks(dot_text(graph)) == marks(dot)
        assert marks(diff_dot(Diff(graph, harmless))) == marks(difference)
        assert lines(mermaid_text(graph)) == lines(mermaid)
    for text in DANGEROUS[:: max(1, 6 // MANY)]:
        svg = drawn(dot_text(spec(text)), "svg").decode()
        assert {tag for tag, _ in filter(lambda found: found != "comment", tags(svg))} <= {
            *("svg", "g", "title", "polygon", "path", "text", "ellipse", "polyline", "tspan", "rect", "line", "style")
        }
        assert not re.search(r"<[^>]*\son\w+=", svg)


def test_tables_show_it_and_can_be_read_back(harmless: Graph):
    for text in texts():
        graph = spec(text)
        table = ShapeTable(graph)
        for made in (table.text(), table.text(140), table.to_markdown(), table.to_csv(), table.to_json()):
            assert is_shown(made), text
        assert is_shown(Diff(graph, harmless).text(width=100))
        assert is_shown(Diff(graph, harmless).to_json())
        json.loads(table.to_json())
        json.loads(Diff(harmless, graph).to_json())


def test_faults_show_it():
    for text in list(texts())[:: max(1, 4 // MANY)]:
        quoted = json.dumps(text)
        places = (
            f"netspec: 1\nname: {quoted}\n",
            f"netspec: 1\nname: m\n{quoted}: 1\n",
            f"netspec: 1\nname: m\ninputs: {{x: [{quoted}, 2]}}\nnetwork: [relu]\n",
            f"netspec: 1\nname: m\ninputs: {{{quoted}: [N, 2]}}\nnetwork: [{quoted}]\n",
            f"netspec: 1\nname: m\ninputs: {{x: [N, 2]}}\nnetwork: [{{relu: {{name: {quoted}, from: {quoted}}}}}]\n",
            f"netspec: 1\nname: m\nimport: [{quoted}]\ninputs: {{x: [N, 2]}}\nnetwork: [linear: {quoted}]\n",
            f"netspec: 1\nname: m\nvariants: {{{quoted}: {{x: 1}}}}\ninputs: {{x: [N, 2]}}\nnetwork: [relu]\n",
            f"netspec: 1\nname: m\nparams: {{{quoted}: 1}}\nrequire: [{quoted}]\ninputs: {{x: [N]}}\nnetwork: [relu]\n",
            f"netspec: 1\nname: m\ninputs: {{x: [N, 2]}}\nnetwork: [relu]\ntrain: {{data: {quoted}, loss: {quoted}}}\n",
            f"netspec: 1\nname: m\ninputs: {{x: [N, 2]}}\nnetwork: [$x: {{p: {quoted}}}]\ntie: {quoted} # {quoted}\n",
        )
        for written in places:
            try:
                faults = check_loaded(load_source(Source(f"{text}.yaml", written))).diagnostics
            except SpecError as found:
                faults = tuple(found.diagnostics)
            for format in FORMATS:
                told = render_as(format, faults)
                assert is_shown(told), (format, written)
                if format == "github":
                    assert all(line.startswith("::") for line in told.split("\n") if line)
                    assert len(told.split("\n")) == max(1, len(faults))
                elif format != "text":
                    json.loads(told)


def test_a_spreadsheet_takes_no_text_for_a_formula():
    for text in texts():
        out = io.StringIO()
        csv.writer(out).writerow([cell(text), cell(1.5)])
        (row,) = csv.reader(io.StringIO(out.getvalue(), newline=""))
        assert not row[0].startswith(("=", "+", "-", "@", "\t", "\r"))
        assert row[1] == "1.5"
    assert [cell(each) for each in ("-1.5", "a=b", "+1e3", "-x")] == ["-1.5", "a=b", "+1e3", "'-x"]


def test_a_shell_takes_each_word_for_what_it_is():
    words = [text.replace("\0", "") for text in texts()]
    words = [word for word in words if not set(word) & {"\ufffe", "\uffff"}]
    told = shell(words)
    assert is_shown(told)
    done = subprocess.run(["bash", "-c", f"printf '%s\\0' {told}"], capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == words
    assert shell(["netspec", "a b", "c"]) == "netspec 'a b' c"


def test_small_quotings():
    assert visible("a\x1b[1m\u202e\t\n", keep="\n") == "a\\x1b[1m\\u202e\\t\n"
    assert markdown("a|b`<i>[x](y)") == "a\\|b\\`\\<i>\\[x](y)"
    assert code("a `` b\x1b") == "``` a `` b\\x1b ```"
    assert code("a") == "`a`"
    assert github("50%\n::x\x1b") == "50%25%0A::x\\x1b"
    assert json_text({"a": "é\u202e\x9b"}) == '{"a": "é\\u202e\\u009b"}'


COMMANDS = (
    ["check"],
    *(["check", "--error-format", format] for format in ("json", "sarif", "github")),
    *(["shapes", "--format", format] for format in ("text", "json", "csv", "md", "html")),
    ["source"],
    ["diff", "lenet"],
    ["diagram", "-o", "x.dot"],
    ["diagram", "-o", "x.mmd"],
    ["explorer", "-o", "x.html"],
    ["shapes", "--variant", "{}"],
    ["shapes", "--set", "{}=1"],
    ["shapes", "--expand", "{}"],
    ["shapes", "--dim", "{}=1"],
    ["diagram", "-o", "{}"],
)


@pytest.mark.parametrize("text", [text for text in DANGEROUS if len(text) < 100][:: max(1, 6 // MANY)])
def test_commands_print_it_and_run_nothing(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    path = Path(text.replace("/", "|") + ".yaml")
    written = {"netspec": 1, "name": "m", "doc": text, "inputs": {"x": ["N", 2]}, "network": [{"linear": 2}]}
    for sound in (True, False):
        path.write_text(json.dumps(written if sound else {**written, text: text}), encoding="utf-8")
        for command, *words in COMMANDS:
            code = main([command, f"./{path}", *(word.format(text.lstrip("-")) for word in words)])
            told = capsys.readouterr()
            assert code in ((0, 1, 2) if sound else (1, 2)), (command, words, told.err)
            assert is_shown(told.out + told.err), (command, words)
    assert not Path("RAN").exists()
