"""Numbers have one spelling, in Python and on pages."""

from __future__ import annotations

import json
import random
from decimal import ROUND_HALF_UP, Context, Decimal

import pytest
from browser import launched, needs_browser
from places import ROOT

from netspec.text.quantities import PREFIXES, bytes_text, number, quantity, short, short_bytes


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1k"),
        (9_408, "9.41k"),
        (40_970, "41k"),
        (512_000, "512k"),
        (999_499, "999k"),
        (999_500, "1M"),
        (117_964_800, "118M"),
        (4_089_184_256, "4.09G"),
        (-1_234, "-1.23k"),
        (10**22, "1.00e+22"),
    ],
)
def test_in_short(count: int, text: str):
    assert short(count) == text


def test_in_short_is_the_number_to_three_digits():
    """Held against decimal arithmetic."""
    context = Context(prec=3, rounding=ROUND_HALF_UP)
    for count in numbers():
        text = short(count)
        prefix = text[-1] if text[-1] in PREFIXES else ""
        power = list(PREFIXES).index(prefix) + 1 if prefix else 0
        expected = context.create_decimal(count) if count >= 1000 else Decimal(count)
        assert Decimal(text.removesuffix(prefix)) * 1000**power == expected
        assert quantity(text, of_bytes=False) in (None, int(expected))


def numbers() -> list[int]:
    rng = random.Random(1)
    near = [10**power * digits + off for power in range(17) for digits in (1, 5, 9995, 99949) for off in (-1, 0, 1, 5)]
    return [*range(1100), *near, *(rng.randrange(10 ** rng.randrange(1, 20)) for _ in range(2000))]


@pytest.mark.parametrize(
    ("count", "exact", "brief"), [(0, "", ""), (9_408, "9,408", "9.41k"), (1_000_000, "1,000,000", "1M")]
)
def test_in_columns(count: int, exact: str, brief: str):
    assert number(count) == exact
    assert number(count, brief=True) == brief


def test_bytes():
    assert [short_bytes(count) for count in (0, 999, 1000, 46_758_048)] == ["0 B", "999 B", "1 kB", "46.8 MB"]
    assert bytes_text(408) == "408 bytes as float32"
    assert bytes_text(46_758_048) == "46.8 MB as float32 (MB = 10⁶ bytes)"


@needs_browser
def test_pages_spell_them_alike():
    counts = numbers()
    with launched() as browser:
        page = browser.new_page()
        page.add_script_tag(path=ROOT / "netspec/emit/explorer/assets/formulas.js")
        told = page.evaluate(
            "(counts) => JSON.parse(counts).map((count) => [short(BigInt(count)), shortBytes(BigInt(count))])",
            json.dumps([str(count) for count in counts]),
        )
    assert told == [[short(count), short_bytes(count)] for count in counts]
