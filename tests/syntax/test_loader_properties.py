"""Whatever a file holds, loading it gives a spec or diagnostics: 20,000 inputs here.

``NETSPEC_EXAMPLES=1000000 pytest tests/test_loader_properties.py`` is the nightly run.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from netspec.checks.check import check_loaded
from netspec.diagnostics import Source, SpecError, render
from netspec.elaborate.steps import STRUCTURES
from netspec.pipeline import load_source
from netspec.zoo import files

TIMES = 5
"""Inputs for each example: drawing one takes longer than loading it, so each is changed a few times."""

EXAMPLES = int(os.environ.get("NETSPEC_EXAMPLES", "20000"))

SPECS = sorted((path.read_text() for path in files()), key=len)[:6]


def share(part: float) -> Callable[..., Callable[..., None]]:
    return settings(
        max_examples=max(1, round(EXAMPLES * part / TIMES)),
        deadline=None,
        database=None,
        derandomize="NETSPEC_EXAMPLES" not in os.environ,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def loaded(text: str) -> bool:
    """Whether the text is a sound spec; any exception but ours fails the test, and every diagnostic can be drawn."""
    try:
        faults = check_loaded(load_source(Source("spec.yaml", text))).diagnostics
    except SpecError as found:
        faults = tuple(found.diagnostics)
        assert faults
    for fault in faults[:3]:
        assert fault.id in render(fault)
        span = fault.primary.span
        assert 1 <= span.line <= text.count("\n") + 1 or span.source.name != "spec.yaml"
        assert span.column >= 1
        assert (span.end_line, span.end_column) >= (span.line, span.column)
    return not faults


# fmt: off
# fmt: on


_FRAGMENTS = """\
netspec: 1|name: net|inputs:|network:|blocks:|params:|variants:|outputs:|expect:|init:|dims:|require:|import:|- relu|\
- linear: 8|- conv2d: {out_channels: 8, kernel_size: 3}|  - repeat: {count: 2, body: [relu]}|  x: 1|\
    - residual: [relu]|[|]|{|}|: |, |- |\n|\n  |\n    |'|"|&a |*a|# c|<<: *a|!!int |no|010|1e400|9**99|${x}|{x}|prev|\
shape[1]|from: prev|~|null|true|.inf|-.5|0x1g|image: [N, 3, 8, 8]|---|...|%YAML|? |max(1, 2)"""
FRAGMENTS = _FRAGMENTS.split("|")
_SCALARS = """\
1|0|-1|3.5|8|true|false|null|relu|linear|conv2d|prev|a|b|width|depths|N|shape|image|width * 2|width / 2|shape[1]|\
depths[9]|2 ** 60|1 // 0|'x y'|layer{i}|$act|lineer|concat|add|int|list[int]|2 if width > 1 else 3|width ==|float32|i|\
range(3)|[1] * 9|same|training"""
_KEYS = """\
name from body count index each merge branches projection test then else when dim default type min max choices doc
out_channels kernel_size stride padding linear conv2d relu flatten add concat $act block a b shape width depths params
inputs outputs network blocks expect macs"""
_SECTIONS = "params inputs blocks outputs expect init dims require variants"


def changed(text: str, seed: int) -> list[str]:
    """The text, and others that are like it."""
    rng = random.Random(seed)
    made = [text]
    for _ in range(TIMES - 1):
        start = rng.randint(0, len(text))
        end = min(len(text), start + rng.randint(0, 4))
        text = text[:start] + rng.choice(["", *FRAGMENTS, *"[]{}:,-#'\"&*!|>\n \t\u2028"]) + text[end:]
        made.append(text)
    return made


SEEDS = st.integers(0, 2**32)


# --- any text ---

CHARACTERS = st.text(alphabet=":-?[]{},&*!|>'\"%@`#\n \t\\uax0~<=.$()\u2028é\ud800\u202e\x00\x7f\ufeff", max_size=40)
WORDS = st.sampled_from(FRAGMENTS)


@pytest.mark.slow
@share(0.7)
@given(CHARACTERS | st.lists(WORDS, max_size=12).map("".join) | st.lists(WORDS, max_size=16).map("\n".join), SEEDS)
def test_any_text(text: str, seed: int):
    for each in changed(text, seed):
        loaded(each)


@share(0.1)
@given(st.binary(max_size=60), SEEDS)
def test_any_bytes(data: bytes, seed: int):
    for each in changed(data.decode("utf-8", "surrogateescape"), seed):
        loaded(each)


# --- specs with something else at one place ---


@st.composite
def damaged(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(SPECS))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        text = text[:start] + draw(WORDS | CHARACTERS.map(lambda made: made[:6])) + text[end:]
    return text


@share(0.15)
@given(damaged(), SEEDS)
def test_damaged_specs(text: str, seed: int):
    for each in changed(text, seed):
        loaded(each)


# --- well-formed YAML of any kind where a spec has its parts ---

SCALARS = st.sampled_from(_SCALARS.split("|")).map(lambda text: f'"{text}"' if set(text) & set("[]{},*") else text)
KEYS = st.sampled_from([*STRUCTURES, *_KEYS.split()])
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]")
        | st.dictionaries(KEYS, inner, max_size=3).map(
            lambda items: "{" + ", ".join(f"{key}: {item}" for key, item in items.items()) + "}"
        )
    ),
    max_leaves=4,
)
STEPS = st.recursive(
    st.sampled_from(
        ["relu", "flatten", "{linear: 8}", "{linear: width}", "{relu: {name: a}}", "block", "$act", "lineer"]
    )
    | st.tuples(KEYS, VALUES).map(lambda pair: f"{{{pair[0]}: {pair[1]}}}"),
    lambda inner: st.tuples(
        st.sampled_from(
            [
                "{{residual: {}}}",
                "{{repeat: {{count: 2, index: i, body: {}}}}}",
                "{{for: {{each: {{w: depths}}, body: {}}}}}",
                "{{sequential: {{name: b, body: {}}}}}",
                "{{if: {{test: width > 1, then: {}}}}}",
                "{{side: {{when: training, body: {}}}}}",
                "{{parallel: {{branches: {{a: {}, b: []}}, merge: concat}}}}",
                "{{parallel: {{branches: {{a: {}, b: [relu]}}, merge: none}}}}",
            ]
        ),
        st.lists(inner, max_size=3),
    ).map(lambda made: made[0].format("[" + ", ".join(made[1]) + "]")),
    max_leaves=4,
)
FIXED = {
    "params": "{width: 8, depths: [2, 3], act: relu}",
    "inputs": "{image: [N, 3, 8, 8]}",
    "blocks": "{block: {params: {width: 4}, body: [relu]}}",
}


@st.composite
def shaped(draw: st.DrawFn) -> str:
    parts = dict(FIXED)
    parts["network"] = "[" + ", ".join(draw(st.lists(STEPS, min_size=1, max_size=4))) + "]"
    for key in draw(
        st.lists(
            st.sampled_from(["params", "inputs", "blocks", "outputs", "expect", "init", "dims", "require", "variants"]),
            max_size=2,
        )
    ):
        parts[key] = draw(VALUES)
    return "netspec: 1\nname: net\n" + "".join(f"{key}: {value}\n" for key, value in parts.items())


@share(0.05)
@given(shaped(), SEEDS)
def test_well_formed_yaml_of_any_kind(text: str, seed: int):
    for each in changed(text, seed):
        loaded(each)
