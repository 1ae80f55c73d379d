"""Unrolled loops as scans: torch.export writes the body of a Python loop once for each step of a sequence."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.importer.lower.dead import drop_dead
from netspec.importer.lower.idioms.matching import reading
from netspec.importer.lower.rolled.building import scan_steps
from netspec.importer.lower.rolled.gathering import gather_loops
from netspec.importer.lower.rolled.leaving import LoopJoin, LoopResults, results_of
from netspec.importer.lower.rolled.runs import StepRun, runs_in
from netspec.importer.lower.rolled.wiring import LoopWiring, NoLoop, SequenceRead, StateRead, wiring_of
from netspec.importer.lower.table import OpTable
from netspec.importer.program import SCAN_END, ForeignLoop, ForeignProgram, ForeignStep
from netspec.ops.core.foreign import ForeignCall, ForeignTensor, OpReading
from netspec.ops.registry import OPS

FROM_NOTHING = ("zeros", "ones", "full", "arange")
MOST_TRIED = 200
"""So many runs are looked at for one loop."""


def roll_loops(program: ForeignProgram, table: OpTable) -> None:
    """Put a scan in the place of each run of steps that is a loop, the longest first."""
    as_they_stood = [*program.steps]
    _begin_with_sources(program)
    if not _roll_one(program, table):
        program.steps[:] = as_they_stood
        return
    while _roll_one(program, table):
        pass
    drop_dead(program)


def settle_scans(program: ForeignProgram, table: OpTable) -> None:
    """Let scans have all that their modules do, and collect in the order of the network's outputs."""
    gather_loops(program, table)
    for step in program.steps:
        if step.op == SCAN_END and step.loop is not None:
            _sort_collected(step, step.loop, [*program.outputs.values()])


def _sort_collected(step: ForeignStep, loop: ForeignLoop, outputs: list[ForeignTensor]) -> None:
    """Let a scan collect what the network gives in the order of its outputs."""
    said = reading(step)
    count = len(said.inputs) - loop.states
    order = sorted(
        range(count), key=lambda at: outputs.index(tensor) if (tensor := said.outputs[at]) in outputs else -1
    )
    order += range(count, len(said.inputs))
    inputs, given = (tuple(each[at] for at in order) for each in (said.inputs, said.outputs))
    step.reading = said._replace(inputs=inputs, outputs=given)


def _roll_one(program: ForeignProgram, table: OpTable) -> bool:
    """Roll the longest run that is a loop; return whether there was one."""
    for tried, run in enumerate(runs_in(program.steps)):
        if tried == MOST_TRIED:
            break
        try:
            wiring = wiring_of(program.steps, run)
            results = results_of(program.steps, wiring, program.outputs)
            if is_loop(wiring, results):
                _replace(program, wiring, results, table)
                return True
        except NoLoop:
            continue
    return False


def is_loop(wiring: LoopWiring, results: LoopResults) -> bool:
    """Return whether a run is a loop over something: it has a state, or is joined over a sequence."""
    reads = [*wiring.reads.values(), *wiring.elements.values()]
    over = any(isinstance(read, SequenceRead) for read in reads)
    state = any(isinstance(read, StateRead) for read in reads)
    joined = bool(results.joins)
    return len(wiring.body) > 0 and ((over and (state or joined)) or (state and joined))


def _replace(program: ForeignProgram, wiring: LoopWiring, results: LoopResults, table: OpTable) -> None:
    """Put the scan in the place of a run, and what it collects in that of the steps that joined it."""
    run: StepRun = wiring.run
    made = scan_steps(program.steps, wiring, results, table)
    rest: list[ForeignStep] = []
    joins = {id(join.step): join for join in results.joins}
    for step in program.steps[run.end :]:
        rest += [step] if id(step) not in joins else rejoined(joins[id(step)], table)
    program.steps[:] = [*program.steps[: run.start], *made, *rest]


def rejoined(join: LoopJoin, table: OpTable) -> Iterator[ForeignStep]:
    """Yield the steps that join what a loop has collected with what was joined beside it."""
    said = reading(join.step)
    count = join.whole.shape[join.dim]
    assert isinstance(count, int)
    if len(said.inputs) == count:
        return
    pieces: list[ForeignTensor | None] = [*said.inputs]
    pieces[join.start : join.start + count] = [join.whole]
    if join.step.op == "stack":
        for at, piece in enumerate(pieces):
            if piece is not join.whole:
                assert piece is not None
                shape = (*piece.shape[: join.dim], 1, *piece.shape[join.dim :])
                pieces[at] = ForeignTensor(shape, piece.dtype)
                yield _step(join.step, "unsqueeze", {"dim": join.dim}, (piece,), pieces[at], table)
    yield _step(join.step, "concat", {"dim": join.dim}, tuple(pieces), said.outputs[0], table)


def _step(
    at: ForeignStep,
    op: str,
    arguments: dict[str, int],
    inputs: tuple[ForeignTensor | None, ...],
    output: ForeignTensor | None,
    table: OpTable,
) -> ForeignStep:
    said = table.proven(OPS[op], OpReading(arguments, inputs, {}, (output,)))
    return ForeignStep(ForeignCall(op, arguments, (output,)), at.scopes, at.place, op, said)


def _begin_with_sources(program: ForeignProgram) -> None:
    """Put first what reads nothing, such as states of zeros, which would else stand in a loop's first copy."""
    first = [step for step in program.steps if step.op in FROM_NOTHING and not any(_read(step))]
    known = {id(step) for step in first}
    program.steps[:] = [*first, *(step for step in program.steps if id(step) not in known)]


def _read(step: ForeignStep) -> Iterator[bool]:
    return (each is not None for each in (step.reading.inputs if step.reading is not None else (None,)))
