"""The passes over the network's body, in the order that they run in."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from netspec.elaborate.passes import init
from netspec.elaborate.passes.draft import Draft
from netspec.elaborate.passes.input_ranges import set_input_ranges
from netspec.elaborate.passes.own_keys import settle_keys
from netspec.elaborate.passes.parameter_count import check_parameters
from netspec.elaborate.passes.shared_ties import settle_shared_ties
from netspec.elaborate.passes.sizes import set_sizes
from netspec.elaborate.passes.unread import leave_out_unread


class Pass(NamedTuple):
    """One pass: it may read the fields of the draft that it requires, and sets those that it ensures."""

    name: str
    requires: tuple[str, ...]
    ensures: tuple[str, ...]
    run: Callable[[Draft], None]


PASSES = (
    Pass("settle the ties of shared modules", ("body",), ("body",), settle_shared_ties),
    Pass("settle keys of steps and tensors", ("body",), ("body",), settle_keys),
    Pass("collect initialisation rules", ("body", "rules"), ("init",), init.collect_rules),
    Pass("check the number of parameters", ("body",), (), check_parameters),
    Pass("check initialisation rules", ("body", "init"), (), init.check_rules),
    Pass("leave out what nothing reads", ("body",), ("body",), leave_out_unread),
    Pass("choose sizes", ("inputs", "declared", "requirements"), ("sizes",), set_sizes),
    Pass("tell the ranges of inputs", ("body", "below"), ("input_ranges",), set_input_ranges),
)


def run_passes(draft: Draft) -> None:
    """Run every pass in turn. Raises ``SpecError`` after one whose faults the next must not see."""
    for each in PASSES:
        each.run(draft)
