"""YAML to nodes: each trap with its place, both of PyYAML's backends alike, and nothing that hangs or crashes."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from clock import at_most
from hypothesis import given, settings
from hypothesis import strategies as st

from netspec.diagnostics import Report, Source, SpecError, UsageError
from netspec.syntax import FileLimits, ListNode, MapNode, ScalarNode, SyntaxNode, parse, read_source, reader

BACKENDS = {"pure": yaml.SafeLoader} | ({"C": yaml.CSafeLoader} if yaml.__with_libyaml__ else {})


@pytest.fixture(params=sorted(BACKENDS), autouse=True)
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(reader, "_LOADER", BACKENDS[request.param])
    return str(request.param)


def read(text: str, **limits: int) -> tuple[SyntaxNode | None, Report]:
    report = Report()
    return parse(Source("spec.yaml", text), report, FileLimits(**limits)), report


def good(text: str) -> Any:
    node, report = read(text)
    assert not report.diagnostics
    assert node is not None
    return node


def plain(node: SyntaxNode) -> Any:
    match node:
        case ScalarNode():
            return node.value
        case ListNode():
            return [plain(item) for item in node.items]
        case MapNode():
            return {key.text: plain(value) for key, value in node.entries}


def place(node: SyntaxNode) -> tuple[int, int, int, int]:
    span = node.span
    return span.line, span.column, span.end_line, span.end_column


# --- what is read ---


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[("12", 12), ("-7", -7), ("+5", 5), ("0", 0), ("0o10", 8), ("0x1F", 31), ("-0", 0)],
        *[("10_000", 10_000), ("-1_000_000", -1_000_000), ("10_00", "10_00"), ("1_0", "1_0"), ("_100", "_100")],
        *[("1e-3", 1e-3), ("1.5e3", 1500.0), (".5", 0.5), ("1.", 1.0), ("-.5e+2", -50.0), ("010.5", 10.5)],
        *[(".inf", math.inf), ("-.INF", -math.inf), ("true", True), ("True", True), ("FALSE", False)],
        *[("null", None), ("~", None), ("NULL", None), ("", None), ("tRUE", "tRUE")],
        *[("124_439_808", 124_439_808), ("4 * width", "4 * width"), ("12M", "12M"), ("0b11", "0b11")],
        *[("N", "N"), ("y", "y"), ("n", "n"), ("'yes'", "yes"), ('"010"', "010"), ("'1'", "1"), ("1.2.3", "1.2.3")],
        *[
            ("layer{i + 1}", "layer{i + 1}"),
            ("c3[0]", "c3[0]"),
            ("a:b", "a:b"),
            ("${w}", "${w}"),
            ("arXiv:1512", "arXiv:1512"),
        ],
        *[("|\n  one\n  two\n", "one\ntwo\n"), (">-\n  one\n  two\n", "one two"), ('"a\\tb\\u00e9"', "a\tbé")],
    ],
)
def test_scalars_are_read_by_yaml_1_2(text: str, value: object) -> None:
    found = good(f"key: {text}").get("key")
    assert (type(found.value), found.value) == (type(value), value)


def test_nan() -> None:
    assert math.isnan(good("a: .nan").get("a").value)


def test_quoted_and_block_texts_are_not_plain() -> None:
    node = good("a: 'x'\nb: \"1\"\nc: |\n  x\nd: x")
    assert [node.get(key).plain for key in "abcd"] == [False, False, False, True]


def test_keys_are_text() -> None:
    node = good("on: 1\ny: 2\n010: 3\n1: 4\ntrue: 5\n~: 6")
    assert node.keys() == ("on", "y", "010", "1", "true", "~")
    assert [key.value for key, _ in node.entries] == ["on", "y", "010", "1", "true", "~"]


def test_a_map_is_read_by_key() -> None:
    node = good("a: 1\nb: [2, 3]")
    assert plain(node.get("b")) == [2, 3]
    assert node.get("c") is None
    assert node.key("c") is None
    assert place(node.key("b")) == (2, 1, 2, 2)


def test_spans() -> None:
    node = good("a: 1\nbé😀: [x, 'y z']\nc:\n  - one\n  - two: {k: v}\n\n# end\nd: |\n  one\n\n  two\n\ne:\n")
    assert place(node) == (1, 1, 13, 3)
    assert place(node.get("a")) == (1, 4, 1, 5)
    assert place(node.key("bé😀")) == (2, 1, 2, 4)
    assert place(node.get("bé😀")) == (2, 6, 2, 16)
    assert place(node.get("bé😀").items[1]) == (2, 10, 2, 15)
    assert place(node.get("c")) == (4, 3, 5, 16)
    assert place(node.get("c").items[1]) == (5, 5, 5, 16)
    assert place(node.get("c").items[1].get("two")) == (5, 10, 5, 16)
    assert place(node.get("d")) == (8, 4, 11, 6)
    assert place(node.get("e")) == (13, 3, 13, 3)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a: 4 * width", (1, 8, 1, 13)),
        ("a: '4 * width'", (1, 9, 1, 14)),
        ('a: "4 * width"', (1, 9, 1, 14)),
        ("a: &here 4 * width", (1, 14, 1, 19)),
        ('a: "4 \\x2a width"', (1, 4, 1, 18)),
        ("a: 4 *\n  width", (1, 4, 2, 8)),
        ("a: >-\n  4 *\n  width", (1, 4, 3, 8)),
    ],
)
def test_a_part_of_a_text_has_a_span(text: str, wanted: tuple[int, int, int, int]) -> None:
    node = good(text).get("a")
    span = node.within(node.text.index("width"), len(node.text))
    assert (span.line, span.column, span.end_line, span.end_column) == wanted


def test_windows_line_ends() -> None:
    node = good("a: 1\r\nb: |\r\n  x\r\nc:\r\n  - 2\r\n")
    assert plain(node) == {"a": 1, "b": "x\n", "c": [2]}
    assert place(node.get("b")) == (2, 4, 3, 4)


def test_an_alias_is_the_node_that_it_names() -> None:
    node = good("a: &x [1, 2]\nb: *x\nc: &k d\n*k : 3")
    assert node.get("b") is node.get("a")
    assert plain(node.get("d")) == 3


def test_tabs_are_left_alone_in_comments() -> None:
    assert plain(good("a: 1 #\tone\n#\ttwo")) == {"a": 1}


# --- what is refused: text, id, line, column, help ---

TRAPS = [
    ("", "yaml-empty", 1, 1, "start with `netspec: 1`"),
    ("# only a comment\n", "yaml-empty", 1, 1, "start with `netspec: 1`"),
    ("---\n", "yaml-empty", 1, 1, "start with `netspec: 1`"),
    ("a: 1\nb: 2\na: 3", "duplicate-key", 3, 1, "remove one of them"),
    ("x: {a: 1, 'a': 3}", "duplicate-key", 1, 11, "remove one of them"),
    ("a: yes", "yaml-trap", 1, 4, 'write `true`, or quote it: "yes"'),
    ("a: [1, Off]", "yaml-trap", 1, 8, 'write `false`, or quote it: "Off"'),
    ("a: 010", "yaml-trap", 1, 4, 'write 8 or 10, or quote it: "010"'),
    ("a: -07", "yaml-trap", 1, 4, 'write -7, or quote it: "-07"'),
    ("a: 089", "yaml-trap", 1, 4, 'write 89, or quote it: "089"'),
    ("a: 1:30", "yaml-trap", 1, 4, 'write 90, or quote it: "1:30"'),
    ("a: 1:30:00.5", "yaml-trap", 1, 4, 'write 5400.5, or quote it: "1:30:00.5"'),
    ("a: 2015-12-10", "yaml-trap", 1, 4, 'quote it: "2015-12-10"'),
    ("- a\n - b", "yaml-trap", 2, 2, "align it with the `-` of the list, or quote the string of line 1"),
    ("a: 9007199254740993", "number-range", 1, 4, "quote it if it is meant as a string; no size is that large"),
    ("a: " + "9" * 5000, "number-range", 1, 4, "quote it if it is meant as a string; no size is that large"),
    ("a: 1e999", "number-range", 1, 4, "the largest is 1.8e308"),
    ("[a]: 1", "yaml-key", 1, 1, "a key must be a string; write an expression bare, without braces, or in quotes"),
    (
        "? {a: 1}\n: 2",
        "yaml-key",
        1,
        3,
        "a key must be a string; write an expression bare, without braces, or in quotes",
    ),
    ("a:\n  <<: {b: 1}", "yaml-merge", 2, 3, "write the keys out, or make a block with params"),
    ("a: !x 1", "yaml-tag", 1, 4, "remove it, or quote the string"),
    ("a: &b !!int 1", "yaml-tag", 1, 7, "remove it, or quote the string"),
    ("a: !!python/object:os.system []", "yaml-tag", 1, 4, "remove it, or quote the string"),
    ("a: 1\n---\nb: 2", "yaml-documents", 2, 1, "put it into its own file"),
    ("# c\n\n%YAML 1.1\n---\na: 1", "yaml-directive", 3, 1, "remove the line"),
    ("%YAML 1.3\n---\na: 1", "yaml-directive", 1, 1, "remove the line"),
    ("%TAG ! tag:x,2000:\n---\na: 1", "yaml-directive", 1, 1, "remove the line"),
    ("a:\n\t- b", "yaml-tab", 2, 1, "use spaces; in double quotes write \\t"),
    ("a:\tb", "yaml-tab", 1, 3, "use spaces; in double quotes write \\t"),
    ("a: b\t# c", "yaml-tab", 1, 5, "use spaces; in double quotes write \\t"),
    ("a: b\x00c", "yaml-character", 1, 5, "save the file as UTF-8, not as UTF-16"),
    ("a: 1\nb: \x07", "yaml-character", 2, 4, "remove it, or write an escape such as \\x07 in double quotes"),
    ("a: b\x85c: d", "yaml-character", 1, 5, "end lines with a line feed"),
    ("a: b\u2028c: d", "yaml-character", 1, 5, "end lines with a line feed"),
    ("a: b\u2029c: d", "yaml-character", 1, 5, "end lines with a line feed"),
    ("a: b\rc: d", "yaml-character", 1, 5, "end lines with a line feed"),
    ("\ufeffa: 1", "yaml-character", 1, 1, "remove it"),
    ("a: \u202eb", "yaml-character", 1, 4, "remove it"),
    ("a: \ud83d", "yaml-character", 1, 4, "remove it"),
    ("a: [max(a, b), 3]", "yaml-comma", 1, 5, 'quote it: "max(a, b)"'),
    ("a: {b: max(c, min(d, e)), f: 1}", "yaml-comma", 1, 8, 'quote it: "max(c, min(d, e))"'),
    ("a: [f(x, b]", "yaml-comma", 1, 5, "close them, or quote the string"),
    ("a: [x), b]", "yaml-comma", 1, 5, "close them, or quote the string"),
    ("a: {b: ${w}}", "yaml-dollar", 1, 8, "write the bare expression, without `${` and `}`"),
    ("a: {i}", "yaml-braces", 1, 5, "write `{i: …}`, the bare expression `i`, or quote the whole string"),
    ("a: {b:1}", "yaml-braces", 1, 5, "write `b: 1`, with a space after the colon"),
    ("a: *b", "yaml-alias", 1, 4, "quote a string that starts with `*`"),
    ("a: &width 1\nb: *widht", "yaml-alias", 2, 4, "did you mean `*width`?"),
    ("a: &b [1, *b]", "yaml-alias", 1, 11, "write the value out"),
    ("a: b: c", "yaml-syntax", 1, 5, 'quote the string that contains it: `key: "a: b"`'),
    ("a: [1]: c", "yaml-syntax", 1, 7, 'quote the string that contains it: `key: "a: b"`'),
    ("a: [b: c: d]", "yaml-syntax", 1, 9, "quote the string that contains it, or put a comma before the key"),
    ("a: 1\nb:2\nc: 3", "yaml-syntax", 2, 2, "write `b: 2`"),
    ("a:1\nb: 2", "yaml-syntax", 1, 2, "write `a: 1`"),
    ("a: 1\nb\nc: 3", "yaml-syntax", 2, 1, "write `key: value`"),
    ("a: 1\n  b: 2", "yaml-syntax", 2, 3, "align it with the key above, or quote the string"),
    ("  a: 1\n b: 2", "yaml-syntax", 2, 2, "align the line with its neighbours"),
    ("a:\n    b: 1\n  c: 2", "yaml-syntax", 3, 3, "align the line with its neighbours"),
    ("- a\nb: 1", "yaml-syntax", 2, 1, "indent it into the item, or start it with `- `"),
    ("a: 1\n- b", "yaml-syntax", 2, 1, "indent it under its key"),
    ("a: - b", "yaml-syntax", 1, 4, "start it on the next line, or write `[…]`"),
    ("a: [1, 2\nb: 3", "yaml-syntax", 1, 4, "close it with `]`"),
    ("a: {b: 1\n\nc: [2]\n", "yaml-syntax", 1, 4, "close it with `}`"),
    ("a: {b: [1, 2}", "yaml-syntax", 1, 13, "put a comma before it, or quote the item"),
    ("a: [1, 2", "yaml-syntax", 1, 4, "close it with `]`"),
    ("a: [[1, 2]", "yaml-syntax", 1, 4, "close it with `]`"),
    ("a: [1]]", "yaml-syntax", 1, 7, "remove it, or quote the string"),
    ("a: {b: 1}}", "yaml-syntax", 1, 10, "remove it, or quote the string"),
    ("a: [1, , 2]", "yaml-syntax", 1, 8, "remove it, or write the item"),
    ("a: {b: c3[0]}", "yaml-syntax", 1, 10, 'quote the whole item: "c3[0]"'),
    ("a: {name: layer{i}}", "yaml-syntax", 1, 16, 'quote the whole item: "layer{i}"'),
    ("a: 'x\nb: 1", "yaml-syntax", 1, 4, "close it"),
    ('a: "x\nb: 1', "yaml-syntax", 1, 4, "close it"),
    ("a: 'it's'", "yaml-syntax", 1, 8, "quote the whole string; inside single quotes, '' is one quote"),
    ('a: "\\q"', "yaml-syntax", 1, 5, "write \\\\ for a backslash, or use single quotes"),
    ('a: "x\\u12"', "yaml-syntax", 1, 6, "write \\\\ for a backslash, or use single quotes"),
    ("a: @b", "yaml-syntax", 1, 4, "quote the string"),
    ("a: %b", "yaml-syntax", 1, 4, "quote the string"),
    ("a: * 2", "yaml-syntax", 1, 4, "quote the string"),
    ("a: & 2", "yaml-syntax", 1, 4, "quote the string"),
    ("a: > 3", "yaml-syntax", 1, 4, "quote the string, or start it on the next line"),
    ("a: | b", "yaml-syntax", 1, 4, "quote the string, or start it on the next line"),
]


@pytest.mark.parametrize(("text", "id", "line", "column", "help"), TRAPS)
def test_traps(text: str, id: str, line: int, column: int, help: str | None) -> None:
    _, report = read(text)
    assert [
        (found.id, found.primary.span.line, found.primary.span.column, found.help) for found in report.diagnostics
    ] == [(id, line, column, help)]


def test_a_duplicate_key_shows_the_first() -> None:
    _, report = read("a: 1\nb: 2\na: 3")
    (label,) = report.diagnostics[0].secondary
    assert (label.span.line, label.span.column, label.text) == (1, 1, "first defined here")


def test_faults_are_reported_together_and_the_tree_goes_on() -> None:
    node, report = read("a: yes\nb: !x 1\na: 2\n? [c]\n: 3\nd: 010\n")
    assert [found.id for found in report.diagnostics] == [
        "yaml-trap",
        "yaml-tag",
        "duplicate-key",
        "yaml-key",
        "yaml-trap",
    ]
    assert isinstance(node, MapNode)
    assert node.keys() == ("a", "b", "d")


def test_a_fault_is_drawn_under_the_text() -> None:
    _, report = read("netspec: 1\nbias: yes\n")
    with pytest.raises(SpecError) as found:
        report.raise_if_any()
    assert str(found.value) == (
        "error[yaml-trap]: `yes` is true in YAML 1.1\n"
        "  --> spec.yaml:2:7\n"
        "2 | bias: yes\n"
        "  |       ^^^\n"
        '  help: write `true`, or quote it: "yes"'
    )


# --- bounds ---

LAUGHS = "a0: &a0 [1, 1]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
DEEP = "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 80))


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ("[" * 30_000 + "]" * 30_000, "yaml-depth"),
        ("[" * 30_000, "yaml-depth"),
        ("{a: " * 30_000, "yaml-depth"),
        ("- " * 30_000 + "a", "yaml-depth"),
        ("? " * 30_000 + "a", "yaml-depth"),
        ("\n".join(" " * n + "a:" for n in range(2000)), "yaml-depth"),
        (DEEP, "yaml-depth"),
        (LAUGHS, "yaml-bomb"),
    ],
)
def test_bombs_end_in_a_diagnostic_quickly(text: str, id: str) -> None:
    with at_most(50):
        node, report = read(text)
    assert node is None
    assert [found.id for found in report.diagnostics] == [id]


@pytest.mark.parametrize(
    "text",
    [
        "\t\n" * 200_000,
        "a: (,(,(" * 1000,
        "[" + "(, " * 3000 + "]",
        "[" + "), " * 3000 + "]",
        "\n".join(f"k{n}: 1" for n in range(5000)),
        "a: '" + "x" * 100_000,
        "{" * 60 + "}" * 60,
        "#" * 100_000 + "\t",
    ],
)
def test_nothing_is_slow(text: str) -> None:
    with at_most(50):
        read(text)


def test_limits_can_be_set() -> None:
    assert read("[[1]]", depth=1)[1].diagnostics[0].id == "yaml-depth"
    assert read("[1, 2]", nodes=2)[1].diagnostics[0].id == "yaml-nodes"
    assert read("[&a [1, 2], *a, *a]", expanded=9)[1].diagnostics[0].id == "yaml-bomb"
    assert read("[&a [1, 2], *a, *a]", expanded=10)[1].diagnostics == []


# --- files ---


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: \xc3\xa9\n")
    source = read_source(path)
    assert (source.name, source.text) == (str(path), "name: é\n")


def test_a_missing_file_is_the_callers_mistake(tmp_path: Path) -> None:
    (tmp_path / "resnet.yaml").write_text("")
    with pytest.raises(UsageError) as found:
        read_source(tmp_path / "resnt.yaml")
    wanted = f"no such file: {tmp_path / 'resnt.yaml'}; did you mean `{tmp_path / 'resnet.yaml'}`?"
    assert str(found.value) == wanted


@pytest.mark.parametrize(
    ("data", "message", "line", "column"),
    [
        ("netspec: 1".encode("utf-16"), "the file is UTF-16", 1, 1),
        (b"a: 1\nb\xc3\xa9: \xe9t\xe9\n", "byte 0xe9 is not UTF-8", 2, 5),
        (b"a" * 101, "the file is larger than 100 bytes", 1, 1),
    ],
)
def test_bad_files(tmp_path: Path, data: bytes, message: str, line: int, column: int) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(data)
    with pytest.raises(SpecError) as found:
        read_source(path, FileLimits(bytes=100))
    (diagnostic,) = found.value.diagnostics
    span = diagnostic.primary.span
    assert (diagnostic.message, span.line, span.column) == (message, line, column)


def test_folders_pipes_and_devices_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(SpecError) as found:
            read_source(path)
        assert found.value.diagnostics[0].id == "bad-file"


# --- both backends give one tree ---


def whole(node: SyntaxNode | None) -> Any:
    """The tree with everything in it that can be compared."""
    match node:
        case None:
            return None
        case ScalarNode():
            return place(node), node.text, repr(node.value), node.plain
        case ListNode():
            return place(node), [whole(item) for item in node.items]
        case MapNode():
            return place(node), [(whole(key), whole(value)) for key, value in node.entries]


def with_backend(name: str, text: str) -> tuple[Any, list[Any]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "_LOADER", BACKENDS[name])
        node, report = read(text)
    return whole(node), [(found.id, found.message, found.primary.span.order) for found in report.diagnostics]


WORDS = st.sampled_from(["a", "N", "4 * width", "'q'", '"d"', "1e-3", "~", "x{i}", "é", "k", "c3[0]", "max(a, b)"])
SNIPPETS = st.sampled_from(
    [
        "a",
        "b: ",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        ": ",
        "'",
        '"',
        "|\n",
        ">\n",
        "&x ",
        "*x",
        "# c",
        "1",
    ]
)


def flow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    lists = st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]")
    maps = st.lists(inner, max_size=3).map(
        lambda items: "{" + ", ".join(f"k{n}: {item}" for n, item in enumerate(items)) + "}"
    )
    return lists | maps


def block(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def indent(text: str) -> str:
        return "\n" + "\n".join("  " + line for line in text.split("\n")) if "\n" in text or ": " in text else text

    lists = st.lists(inner, min_size=1, max_size=3).map(lambda items: "\n".join(f"- {indent(item)}" for item in items))
    maps = st.lists(inner, min_size=1, max_size=3).map(
        lambda items: "\n".join(f"key{n}: {indent(item)}" for n, item in enumerate(items))
    )
    return lists | maps


DOCUMENTS = st.recursive(st.recursive(WORDS, flow, max_leaves=6), block, max_leaves=8)


@pytest.mark.skipif("C" not in BACKENDS, reason="PyYAML has no libyaml here")
@settings(max_examples=150, deadline=None)
@given(DOCUMENTS | st.lists(SNIPPETS, max_size=14).map("".join))
def test_both_backends_give_one_tree(text: str) -> None:
    pure, found_pure = with_backend("pure", text)
    fast, found_fast = with_backend("C", text)
    assert (pure is None) == (fast is None)
    if pure is not None:
        assert (fast, found_fast) == (pure, found_pure)


@pytest.mark.skipif("C" not in BACKENDS, reason="PyYAML has no libyaml here")
@pytest.mark.parametrize("text", [trap[0] for trap in TRAPS])
def test_both_backends_say_the_same(text: str) -> None:
    assert with_backend("pure", text) == with_backend("C", text)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=":-?[]{},&*!|>'\"%@`#\n \t\\uax0~<\u2028é\ud800", max_size=25))
def test_any_text_is_a_tree_or_a_diagnostic(text: str) -> None:
    for name in BACKENDS:
        tree, found = with_backend(name, text)
        assert tree is not None or found
