"""The footer of a shape table: exact totals, memory, formulas, and the meaning of signs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from netspec.analysis.constraints import size_constraints
from netspec.analysis.costs import Costs, cost_formula
from netspec.analysis.memory import PRECISIONS, Memory
from netspec.analysis.unsaid import unsaid, unsaid_notes
from netspec.dims import Size, evaluate, spell, times_shape
from netspec.graph import Graph, Node, levels_in, walk
from netspec.text.quantities import bytes_text, short_bytes, short_seconds
from netspec.view.lines import TableLine
from netspec.view.terminal import DAGGER, DOUBLE_DAGGER, GAP, MARGIN, Cell, clip, joined, wrapped

if TYPE_CHECKING:
    from netspec.analysis.step_time import StepSeconds, StepTime

FLOW = "in → out"
MOST_TIES = 4
MOST_CONSTRAINTS = 4
OPTIMIZERS = {"sgd": "training by sgd", "momentum": "momentum", "adam": "adam"}
"""The columns for training, by optimizer; adamw takes what adam does."""


def footer(
    graph: Graph,
    costs: Costs,
    memory: Memory,
    lines: Sequence[TableLine],
    width: int,
    times: StepTime | None = None,
) -> list[Cell]:
    """The exact totals, what flows in and out, and what the signs in the table mean."""
    params, macs = costs.of(graph.body)
    aside = training_parameters(graph, costs)
    sizes = ", ".join(f"{symbol}={size}" for symbol, size in graph.sizes.items())
    outputs = [
        f"{name} {times_shape(output.value.shape)}" + (f" {DAGGER}" if output.training else "")
        for name, output in graph.outputs.items()
    ]
    inputs = [f"{name} {times_shape(value.shape)}" for name, value in graph.inputs.items()]
    formula = formula_text(graph.body.macs, graph)
    ties = [f"tied: {key} = {target}" for key, target in tied_parameters(graph)]
    frozen = graph.body.frozen_count
    learned = [f"{params:,}", bytes_text(4 * params)]
    learned += [f"{params - frozen:,} trained, {frozen:,} frozen {DOUBLE_DAGGER}"] if frozen else []
    learned += [f"{aside:,} in training only"] if aside else []
    flow = [*joined(inputs, ","), *joined(["→ " + outputs[0], *outputs[1:]] if outputs else [], ",")]
    out = [
        *wrapped("parameters", learned, " ·", width),
        *wrapped(
            "", ties[:MOST_TIES] + ([f"and {len(ties) - MOST_TIES} more"] if len(ties) > MOST_TIES else []), " ·", width
        ),
        *memory_cells(graph, memory, width),
        *wrapped(
            "MACs", [f"{macs:,}", f"{2 * macs:,} FLOPs (2 a MAC)", *([f"at {sizes}"] if sizes else [])], " ·", width
        ),
        *wrapped("", [f"= {formula}"] if formula else [], " ·", width),
        *(() if times is None else wrapped("time", time_texts(times), " ·", width)),
        *wrapped(FLOW, flow, "", width),
        *constraint_cells(graph, width),
    ]
    notes = []
    if any(line.count > 1 for line in lines):
        notes.append("×N  N alike in a row, each fed by the one before; the numbers are of one")
    if any(line.closed for line in lines):
        notes.append("…   built like the one opened above it, in other sizes")
    if any(line.training for line in lines) or graph.body.training_outputs:
        notes.append(f"{DAGGER}   in training only, left out of the MACs")
    if any(line.frozen for line in lines):
        notes.append(f"{DOUBLE_DAGGER}   frozen: not trained")
    notes += unsaid_notes(graph)
    return out + [[(clip(note, width), "dim")] for note in notes]


def training_parameters(graph: Graph, costs: Costs) -> int:
    """Return the learned numbers of what runs in training only."""
    if not any(step.training for level in levels_in(graph.body) for step in level.steps):
        return 0
    return sum(costs.of(step).params for _, step, only in walk(graph.body) if only and isinstance(step, Node))


def time_texts(times: StepTime) -> list[str]:
    """The times of the whole network, and what they are of."""
    forward, step = map(short_seconds, times.total)
    sizes = ", ".join(f"{symbol}={size}" for symbol, size in times.sizes.items())
    trains = [f"{step} a training step by {times.optimizer}, without the loss"] if step else []
    return [f"{forward} forward", *trains, *([f"at {sizes}"] if sizes else []), f"on {times.device.title}"]


def memory_cells(graph: Graph, memory: Memory, width: int) -> Iterator[Cell]:
    """The peaks in inference and in a training step, by precision and optimizer, and two of them as formulas."""
    trains = memory.trained > 0
    columns = {"": "inference", **(OPTIMIZERS if trains else {})}
    rows = memory_rows(graph, memory, columns)
    if MARGIN + len(rows[0]) > width:
        rows = memory_rows(graph, memory, {"": "inference", **({"adam": "adam"} if trains else {})})
    for at, row in enumerate(rows):
        label, style = ("", "") if at else ("memory", "dim")
        yield [(label.ljust(MARGIN), "dim"), (clip(row, width - MARGIN), style)]
    formulas = {"= ": (memory.inference_peak, "inference")}
    formulas |= {"≈ ": (memory.training_formula("adam"), "training by adam")} if trains else {}
    for sign, (size, what) in formulas.items():
        formula = formula_text(size, graph, f" bytes in {what}")
        yield from wrapped("", [sign + formula] if formula else [], "", width)


def memory_rows(graph: Graph, memory: Memory, columns: Mapping[str, str]) -> list[str]:
    """A row of titles, and one for each precision; ``columns`` has the titles by optimizer, none being inference."""
    cells = [["", *columns.values()]]
    for precision in PRECISIONS:
        peaks = (
            memory.training_bytes(optimizer, precision) if optimizer else memory.inference_bytes(precision)
            for optimizer in columns
        )
        cells.append([precision, *(short_bytes(peak) for peak in peaks)])
    first, *others = (max(map(len, column)) for column in zip(*cells))
    return [
        (" " * GAP).join([row[0].ljust(first), *(text.rjust(size) for text, size in zip(row[1:], others))])
        for row in cells
    ]


def formula_text(size: Size, graph: Graph, of: str = "") -> str:
    """``1.81 G·N bytes at H=224, W=224``, ``of`` being `` bytes``; empty for what is no formula."""
    formula, fixed = cost_formula(size, graph)
    sizes = ", ".join(f"{symbol}={value}" for symbol, value in fixed.items())
    return formula and formula + of + (f" at {sizes}" if sizes else "")


def constraint_cells(graph: Graph, width: int) -> Iterator[Cell]:
    """Yield the constraints on the symbolic sizes."""
    constraints = size_constraints(graph)
    texts = [str(constraint) for constraint in constraints[:MOST_CONSTRAINTS]]
    texts += [f"and {len(constraints) - MOST_CONSTRAINTS} more"] if len(constraints) > MOST_CONSTRAINTS else []
    label = "sizes"
    for text in texts:
        for row in wrap(text, width - MARGIN):
            yield [(label.ljust(MARGIN), "dim"), (row, "")]
            label = ""


def totals_record(graph: Graph, costs: Costs, memory: Memory) -> dict[str, Any]:
    """Return the footer's numbers in full for JSON: sizes in bytes, each with its formula."""
    params, macs = costs.of(graph.body)

    def size(quantity: Size) -> dict[str, Any]:
        return {"bytes": evaluate(quantity, graph.sizes), "formula": spell(quantity)}

    training = {
        optimizer: {
            precision: size(memory.training_peak(optimizer, precision))
            | {"about": spell(memory.training_formula(optimizer, precision))}
            for precision in PRECISIONS
        }
        for optimizer in OPTIMIZERS
    }
    inference = {precision: size(memory.inference_peak_in(precision)) for precision in PRECISIONS}
    return {
        "totals": {"params": params, "frozen": graph.body.frozen_count, "macs": macs},
        "macs_formula": spell(graph.body.macs),
        "tied": dict(tied_parameters(graph)),
        **({"unsaid": left_open} if (left_open := unsaid(graph)) else {}),
        "memory": {"inference": inference, "training": training if memory.trained else {}},
        "needs": [
            {"text": str(each), "training": each.training, "line": each.line, "file": each.file}
            for each in size_constraints(graph)
        ],
    }


def time_record(times: StepTime) -> dict[str, Any]:
    """The times of the whole network, and what they are of, as JSON has it."""
    device = times.device
    told = {"device": device.name, "threads": device.threads, "clock": device.clock, "optimizer": times.optimizer}
    return told | seconds_record(times.total)


def seconds_record(seconds: StepSeconds) -> dict[str, float]:
    """Times as JSON and CSV have them, to four digits."""
    return {f"{name}_seconds": float(f"{value:.4g}") for name, value in seconds._asdict().items()}


def tied_parameters(graph: Graph) -> Iterable[tuple[str, str]]:
    """The keys of parameters that are another's, with that one's."""
    if not graph.body.has_ties:
        return
    for path, step, _ in walk(graph.body):
        if isinstance(step, Node):
            yield from ((step.key(path.removesuffix(step.name), name), target) for name, target in step.ties)
