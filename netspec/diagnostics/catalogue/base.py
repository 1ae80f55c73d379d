"""An explanation, the catalogue's entry for an id."""

from __future__ import annotations

import re

from netspec.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Explanation:
    """``what`` the id means in one sentence, ``why`` it is refused, and two specs.

    The specs hold what matters; ``complete`` adds the rest. ``encoding`` is how the wrong one is saved, ``repeated``
    how often its last line stands in the file, ``whole`` that it is a whole file, and ``beside`` holds other files by
    name.
    """

    what: str
    why: str
    wrong: str
    right: str
    encoding: str = "utf-8"
    repeated: int = 1
    whole: bool = False
    beside: tuple[tuple[str, str], ...] = ()


_REST = {
    "netspec": "netspec: 1",
    "name": "name: net",
    "inputs": "inputs: {image: [N, 3, 32, 32]}",
    "network": "network: [relu]",
}


def complete(text: str, repeated: int = 1) -> str:
    """A whole spec: the keys that every spec needs are added behind what is written."""
    text = text.rstrip("\n") + "\n"
    if repeated > 1:
        *lines, last = text.splitlines(keepends=True)
        text = "".join(lines) + last * repeated
    missing = [line for key, line in _REST.items() if not re.search(rf"^{key}\b", text, re.MULTILINE)]
    return text + "".join(line + "\n" for line in missing)
