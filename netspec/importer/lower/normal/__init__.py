"""ATen's calls in a normal form: what has no op of its own is said by calls that have."""

from netspec.importer.lower.dead import drop_dead
from netspec.importer.lower.normal import arithmetic, choosing, creating, losses, products, putting, unpooling, views
from netspec.importer.lower.normal.complex_numbers import say_in_parts
from netspec.importer.lower.normal.rules import CallRewriting
from netspec.importer.program import ForeignProgram

FAMILIES = (arithmetic, choosing, creating, losses, products, putting, views)


def normalize(program: ForeignProgram) -> None:
    """Say a program's calls by others, until each is one that an op may be; what changes nothing goes."""
    say_in_parts(program)
    rules = {name: rule for family in FAMILIES for name, rule in family.RULES.items()}
    looking = {
        name: rule
        for family in (views, choosing, arithmetic, products, unpooling)
        for name, rule in family.LOOKING.items()
    }
    CallRewriting(program, rules, looking).run()
    drop_dead(program)
    if any(step.call.name in products.LATE for step in program.steps):
        CallRewriting(program, {**rules, **products.LATE}, looking).run()
