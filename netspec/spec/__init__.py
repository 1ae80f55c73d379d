"""The authored forms, all that an author may write, read from the syntax tree.

Each form is a class whose fields say how their nodes are read; what does not fit is reported at its own place.
Values stay nodes (``Written``) where their meaning waits for parameters and shapes: ``elaborate`` evaluates them.
"""

from netspec.spec.document import (
    DTYPES,
    BlockSpec,
    DimSpec,
    Expect,
    InputSpec,
    Library,
    OutputSpec,
    Spec,
    UsedSpec,
    Variant,
    block_meant,
    read_library,
    read_spec,
)
from netspec.spec.parameters import DeclaredParameter, ParamSpec
from netspec.spec.reading import (
    NAME,
    RESERVED,
    STEP_NAME,
    VERSION,
    Entry,
    Form,
    Written,
    misfit,
    name_help,
    names_a_step,
)
from netspec.spec.steps import (
    CALL_KEYS,
    CallStep,
    Step,
    nested,
)
from netspec.spec.training import TrainSpec
from netspec.spec.weights import WeightsSpec, read_weights

__all__ = [
    "CALL_KEYS",
    "DTYPES",
    "NAME",
    "RESERVED",
    "STEP_NAME",
    "VERSION",
    "BlockSpec",
    "CallStep",
    "DeclaredParameter",
    "DimSpec",
    "Entry",
    "Expect",
    "Form",
    "InputSpec",
    "Library",
    "OutputSpec",
    "ParamSpec",
    "Spec",
    "Step",
    "TrainSpec",
    "UsedSpec",
    "Variant",
    "WeightsSpec",
    "Written",
    "block_meant",
    "misfit",
    "name_help",
    "names_a_step",
    "nested",
    "read_library",
    "read_spec",
    "read_weights",
]
