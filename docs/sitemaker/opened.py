"""Links below specs that open them in the playground, for a site that has it."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from netspec import zoo
from netspec.playground.link import fragment
from netspec.reference.examples.complete import complete
from sitemaker.page import link

PLAYGROUND = "playground/index.html"
GUIDE = "guides/playground.md"
FENCE = re.compile(r"^(`{3,})( *\{?\.?yaml\b[^\n]*)\n(.*?)^\1$", re.DOTALL | re.MULTILINE)
NOT_ALONE = re.compile(r"\.(part|settings|steps|train|plugin)\b")
"""Classes of blocks that are no specs by themselves."""
ELSEWHERE = re.compile(r"[\w/]\.ya?ml\b|\bextends:|\bimport:|\bnetworks:")
"""Marks of a spec that reads a file which the playground does not have."""


def with_links(text: str, path: str) -> str:
    """Return a page with a link below each block that is a spec, or becomes one with the keys that every spec needs."""
    made = FENCE.sub(lambda found: found[0] + _link(found[2], found[3], path), text)
    if path == GUIDE:
        title, rest = made.split("\n", 1)
        made = f"{title}\n\n{link(path, PLAYGROUND, 'Open the playground')}{{ .md-button .md-button--primary }}\n{rest}"
    return made


def _link(info: str, text: str, path: str) -> str:
    address = _address(info, text, PurePosixPath(path))
    shown = f"\n\n{link(path, f'{PLAYGROUND}#{address}', 'Open in the playground')}{{ .open }}\n"
    return shown if address else ""


def _address(info: str, text: str, path: PurePosixPath) -> str:
    """Return the fragment of the playground's address that opens a block; nothing where it cannot be opened."""
    if str(path.parent) == "reference/zoo" and path.stem in {each.stem for each in zoo.files()}:
        return f"example={path.stem}"
    if NOT_ALONE.search(info) or ELSEWHERE.search(text):
        return ""
    whole = re.search(r"^netspec:", text, re.MULTILINE)
    return fragment(text if whole else complete(text))
