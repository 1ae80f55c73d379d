"""What each op says that autograd keeps of it, and where its results lie, is what torch does."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from ops.kept import address, nbytes, recording
from ops.oracle import Case, constructor_text, scope
from ops.several import Several, lines_of
from torch import nn

from netspec.ops import OPS, Op, OpRun, Tensor

Made = list[torch.Tensor | None]
Laid = Callable[[torch.Tensor], torch.Tensor]
RECURRENT = {"rnn", "gru", "lstm"}


def cases_of_all_ops() -> Iterator[Case | Several]:
    """The cases that hold each op against torch, from the tests beside this one."""
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        if path.stem in ("test_saved", "test_torch_export"):
            continue
        for name, test in vars(importlib.import_module(f"ops.{path.stem}")).items():
            for mark in getattr(test, "pytestmark", []) if "match" in name else []:
                if mark.name == "parametrize" and mark.args[0] == "case":
                    yield from mark.args[1]


CASES = [*cases_of_all_ops()]


def test_every_op_has_a_case() -> None:
    assert {case.name for case in CASES} | {"coalesce"} == set(OPS)  # coalesce gives one of its inputs


def inputs_of(case: Case | Several) -> list[str]:
    return [*case.shapes] if isinstance(case, Case) else [text for text in case.inputs if text is not None]


def contiguous(value: torch.Tensor) -> torch.Tensor:
    return value.clone()


def turned(value: torch.Tensor) -> torch.Tensor:
    """The same numbers, the dimensions in memory in the opposite order."""
    order = list(reversed(range(value.dim())))
    return value.permute(order).contiguous().permute(order)


def gapped(value: torch.Tensor) -> torch.Tensor:
    """The same numbers, with others between them."""
    return torch.stack([value, value], dim=-1)[..., 0] if value.dim() else value.clone()


def module_of(op: Op, tensors: Any) -> Any:
    if op.torch is None:
        return None
    made = op.module(*tensors)
    holder = nn.Module()
    holder.op = eval(made.wrap.format(constructor_text(made)), scope())
    return holder.op


def state_of(module: Any) -> list[torch.Tensor]:
    if module is None:
        return []
    return [module] if isinstance(module, nn.Parameter) else [*module.parameters(), *module.buffers()]


def run_op(op: Op, module: Any, tensors: Any, values: Made, reads: tuple[bool, ...]) -> Made:
    targets = [f"y{at}" if read else None for at, read in enumerate(reads)]
    holder = nn.Module()
    if module is not None:
        holder.op = module
    variables = scope(self=holder) | {"abcdefgh"[at]: value for at, value in enumerate(values) if value is not None}
    exec("\n".join(lines_of(op, tensors, targets)), variables)
    return [variables[target] if target else None for target in targets]


def size_of(tensor: Tensor) -> int:
    return torch.empty(tensor.shape, dtype=getattr(torch, tensor.dtype), device="meta").nbytes


REFUSED = {("local_response_norm", 5, "turned")}
"""What torch itself refuses: it views, where it would have to copy."""
JOINT = {"multihead_attention"}
"""What keeps the same whichever input gradients flow to, as they flow to its parameters."""
PLAIN = [case for case in CASES if case.name not in RECURRENT]
LAID = [
    (case, laid)
    for case in PLAIN
    for laid in (contiguous, turned, gapped)
    if (case.name, max((len(text.split()) for text in inputs_of(case)), default=0), laid.__name__) not in REFUSED
]


def ready(case: Case | Several) -> tuple[Op, Any, Made]:
    """The op, its tensors and values; in attention without dropout, for which torch has no fused kernel on CPU."""
    sizes = case.sizes[0]
    op = case.op(sizes)
    off = {name: 0.0 for name in ("dropout_p",) if getattr(op, name, 0)}
    tensors = case.concrete(sizes) if isinstance(case, Case) else case.tensors(sizes)
    return op.model_copy(update=off), tensors, [*case.values(sizes)]


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, of even windows and of mixed masks
@pytest.mark.parametrize(("case", "laid"), LAID, ids=lambda value: getattr(value, "__name__", None) or str(value))
def test_keeps_what_torch_keeps(case: Case | Several, laid: Laid) -> None:
    op, tensors, values = ready(case)
    count = len(op.output_names(*tensors))
    check(op, tensors, values, laid, (True,) * count)
    if op.name == "multihead_attention":
        check(op.model_copy(update={"dropout": 0.0}), tensors, values, laid, (True, False))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "case", [case for case in PLAIN if len(inputs_of(case)) > 1 and case.name not in JOINT], ids=str
)
def test_keeps_what_torch_keeps_where_gradients_flow_to_one_input(case: Case | Several) -> None:
    op, tensors, values = ready(case)
    for only, value in enumerate(values):
        if value is not None and value.is_floating_point():
            check(op, tensors, values, contiguous, (True,) * len(op.output_names(*tensors)), only)


LEARNING = [(case, laid) for case, laid in LAID if ready(case)[0].parameters(*ready(case)[1])]


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, of even windows
@pytest.mark.parametrize(("case", "laid"), LEARNING, ids=lambda value: getattr(value, "__name__", None) or str(value))
def test_keeps_what_torch_keeps_where_the_parameters_are_frozen(case: Case | Several, laid: Laid) -> None:
    op, tensors, values = ready(case)
    check(op, tensors, values, laid, (True,) * len(op.output_names(*tensors)), frozen=True)


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, of what oneDNN does not do
@pytest.mark.parametrize("case", [case for case in CASES if case.name in RECURRENT], ids=str)
def test_recurrent_layers_keep_as_much_as_torch_does_step_by_step(case: Several) -> None:
    op, tensors, values = ready(case)
    length = tensors[0].shape[1 if getattr(op, "batch_first", False) else 0]
    given = [
        value if value is None or value.is_floating_point() else torch.full_like(value, length) for value in values
    ]
    module = module_of(op, tensors)
    leaves = [None if value is None else value.requires_grad_(value.is_floating_point()) for value in given]
    with torch.backends.mkldnn.flags(enabled=False), recording(besides=state_of(module)) as found:  # type: ignore[no-untyped-call]
        run_op(op, module, tensors, leaves, (True,) * len(op.output_names(*tensors)))
    needs = tuple(value is not None and value.requires_grad for value in leaves)
    run = OpRun(
        tuple(tensors),
        op.infer(*tensors),
        (None,) * len(tensors),
        needs,
        (True,) * 4,
        learns=frozenset(op.parameters(*tensors)),
    )
    claimed = op.saved(run)
    total = sum(map(size_of, (*claimed.made, *(tensors[at] for at in claimed.inputs))))
    assert total == sum(map(nbytes, found.values()))


def check(
    op: Op,
    tensors: Any,
    given: Made,
    laid: Laid,
    reads: tuple[bool, ...],
    only: int | None = None,
    frozen: bool = False,
) -> None:
    """Holds the claims for one run against torch; ``only`` is the one input that gradients flow to."""
    values: Made = []
    for at, value in enumerate(given):
        flows = value is not None and value.is_floating_point() and only in (None, at)
        values.append(None if value is None else laid(value.detach().clone().requires_grad_(flows)))
    module = module_of(op, tensors)
    if frozen:
        module.requires_grad_(False)
    with recording(besides=state_of(module)) as found:
        made = run_op(op, module, tensors, values, reads)
    needs = tuple(value is not None and value.requires_grad for value in values)
    strides = tuple(None if value is None or value.is_contiguous() else value.stride() for value in values)
    learns = frozenset(() if frozen else op.parameters(*tensors))
    run = OpRun(tuple(tensors), op.infer(*tensors), strides, needs, reads, learns=learns)
    claimed = op.saved(run) if any(needs) or learns else None

    inputs = {address(value): at for at, value in reversed([*enumerate(values)]) if value is not None}
    outputs = {address(value): at for at, value in reversed([*enumerate(made)]) if value is not None}
    kept_inputs = {inputs[where] for where in found if where in inputs}
    kept_outputs = {outputs[where] for where in found if where in outputs and where not in inputs}
    others = sorted(nbytes(tensor) for where, tensor in found.items() if where not in inputs and where not in outputs)
    places = op.output_layout(run)
    sources = {at for at in (claimed.inputs if claimed else ())}
    own = {at for at in (claimed.outputs if claimed else ()) if places[at].source is None}
    sources |= {places[at].source for at in (claimed.outputs if claimed else ()) if places[at].source is not None}
    assert sources == kept_inputs
    assert own == kept_outputs
    assert sorted(map(size_of, claimed.made if claimed else ())) == others
    for result, tensor, place in zip(made, run.outputs, places):
        if result is not None and address(result) not in {address(each) for each in state_of(module)}:
            assert inputs.get(address(result)) == place.source
            wanted = (
                tuple(torch.empty(tensor.shape, device="meta").stride()) if place.strides is None else place.strides
            )
            big = [at for at, size in enumerate(tensor.shape) if size != 1]
            assert [result.stride(at) for at in big] == [wanted[at] for at in big]
