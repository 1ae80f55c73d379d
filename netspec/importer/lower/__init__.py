"""From foreign calls to ops: ``lower`` says every step of a program as the op that it is."""

from __future__ import annotations

from netspec.importer.lower.dead import drop_dead
from netspec.importer.lower.idioms import IDIOMS
from netspec.importer.lower.idioms.heads.masks import LATE_IDIOMS
from netspec.importer.lower.idioms.heads.multihead import merge_heads
from netspec.importer.lower.idioms.matching import recognize
from netspec.importer.lower.in_short import say_in_short
from netspec.importer.lower.normal import normalize
from netspec.importer.lower.own import place_own
from netspec.importer.lower.rolled import roll_loops, settle_scans
from netspec.importer.lower.rolled.overwriting import join_rows
from netspec.importer.lower.table import OpTable, WrongReading
from netspec.importer.lower.zones import say_zones
from netspec.importer.program import ForeignProgram, LoweringProblem


def lower(program: ForeignProgram, rolls: bool = True) -> ForeignProgram:
    """Return the program with ``op`` and ``reading`` of every step set, where an op says it.

    Steps may become others, several or none; with ``rolls``, runs of equal steps that are loops become scans. What no
    op says is left as it is, and listed in ``problems``. A program that came with problems is left as it is.
    """
    if program.problems:
        return program
    if any(step.reading is None for step in program.steps):  # what is read already is as it should be
        normalize(program)
        drop_dead(program)
    table = OpTable(program)
    for step in program.steps:
        if step.reading is None:
            try:
                step.op, step.reading = table.read(step.call)
            except WrongReading as wrong:
                program.problems.append(LoweringProblem(step, str(wrong)))
    if not program.own:
        join_rows(program, table)
        merge_heads(program, table)
        recognize(program, table, IDIOMS)
        drop_dead(program)
        if rolls:
            roll_loops(program, table)
        recognize(program, table, LATE_IDIOMS)
        say_in_short(program, table)
        drop_dead(program)
    settle_scans(program, table)
    say_zones(program, table)
    place_own(program)
    return program
