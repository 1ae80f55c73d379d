"""How a diagnostic is drawn: clipped, escaped, and as wide as it looks."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netspec.diagnostics import Diagnostic, Label, Report, Source, Span, SpecError, did_you_mean, nearest, render
from netspec.diagnostics.base import MOST_COUNTED, MOST_KEPT
from netspec.diagnostics.text import Layout, escaped, render_all


def drawn(line: str, start: int, end: int, width: int = 60, label: str = "here") -> list[str]:
    source = Source("a.yaml", line)
    return render(Diagnostic("an-id", "message", Label(Span(source, 1, start, 1, end), label)), Layout(width)).split(
        "\n"
    )


def test_a_short_line_is_shown_as_it_is():
    assert drawn("width: 3", 8, 9)[2:] == ["1 | width: 3", "  |        ^ here"]


def test_a_long_line_is_clipped_around_the_label():
    lines = drawn("a" * 200 + "bad" + "c" * 200, 201, 204)
    assert max(map(len, lines)) <= 60 + len(" here")
    shown, marks = lines[2], lines[3]
    assert shown[4] == shown[-1] == "…"
    start = marks.index("^")
    assert shown[start : start + 3] == "bad"


def test_the_start_of_a_long_line_stays_where_it_fits():
    assert drawn("bad" + "c" * 200, 1, 4)[2].startswith("1 | badccc")


def test_what_is_underlined_may_be_too_long_itself():
    lines = drawn("a" * 500, 1, 501)
    assert set(lines[3].split(" here")[0][4:]) == {"^"}
    assert len(lines[2]) <= 60


def test_control_and_direction_characters_are_shown_and_measured():
    lines = drawn("a: \x1b[31m\u202e b", 11, 12)
    assert lines[2] == "1 | a: \\x1b[31m\\u202e b"
    assert lines[3].index("^") == lines[2].rindex("b")


def test_wide_characters_take_two_columns():
    assert drawn("a: 畳み b", 7, 8)[3] == "  |         ^ here"


def test_messages_are_escaped_and_bounded():
    found = Diagnostic("an-id", "bell \x07" + "x" * 5000, Label(Span(Source("\x1b.yaml", ""), 1, 1, 1, 1)))
    text = render(found)
    assert "\x07" not in text
    assert "\x1b" not in text
    assert len(text) < 1000


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300), st.integers(1, 320), st.integers(0, 320), st.integers(20, 120))
def test_any_line_is_drawn_within_the_width(line: str, start: int, length: int, width: int):
    text = render(
        Diagnostic("an-id", line, Label(Span(Source("a", line), 1, start, 1, start + length), line)), Layout(width)
    )
    assert all(character.isprintable() or character in "\n\u3000" for character in text)
    (shown,) = [part for part in text.split("\n") if part.startswith("1 |")]
    assert len(shown) <= max(width, 24) + 2


def test_secondary_labels_in_other_files_are_drawn_there():
    one, two = Source("one.yaml", "a: 1\nb: 2"), Source("two.yaml", "c: 3")
    found = Diagnostic(
        "an-id",
        "message",
        Label(Span(one, 2, 1, 2, 2), "here"),
        (Label(Span(two, 1, 4, 1, 5), "there"), Label(Span(one, 1, 1, 1, 2), "before")),
        trail=("block x, 1 (line 3)",),
        notes=("a note",),
        help="a help",
    )
    assert render(found) == "\n".join(
        [
            "error[an-id]: message",
            "  --> one.yaml:2:1",
            "1 | a: 1",
            "  | - before",
            "2 | b: 2",
            "  | ^ here",
            "  ::: two.yaml:1:4",
            "1 | c: 3",
            "  |    - there",
            "  in: block x, 1 (line 3)",
            "  note: a note",
            "  help: a help",
        ]
    )


def test_a_report_keeps_a_hundred_and_counts_on():
    source = Source("a", "x\n" * 300)
    report = Report()
    for line in range(1, 251):
        report.error("an-id", "message", Span(source, line, 1, line, 2))
    assert (len(report.diagnostics), report.more) == (MOST_KEPT, 150)
    with pytest.raises(SpecError) as found:
        report.raise_if_any()
    assert str(found.value).endswith("and 150 more")


def test_a_report_stops_the_search_when_there_is_no_end():
    source, report = Source("a", ""), Report()

    def search() -> None:
        for line in range(1, 10_000):
            report.error("an-id", "message", Span(source, line, 1, line, 2))

    with pytest.raises(SpecError) as found:
        search()
    assert str(found.value).endswith(f"\n\nand at least {MOST_COUNTED - MOST_KEPT} more")
    assert report.count == MOST_COUNTED


def test_a_fault_at_one_place_counts_once_and_an_unreadable_text_says_nothing_else():
    source, report = Source("a", "x"), Report()
    span = Span(source, 1, 1, 1, 2)
    report.error("yaml-trap", "message", span)
    report.error("yaml-trap", "message of another turn", span)
    report.error("wrong-type", "follows from it", span)
    assert [found.id for found in report.diagnostics] == ["yaml-trap"]


@pytest.mark.parametrize(
    ("word", "candidates", "meant"),
    [
        ("rleu", ["relu", "elu"], "relu"),
        ("Conv2d", ["conv1d", "conv2d"], "conv2d"),
        ("MaxPool2d", ["max_pool2d"], "max_pool2d"),
        ("filters", ["out_channels"], "out_channels"),
        ("zzz", ["relu"], None),
    ],
)
def test_nearest(word: str, candidates: list[str], meant: str | None):
    assert nearest(word, candidates) == meant


def test_few_candidates_are_listed():
    assert did_you_mean("zzz", ["a", "b"]) == "one of `a`, `b`"
    assert did_you_mean("zzz", ["a"]) == "there is only `a`"
    assert did_you_mean("zzz", []) is None


def test_escaped_leaves_plain_text_alone():
    assert escaped("⌈H/2⌉ × 64 — ok") == "⌈H/2⌉ × 64 — ok"


def long_fault() -> Diagnostic:
    source = Source("net.yaml", "network:\n  - linaer: 3\n")
    message = "a message of so many words that no line of sixty columns would take all of it, so that it goes on below"
    help = "write `linear: {out_features: 3, bias: false}` in place of what stands there, as nothing is called so"
    label = Label(Span(source, 2, 5, 2, 11), "which is a long label for a short word in a narrow terminal")
    return Diagnostic("unknown-op", message, label, help=help)


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_terminal_has_no_word_broken(width: int):
    found = long_fault()
    lines = render(found, Layout(width, wraps=True)).split("\n")
    assert max(map(len, lines)) <= width
    words = " ".join(line.strip(" |") for line in lines).split()
    assert set(f"{found.message} {found.help} {found.primary.text}".split()) <= {*words}
    assert render(found, Layout(200, wraps=True)) == render(found, Layout(200))


def test_what_is_to_be_pasted_stays_on_one_line_where_it_fits():
    for width in (52, 56, 60):
        assert "`linear: {out_features: 3, bias: false}`" in render(long_fault(), Layout(width, wraps=True))


def test_colours_change_no_text():
    found = long_fault()
    coloured = render_all([found], 2, Layout(60, wraps=True, colours=True))
    assert "\x1b[1;31merror[unknown-op]:\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render_all([found], 2, Layout(60, wraps=True))
