"""The shaped graph: what a spec means once every block is expanded and every shape is known.

A ``Graph`` is a tree. Its ``body`` is a level; a level holds steps in the order they run; a step is a ``Node``
(one op) or a ``Call`` (another level). Values connect them: a level has formal inputs, its steps make new
values, and it names some of them as its outputs. Nothing refers to a value of another level: what a level takes
from around it is an input of its own.

Equal levels are one object (``elaborate`` interns them), so ``is`` tells a repeat from a change, and whatever is
computed for a level is computed once. Paths are not stored: a level knows its steps' names, and ``walk`` joins them.
"""

from netspec.graph.graph import Graph, NetworkOutput, Requirement
from netspec.graph.init_rule import InitRule, covers, key_of, state_key
from netspec.graph.level import (
    Call,
    CostSum,
    Level,
    LevelKind,
    Loop,
    Node,
    Phase,
    Step,
    Value,
    arranged,
    axis_of_time,
    frozen_count,
    over_time,
    parameter_count,
)
from netspec.graph.low_rank import WeightChange
from netspec.graph.walk import ONCE, ExecutionCount, Visit, levels_in, visits, walk, walk_parameters, walk_state

__all__ = [
    "ONCE",
    "Call",
    "CostSum",
    "ExecutionCount",
    "Graph",
    "InitRule",
    "Level",
    "LevelKind",
    "Loop",
    "NetworkOutput",
    "Node",
    "Phase",
    "Requirement",
    "Step",
    "Value",
    "Visit",
    "WeightChange",
    "arranged",
    "axis_of_time",
    "covers",
    "frozen_count",
    "key_of",
    "levels_in",
    "over_time",
    "parameter_count",
    "state_key",
    "visits",
    "walk",
    "walk_parameters",
    "walk_state",
]
