"""The made pages: their specs are whole, so that what is copied runs, and their arguments come in a reader's order."""

from __future__ import annotations

import re
from functools import cache

import pytest
from sitemaker.diagnostics import diagnostic_pages
from sitemaker.page import Page
from sitemaker.words import word_pages

from netspec.checks.check import check_loaded
from netspec.diagnostics import Source
from netspec.diagnostics.catalogue import CATALOGUE
from netspec.pipeline import load_source

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("site")]

SPEC = re.compile(r'^```yaml title="net\.yaml"\n(.*?)^```$', re.DOTALL | re.MULTILINE)


@cache
def pages() -> dict[str, Page]:
    return {page.path: page for page in word_pages()}


def test_specs_of_words_run_as_they_are_copied():
    shown = {path: text for path, page in pages().items() for text in SPEC.findall(page.text)}
    assert len(shown) > 300
    faults = {path: check_loaded(load_source(Source("net.yaml", text))).diagnostics for path, text in shown.items()}
    assert {path: found[0].message for path, found in faults.items() if found} == {}
    assert [path for path, text in shown.items() if not text.startswith("netspec: 1\nname: net\n")] == []


def test_specs_of_diagnostics_are_whole():
    """The right one passes, and of the wrong one is said what stands below it, at the lines that are shown."""
    for page in diagnostic_pages():
        entry = CATALOGUE.get(page.title)
        if entry is None:
            continue
        said = page.text.partition("## Right")[0]
        assert re.search(rf"^(?:error|warning)\[{page.title}\]", said, re.MULTILINE), page.title
        (right,) = SPEC.findall(page.text.partition("## Right")[2].partition("##")[0])
        if not entry.beside:
            found = check_loaded(load_source(Source("net.yaml", right))).diagnostics
            assert found == (), (page.title, found[0].message)
        wrong = SPEC.findall(said)
        quoted = re.search(r"^ *--> net\.yaml:\d+:\d+\n *(\d+) \| (.*)$", said, re.MULTILINE)
        if wrong and quoted and entry.repeated == 1 and quoted[2].isascii() and "\t" not in entry.wrong:
            assert quoted[2].rstrip("…") in wrong[0].splitlines()[int(quoted[1]) - 1], page.title


def arguments(name: str) -> list[str]:
    text = pages()[f"reference/ops/{name}.md"].text.partition("## Arguments")[2].partition("## ")[0]
    return re.findall(r"^`(\w+)`", text, re.MULTILINE)


def test_arguments_stand_in_torch_s_order():
    named = ["out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias", "padding_mode"]
    assert arguments("conv2d")[:8] == named
    assert {*arguments("conv2d")[8:]} == {"weight_norm", "spectral_norm"}
    assert arguments("lstm")[:3] == ["hidden_size", "num_layers", "bias"]


def test_torch_s_names_of_ingredients_are_words_of_their_pages():
    words = {"losses/cross_entropy": "nn.CrossEntropyLoss", "optimizers/sgd": "optim.SGD", "losses/mse": "nn.MSELoss"}
    words |= {"schedules/cosine": "optim.lr_scheduler.CosineAnnealingLR", "schedules/plateau": "learning rate"}
    for path, word in words.items():
        assert word in pages()[f"reference/training/{path}.md"].text, path
