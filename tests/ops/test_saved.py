"""Each op's claims about what autograd saves, and where its results lie, are true of torch."""

from __future__ import annotations

import pytest
import torch
from ops.all_cases import CASES

from netspec.ops import OPS, OpRun
from netspec.testing.case import OpCase
from netspec.testing.memory import (
    LAYOUTS,
    Arrange,
    check_run,
    contiguous,
    nbytes,
    ready,
    recording,
    size_of,
    weights_of,
)
from netspec.testing.pytorch import new_module, run_lines

RECURRENT = {"rnn", "gru", "lstm"}


def test_every_op_has_a_case() -> None:
    assert {case.name for case in CASES} | {"coalesce"} == set(OPS)  # coalesce gives one of its inputs


def given(case: OpCase) -> list[str]:
    return [text for text in case.inputs if text is not None]


REFUSED = {("local_response_norm", 5, "transposed")}
"""What torch itself refuses: it views, where it would have to copy."""
JOINT = {"multihead_attention"}
"""What keeps the same whichever input gradients flow to, as they flow to its parameters."""
PLAIN = [case for case in CASES if case.name not in RECURRENT]
ARRANGED = [
    (case, arrange)
    for case in PLAIN
    for arrange in LAYOUTS
    if (case.name, max((len(text.split()) for text in given(case)), default=0), arrange.__name__) not in REFUSED
]


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, of even windows and of mixed masks
@pytest.mark.parametrize(
    ("case", "arrange"), ARRANGED, ids=lambda value: getattr(value, "__name__", None) or str(value)
)
def test_keeps_what_torch_keeps(case: OpCase, arrange: Arrange) -> None:
    op, tensors, values = ready(case)
    count = len(op.output_names(*tensors))
    check_run(op, tensors, values, arrange, (True,) * count)
    if op.name == "multihead_attention":
        check_run(op.model_copy(update={"dropout": 0.0}), tensors, values, arrange, (True, False))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("case", [case for case in PLAIN if len(given(case)) > 1 and case.name not in JOINT], ids=str)
def test_keeps_what_torch_keeps_where_gradients_flow_to_one_input(case: OpCase) -> None:
    op, tensors, values = ready(case)
    for only, value in enumerate(values):
        if value is not None and value.is_floating_point():
            check_run(op, tensors, values, contiguous, (True,) * len(op.output_names(*tensors)), only)


LEARNING = [(case, arrange) for case, arrange in ARRANGED if ready(case)[0].parameters(*ready(case)[1])]


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, of even windows
@pytest.mark.parametrize(
    ("case", "arrange"), LEARNING, ids=lambda value: getattr(value, "__name__", None) or str(value)
)
def test_keeps_what_torch_keeps_where_the_parameters_are_frozen(case: OpCase, arrange: Arrange) -> None:
    op, tensors, values = ready(case)
    check_run(op, tensors, values, arrange, (True,) * len(op.output_names(*tensors)), frozen=True)


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, of what oneDNN does not do
@pytest.mark.parametrize("case", [case for case in CASES if case.name in RECURRENT], ids=str)
def test_recurrent_layers_keep_as_much_as_torch_does_step_by_step(case: OpCase) -> None:
    op, tensors, values = ready(case)
    length = tensors[0].shape[1 if getattr(op, "batch_first", False) else 0]
    given = [
        value if value is None or value.is_floating_point() else torch.full_like(value, length) for value in values
    ]
    module = new_module(op, tensors)
    leaves = [None if value is None else value.requires_grad_(value.is_floating_point()) for value in given]
    with torch.backends.mkldnn.flags(enabled=False), recording(besides=weights_of(module)) as found:  # type: ignore[no-untyped-call]
        run_lines(op, module, tensors, leaves, range(len(op.output_names(*tensors))), training=True)
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
