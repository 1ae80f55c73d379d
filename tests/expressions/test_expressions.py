"""The expression language: Python's own ``eval`` is the oracle for what it means, attacks for what it refuses."""

from __future__ import annotations

import contextlib
import math
import re

import pytest
from clock import at_most
from hypothesis import given, settings
from hypothesis import strategies as st

from netspec.dims import Dim, ceil_div
from netspec.expressions import FUNCTIONS, ExpressionError, parse, parse_template
from netspec.runtime.vision import import_torchvision

N, H = Dim.symbol("N"), Dim.symbol("H")
ENV = {
    "width": 64,
    "ratio": 0.5,
    "block": "basic",
    "causal": True,
    "depths": [3, 4, 6, 3],
    "i": 1,
    "j": 0,
    "stride": 2,
    "shape": (N, 64, H, 56),
}

NAMES = "the names in scope are " + ", ".join(f"`{name}`" for name in [*ENV, "x", "y"])


def value(text: str) -> object:
    return parse(text).evaluate(ENV)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("4 * width", 256),
        ("2 if i > 0 and j == 0 else 1", 1 + 1),
        ("depths[0]", 3),
        ("depths[1:]", [4, 6, 3]),
        ("depths[::-1]", [3, 6, 4, 3]),
        ("stride == 1 and shape[1] == width", False),
        ("shape[1] // 16", 4),
        ("reversed(depths)", [3, 6, 4, 3]),
        ("[64] * 3 + [1]", [64, 64, 64, 1]),
        ("(1, 2)", [1, 2]),
        ("1,", [1]),
        ("shape", [N, 64, H, 56]),
        ("block in ['basic', 'bottleneck']", True),
        ("'a' not in block", False),
        ("0 <= i < len(depths)", True),
        ("not causal", False),
        ("ceil(width * ratio / 3)", 11),
        ("sum(range(5))", 10),
        ("  width\n  + 1 ", 65),
        ("1_000 + 0x10 + 1e3", 2016.0),
        ("shape[2] // 2 // 2", H // 4),
        ("(shape[2] + 1) // 2", ceil_div(H, 2)),
        ("2 * shape[2] ** 2 % 2", 0),
        ("shape[2] * 4 // shape[2]", 4),
        ("shape[2] + 1 > shape[2]", True),
        ("max(shape[2], shape[2] - 3)", H),
        ("shape[2] == shape[2] * 1.5 if False else shape[2] == 0.5", False),
        ("sum(shape)", N + H + 120),
        ("shape == [1, 2]", False),
        ("[shape[0], 1] == [shape[0], 2]", False),
        ("[shape[2], 1] == [4, 2]", False),
        ("shape[0] in [1, shape[0]]", True),
        ("[ceil(d * ratio) for d in depths]", [2, 2, 3, 2]),
        ("[i * d for i in range(3) if i > 0 for d in depths[:2] if d != i + 2]", [4, 6]),
        ("[a * b for a, b in [[1, 2], [3, 4]]] + [i]", [2, 12, 1]),
        ("[[j] * j for j in range(3)] + [j]", [[], [1], [2, 2], 0]),
        ("[size // 2 for size in shape[1:]]", [32, H // 2, 28]),
        ("sqrt(width)", 8.0),
        ("exp(log(width))", math.exp(math.log(64))),
        ("log(width, 2)", 6.0),
    ],
)
def test_values(text: str, wanted: object) -> None:
    assert value(text) == wanted


def test_names_are_what_it_reads() -> None:
    assert parse("max(width, depths[i]) if block == 'basic' else shape").names == {
        "width",
        "depths",
        "i",
        "block",
        "shape",
    }
    assert parse("3 + 4").names == frozenset()
    assert parse("[d * i for d in depths for i in range(d)] + [d]").names == {"d", "depths"}
    assert parse("[i * d for d in [i] for i in d]").names == {"i"}
    assert "max" in FUNCTIONS


def test_a_tuple_in_the_environment_is_a_list() -> None:
    assert value("shape + [1]") == [N, 64, H, 56, 1]


@pytest.mark.parametrize(
    ("text", "message", "under", "help"),
    [
        ("", "the expression is empty", "", None),
        ("4 *", "the expression ends unexpectedly", "4 *", "an operand is missing at the end"),
        ("4 4", "`4` is not expected here", "4", None),
        ("1 + widht", "unknown name `widht`", "widht", "did you mean `width`?"),
        ("x if true else y", "unknown name `true`", "true", "did you mean `True`?"),
        ("min + 1", "`min` is a function", "min", "call it: `min(…)`"),
        ("flor(3)", "unknown function `flor`", "flor", "did you mean `floor`?"),
        ("abs(1, 2)", "`abs` takes 1 argument, not 2", "abs(1, 2)", None),
        ("1 + range()", "`range` takes 1 to 3 arguments, not 0", "range()", None),
        ("3 * a.b", "an expression cannot access attributes", ".b", "write a name or x[0]"),
        ("12M", "`12M` runs two words together", "12M", "write 12000000"),
        ("010", "a number cannot have leading zeros", "010", "write 10 for 010, 0o10 for octal"),
        ("2 if causal", "a conditional expression needs an `else`", "2 if causal", "write `a if condition else b`"),
        (
            "width = 3",
            "`=` is not allowed in an expression",
            "=",
            "use `==` to compare; functions take no keyword arguments",
        ),
        ("i > 0 && j", "`&` is not allowed in an expression", "&", "write `and`"),
        ("${i}", "`$` is not allowed in an expression", "$", "write the bare name, without `$`"),
        ("i is 3", "`is` is not allowed in an expression", "is", "write `==`"),
        ("é", "an expression must be plain ASCII; this is U+00E9 `é`", "é", None),
        ("(4", "`(` is never closed", "(", "close it with `)`"),
        ("[4)", "`)` has no matching bracket", ")", None),
        ("block == 'a", "the quote is never closed", "'a", None),
        ("i + 1 / j", "division by zero", "1 / j", None),
        ("2 ** 100", "the number exceeds 2**53", "2 ** 100", None),
        ("9007199254740993", "the number exceeds 2**53", "9007199254740993", None),
        ("1e999", "the number is not finite", "1e999", None),
        ("(-8) ** 0.5", "root of a negative number", "(-8) ** 0.5", None),
        ("causal + 1", "`+` takes numbers, and this is true", "causal + 1", None),
        ("block * 3", '`*` takes numbers, and this is the string "basic"', "block * 3", None),
        ("block + block", '`+` takes numbers, and this is the string "basic"', "block + block", None),
        ("not width", "`not` takes a condition, and this is 64", "width", "compare it: `x > 0`, `x == y`"),
        ("1 if width else 2", "`if` takes a condition, and this is 64", "width", "compare it: `x > 0`, `x == y`"),
        ("causal and i", "`and` takes a condition, and this is 1", "i", "compare it: `x > 0`, `x == y`"),
        ("'a' < 'b'", '`<` compares numbers, and this is the string "a"', "'a' < 'b'", None),
        ("depths[4]", "index 4 is out of range for a list of 4", "depths[4]", None),
        ("depths[0.5]", "an index must be an integer, and this is 0.5", "depths[0.5]", None),
        ("width[0]", "only a list has items, and this is 64", "width[0]", None),
        ("depths[::0]", "a slice takes a nonzero step", "depths[::0]", None),
        ("[0] * 10001", "the list has more than 10000 items", "[0] * 10001", None),
        ("[[[0] * 100] * 90] * 90", "the list has more than 10000 items", "[[[0] * 100] * 90] * 90", None),
        ("range(20001)", "`range` gives 20001 numbers; at most 20000 are allowed", "range(20001)", None),
        ("[1 for x in range(5001)]", "the comprehension makes more than 5,000 turns and items", "range(5001)", None),
        (
            "[range(99) for x in range(99)]",
            "the comprehension makes more than 5,000 turns and items",
            "range(99)",
            None,
        ),
        ("[d for d in width]", "a comprehension runs over a list, and this is 64", "width", None),
        ("[a for a, b in depths]", "2 names take a list of as many items, not 3", "a, b", None),
        ("[d for d in depths] + [d]", "unknown name `d`", "d", NAMES),
        ("[1 for x[0] in depths]", "a comprehension gives values to names", "x[0]", "write `[2 * d for d in depths]`"),
        ("sqrt(-1)", "`sqrt` takes numbers of at least 0, and this is -1", "sqrt(-1)", None),
        ("log(0)", "`log` takes positive numbers, and this is 0", "log(0)", None),
        ("log(8, 1)", "`log` takes a base other than 1", "log(8, 1)", None),
        ("exp(1000)", "the number is not finite", "exp(1000)", None),
        (
            "make_divisible(8, 0)",
            "`make_divisible` divides by a positive number, and this is 0",
            "make_divisible(8, 0)",
            None,
        ),
        ("min([])", "`min` of an empty list", "min([])", None),
        ("round(1.5, 10 ** 9)", "`round` keeps at most 20 digits", "round(1.5, 10 ** 9)", None),
        (
            "shape[2] == 8",
            "whether H equals 8 depends on H",
            "shape[2] == 8",
            "give the dimension a number in `inputs`",
        ),
        ("shape[2] < 8", "whether H < 8 depends on H", "shape[2] < 8", "give the dimension a number in `inputs`"),
        (
            "shape[2] / 2",
            "`/` takes known numbers, and this is the symbolic size H",
            "shape[2] / 2",
            "`a // b` rounds down, `(a + b - 1) // b` rounds up",
        ),
        ("shape[2] // 0", "division by zero", "shape[2] // 0", None),
        ("shape[2] // -1", "a size can only be divided by a positive number", "shape[2] // -1", None),
        ("8 // shape[2]", "8 is not a multiple of H", "8 // shape[2]", None),
        ("range(shape[2])", "`range` takes known numbers, and this is the symbolic size H", "range(shape[2])", None),
        (
            "shape[2] * 0.5",
            "the symbolic size H can only be combined with integers, and this is 0.5",
            "shape[2] * 0.5",
            None,
        ),
    ],
)
def test_refusals_say_what_and_where(text: str, message: str, under: str, help: str | None) -> None:
    with pytest.raises(ExpressionError) as found:
        parse(text).evaluate({**ENV, "x": 1, "y": 2})
    assert (found.value.message, text[found.value.start : found.value.end], found.value.help) == (message, under, help)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "().__class__.__bases__[0].__subclasses__()",
        "[x for x in range(5000) for y in range(5000)]",
        "[[y for y in range(500)] for x in range(500)]",
        "[[0] * 9000 for x in range(5000)]",
        "[(lambda: x)() for x in depths]",
        "[x.real for x in depths]",
        "[x async for x in depths]",
        "[x := 1 for y in depths]",
        "[x for *x in depths]",
        "[x for x in]",
        "(x for x in depths)",
        "{1: 2}",
        "{1, 2}",
        "lambda: 1",
        "(lambda: 1)()",
        "(y := 3)",
        "f'{width}'",
        "f(*depths)",
        "max(*depths)",
        "max(depths, key=len)",
        "min(**depths)",
        "'%1000000000d' % 1",
        "'a' * 1000000000",
        "'abc'.upper()",
        "open('/etc/passwd')",
        "eval('1')",
        "globals()",
        "print(1)",
        "b'abc'",
        "r'abc'",
        "1j",
        "None",
        "...",
        "yield 1",
        "await x",
        "not " * 100 + "True",
        "-" * 400 + "1",
        "(" * 200 + ")" * 200,
        "[" * 33 + "]" * 33,
        "9 ** 9 ** 9 ** 9",
        "2 ** -1 ** 0.5 ** 1e308 * 1e308 * 1e308",
        "1 << 1000000",
        "~1",
        "1 @ 2",
        "1; 2",
        "import os",
        "x = 1",
        "1 + 1 # comment",
        "1\x00",
        "'''a'''",
        "'''(''' + '' (",
        '"\\x41"',
        "1 \\\n+ 1",
        "1if causal else 2",
        "range(10 ** 15)",
        "[range(20000)] * 400",
        "[range(20000), range(20000)]",
        "sum([[1], [2]])",
        "depths[0:1, 2]",
        "depths[causal]",
        "range(1.5)",
        "range(0, 1, 0)",
        "reversed(3)",
        "len(3)",
        "ceil(block)",
        "ceil(1e300)",
        "abs(causal)",
        "abs(shape[0])",
        "max(1, causal)",
        "max('a', 'b')",
        "+".join(["1"] * 130),
        "1 " * 300,
        "+" * 600,
        "(shape[0] + shape[2]) ** 17",
        "shape[0] ** shape[0]",
        "4 % shape[0]",
        "shape[0] * 9007199254740992 * 4",
        "a, b = 1, 2",
        "width width",
        "3(4)",
        "depths()",
        "max",
        "* depths",
        "1 if 2",
        ":",
        "[1:2]",
        "x[:",
        ")(",
    ],
)
def test_attacks_end_in_an_error_at_once(text: str) -> None:
    with at_most(5), pytest.raises(ExpressionError) as found:
        parse(text).evaluate({**ENV, "x": [1]})
    assert 0 <= found.value.start <= found.value.end <= len(text)


def test_later_parts_are_read_only_where_they_count() -> None:
    assert value("j == 0 or 1 // j > 0") is True
    assert value("j > 0 and 1 // j > 0") is False
    assert value("1 if j == 0 else 1 // j") == 1
    assert value("1 < 0 < nothing") is False


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("layer{i + 1}", "layer2"),
        ("{block}_{width}", "basic_64"),
        ("{{i}}", "{i}"),
        ("é{'}' if causal else '{'}", "é}"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_templates(text: str, wanted: str) -> None:
    template = parse_template(text)
    assert template.evaluate(ENV) == wanted
    assert template.constant == (not template.names and "{'" not in text)


@pytest.mark.parametrize(
    ("text", "message", "under"),
    [
        ("a}b", "`}` has no matching bracket", "}"),
        ("a{b", "`{` is never closed", "{"),
        ("w${i}", "`$` before a brace", "${i}"),
        ("é{i + k}", "unknown name `k`", "k"),
        ("x{i i}", "`i` is not expected here", "i"),
        ("x{}", "the expression is empty", ""),
        ("x{i:02d}", "`:` is only allowed between the bounds of a slice, as in `sizes[1:]`", ":"),
        ("x{depths}", "braces must contain a number or a string, and this is a list of 4", "depths"),
        ("x{causal}", "braces must contain a number or a string, and this is true", "causal"),
        ("x{shape[0]}", "braces must contain a number or a string, and this is the symbolic size N", "shape[0]"),
    ],
)
def test_template_refusals_count_from_the_start_of_the_text(text: str, message: str, under: str) -> None:
    with pytest.raises(ExpressionError) as found:
        parse_template(text).evaluate(ENV)
    assert (found.value.message, text[found.value.start : found.value.end]) == (message, under)


# --- Python as the oracle ---

NUMBERS = {"a": 3, "b": -2, "c": 0.75, "z": 0}
LISTS = {"l": [1, 2, 3], "m": [-1.5, 4]}
PYTHON = {"__builtins__": {}, "ceil": math.ceil, "floor": math.floor, "range": lambda *x: list(range(*x))}
PYTHON |= {"reversed": lambda x: list(reversed(x)), "True": True, "False": False}
PYTHON |= {function.__name__: function for function in (min, max, round, abs, len, sum)}


# Each form's capitals are filled with expressions of their kind: a number, a truth value, a list.
LEAVES = {
    "N": [*NUMBERS, "0", "1", "2", "7", "1.5", "1e3", "100"],
    "T": ["True", "False"],
    "L": [*LISTS, "[]", "[2, 2]"],
}
FORMS = """
N  N + N; N - N; N * N; (N / N); N // N; (N % N); (N)**N; -N; +N; (N); (N if T else N); abs(N); L[1]; L[-1]; L[ceil(N)]
N  min(N, N); max(N, N, N); min(L); max(L); len(L); sum(L); ceil(N); floor(N); round(N); round(N, 1); round(N, -1)
T  (N < N); (N == N); (N <= N != N); (N < N < N); (T and T); (T or T); (not T); (N in L); (N not in L); (L == L)
L  [N + x for x in L]; [x * y for x in L for y in L if x < y]; [x for x in L if T]
L  [N, N]; (L + L); (L * 2); (2 * L); range(len(L)); range(floor(N)); reversed(L); L[1:]; L[:-1]; L[::-1]; L[:floor(N)]
T  (N >= N)
L  (L if T else L); [N] + L
"""


def forms(kind: str) -> list[str]:
    return [form for line in FORMS.split("\n") if line.startswith(kind) for form in line[3:].split("; ")]


@st.composite
def expressions(draw: st.DrawFn) -> str:
    def grow(kind: str, depth: int) -> str:
        form = draw(st.sampled_from(forms(kind) if depth else LEAVES[kind]))
        if not depth:
            return form
        return re.sub(r"\b[NTL]\b", lambda part: grow(part.group(), draw(st.integers(0, depth - 1))), form)

    return grow(draw(st.sampled_from("NTL")), draw(st.integers(1, 4)))


@settings(max_examples=400, deadline=None)
@given(expressions())
def test_it_means_what_python_means(text: str) -> None:
    try:
        found = parse(text).evaluate(NUMBERS | LISTS)
    except ExpressionError as refused:
        if refused.message in ("division by zero", "`min` of an empty list", "`max` of an empty list"):
            with pytest.raises((ZeroDivisionError, ValueError)):
                eval(text, PYTHON | NUMBERS | LISTS)
        return
    wanted = eval(text, PYTHON | NUMBERS | LISTS)
    assert (type(found), found) == (type(wanted), wanted)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab12 .+-*/%<>=!()[]{}:,'\"\\\n$#_é" + "\t", max_size=30))
def test_any_text_is_a_value_or_an_expression_error(text: str) -> None:
    for read in (parse, parse_template):
        with contextlib.suppress(ExpressionError):
            read(text).evaluate({"a": 1, "b": [1, 2]})


def test_make_divisible_is_torchvisions() -> None:
    import_torchvision()
    divisible = pytest.importorskip("torchvision").models._utils._make_divisible
    for value in [*range(1, 90), *(0.35 * width for width in range(8, 400, 24)), 100.5]:
        for divisor, least in ((8, None), (8, 16), (3, None), (1, 1)):
            names = {"x": value, "d": divisor, "least": least}
            text = "make_divisible(x, d)" if least is None else "make_divisible(x, d, least)"
            assert parse(text).evaluate(names) == divisible(value, divisor, least)
