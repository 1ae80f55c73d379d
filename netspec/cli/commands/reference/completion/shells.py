"""The shells: their scripts, what they tell of the line, and how they take the candidates for its last word.

The scripts ask netspec at each Tab. A script with all words in it, as argparse's generators write, would know neither
the variants and parameters of the spec on the line nor the runs in the folder, and an update would leave it behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib.resources import files

from netspec.cli.commands.reference.completion.line import candidates

PROGRAM = "netspec"
SPECIAL = re.compile(r"([^\w@%+=:,./~-])")
"""Characters that bash has a meaning for."""


def script_of(shell: str) -> str:
    """Return the script that a shell reads once."""
    return files(__package__).joinpath("scripts", f"netspec.{shell}").read_text(encoding="utf-8")


def answer_of(shell: str, told: Sequence[str]) -> Iterator[str]:
    """Yield the candidates in lines, as the shell's script takes them."""
    if shell == "bash":
        yield from _of_bash(*told)
        return
    *before, current = told or [""]
    for each in candidates(before, current):
        if shell == "zsh":  # as `_describe` takes them
            text = each.text.replace("\\", "\\\\").replace(":", "\\:")
            yield f"{text}:{each.told}" if each.told else text
        else:
            yield f"{each.text}\t{each.told}".rstrip("\t")


def _of_bash(line: str = "", breaks: str = "") -> Iterator[str]:
    """Yield candidates for the line up to the cursor; bash takes them for what follows the last of its breaks."""
    words, quote = split_line(line)
    start = next((at for at, word in enumerate(words) if word.rpartition("/")[2] == PROGRAM), 0)
    *before, current = words[start + 1 :] or [""]
    marks = [] if quote else [mark for mark in "=:@" if mark in breaks]
    known = max((current.rfind(mark) + 1 for mark in marks), default=0)
    for each in candidates(before, current):
        rest = each.text[known:]
        yield rest if quote else SPECIAL.sub(r"\\\1", rest)


def split_line(line: str) -> tuple[list[str], str]:
    """Return the words of a line as bash splits it, the last perhaps empty, and the quote that is open in it."""
    words, quote, begun = [""], "", False
    letters = iter(line)
    for letter in letters:
        if quote:
            if letter == quote:
                quote = ""
            elif letter == "\\" and quote == '"':
                words[-1] += next(letters, "")
            else:
                words[-1] += letter
        elif letter in "\"'":
            quote, begun = letter, True
        elif letter.isspace():
            if words[-1] or begun:
                words.append("")
            begun = False
        else:
            words[-1] += next(letters, "") if letter == "\\" else letter
    return words, quote
