"""The site: built without a warning, whole, found by its search, and closed: nothing is loaded from elsewhere."""

from __future__ import annotations

import base64
import json
import re
import zlib
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urljoin

import pytest
from browser import CHROMIUM, Watch, launched, needs_browser
from places import DOCS, EXAMPLES
from playwright.sync_api import expect
from sitemaker.assemble import COPIED, SiteFault, rendered
from sitemaker.opened import with_links

from netspec import zoo
from netspec.cli.commands import command_files
from netspec.diagnostics import Source
from netspec.diagnostics.catalogue import CATALOGUE
from netspec.pipeline import compile_loaded, load_source
from netspec.reference.registry import SECTIONS

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("site")]

FOLDERS = {
    "op": "reference/ops",
    "block": "reference/blocks",
    "structure": "reference/structures",
    "data": "reference/training/data",
    "transform": "reference/training/transforms",
    "loss": "reference/training/losses",
    "metric": "reference/training/metrics",
    "optimizer": "reference/training/optimizers",
    "schedule": "reference/training/schedules",
    "initialisation": "reference/training/initialisations",
    "diagnostic": "reference/diagnostics",
}
WORDS = sorted({(section.kind, name) for section in SECTIONS if section.kind in FOLDERS for _, name in section.names()})


@cache
def pages(site: Path) -> dict[str, str]:
    """The text of each page, by its path."""
    return {str(path.relative_to(site)): path.read_text(encoding="utf-8") for path in site.rglob("*.html")}


@cache
def search_index(site: Path) -> list[dict[str, object]]:
    return json.loads((site / "search.json").read_text(encoding="utf-8"))["items"]


def test_every_word_has_a_page_that_the_search_finds(site: Path):
    paths = {f"{FOLDERS[kind]}/{name}.html" for kind, name in WORDS}
    paths |= {f"reference/commands/{name}.html" for name in command_files()}
    paths |= {f"reference/zoo/{path.stem}.html" for path in zoo.files()}
    assert paths <= pages(site).keys()
    found = {str(item["location"]).partition("#")[0] for item in search_index(site)}
    assert paths <= found
    assert len(CATALOGUE) == sum(kind == "diagnostic" for kind, _ in WORDS) >= 60


def test_every_page_has_its_place_in_the_menu():
    menu = {*re.findall(r"[\w/]+\.md", (DOCS / "site.yml").read_text(encoding="utf-8"))}
    written = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")} | {*COPIED.values()}
    stories = {f"stories/{path.parent.name}.md" for path in EXAMPLES.glob("stories/*/README.md")}
    assert menu == written | stories | {"stories/index.md"}


def test_every_key_has_an_anchor(site: Path):
    for section in SECTIONS:
        if section.kind == "key":
            for group, name in section.names():
                page = f"reference/keys/{group or 'step'}.html"
                assert f'id="{name}"' in pages(site)[page], (page, name)


def test_every_link_leads_somewhere(site: Path):
    """Also those that Zensical does not check: in made pages, in elements written as such, in the menu."""
    anchors = {path: {*re.findall(r'\bid="([^"]+)"', text)} for path, text in pages(site).items()}
    dead = []
    for path, text in pages(site).items():
        for target in {*re.findall(r'<a\b[^>]*?\bhref="([^"]+)"', text)}:
            if re.match(r"(https?|mailto):", target) or path == "404.html":
                continue
            there, _, anchor = unquote(urljoin(path, target)).partition("#")
            if (there not in anchors and not (site / there).is_file()) or (
                anchor and there in anchors and anchor not in anchors[there] and not anchor.startswith("__")
            ):
                dead.append((path, target))
    assert dead == []


LOADED = (
    r'<(?:script|img|iframe|source|video|audio|embed|use|image)\b[^>]*?\b(?:src|href|xlink:href)="([^"]+)"',
    r'<link\b[^>]*?\bhref="([^"]+)"',
    r"url\(([^)]+)\)",
    r'@import\s+"([^"]+)"',
)


def test_nothing_is_loaded_from_elsewhere(site: Path):
    styles = {str(path): path.read_text(encoding="utf-8") for path in site.rglob("*.css")}
    foreign = {
        (path, target)
        for path, text in {**pages(site), **styles}.items()
        for pattern in LOADED
        for target in re.findall(pattern, text)
        if re.match(r"['\"]?(https?:)?//", target)
    }
    assert foreign == set()


@pytest.mark.parametrize("text", ["[a page](nowhere.md)", "[a place](#nowhere)"])
def test_a_dead_link_is_an_error(tmp_path: Path, text: str):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(f"# Page\n\n{text}\n", encoding="utf-8")
    settings = (DOCS / "site.yml").read_text(encoding="utf-8")
    (tmp_path / "mkdocs.yml").write_text(f"{settings.partition('nav:')[0]}nav: [index.md]\n", encoding="utf-8")
    with pytest.raises(SiteFault, match="does not exist"):
        rendered(tmp_path / "mkdocs.yml")


WIDTHS = (1400, 800, 400)
SHOWN = (
    "index.html",
    "start.html",
    "reference/ops/conv2d.html",
    "reference/torch.html",
    "reference/commands/train.html",
    "reference/diagnostics/shape-mismatch.html",
    "guides/training_in_python.html",
    "internals/contributing.html",
    "editors/vscode.html",
    "guides/teaching.html",
    "changelog.html",
)


@needs_browser
def test_pages_fit_and_ask_for_nothing(site: Path):
    """In a browser, from the folder: no page is wider than its window, says anything, or asks for another's file."""
    assert CHROMIUM
    with launched() as browser:
        page = browser.new_page()
        watch = Watch(page)
        for path in SHOWN:
            page.goto((site / path).as_uri())
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert wide <= 0, (path, width)
        assert [each for each in watch.asked if not each.startswith(("file:", "blob:", "data:"))] == []
        assert watch.said == []


@needs_browser
def test_nothing_is_overprinted_or_cut_off(site: Path):
    """The button that copies is not on the text, messages are wrapped, and the search ends with the page."""
    with launched() as browser:
        page = browser.new_page()
        page.goto((site / "reference/diagnostics/shape-mismatch.html").as_uri())
        page.wait_for_selector(".md-code__nav", state="attached")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            over = """() => [...document.querySelectorAll(".highlight pre")].filter((pre) => {
                const nav = pre.querySelector(".md-code__nav").getBoundingClientRect()
                return nav.height && nav.bottom > pre.querySelector("code").getBoundingClientRect().top
            }).length"""
            assert page.evaluate(over) == 0, width
            cut = "(all) => all.map((each) => each.scrollWidth - each.clientWidth)"
            cuts = page.eval_on_selector_all(".messages code", cut)
            assert len(cuts) == 2
            assert max(cuts) <= 0, width
        page.set_viewport_size({"width": 1400, "height": 900})
        right = "(name) => document.querySelector(name).getBoundingClientRect().right"
        assert abs(page.evaluate(right, ".md-search") - page.evaluate(right, ".md-main__inner")) < 20


def test_titles_say_more_than_the_site_s_name(site: Path):
    assert [path for path, text in pages(site).items() if "<title>netspec - netspec<" in text] == []


FIRST = {
    "CrossEntropyLoss": "reference/training/losses/cross_entropy.html",
    "SGD": "reference/training/optimizers/sgd.html",
    "conv_transpose2d": "reference/ops/conv_transpose2d.html",
    "shape-mismatch": "reference/diagnostics/shape-mismatch.html",
    "cross_entropy": "reference/training/losses/cross_entropy.html",
    "dropout": "reference/ops/dropout.html",
    "residual": "reference/structures/residual.html",
    "export": "reference/commands/export.html",
    "learning rate": "guides/generalizing.html",
    "early stopping": "reference/keys/train.html",
    "gradient clipping": "reference/keys/train.html",
    "gradient accumulation": "reference/keys/train.html",
    "skip connection": "reference/structures/residual.html",
    "multi gpu": "guides/many_devices.html",
    "hyperparameter": "guides/compare.html",
    "jupyter": "guides/training_in_python.html",
    "quantization": "guides/deploying.html",
    "regularization": "guides/generalizing.html",
    "transfer learning": "guides/finetune.html",
    "custom layer": "guides/ops_of_your_own.html",
}
"""The words that people type, netspec's and others, with the page that comes first."""


@needs_browser
def test_the_search_finds_words(site: Path):
    """In a browser, from the folder: what is typed leads to the word's page before all others."""
    with launched() as browser:
        page = browser.new_page()
        page.goto((site / "index.html").as_uri())
        page.keyboard.press("Control+k")
        first = page.get_by_role("option").first
        for typed, found in FIRST.items():
            page.keyboard.press("Control+a")
            page.keyboard.type(typed)
            expect(first).to_have_attribute("href", re.compile(rf"/{re.escape(found)}\?"), timeout=60_000)


def test_specs_open_in_the_playground():
    """The links of a site that has it: to what the block says, as a whole spec; none below what is a part."""
    page = (
        "# P\n\n```yaml\nnetwork:\n  - linear: 3\n```\n\n``` {.yaml .part}\nblocks: {}\n```\n\n"
        '```yaml title="a.yaml"\nextends: b.yaml\n```\n'
    )
    made = with_links(page, "guides/page.md")
    (address,) = re.findall(r"\(\.\./playground/index\.html#spec=([\w-]+)\)", made)
    packed = base64.urlsafe_b64decode(address + "=" * (-len(address) % 4))
    spec = zlib.decompress(packed, wbits=-zlib.MAX_WBITS).decode()
    assert spec.startswith("network:\n  - linear: 3\n")
    assert compile_loaded(load_source(Source("net.yaml", spec))).body.parameter_count == 51
    assert "index.html#example=lenet" in with_links("# lenet\n\n```yaml\nnetspec: 1\n```\n", "reference/zoo/lenet.md")
