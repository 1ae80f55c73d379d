"""What an author may write: the authored forms, read from the syntax tree.

Each form is a Pydantic model whose fields say how their nodes are read; what does not fit is reported at its own place.
Values stay nodes (``Written``) where their meaning waits for parameters and shapes: ``elaborate`` evaluates them.
"""

from netspec.spec.document import (
    DTYPES,
    BlockSpec,
    DimSpec,
    Expect,
    InputSpec,
    OutputSpec,
    Spec,
    Variant,
    read_library,
    read_spec,
)
from netspec.spec.parameters import Parameter, ParamSpec
from netspec.spec.reading import (
    NAME,
    RESERVED,
    VERSION,
    Entry,
    Form,
    Written,
    misfit,
    name_help,
)
from netspec.spec.steps import (
    MERGES,
    RESIDUAL_MERGES,
    SHORT_FORM,
    STRUCTURES,
    CallStep,
    For,
    If,
    Parallel,
    Repeat,
    Residual,
    Scan,
    Sequential,
    Share,
    Side,
    Step,
)

__all__ = [
    "DTYPES",
    "MERGES",
    "NAME",
    "RESERVED",
    "RESIDUAL_MERGES",
    "SHORT_FORM",
    "STRUCTURES",
    "VERSION",
    "BlockSpec",
    "CallStep",
    "DimSpec",
    "Entry",
    "Expect",
    "For",
    "Form",
    "If",
    "InputSpec",
    "OutputSpec",
    "Parallel",
    "ParamSpec",
    "Parameter",
    "Repeat",
    "Residual",
    "Scan",
    "Sequential",
    "Share",
    "Side",
    "Spec",
    "Step",
    "Variant",
    "Written",
    "misfit",
    "name_help",
    "read_library",
    "read_spec",
]
