"""The way from the sources to the site: gather the pages, write the menu, have Zensical build them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from netspec.playground.build import build as build_playground
from sitemaker.commands import command_pages
from sitemaker.diagnostics import diagnostic_pages
from sitemaker.opened import PLAYGROUND, with_links
from sitemaker.page import Page
from sitemaker.python_pages import python_pages
from sitemaker.words import filled, word_pages
from sitemaker.zoo_pages import zoo_pages

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
STORIES = ROOT / "examples" / "stories"
CONFIGURATION = DOCS / "site.yml"
COPIED = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "internals/contributing.md",
    "editors/vscode/README.md": "editors/vscode.md",
}
"""Pages that lie elsewhere in the repository, where people look for them."""

Menu = list[Any]


class SiteFault(Exception):
    """The site cannot be built: its message has the warnings, each of which is an error."""


def build(output: Path, playground: bool = False) -> Path:
    """Build the site into a folder, which is emptied first. Raises ``SiteFault`` for any warning.

    With ``playground``, the site has that, too, and each spec a link that opens it there; it fetches packages at first.
    """
    output = output.resolve()
    sources = output.with_name(f"{output.name}-pages")
    for folder in (output, sources):
        shutil.rmtree(folder, ignore_errors=True)
    made = [*word_pages(), *diagnostic_pages(), *command_pages(), *zoo_pages(), *python_pages()]
    gather(sources / "docs", made)
    if playground:
        add_links(sources / "docs")
    configuration = sources / "mkdocs.yml"
    configuration.write_text(_configured(made), encoding="utf-8")
    shutil.move(rendered(configuration), output)
    if playground:
        place = output / PurePosixPath(PLAYGROUND).parent
        shutil.rmtree(place)  # which had a page to link to
        build_playground(place, print)
    return output


def rendered(configuration: Path) -> Path:
    """Return the folder that Zensical makes of a configuration. Raises ``SiteFault`` for any warning."""
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", str(configuration)]
    variables = {**os.environ, "NO_COLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=variables, cwd=configuration.parent)
    if done.returncode:
        raise SiteFault(done.stdout + done.stderr)
    return configuration.with_name("site")


def gather(folder: Path, made: Iterable[Page]) -> None:
    """Put all sources into a folder: pages and assets written by hand, those from elsewhere here, and made ones."""
    shutil.copytree(DOCS, folder, ignore=shutil.ignore_patterns("*.py", "*.yml", "sitemaker", "__pycache__"))
    for path in folder.rglob("*.md"):
        _write(path, filled(path.read_text(encoding="utf-8")))
    for source, target in COPIED.items():
        _write(folder / target, _rebased((ROOT / source).read_text(encoding="utf-8"), target))
    for path in sorted(STORIES.glob("**/README.md")):
        name = "index" if path.parent == STORIES else path.parent.name
        _write(folder / "stories" / f"{name}.md", path.read_text(encoding="utf-8").replace("/README.md)", ".md)"))
    for page in made:
        _write(folder / page.path, page.source())


def add_links(folder: Path) -> None:
    """Have the specs in all sources lead to the playground, whose page is laid out once the site is."""
    _write(folder / PLAYGROUND, "")
    for path in folder.rglob("*.md"):
        _write(path, with_links(path.read_text(encoding="utf-8"), path.relative_to(folder).as_posix()))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _rebased(text: str, target: str) -> str:
    """A page of the root as one of the site: paths of other pages become links to them."""
    up = "../" * target.count("/")

    def linked(found: re.Match[str]) -> str:
        path = found[1]
        return f"[{Path(path).stem.replace('_', ' ')}]({up}{path})" if (DOCS / path).is_file() else found[0]

    return re.sub(r"`docs/([\w/]+\.md)`", linked, text)


def _configured(made: Iterable[Page]) -> str:
    """The configuration with the menu of made pages."""
    settings = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
    settings["nav"] = [*_filled(settings["nav"], [*made])]
    return yaml.safe_dump(settings, allow_unicode=True, sort_keys=False)


def _filled(menu: Menu, made: list[Page]) -> Iterator[Any]:
    """A menu in which a folder of made pages, ``reference/ops/``, stands for these, by group."""
    for entry in menu:
        if isinstance(entry, dict):
            ((title, inner),) = entry.items()
            if isinstance(inner, list):
                yield {title: [*_filled(inner, made)]}
            else:
                yield {title: _listed(inner, made) if inner.endswith("/") else inner}
        else:
            yield entry


def _listed(folder: str, made: list[Page]) -> Menu:
    """The made pages of a folder: its index first, then the others by group."""
    pages = [page for page in made if page.path.rpartition("/")[0] + "/" == folder]
    groups: dict[str, list[str]] = {}
    for page in pages:
        groups.setdefault(page.group, []).append(page.path)
    plain = groups.pop("", [])
    return [*plain, *({title[:1].upper() + title[1:]: paths} for title, paths in groups.items())]
