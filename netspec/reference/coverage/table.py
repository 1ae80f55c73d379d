"""The table of the callables of torch, with what stands for each: from ops, losses and the tables beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from netspec.dataclass import dataclass
from netspec.diagnostics import UsageError, did_you_mean
from netspec.ops import OPS, Op
from netspec.recipes import ingredients
from netspec.reference.coverage.compositions import ALIASES, COMPOSITIONS
from netspec.reference.coverage.left_out import DETERMINISTIC, WITHOUT_FORWARD
from netspec.reference.coverage.names import FUNCTIONAL, NN, TENSOR

NAMESPACES = {
    "torch.nn": tuple(f"nn.{name}" for name in NN.split()),
    "torch.nn.functional": tuple(f"F.{name}" for name in FUNCTIONAL.split()),
    "Tensor": tuple(f"Tensor.{name}" for name in TENSOR.split()),
}
"""The callables of torch by where they are."""
REMARKS = """A method that works in place, such as `add_`, is not
listed: it is the one without the `_`. `out`, `device`, `dtype` and `generator` are arguments of no op; `cast` gives
another dtype."""
NOT_YET = "Nobody has written it yet"


@dataclass(frozen=True, slots=True)
class TorchCallable:
    """One callable of torch: how a spec says it (``text``), without which of its arguments, or the ``reason`` why it
    cannot. ``counts`` says that it has a deterministic forward pass.
    """

    name: str
    text: str = ""
    without: tuple[str, ...] = ()
    reason: str = ""
    counts: bool = True

    @property
    def is_covered(self) -> bool:
        """Return whether a spec can say it."""
        return bool(self.text)


def torch_table() -> list[TorchCallable]:
    """Return every callable of torch, in the order of ``NAMESPACES``."""
    told = {each.name: each for each in (*_of_ops(claims), *_of_losses(), *_excluded(), *_composed())}
    told |= {each.name: each for each in _of_ops(lambda op: op.covers)}
    rows = {name: told.get(name, TorchCallable(name)) for names in NAMESPACES.values() for name in names}
    for name, other in ALIASES.items():
        rows[name] = _as(name, rows[other])
    return list(rows.values())


def share(rows: Iterable[TorchCallable]) -> tuple[int, int]:
    """Return how many callables with a deterministic forward pass are covered, and how many there are."""
    counted = [row.is_covered for row in rows if row.counts]
    return sum(counted), len(counted)


def claims(op: type[Op]) -> Iterator[str]:
    """Yield the callables that an op's name, module and function speak of; what it ``covers`` goes before these."""
    yield from (f"F.{op.name}", f"Tensor.{op.name}")
    if op.torch is not None:
        yield op.torch
    if op.functional is not None:
        place, _, name = op.functional.rpartition(".")
        yield from (f"F.{name}", f"Tensor.{name}") if place == "F" else (f"Tensor.{name}",)


def _of_ops(names: Callable[[type[Op]], Iterable[str]]) -> Iterator[TorchCallable]:
    """Yield the callables of the ops, the last first: where several are made of one, the first has it."""
    for op in reversed([*OPS.values()]):
        for name in names(op):
            yield TorchCallable(name, f"`{op.name}`", op.without)


def _of_losses() -> Iterator[TorchCallable]:
    for loss in ingredients("loss").values():
        place, _, name = loss.torch.rpartition(".")
        if place == "torch.nn.functional":
            yield TorchCallable(f"F.{name}", f"loss `{loss.name}`")
            yield TorchCallable(f"nn.{loss.__name__}", f"loss `{loss.name}`")


def _composed() -> Iterator[TorchCallable]:
    for name, text in COMPOSITIONS.items():
        yield TorchCallable(name, text)


def _excluded() -> Iterator[TorchCallable]:
    for table, counts in ((DETERMINISTIC, True), (WITHOUT_FORWARD, False)):
        for reason, names in table.items():
            yield from (TorchCallable(name, reason=reason, counts=counts) for name in names.split())


def _as(name: str, other: TorchCallable) -> TorchCallable:
    """Return an alias's row: that of the other, whose name is told where it is left out."""
    return TorchCallable(name, other.text, other.without, other.reason, other.counts)


def show_table(rows: Sequence[TorchCallable]) -> str:
    """Return the table in Markdown: what is covered by namespace, then what is not, by reason."""
    covered, counted = share(rows)
    percent = f"{100 * covered / counted:.1f} %"
    lines = [
        "# torch in netspec",
        "",
        f"Of the {counted} callables of `torch.nn`, `torch.nn.functional` and `Tensor` that have a deterministic",
        f"forward pass, {covered} ({percent}) can be said in a spec. {REMARKS}",
        "",
        "This page is printed by `netspec ops --torch`; `netspec ops --torch NAME` tells what stands for one of them.",
    ]
    for title, names in NAMESPACES.items():
        here = [row for row in rows if row.name in names and row.is_covered]
        lines += ["", f"## {title}", "", *_columns(here)]
    lines += ["", "## Left out"]
    for reason in dict.fromkeys(row.reason for row in rows if not row.is_covered):
        listed = [f"`{row.name}`" for row in rows if row.reason == reason and not row.is_covered]
        lines += ["", f"{reason or NOT_YET}: {', '.join(listed)}."]
    return "\n".join(lines) + "\n"


def find_rows(rows: Sequence[TorchCallable], word: str) -> str:
    """Return the lines of the callables of a name, with or without its namespace. Raises ``UsageError`` for none."""
    key = re.sub(r"^(torch\.)?(nn\.functional\.|nn\.|Tensor\.|F\.)?", "", word)
    found = [row for row in rows if row.name == word or row.name.partition(".")[2] == key]
    if not found:
        near = did_you_mean(word, [row.name for row in rows]) or "`netspec ops --torch` lists them all"
        raise UsageError(f"torch has no `{word}` in `torch.nn`, `torch.nn.functional` or `Tensor`: {near}")
    return "\n".join(f"{row.name}: {_told(row)}" for row in found)


def _told(row: TorchCallable) -> str:
    if not row.is_covered:
        return f"left out. {row.reason or NOT_YET}."
    return re.sub(r"`([^`]*)`", r"\1", row.text) + (f" (without {', '.join(row.without)})" if row.without else "")


def _columns(rows: Iterable[TorchCallable]) -> list[str]:
    cells = [(f"`{row.name}`", row.text, ", ".join(f"`{name}`" for name in row.without)) for row in rows]
    return ["| torch | in a spec | without |", "| --- | --- | --- |", *(f"| {' | '.join(each)} |" for each in cells)]
