"""The forms of steps, each with the function that elaborates it: one file a structure, all alike.

A function takes the context, the frame (the level that its nodes go to), the step, the value before it and the name
that its place gives it; it returns the step's value, or raises. What it runs inside, it runs through the context.
"""

from __future__ import annotations

from collections.abc import Mapping

from netspec.elaborate.context import Handler
from netspec.elaborate.steps import call, condition, loop, parallel, residual, scan, sequential, share, side
from netspec.spec import CallStep, For, If, Parallel, Repeat, Residual, Scan, Sequential, Share, Side

HANDLERS: Mapping[type, Handler] = {
    CallStep: call.elaborate,
    Sequential: sequential.elaborate,
    Repeat: loop.elaborate,
    For: loop.elaborate,
    Parallel: parallel.elaborate,
    Residual: residual.elaborate,
    Scan: scan.elaborate,
    Share: share.elaborate,
    If: condition.elaborate,
    Side: side.elaborate,
}
