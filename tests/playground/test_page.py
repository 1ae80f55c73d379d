"""The playground in a browser: what is typed is read, and what is shown is what the command line gives."""

from __future__ import annotations

import re
import tarfile
import time
from pathlib import Path
from typing import Literal

import pytest
from browser import Watch, needs_browser
from playwright.sync_api import Browser, Locator, Page, expect
from shown import PATIENCE, show

from netspec import zoo
from netspec.cli import main
from netspec.emit.diagram.dot import dot_text
from netspec.emit.source import emit_source
from netspec.pipeline import compile_spec
from netspec.playground.link import fragment
from netspec.playground.packages import PinnedPackage, cache_folder, npm_archives

pytestmark = [pytest.mark.slow, needs_browser]

EXPLORER, DIFF = ("#panel-explorer iframe:not(.next)", "#panel-diff iframe:not(.next)")
SILENT = 'postMessage({ stage: "ready" });'
SMALL = "netspec: 1\nname: small\ninputs: {x: [N, 4]}\nnetwork:\n  - linear: {name: fc, out_features: 3}\n"


def open_text(page: Page, text: str, more: str = "") -> None:
    show(page, fragment(text) + more)
    expect(page.locator("#editor .cm-content")).to_contain_text("netspec: 1")


def table(page: Page) -> Locator:
    return page.locator("#panel-table pre")


def type_at_end(page: Page, text: str) -> None:
    page.locator("#editor .cm-content").focus()
    page.keyboard.press("Control+End")
    page.keyboard.type(text)


def accept(page: Page) -> None:
    """Accept the first offer, once it has stood there long enough not to be taken by accident."""
    page.wait_for_timeout(150)
    page.keyboard.press("Enter")


def of_command_line(target: str | Path, columns: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", columns)
        assert main(["shapes", str(target)]) == 0
    return capsys.readouterr().out


def test_the_first_table_comes_soon(browser: Browser, address: str, capsys: pytest.CaptureFixture[str]):
    page = browser.new_page()
    begun = time.perf_counter()
    page.goto(address)
    expect(table(page)).to_contain_text("parameters", timeout=PATIENCE)
    took = time.perf_counter() - begun
    page.close()
    with capsys.disabled():
        print(f"\nplayground: first table after {took:.1f} s")


def test_every_file_of_the_zoo_gives_the_table_of_the_command_line(page: Page, capsys: pytest.CaptureFixture[str]):
    for path in zoo.files():
        show(page, f"example={path.stem}")
        shown = page.locator("#panel-table")
        told = of_command_line(path, shown.get_attribute("data-columns") or "", capsys)
        assert table(page).text_content() == told, path.stem


def test_an_edit_shows_in_every_view(page: Page, capsys: pytest.CaptureFixture[str]):
    open_text(page, SMALL)
    type_at_end(page, "  - relu\n")
    expect(table(page)).to_contain_text("relu")
    page.get_by_role("tab", name="Diagram").click()
    expect(page.locator("#panel-diagram svg")).to_contain_text("relu", timeout=PATIENCE)
    page.get_by_role("tab", name="PyTorch").click()
    expect(page.locator("#panel-source .cm-content")).to_contain_text("F.relu")
    page.get_by_role("tab", name="Explorer").click()
    frame = page.frame_locator(EXPLORER)
    expect(frame.locator("tbody")).to_contain_text("relu")
    type_at_end(page, "- sigmoid\n")
    expect(frame.locator("tbody")).to_contain_text("sigmoid")
    page.get_by_role("tab", name="Diff").click()
    page.get_by_label("with").select_option("lenet")
    expect(page.frame_locator(DIFF).locator("#name")).to_contain_text("lenet")


def test_the_source_and_the_diagram_are_those_of_the_command_line(page: Page):
    show(page, "example=resnet18&view=source")
    page.get_by_role("button", name="copy", exact=True).click()
    expect(page.get_by_role("button", name="copied")).to_be_visible()
    written = page.evaluate("() => navigator.clipboard.readText()")
    told = emit_source(compile_spec("resnet18")).text
    without_digest = re.compile(r"Written by netspec from .*\n")
    assert without_digest.sub("", written) == without_digest.sub("", told)
    page.get_by_role("tab", name="Diagram").click()
    nodes = re.findall(r'\[id="([^"]+)" group', dot_text(compile_spec("resnet18")))
    expect(page.locator("#panel-diagram svg")).to_be_visible(timeout=PATIENCE)
    drawn = page.locator("#panel-diagram svg g.node").evaluate_all("(found) => found.map((each) => each.id)")
    assert set(nodes) <= set(drawn)


def test_an_error_is_underlined_and_told_and_the_last_network_stays(page: Page):
    open_text(page, SMALL)
    type_at_end(page, "  - liner: 3\n")
    underlined = page.locator("#editor .cm-lintRange-error")
    expect(underlined).to_have_text("liner")
    told = page.get_by_role("region", name="Problems").get_by_role("button").first
    expect(told).to_contain_text("liner")
    expect(told).to_contain_text("line 6")
    expect(page.get_by_role("status").filter(has_text="last valid")).to_be_visible()
    expect(page.locator("#state")).to_have_text("1 error")
    expect(table(page)).to_contain_text("small")
    underlined.hover()
    expect(page.locator(".cm-tooltip .cm-diagnostic")).to_contain_text("linear")
    told.click()
    page.keyboard.press("Shift+End")
    page.keyboard.type("linear: 3")
    expect(underlined).to_have_count(0)
    expect(page.locator("#state")).to_have_text("no errors")
    expect(table(page)).to_contain_text("15")


def test_the_word_that_is_meant_takes_the_place_of_the_wrong_one(page: Page):
    open_text(page, SMALL.replace("linear", "liner"))
    page.locator("#editor .cm-lintRange-error").hover()
    page.locator(".cm-diagnosticAction").click()
    expect(page.locator("#state")).to_have_text("no errors")
    type_at_end(page, "  # 😀\n- dropot: 0.5\n")
    page.get_by_role("button", name="use dropout").click()
    expect(page.locator("#editor .cm-line").nth(6)).to_contain_text("- dropout: 0.5")


def test_a_word_is_completed(page: Page):
    open_text(page, SMALL)
    type_at_end(page, "  - bat")
    offers = page.locator(".cm-tooltip-autocomplete li")
    expect(offers.first).to_contain_text("batch_norm", timeout=PATIENCE)
    type_at_end(page, "ch_norm1")
    expect(offers.first).to_contain_text("batch_norm1d")
    accept(page)
    expect(table(page)).to_contain_text("batch_norm1d")


def test_an_offer_with_arguments_has_places_for_them(page: Page):
    open_text(page, SMALL)
    type_at_end(page, "  - conv2")
    expect(page.locator(".cm-tooltip-autocomplete li").first).to_contain_text("conv2d", timeout=PATIENCE)
    accept(page)
    page.keyboard.type("8")
    page.keyboard.press("Tab")
    page.keyboard.type("3")
    expect(page.locator("#editor .cm-line").nth(5)).to_have_text(
        re.compile(r"  - conv2d: \{out_channels: 8, kernel_size: 3\}")
    )


def test_words_are_offered_behind_a_sign(page: Page):
    open_text(page, SMALL)
    type_at_end(page, "  - dropout: {")
    expect(page.locator(".cm-tooltip-autocomplete")).to_contain_text("inplace")
    page.keyboard.press("Escape")


def test_a_word_is_explained(page: Page):
    open_text(page, SMALL)
    page.locator("#editor .cm-line").nth(4).get_by_text("linear").hover()
    tip = page.locator(".cm-tooltip .markdown")
    expect(tip).to_contain_text("torch.nn.Linear")
    expect(tip).to_contain_text("15 parameters")
    expect(tip.locator("li code").first).to_be_visible()


def test_shapes_stand_at_the_ends_of_lines(page: Page):
    open_text(page, SMALL)
    expect(page.locator("#editor .cm-line").nth(4).locator(".hint")).to_have_text("→ [N, 3]")
    type_at_end(page, "  - unsqueeze: 1\n")
    expect(page.locator("#editor .hint").nth(1)).to_have_text("→ [N, 1, 3]")


@pytest.mark.parametrize("name", ["größe", "😀", 'a"b<c>&amp;', "x" * 5000])
def test_a_link_holds_the_spec(page: Page, browser: Browser, address: str, name: str):
    text = SMALL + f"doc: '{name}'\n"
    open_text(page, text)
    type_at_end(page, f"# and {name}\n")
    expect(page.locator("#state")).to_have_text("no errors")
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="copied")).to_be_visible()
    link = page.evaluate("() => navigator.clipboard.readText()")
    assert link.startswith(f"{address}#spec=")
    page.evaluate("(link) => { location.hash = ''; location.href = link; }", link)
    expect(page.locator("#editor .cm-content")).to_contain_text(f"# and {name}"[:300])
    assert link.partition("#")[2] == fragment(f"{text}# and {name}\n") or "spec=" in link


def test_a_link_names_an_example_its_variant_and_the_view(page: Page, address: str):
    show(page, "example=resnet50&view=diff&against=resnet18")
    expect(page.get_by_role("tab", name="Diff")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#variant")).to_have_value("resnet50")
    expect(page.frame_locator(DIFF).locator("#name")).to_have_text("resnet18 → resnet50", timeout=PATIENCE)
    page.locator("#variant").select_option("resnet34")
    expect(page.frame_locator(DIFF).locator("#name")).to_have_text("resnet18 → resnet34", timeout=PATIENCE)
    expect(page).to_have_url(f"{address}#example=resnet&variant=resnet34&view=diff&against=resnet18")


@pytest.mark.parametrize("link", ["spec=!!!", "spec=AAAA", "example=nothing", "spec="])
def test_a_link_that_holds_nothing_is_told(page: Page, link: str):
    page.evaluate("(link) => { location.hash = link; }", link)
    told = page.locator("#fault, #problems").filter(visible=True)
    expect(told.first).to_be_visible()


def test_a_card_and_a_layer_lead_to_their_lines(page: Page):
    show(page, "example=lenet&view=diagram")
    page.locator("#panel-diagram g.node", has_text="flatten").locator("text").first.click()
    meant = page.locator("#editor .meant")
    expect(meant).to_contain_text("flatten")
    page.get_by_role("tab", name="Table").click()
    table(page).locator(".row", has_text="linear 10").click()
    expect(meant).to_contain_text("classes")
    page.locator("#editor .cm-line", has_text="flatten").click()
    expect(table(page).locator(".row.lit")).to_contain_text("flatten")
    page.get_by_role("tab", name="Explorer").click()
    frame = page.frame_locator(EXPLORER)
    frame.get_by_role("row").filter(has_text="avg_pool2d").first.click()
    expect(meant).to_contain_text("$pool")
    page.locator("#editor .cm-line", has_text="- linear: classes").click()
    expect(frame.locator("tbody tr.lit")).to_contain_text("linear")


def test_the_explorer_stays_as_its_reader_has_made_it(page: Page):
    show(page, "example=resnet18&view=explorer")
    frame = page.frame_locator(EXPLORER)
    frame.locator("#heat button[value=params]").click(timeout=PATIENCE)
    type_at_end(page, "\n# more\n")
    expect(page.locator("#example")).to_have_text("resnet (edited)")
    expect(frame.locator("#heat button[value=params]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(EXPLORER)).to_have_count(1)


def test_a_saved_page_stands_by_itself(page: Page, tmp_path: Path, browser: Browser):
    show(page, "example=lenet&view=explorer")
    with page.expect_download() as download:
        page.get_by_role("button", name="save", exact=True).click()
    assert download.value.suggested_filename == "lenet.explorer.html"
    saved = tmp_path / "saved.html"
    download.value.save_as(saved)
    alone = browser.new_page()
    watch = Watch(alone)
    alone.goto(saved.as_uri())
    expect(alone.locator("#name")).to_have_text("lenet")
    expect(alone.locator("#theme")).to_be_visible()
    assert watch.said == []
    alone.close()


def test_the_spec_is_saved_as_a_file(page: Page, tmp_path: Path):
    open_text(page, SMALL)
    with page.expect_download() as download:
        page.keyboard.press("Control+s")
    assert download.value.suggested_filename == "small.yaml"
    download.value.save_as(tmp_path / "saved.yaml")
    assert (tmp_path / "saved.yaml").read_text("utf-8") == SMALL


def test_a_spec_imports_files_of_the_zoo(page: Page):
    text = "netspec: 1\nname: head\nimport: {mobilenet_v3.yaml: [inverted_residual]}\ninputs: {x: [N, 3, 8, 8]}\n"
    open_text(page, f"{text}network: [flatten]\n")
    expect(page.locator("#problems")).not_to_contain_text("no file")


AXE = PinnedPackage(
    "axe-core",
    "4.14.1",
    "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
)


@pytest.fixture(scope="session")
def axe_script() -> str:
    """Axe, which looks for what keeps people from using a page."""
    archive = npm_archives([AXE], cache_folder() / "packages", print)[AXE.name]
    with tarfile.open(archive) as packed:
        script = packed.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode()


def axe(page: Page, script: str) -> list[str]:
    """Return the faults that axe finds in the page, and in the frame that is shown, which is a page of its own."""
    shown = page.locator("#views section:visible iframe:not(.next)").element_handles()
    frames = [page.main_frame, *filter(None, (each.content_frame() for each in shown))]
    told = []
    for frame in frames:
        frame.evaluate(script)
        found = frame.evaluate("() => axe.run({ exclude: [['iframe']] })")
        told += [f"{each['id']}: {node['html'][:120]}" for each in found["violations"] for node in each["nodes"]]
    return told


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 800, 400])
def test_axe_finds_nothing(page: Page, scheme: Literal["light", "dark"], width: int, axe_script: str):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 850})
    open_text(page, SMALL + "  - liner: 3\n  - relu\n")
    found = {"spec": axe(page, axe_script)}
    show(page, "example=lenet")
    for view in ("table", "diagram", "source", "explorer", "diff"):
        page.locator(f"#tab-{view}").click()
        page.locator("#views[aria-busy=false]").wait_for(state="attached", timeout=PATIENCE)
        if view in ("explorer", "diff"):
            page.frame_locator(f"#panel-{view} iframe:not(.next)").locator("#status").wait_for(timeout=PATIENCE)
        found[view] = axe(page, axe_script)
    page.locator("#browse").click()
    found["gallery"] = axe(page, axe_script)
    page.keyboard.press("Escape")
    assert {view: each for view, each in found.items() if each} == {}


def test_everything_is_reached_by_keyboard(page: Page):
    page.keyboard.press("Control+o")
    expect(page.locator("#wanted")).to_be_focused()
    page.keyboard.type("resnet34")
    expect(page.locator("#offers [aria-selected=true]")).to_contain_text("resnet34")
    page.keyboard.press("Enter")
    expect(table(page)).to_contain_text("resnet34")
    page.locator("#editor .cm-content").focus()
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    expect(page.get_by_role("separator")).to_be_focused()
    before = page.locator("#spec").bounding_box()
    page.keyboard.press("ArrowRight")
    after = page.locator("#spec").bounding_box()
    assert before is not None
    assert after is not None
    assert after["width"] > before["width"]
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("tab", name="Table")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Diagram")).to_be_focused()
    expect(page.locator("#panel-diagram")).to_be_visible()
    page.keyboard.press("Home")
    expect(page.locator("#panel-table")).to_be_visible()


def test_an_example_is_found_by_words_and_opened_by_a_click(page: Page):
    page.locator("#browse").click()
    page.locator("#wanted").fill("no such thing")
    expect(page.locator("#offers")).to_have_text("Nothing is called so.")
    page.locator("#wanted").fill("squeeze")
    page.locator("#offers").get_by_role("option", name="squeeze_excite").click()
    expect(page.locator("#example")).to_have_text("squeeze_excite")
    expect(table(page)).to_contain_text("squeeze_excite")


def test_a_narrow_window_shows_one_thing_at_a_time(page: Page):
    page.set_viewport_size({"width": 400, "height": 800})
    expect(page.get_by_role("tab", name="Spec")).to_be_visible()
    page.get_by_role("tab", name="Spec").click()
    expect(page.locator("#editor")).to_be_visible()
    expect(page.locator("#views")).to_be_hidden()
    page.get_by_role("tab", name="Table").click()
    expect(page.locator("#editor")).to_be_hidden()
    expect(table(page)).to_be_visible()
    expect(page.locator("#panel-table")).to_have_attribute("data-columns", re.compile("^(4[89]|5[0-9])$"))
    for view in ("table", "source", "diagram", "explorer", "diff", "spec"):
        page.locator(f"#tab-{view}").click()
        wide = page.evaluate("() => document.documentElement.scrollWidth")
        assert wide <= 400, view


def test_light_and_dark_are_chosen_and_reach_the_frames(page: Page):
    show(page, "example=lenet&view=explorer")
    frame = page.frame_locator(EXPLORER)
    expect(frame.locator("#name")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="Light or dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(frame.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_role("button", name="Light or dark").click()
    expect(frame.locator("html")).to_have_attribute("data-theme", "light")


def test_a_spec_that_makes_nothing_shows_nothing_of_another(page: Page):
    open_text(page, "netspec: 1\nname: nothing\n")
    expect(page.locator("#empty")).to_be_visible()
    expect(table(page)).to_have_text("")
    page.get_by_role("tab", name="PyTorch").click()
    expect(page.locator("#panel-source .cm-content")).to_have_text("")


def test_an_answer_that_does_not_come_is_ended(browser: Browser, address: str):
    page = browser.new_page()
    page.route("**/worker.js*", lambda route: route.fulfill(content_type="text/javascript", body=SILENT))
    page.clock.install()
    page.goto(address)
    expect(page.locator("#editor .cm-content")).to_contain_text("netspec: 1")
    page.wait_for_timeout(300)
    page.clock.fast_forward(31_000)
    expect(page.locator("#fault")).to_contain_text("more than 30 s")
    page.close()


def test_a_start_that_fails_is_told(browser: Browser, address: str):
    page = browser.new_page()
    page.context.route("**/python.zip", lambda route: route.fulfill(status=404))
    page.goto(address)
    expect(page.locator("#state")).to_contain_text("netspec does not start: Error: python.zip: 404", timeout=PATIENCE)
    page.close()
