"""The pages of the zoo: each file with its table and its text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from netspec import zoo
from netspec.emit.table import ShapeTable
from netspec.pipeline import compile_loaded, load_spec
from netspec.view.lines import View
from sitemaker.page import Page, fence, link, sentence

FOLDER = "reference/zoo"
DRAWN = {path.stem for path in (Path(__file__).parents[1] / "pictures").glob("*.svg")}
"""The networks of which the documentation has a picture."""
SCHEMA_LINE = "# yaml-language-server: $schema=netspec.schema.json\n"


def zoo_pages() -> Iterator[Page]:
    """Give the list of the zoo's files, and a page for each."""
    pages = [_page(path) for path in zoo.files()]
    index = f"{FOLDER}/index.md"
    lines = [f"- {link(index, page.path, f'**{page.title}**')} – {page.summary}" for page in pages]
    text = "Networks that come with netspec. Any command takes their names: `netspec build resnet50`. Each is built,\n"
    text += "verified, and held against its published form by the tests.\n\n"
    yield Page(index, "Zoo", text + "\n".join(lines))
    yield from pages


def _page(path: Path) -> Page:
    loaded = load_spec(path)
    graph = compile_loaded(loaded)
    name, variants = path.stem, loaded.spec.variants
    text = path.read_text(encoding="utf-8").strip().removeprefix(SCHEMA_LINE)
    table = ShapeTable(graph).text(view=View(depth=1))
    parts = [graph.doc or "", "", fence(table, "text", f"netspec shapes {name} --depth 1")]
    parts += [_picture(each) for each in dict.fromkeys([name, *variants]) if each in DRAWN]
    if variants:
        parts += ["## Variants", ""]
        parts += [f"- `{each}` {sentence(variant.doc or '')}".rstrip() for each, variant in variants.items()]
        parts += [""]
    parts += ["## Spec", "", fence(text, title=f"{name}.yaml")]
    return Page(f"{FOLDER}/{name}.md", name, "\n".join(parts), summary=graph.doc or name)


def _picture(name: str) -> str:
    return f"![The diagram of {name}](../../pictures/{name}.svg)\n"
