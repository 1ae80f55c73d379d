"""The page of a difference: both networks are in it whole, with their own costs, and their texts, and nothing else."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Watch, needs_browser
from playwright.sync_api import Browser, Page, expect

from netspec import zoo
from netspec.diagnostics import Source
from netspec.emit.diff import Diff
from netspec.emit.explorer import comparison_page
from netspec.emit.explorer.compared import compared_data
from netspec.emit.explorer.compared.texts import paired_texts
from netspec.emit.explorer.data import explorer_data
from netspec.emit.table import ShapeTable
from netspec.graph import Graph, Node, walk
from netspec.pipeline import compile_loaded, compile_spec, load_source

pytestmark = pytest.mark.slow

PAIRS = [
    ("resnet18", "resnet34"),
    ("resnet18", "resnet50"),
    ("gpt2", "llama3_8b"),
    ("unet", "googlenet"),
    ("lenet", "lenet_batch_norm"),
    ("seq2seq", "transformer"),
    ("mobilenet_v2", "mobilenet_v3"),
]

OLD = """\
netspec: 1
name: old
inputs: {x: [N, 8]}
network:
  - linear: {name: first, out_features: 8}
  - relu
  - dropout: {name: gone, p: 0.5}
  - linear: {name: second, out_features: 16}
  - linear: {name: head, out_features: 4}
"""
NEW = """\
netspec: 1
name: new
inputs: {x: [N, 8]}
network:
  - linear: {name: first, out_features: 8}
  - gelu
  - linear: {name: second, out_features: 32}
  - layer_norm: {name: come}
  - linear: {name: head, out_features: 4}
"""


def compiled(text: str, name: str = "it.yaml") -> Graph:
    return compile_loaded(load_source(Source(name, text)))


Opener = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Opener]:
    """Opens the page of two networks, and sees to it that it says nothing and asks for nothing else."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light")
    watches = []

    def opened(old: Graph, new: Graph) -> Page:
        path = tmp_path / "diff.html"
        path.write_text(comparison_page(Diff(old, new)), encoding="utf-8")
        page = context.new_page()
        watches.append((Watch(page), path.as_uri()))
        page.goto(path.as_uri())
        return page

    yield opened
    for watch, address in watches:
        assert watch.said == []
        assert [url for url in watch.asked if url != "data:,"] == [address]
    context.close()


def test_a_page_asks_for_nothing():
    page = comparison_page(Diff(compile_spec("resnet18"), compile_spec("resnet34")))
    assert "default-src 'none'" in page
    assert "unsafe" not in page
    assert not re.search(r"<(?:link|img|iframe|script)[^>]*\b(?:src|href)=(?!\"data:,\")", page)
    assert not re.search(r"\{\{[\w-]+\}\}", page.split('id="network">')[0])
    assert len(page) < 200_000


def row(page: Page, path: str) -> Any:
    return page.locator(f'#table tr[data-path="{path}"]')


def card(page: Page, path: str) -> Any:
    return page.locator(f'#drawing .spot[data-spot="{path}"]')


STEPS = """() => {
  const found = { old: [], new: [] };
  const visit = (spots, prefixes) => {
    for (const spot of spots) {
      if (spot.item.port) continue;
      const count = spot.copies;
      for (const path of pathsOf(spot)) {
        const { old: before, new: after } = network.told[path];
        const op = spot.item.nodes ? path : "";
        if (op && before) found.old.push([path, count, ...before.slice(0, 2).map(String)]);
        if (op && after) found.new.push([path, count, ...after.slice(0, 2).map(String)]);
      }
      if (isLevel(spot.item)) visit(insideOf(spot));
    }
  };
  visit(rootSpots());
  return found;
}"""


def costs_of(graph: Graph) -> Counter[tuple[int, int]]:
    """The number of times that each pair of parameters and MACs is a step's, by the shape table."""
    return Counter((line.params, line.macs) for line in ShapeTable(graph))


@needs_browser
@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_both_networks_are_shown_whole_with_the_costs_of_each(old: str, new: str, open_page: Opener):
    graphs = compile_spec(old), compile_spec(new)
    page = open_page(*graphs)
    steps = page.evaluate(STEPS)
    for side, graph in zip(("old", "new"), graphs):
        found: Counter[tuple[int, int]] = Counter()
        for _, count, params, macs in steps[side]:
            found[int(params), int(macs)] += count
        assert found == costs_of(graph)
        assert sum(found.values()) == sum(isinstance(step, Node) for _, step, _ in walk(graph.body))
    for kind, total in (("parameters", "params"), ("MACs", "macs")):
        before, after = (getattr(ShapeTable(graph), total) for graph in graphs)
        assert page.locator(f'#totals [data-total="{kind}"]').get_attribute("title") == f"{before:,} → {after:,}"


STANDS_ON_ANOTHER = """() => {
  const found = [];
  const apart = (a, b) => a.x - a.left >= b.x + b.right || b.x - b.left >= a.x + a.right
    || a.y >= b.y + b.height || b.y >= a.y + a.height;
  const visit = ({ items }) => {
    items.forEach((item, at) => items.slice(0, at).forEach((other) =>
      apart(item, other) || found.push([item.spot.path, other.spot.path])));
    for (const item of items) if (item.inside) visit(item.inside);
  };
  visit(arrange(rootSpots(), root, cardTextOf));
  return found;
}"""


@needs_browser
@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_no_card_stands_on_another_and_every_path_is_one(old: str, new: str, open_page: Opener):
    page = open_page(compile_spec(old), compile_spec(new))
    page.evaluate("setDepth(99)")
    assert page.evaluate(STANDS_ON_ANOTHER) == []
    paths = page.evaluate("rows.map((row) => row.path)")
    assert len(paths) == len(set(paths))


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_what_differs_is_what_the_command_says(old: str, new: str):
    diff = Diff(compile_spec(old), compile_spec(new))
    data = compared_data(diff)
    rows = json.loads(diff.to_json())["rows"]
    told = {path: entry for path, entry in data["told"].items() if not path.startswith(("input:", "output:"))}
    shown = {path for path, entry in told.items() if entry.get("kind") == "changed"}
    changed = {each["path"] for each in rows["changed"] if not each["follows"]}
    assert shown <= changed
    assert {path.split(".")[0] for path in changed} == {path.split(".")[0] for path in shown}
    for side in ("added", "removed"):
        outermost = [path for path in data["differing"] if told.get(path, {}).get("kind") == side]
        assert bool(outermost) == bool(rows[side])


@needs_browser
def test_marks_of_a_small_edit(open_page: Opener):
    page = open_page(compiled(OLD), compiled(NEW))
    expected = {
        "first": "",
        "1": "changed",
        "gone": "removed",
        "second": "changed",
        "come": "added",
        "head": "changed",
    }
    shown = page.evaluate(
        "Object.fromEntries(rows.filter((r) => !r.spot.item.port).map((r) => [r.path, markOf(r.path)]))"
    )
    assert {**shown, "head": "changed"} == expected
    expect(row(page, "second").locator(".notes")).to_contain_text("out_features 16 → 32")
    expect(row(page, "second").locator(".params")).to_contain_text("+144")
    expect(row(page, "second").locator(".params")).to_contain_text("144 → 288")
    expect(row(page, "gone").locator(".mark")).to_contain_text("−")
    expect(row(page, "come").locator(".mark")).to_contain_text("+")
    expect(card(page, "come").locator(".mark-sign")).to_have_text("+")
    expect(card(page, "gone").locator(".mark-sign")).to_have_text("−")
    assert page.locator("#drawing .edge.removed").count() >= 2  # to what is gone, and from it
    assert page.locator("#drawing .edge.added").count() >= 2


@needs_browser
def test_a_step_that_took_the_place_of_another_has_a_path_of_its_own(open_page: Opener):
    before = OLD.replace("  - relu\n", "  - flatten\n")
    page = open_page(compiled(before), compiled(NEW))
    paths = page.evaluate("rows.map((row) => row.path)")
    assert len(paths) == len(set(paths))
    assert "1" in paths
    assert "old:1" in paths
    row(page, "old:1").click()
    expect(page.locator("#source li.selected")).to_have_text("−  - flatten")


@needs_browser
def test_lines_and_layers_lead_to_each_other(open_page: Opener):
    page = open_page(compiled(OLD), compiled(NEW))
    removed = page.locator("#source li.removed", has_text="gone")
    removed.hover()
    expect(row(page, "gone")).to_have_class(re.compile(r"\blit\b"))
    removed.click()
    expect(row(page, "gone")).to_have_class(re.compile(r"\bselected\b"))
    row(page, "second").hover()
    expect(page.locator("#source li.lit")).to_have_count(2)  # the line as it was, and as it is
    page.locator("#source li", has_text="name: first").click()
    expect(row(page, "first")).to_have_class(re.compile(r"\bselected\b"))
    expect(page.locator("#status")).to_contain_text("as before")


@needs_browser
def test_the_keyboard_goes_from_change_to_change(open_page: Opener):
    page = open_page(compile_spec("resnet18"), compile_spec("resnet34"))
    expect(page.locator("#change")).to_have_text("– / 4")
    found = []
    for _ in range(5):
        page.keyboard.press("n")
        found.append(page.evaluate("state.selected"))
    assert found == ["layer1.2", "layer2.2", "layer3.2", "layer4.2", "layer1.2"]
    page.keyboard.press("p")
    assert page.evaluate("state.selected") == "layer4.2"
    expect(page.locator("#status")).to_contain_text("+ added")
    page.keyboard.press("Escape")
    assert page.evaluate("state.selected") == ""
    page.locator("#only input").check()
    assert page.evaluate("rows.every((row) => markOf(row.path))")
    expect(row(page, "conv1")).to_have_count(0)
    page.locator("#only input").uncheck()
    expect(row(page, "conv1")).to_have_count(1)


@needs_browser
def test_equal_networks_differ_in_nothing(open_page: Opener):
    page = open_page(compile_spec("lenet"), compile_spec("lenet"))
    expect(page.locator("#change")).to_have_text("none")
    page.keyboard.press("n")
    assert page.locator("#drawing .mark-sign").count() == 0
    assert page.locator("#source li.added, #source li.removed").count() == 0
    expect(page.locator("#doc")).to_contain_text("Nothing differs")


@needs_browser
def test_long_stretches_as_before_are_folded_and_open(open_page: Opener):
    lines = "".join(f"  - linear: {{name: fc{at}, out_features: {at + 8}}}\n" for at in range(60))
    head = "netspec: 1\nname: long\ninputs: {x: [N, 8]}\nnetwork:\n"
    page = open_page(
        compiled(head + lines), compiled(head + lines.replace("fc30, out_features: 38", "fc30, out_features: 39"))
    )
    assert page.locator("#source li.gap").count() == 2
    expect(page.locator("#source li.added")).to_have_count(1)
    row(page, "fc3").click()  # a line that is folded is unfolded as it is asked for
    expect(page.locator("#source li.selected")).to_contain_text("fc3,")
    page.locator("#source li.gap button").click()
    assert page.locator("#source li.gap").count() == 0
    assert page.locator("#source li").count() == 65


@needs_browser
@pytest.mark.parametrize(("width", "scheme"), [(1400, "dark"), (800, "light"), (400, "light"), (400, "dark")])
def test_narrow_and_dark(width: int, scheme: Any, browser: Browser, tmp_path: Path):
    path = tmp_path / "diff.html"
    path.write_text(comparison_page(Diff(compile_spec("gpt2"), compile_spec("llama3_8b"))), encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == width
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(2, 6, 23)") == (scheme == "dark")
    page.close()


@pytest.mark.parametrize("seed", range(8))
def test_every_op_of_two_networks_is_on_the_page_once(seed: int):
    """Whatever the two are: pairs of the zoo that have nothing in common, or much."""
    old, new = random.Random(seed).sample([file.stem for file in zoo.files()], 2)
    graphs = compile_spec(old), compile_spec(new)
    data = compared_data(Diff(*graphs))

    def ops(side: str, level: int, prefix: str = "", copies: int = 1) -> int:
        found = 0
        for item in data["levels"][level]["items"]:
            count, path = copies * item.get("count", 1), prefix + item["path"] if "path" in item else ""
            names = [data["nodes"][number]["name"] for number in item.get("nodes", ())]
            told = [data["told"][path[: len(path) - len(names[0])] + name] for name in names]
            found += count * sum(side in each for each in told)
            found += ops(side, item["level"], f"{path}.", count) if "level" in item else 0
        return found

    for side, graph in zip(("old", "new"), graphs):
        assert ops(side, data["root"]) == sum(isinstance(step, Node) for _, step, _ in walk(graph.body))


HOSTILE = ["</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "{{script}}", "__proto__", "]]>"]


@needs_browser
@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_stays_text(hostile: str, open_page: Opener):
    before = OLD.replace("name: old", f"name: old\ndoc: {json.dumps(hostile)}\nparams: {{text: {json.dumps(hostile)}}}")
    after = NEW.replace("name: new", 'name: new\nparams: {text: "other"}')
    page = open_page(compiled(before, f"{hostile}.yaml"), compiled(after))
    assert page.locator("img, #drawing script").count() == 0
    assert page.evaluate("document.scripts.length") == 2
    assert hostile in str(page.locator("#source").text_content())


@pytest.mark.parametrize("seed", range(6))
def test_texts_are_both_in_their_lines(seed: int):
    files = zoo.files()
    places = seed * 7 % len(files), (seed * 11 + 3) % len(files)
    texts = [files[at].read_text(encoding="utf-8") for at in places]
    (pair,) = paired_texts([Source("a.yaml", texts[0])], [Source("b.yaml", texts[1])])
    for side, text in enumerate(texts):
        lines = [line for line in pair["lines"] if line[side]]
        assert [line[2] for line in lines] == text.splitlines()
        assert [line[side] for line in lines] == list(range(1, len(lines) + 1))
    assert pair["name"] == "a.yaml → b.yaml"


def test_files_are_paired_by_their_names():
    def texts(*names: str) -> list[Source]:
        return [Source(name, f"{name}\n") for name in names]

    pairs = paired_texts(
        texts("old.yaml", "x/shared.yaml", "gone.yaml"), texts("new.yaml", "come.yaml", "y/shared.yaml")
    )
    assert [(pair["name"], pair["old"], pair["new"]) for pair in pairs] == [
        ("old.yaml → new.yaml", 0, 0),
        ("shared.yaml", 1, 2),
        ("gone.yaml", 2, None),
        ("come.yaml", None, 1),
    ]


VARIANTS = """netspec: 1
name: net
params:
  width: 8
  depth: 2
variants:
  deep:
    depth: 3

  wide: {width: 16}
  wider: {width: 32}
inputs: {x: [N, 4]}
network: [{repeat: {count: depth, body: [linear: width, relu]}}]
"""


@pytest.mark.parametrize(
    ("old", "new", "removed", "added"),
    [
        ("wide", "wider", ["  wide: {width: 16}"], ["  wider: {width: 32}"]),
        ("wide", "deep", ["  depth: 2", "  wide: {width: 16}"], ["  width: 8", "  deep:", "    depth: 3"]),
        (None, "wide", ["  width: 8"], ["  wide: {width: 16}"]),
        ("wide", None, ["  wide: {width: 16}"], ["  width: 8"]),
        (None, None, [], []),
    ],
)
def test_the_change_between_variants_is_their_entries_and_defaults(
    old: str | None, new: str | None, removed: list[str], added: list[str]
):
    loaded = load_source(Source("net.yaml", VARIANTS))
    networks = [compile_loaded(loaded, variant=variant) for variant in (old, new)]
    (pair,) = compared_data(Diff(*networks))["pairs"]
    assert [line[2] for line in pair["lines"] if not line[1]] == removed
    assert [line[2] for line in pair["lines"] if not line[0]] == added
    assert [line[0] or line[1] for line in pair["lines"]] == [*range(1, 1 + len(VARIANTS.splitlines()))]


def test_variants_on_one_line_are_no_change():
    networks = [compile_spec("resnext", variant=name) for name in ("resnext50_32x4d", "resnext101_32x8d")]
    pairs = compared_data(Diff(*networks))["pairs"]
    assert all(was == now for pair in pairs for was, now, _ in pair["lines"])


def test_a_spec_that_extends_is_shown_as_it_is_written(tmp_path: Path):
    """Its own file first, though no step is of it, and all files that it takes from, one after another."""
    (tmp_path / "base.yaml").write_text(OLD)
    (tmp_path / "child.yaml").write_text(
        "netspec: 1\nname: child\nextends: base.yaml\nnetwork: {head: {out_features: 5}}\n"
    )
    (tmp_path / "grand.yaml").write_text(
        "netspec: 1\nname: grand\nextends: child.yaml\nnetwork: {second: {bias: false}}\n"
    )
    base, child, grand = (compile_spec(tmp_path / f"{name}.yaml") for name in ("base", "child", "grand"))
    assert [each["name"] for each in explorer_data(grand)["sources"]] == ["grand.yaml", "child.yaml", "base.yaml"]
    for old, new, wanted in (
        (base, child, [("child.yaml", False, True), ("base.yaml", True, True)]),
        (child, base, [("base.yaml", True, True), ("child.yaml", True, False)]),
        (child, grand, [("grand.yaml", False, True), ("child.yaml", True, True), ("base.yaml", True, True)]),
    ):
        pairs = compared_data(Diff(old, new))["pairs"]
        assert [(pair["name"], pair["old"] >= 0, pair["new"] >= 0) for pair in pairs] == wanted
    shown = compared_data(Diff(child, grand))["pairs"][0]
    assert "\n".join(line[2] for line in shown["lines"]) + "\n" == (tmp_path / "grand.yaml").read_text()


def test_a_thousand_layers_are_a_small_page():
    def long(width: str) -> Graph:
        body = f"        - linear: {{name: fc, out_features: {width}}}\n"
        return compiled(
            "netspec: 1\nname: long\ninputs: {x: [N, 8]}\nnetwork:\n"
            f"  - repeat:\n      count: 1000\n      index: i\n      name: layer\n      body:\n{body}"
        )

    assert len(comparison_page(Diff(long("8"), long("9")))) < 150_000
