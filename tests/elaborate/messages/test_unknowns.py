"""Words that a spec, an op or a block does not have: what there is, and where the rest of it is listed."""

from __future__ import annotations

import pytest

from netspec import SpecError
from netspec.diagnostics import Source
from netspec.diagnostics.suggest import MOST_TOLD
from netspec.pipeline import compile_loaded, load_source


def help_of(blocks: str, network: str, rest: str = "") -> str:
    text = f"netspec: 1\nname: a\ninputs: {{x: [N, 4]}}\n{blocks}network:\n  - {network}\n{rest}"
    with pytest.raises(SpecError) as found:
        compile_loaded(load_source(Source("a.yaml", text)))
    return str(found.value.diagnostics[-1].help)


def block_of(many: int) -> str:
    params = ", ".join(f"p{at}: 1" for at in range(many))
    return f"blocks:\n  mine:\n    params: {{{params}}}\n    body: [{{linear: 2}}]\n"


def test_all_are_told_where_they_are_few():
    assert help_of(block_of(2), "mine: {zzz: 1}") == "its parameters are `p0`, `p1`"


def test_of_many_the_first_are_told_with_the_command_that_lists_the_others():
    told = help_of("", "linear: 2", "train: {data: digits, loss: cross_entropy, optimizer: adam, zzz: 1}\n")
    assert told.count("`, `") == MOST_TOLD - 1
    assert told.endswith(" more: `netspec help train`")


def test_no_command_lists_what_is_a_spec_s_own():
    assert help_of(block_of(MOST_TOLD + 2), "mine: {zzz: 1}").endswith(f"`p{MOST_TOLD - 1}` and 2 more")
