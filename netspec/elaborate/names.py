"""Names that are wrong wherever they are reached: ops, blocks and arguments that do not exist.

Looked at before anything is expanded, so that a block that is never called and a branch that is not taken are
checked too.
"""

from __future__ import annotations

from netspec import library
from netspec.elaborate.messages.unknowns import unknown_op, unknown_op_argument, unknown_parameter
from netspec.elaborate.reading.scope import Scope
from netspec.elaborate.reading.values import Reader
from netspec.ops import OPS
from netspec.spec import CALL_KEYS, BlockSpec, CallStep, Spec, block_meant, nested
from netspec.spec.steps import STRUCTURES
from netspec.syntax import ScalarNode

CONSTANTS = ("None", "True", "False")
"""Keywords of Python that look like classes."""


def check_all_names(spec: Spec, reader: Reader, sound: set[Spec]) -> None:
    """Report every name in a spec that is wrong in any variant, unless the spec is known to be ``sound``."""
    if spec not in sound:
        before = reader.report.count
        check_block_names(spec, reader)
        check_names(spec, reader)
        if reader.report.count == before:
            sound.add(spec)


def check_names(spec: Spec, reader: Reader) -> None:
    """Report every call of something that does not exist, or with an argument that it does not have."""
    trail = reader.trail
    reader.trail = ()  # such a fault is the same in every variant
    for block in spec.blocks.values():
        _check_declared(block, reader)
    for around, body in (("", spec.network), *((name, block.body) for name, block in spec.blocks.items())):
        for top in body:
            for step in nested(top):
                if isinstance(step, CallStep) and not step.key.text.startswith("$"):
                    _check_call(spec, around, step, reader)
    reader.trail = trail


def check_block_names(spec: Spec, reader: Reader) -> None:
    """Report blocks whose names mean something else, and what their outputs cannot say."""
    for name, block in spec.blocks.items():
        if name in OPS or name in STRUCTURES:
            kind = "an op" if name in OPS else "a structure"
            message = f"the block `{name}` has the name of {kind}"
            reader.error("duplicate-name", message, block.span, help="rename the block")
        if name in CONSTANTS:
            help = f"`{name}` is a Python keyword: write `{name}_`"
            reader.error("bad-name", f"`{name}` cannot be a block's name", block.span, help=help)
        for output in (block.outputs or {}).values():
            if output.when is not None:
                help = "remove it here, and put it on the network's output that returns this value"
                message = f"an output of a block has no `when`: `{name}` returns all of its outputs in every call"
                reader.error("training-only", message, output.source.span, help=help)


def _check_declared(block: BlockSpec, reader: Reader) -> None:
    """Guard: every call of a block can give its parameters and inputs, beside what any step may say."""
    keys = [parameter.key for parameter in block.params.values()]
    keys += [node for node in block.inputs or () if isinstance(node, ScalarNode)]
    for key in keys:
        name = key.text.removesuffix("?")
        if name in CALL_KEYS:
            message = f"a block's parameter or input cannot be named `{name}`"
            reader.error(
                "bad-name", message, key.span, help=f"every step has the key `{name}`: rename the parameter or input"
            )


def _check_call(spec: Spec, around: str, step: CallStep, reader: Reader) -> None:
    """Guard: what a step in the block ``around`` runs exists, and takes its arguments."""
    key = step.key.text
    if not step.arguments and key in OPS:
        return
    name = block_meant(spec.blocks, key, around)
    if key not in OPS and name is None and library.find(key) is None:
        from netspec.plugins import look_for_plugins  # most specs need none

        look_for_plugins()
    block = spec.blocks[name] if name else (None if key in OPS else library.find(key))
    if block is not None:
        for name in step.arguments.keys() - block.params.keys() - block.formal.keys():
            unknown_parameter(reader, step, key, block, name)
    elif key not in OPS:
        unknown_op(reader, step, key, spec.blocks, Scope({}))
    else:
        kind = OPS[key]
        for name in step.arguments.keys() - kind.model_fields.keys() - set(kind.ports) - {"tie"}:
            unknown_op_argument(reader, kind, step.arguments[name][0])
