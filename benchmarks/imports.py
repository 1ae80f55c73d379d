"""Which models of torchvision, timm and Hugging Face `netspec import` brings in: a table, made by a command.

    python benchmarks/imports.py torchvision timm transformers   # one model of every family
    python benchmarks/imports.py dynamo torchscript keras        # ONNX files that others write
    python benchmarks/imports.py torchvision --all -o benchmarks/IMPORTS.md --rows rows.jsonl
    python benchmarks/imports.py --one torchvision:resnet18      # one of them, with its text

Each model is imported in a process of its own, whose processor time and memory are limited: its spec is compiled,
takes the original's weights with `strict=True`, and is compared with the original at several sizes; then its ONNX file
with these weights is held against it on onnxruntime, as `netspec build` does it. The table says how long the text is,
how far outputs differ, and why a model stays out. `--rows` keeps every row, so that a run that was stopped goes on;
`-o` writes the sections of these libraries anew, row by row, and leaves those of others. No extra of netspec brings the
libraries: those that are named have to be installed (tried with timm 1.0.31). Keras, TensorFlow and tf2onnx want an
environment of their own, whose interpreter `NETSPEC_KERAS` names.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from importlib.metadata import version
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from imports_files import applications, file_of_dynamo, file_of_keras, file_of_torchscript, networks
from imports_models import LIBRARIES, Made
from torch import nn

from netspec.dims import evaluate
from netspec.graph import Graph
from netspec.importer.imported import ImportedSpec
from netspec.runtime.vision import import_torchvision

GIBIBYTE = 1 << 30
FORK = get_context("fork")
TITLE = """\
# Models that come in

`python benchmarks/imports.py` writes this file: modules of torchvision, timm and transformers, and the ONNX files that
both exporters of torch and Keras write. Every model has random weights. Its text is compiled and takes the
original's weights strictly; *difference* is the largest of the outputs at up to three sizes of the batch, and in
training with the same random numbers where both draw them alike, relative to the largest output. *ONNX* is that of the
spec's ONNX file with these weights on onnxruntime, at small sizes, as `netspec build` verifies it: with inputs far off
centre, too, where they leave single precision its digits, and with rescaled weights where fresh ones make an output
that hardly depends on the input; at most 1e-4, or eight times what rounding alone changes in PyTorch; else it is bold.
*input* is what one row of the first input is, *CPU* counts the seconds of the whole, with torch.export and all runs.
"""
Row = dict[str, Any]


def main() -> None:
    """Print the table, or one model's text."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help=f"some of {', '.join(SOURCES)}")
    parser.add_argument("--all", action="store_true", help="every model, not one of each family")
    parser.add_argument("--one", metavar="SOURCE:MODEL", help="this model alone, with its text")
    parser.add_argument("--rows", metavar="FILE", type=Path, help="where rows are kept: those in it are not made again")
    parser.add_argument("--seconds", type=int, default=900, help="the most processor time of a model (default: 900)")
    parser.add_argument("--memory", type=int, default=10, metavar="GIB", help="its most memory (default: 10 GiB)")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="write the rows into a file in Markdown")
    options = parser.parse_args()
    if options.one:
        limit(options.seconds, options.memory)
        print(json.dumps(import_one(options.one)))
        return
    known = kept(options.rows)
    import netspec.importer.prove
    import netspec.runtime.onnx.verify  # noqa: F401 (every copy has them then)

    for source in options.sources or SOURCES:
        models = [f"{source}:{name}" for name in SOURCES[source].names(options.all)]
        rows = []
        for model in models:
            row = known.get(model) or row_of(model, options.seconds, options.memory)
            print(line_of(row), flush=True)
            rows.append(row)
            if options.rows and model not in known:
                with options.rows.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
            if options.output:
                write_section(options.output, source, models, rows)
        print(f"{source}: {sums(rows)}\n")


def limit(seconds: int, memory: int) -> None:
    """Bound this process's processor time and the memory that it writes to."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_DATA, (memory * GIBIBYTE, memory * GIBIBYTE))


def kept(path: Path | None) -> dict[str, Row]:
    """Return the rows of an earlier run by their models."""
    lines = path.read_text(encoding="utf-8").splitlines() if path and path.is_file() else []
    return {row["model"]: row for row in map(json.loads, lines)}


def row_of(model: str, seconds: int, memory: int) -> Row:
    """Return what became of a model, which a copy of this process imports."""
    receiver, sender = FORK.Pipe(duplex=False)
    started = used()
    process = FORK.Process(target=send_row, args=(model, seconds, memory, sender))
    process.start()
    sender.close()
    try:
        row: Row = receiver.recv()
    except EOFError:
        row = {"model": model, "ok": False}
    process.join()
    if "reason" not in row:
        late = process.exitcode in (-signal.SIGXCPU, -signal.SIGKILL)
        row["reason"] = f"not within {seconds} s" if late else f"it ended with {process.exitcode}"
    return row | {"seconds": used() - started}


def send_row(model: str, seconds: int, memory: int, sender: Connection) -> None:
    """Import a model in this process, which ends with it."""
    limit(seconds, memory)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        sys.stderr = nowhere
        sender.send(import_one(model))


def used() -> float:
    """Return the processor time of all processes that this one has waited for, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def import_one(model: str) -> Row:
    """Import a model in this process; return the row of the table. Its text goes to standard error."""
    import torch

    import netspec

    import_torchvision()
    source, _, name = model.partition(":")
    try:
        torch.manual_seed(0)
        spec = SOURCES[source].imported(name)
    except (netspec.NetspecError, MemoryError, RuntimeError) as reason:
        return {"model": model, "ok": False, "reason": str(reason)}
    print(spec.text, *spec.notes, sep="\n", file=sys.stderr)
    proof = spec.proof
    assert proof is not None
    reason = f"differs by {proof.worst:.1e}" if proof.trials else "; ".join([*proof.missing[:2], *proof.refused[:1]])
    row = {
        "input": row_size(spec.model.graph),
        "model": model,
        "ok": proof.holds,
        "lines": spec.text.count("\n"),
        "worst": proof.worst,
        "reason": reason,
    }
    row |= {"unfolded": any("no blocks and no loops" in note for note in spec.notes)}
    del proof
    return row | (onnx_of(spec) if row["ok"] else {}) | {"date": str(date.today())}


def of_module(make: Callable[[str], Made], name: str) -> ImportedSpec:
    """Import a library's module."""
    import netspec

    module, inputs, dynamic = make(name)
    fill(module)
    return netspec.from_torch(module.eval(), inputs, dynamic)


def of_file(write: Callable[[str, Path], None], name: str) -> ImportedSpec:
    """Import an ONNX file that an exporter writes."""
    from netspec.importer.convert import from_onnx

    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{name.lower()}.onnx"
        write(name, path)
        return from_onnx(path)


def row_size(graph: Graph) -> str:
    """Return the size of one row of a network's first input, at the sizes that its costs are quoted at."""
    first = next(iter(graph.inputs.values()))
    return "×".join(str(evaluate(size, graph.sizes)) for size in first.shape[1:])


def fill(module: nn.Module) -> None:
    """Draw the parameters that are all 0, as those of some last layers are: their outputs would tell nothing."""
    for parameter in module.parameters():
        if not parameter.any():
            parameter.data.normal_(std=0.02)


def onnx_of(spec: Any) -> Row:
    """Return how far the spec's ONNX file with the original's weights differs on onnxruntime, or why there is none."""
    import netspec
    from netspec.runtime.onnx.verify import export_verified

    spec.proof = None
    with TemporaryDirectory() as folder:
        try:
            _, parity = export_verified(spec.model.graph, spec.module().eval(), Path(folder) / "model.onnx")
        except (netspec.NetspecError, MemoryError, RuntimeError) as reason:
            return {"onnx": None, "onnx_reason": str(reason)}
    return {"onnx": parity.worst, "verified": parity.agrees, "probed": parity.probed}


def line_of(row: Row) -> str:
    """Return a row as a line of the terminal."""
    if not row["ok"]:
        return f"{row['model']:44} —  {plain(row['reason'])}"
    return f"{row['model']:44} {row['lines']:4} lines  {row['worst']:.0e}  {onnx_cell(row)}  {row['seconds']:.0f} s"


def sums(rows: Sequence[Row]) -> str:
    """Return how many models come in, how many of their ONNX files are verified, and how many lines they take."""
    good = [row for row in rows if row["ok"]]
    verified = sum(bool(row.get("verified")) for row in rows)
    share = 100 * len(good) / max(len(rows), 1)
    middle = sorted(row["lines"] for row in good)[len(good) // 2] if good else 0
    told = f"{len(good)} of {len(rows)} come in, {share:.0f} %"
    return f"{told}; {verified} ONNX files verified; {middle} lines in the middle"


def write_section(path: Path, source: str, models: Sequence[str], rows: Sequence[Row]) -> None:
    """Write the section of a source into a file, in the place of the one that it has, or at the end."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    sections = {each.split("\n")[0]: each for each in re.split(r"^(?=## )", text, flags=re.M)[1:]}
    which = f"{len(models)} models" if len(rows) == len(models) else f"{len(rows)} of {len(models)} models so far"
    programs = ", ".join(f"{name} {version(name)}" for name in SOURCES[source].programs)
    head = f"## {source}\n\n{which}, {date.today()}, {programs}: {sums(rows)}.\n\n"
    sections[f"## {source}"] = head + table(rows)
    path.write_text("\n".join([TITLE, *(each.rstrip("\n") + "\n" for each in sections.values())]), encoding="utf-8")


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table in Markdown."""
    lines = ["| model | input | lines | difference | ONNX | CPU | |", "| :-- | --: | --: | --: | --: | --: | :-- |"]
    for row in rows:
        name, cost = row["model"].partition(":")[2], f"{row['seconds']:.0f}"
        if row["ok"]:
            note = row.get("onnx_reason") or ("not folded" if row["unfolded"] else "")
            cells = [name, row.get("input", ""), row["lines"], f"{row['worst']:.0e}", onnx_cell(row), cost, note]
        else:
            cells = [name, "", "", "", "", cost, row["reason"]]
        lines.append(f"| {' | '.join(plain(cell) for cell in cells)} |".replace("  ", " "))
    return "\n".join(lines) + "\n"


def onnx_cell(row: Row) -> str:
    """Return how far the ONNX file differs, or that it is not verified."""
    if row.get("onnx") is None:
        return "—"
    return f"{row['onnx']:.0e}" if row["verified"] else f"**{row['onnx']:.0e}**"


def plain(cell: Any) -> str:
    """Return a cell's text as one short line."""
    return " ".join(str(cell).split())[:160].replace("|", "\\|")


class Source(NamedTuple):
    """Where networks come from: their names, what imports one of them, and the programs that it takes."""

    names: Callable[[bool], list[str]]
    imported: Callable[[str], ImportedSpec]
    programs: Sequence[str]


SOURCES = {
    **{
        library: Source(names, partial(of_module, make), ["torch", library])
        for library, (names, make) in LIBRARIES.items()
    },
    "dynamo": Source(networks, partial(of_file, file_of_dynamo), ["torch", "torchvision", "onnxscript"]),
    "torchscript": Source(networks, partial(of_file, file_of_torchscript), ["torch", "torchvision"]),
    "keras": Source(applications, partial(of_file, file_of_keras), ["onnx"]),
}

if __name__ == "__main__":
    main()
