"""Words: what is checked before Python's parser sees the text, and what to say of what it refuses."""

from __future__ import annotations

import keyword
import re

from netspec.expressions.base import MAX_BRACKETS, MAX_CHARACTERS, MAX_UNARY, ExpressionError

_WORD = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    | (?P<number>0[xX][0-9a-fA-F_]+ | 0[oO][0-7_]+ | 0[bB][01_]+
        | (?:[0-9][0-9_]*(?:\.[0-9_]*)? | \.[0-9][0-9_]*)(?:[eE][-+]?[0-9][0-9_]*)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<string>'[^'\\\r\n]*' | "[^"\\\r\n]*")
    | (?P<open>[(\[]) | (?P<close>[)\]])
    | (?P<operator>\*\*|//|==|!=|<=|>=|[-+*/%<>,:])""",
    re.VERBOSE,
)
_KEYWORDS = frozenset({"and", "or", "not", "in", "if", "else", "for", "True", "False"})
_PAIRS = {"(": ")", "[": "]"}
_INSTEAD = {
    "=": "use `==` to compare; functions take no keyword arguments",
    "&": "write `and`",
    "|": "write `or`",
    "!": "write `not`, or `!=`",
    "^": "write a power with `**`",
    "{": "write the bare expression, without braces",
    "$": "write the bare name, without `$`",
    "?": "write `a if condition else b`",
    "is": "write `==`",
    "None": "leave the key out if there is no value",
    "lambda": "functions cannot be defined; add a parameter instead",
}


def check_words(text: str) -> None:
    """Refuses what is too long, too deep, or no word of the language; brackets and quotes are closed afterwards."""
    if len(text) > MAX_CHARACTERS:
        message = f"the expression has {len(text)} characters; at most {MAX_CHARACTERS} are allowed"
        raise ExpressionError(message, MAX_CHARACTERS, len(text), "compute a part of it as a parameter")
    if not text.strip(" \t\r\n"):
        raise ExpressionError("the expression is empty", 0, len(text))
    brackets: list[tuple[str, int]] = []
    unary = place = 0
    before = last = "space"
    while place < len(text):
        found = _WORD.match(text, place)
        if not found:
            raise _no_word(text, place)
        kind, word, end = found.lastgroup or "", found.group(), found.end()
        if kind in ("name", "string", "number") and before in ("name", "number"):
            start = _word_start(text, place)
            repair = (
                unit_help(text[start:end])
                if before == "number"
                else "a string takes no prefix; put a space between them"
            )
            raise ExpressionError(f"`{text[start:end]}` runs two words together", start, end, repair)
        if kind == "name" and keyword.iskeyword(word) and word not in _KEYWORDS:
            raise ExpressionError(f"`{word}` is not allowed in an expression", place, end, _INSTEAD.get(word))
        if kind == "string" and text[end : end + 1] == word[0]:
            raise ExpressionError("a string takes one quote on each side", place, end + 1)
        if kind == "open":
            brackets.append((word, place))
            if len(brackets) > MAX_BRACKETS:
                raise ExpressionError(f"brackets are nested more than {MAX_BRACKETS} levels deep", place, end)
        elif kind == "close":
            if not brackets or _PAIRS[brackets[-1][0]] != word:
                raise ExpressionError(f"`{word}` has no matching bracket", place, end)
            brackets.pop()
        elif word == ":" and (not brackets or brackets[-1][0] != "["):
            raise ExpressionError("`:` is only allowed between the bounds of a slice, as in `sizes[1:]`", place, end)
        if kind != "space":
            unary = unary + 1 if word in ("+", "-", "not") else 0
            if unary > MAX_UNARY:
                raise ExpressionError(f"more than {MAX_UNARY} signs in a row", place, end)
            last = "operator" if word in _KEYWORDS - {"True", "False"} else kind
        before, place = kind, end
    if brackets:
        bracket, start = brackets[-1]
        raise ExpressionError(f"`{bracket}` is never closed", start, start + 1, f"close it with `{_PAIRS[bracket]}`")
    if last == "operator" and not text.rstrip().endswith(","):
        raise ExpressionError("the expression ends unexpectedly", 0, len(text), "an operand is missing at the end")


_UNITS = {"k": 10**3, "K": 10**3, "m": 10**6, "M": 10**6, "G": 10**9}


def unit_help(text: str) -> str:
    """Return how to write ``4k``."""
    found = re.fullmatch(r"([0-9]+)([kKmMG])", text)
    return f"write {int(found[1]) * _UNITS[found[2]]}" if found else "write 12_000_000 for 12M, `2 * x` for 2x"


def _word_start(text: str, place: int) -> int:
    while place and (text[place - 1].isalnum() or text[place - 1] in "_."):
        place -= 1
    return place


def _no_word(text: str, place: int) -> ExpressionError:
    """Return the fault of a character that starts no word."""
    character = text[place]
    if character in "'\"":
        rest = text[place:].split("\n", 1)[0]
        if "\\" in rest:
            return ExpressionError("a string in an expression cannot contain a backslash", place, place + len(rest))
        return ExpressionError("the quote is never closed", place, place + len(rest))
    if character == ".":
        attribute = re.compile(r"\.\s*\w*").match(text, place)
        end = attribute.end() if attribute else place + 1
        return ExpressionError("an expression cannot access attributes", place, end, "write a name or x[0]")
    if not character.isprintable() or not character.isascii():
        what = f"U+{ord(character):04X}" + (f" `{character}`" if character.isprintable() else "")
        return ExpressionError(f"an expression must be plain ASCII; this is {what}", place, place + 1)
    repair = _INSTEAD.get(character)
    return ExpressionError(f"`{character}` is not allowed in an expression", place, place + 1, repair)


def syntax_error(text: str, offset: int, found: SyntaxError) -> ExpressionError:
    """Python's own complaint, in words that fit a text of one line."""
    start = min(offset + max((found.offset or 1) - 1, 0), len(text.rstrip()))
    word = _WORD.match(text, start)
    if not word:
        return ExpressionError("the expression is incomplete", 0, len(text))
    end = word.end()
    if "leading zeros" in found.msg:
        return ExpressionError("a number cannot have leading zeros", start, end, "write 10 for 010, 0o10 for octal")
    if "expected 'else'" in found.msg:
        return ExpressionError(
            "a conditional expression needs an `else`", start, len(text), "write `a if condition else b`"
        )
    if "forgot a comma" in found.msg:
        return ExpressionError("a comma or an operator is missing", start, len(text))
    return ExpressionError(f"`{word.group()}` is not expected here", start, end)


# --- values: operators and functions, which raise `_Refusal` where a value does not fit ---
