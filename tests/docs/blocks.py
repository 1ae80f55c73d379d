"""The blocks of code in the pages written by hand, in the order of each page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from places import DOCS, EXAMPLES, ROOT

PAGES = {str(path.relative_to(DOCS)): path for path in sorted(DOCS.rglob("*.md"))}
PAGES |= {name: ROOT / name for name in ("CONTRIBUTING.md", "editors/vscode/README.md")}
STORIES = {f"stories/{path.parent.name}": path for path in sorted((EXAMPLES / "stories").glob("*/README.md"))}
FENCE = re.compile(r"^( *)(`{3,}) *([^\n]*)\n(.*?)^\1\2 *$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of code: its language, the classes beside it (``{.yaml .part}``), its title, and its text."""

    language: str
    classes: frozenset[str]
    title: str
    text: str
    line: int

    @property
    def commands(self) -> list[str]:
        """The commands of a shell's block, those of several lines as one; without comments, ``$`` and output."""
        if self.language not in ("sh", "console"):
            return []
        lines = self.text.replace("\\\n", " ").splitlines()
        if self.language == "console":
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def blocks(path: Path) -> list[Block]:
    """Return the blocks of a page."""
    page = path.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(page):
        indent, _, info, text = match.groups()
        info = info.strip()
        words = re.findall(r"\.([\w-]+)", info.partition("title=")[0]) if info.startswith("{") else info.split()[:1]
        title = re.search(r'title="([^"]*)"', info)
        text = re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) if indent else text
        line = page.count("\n", 0, match.start()) + 1
        found.append(Block(words[0] if words else "", frozenset(words[1:]), title[1] if title else "", text, line))
    return found
