"""One function a command: options in, exit code out. Emitters are imported where they are used."""

from __future__ import annotations

import re
import shutil
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from netspec import zoo
from netspec.diagnostics import EnvironmentFault, UsageError
from netspec.elaborate import Limits
from netspec.files import write_text
from netspec.graph import Graph
from netspec.pipeline import compile_loaded, compile_spec, find_spec, load_spec, read_value
from netspec.syntax import Limits as FileLimits
from netspec.text.streams import bare


def build(options: Namespace) -> int:
    from netspec.cli.build import build_all
    from netspec.emit.table import ShapeTable

    graph = _graph(options)
    folder = Path(options.output) if options.output else Path("build") / graph.name
    _draw(ShapeTable(graph))
    return build_all(graph, folder, options.device, options.variant)


def check(options: Namespace) -> int:
    from netspec.cli.check import check_all

    if options.watch:
        from netspec.cli.watch import watch

        return watch(options.specs, _limits(options), options.error_format)
    return check_all(options.specs, _limits(options), options.error_format)


def shapes(options: Namespace) -> None:
    from netspec.emit.table import ShapeTable
    from netspec.view.expand import known_levels
    from netspec.view.lines import Fold, View

    if options.budget_memory is not None:
        from netspec.analysis.batch_fit import budget_text

        print(budget_text(_graph(options), options.budget_memory, options.optimizer, options.precision))
        return
    if options.depth is not None and options.depth < 0:
        raise UsageError(f"--depth takes a number from 0 on, not {options.depth}")
    graph = _graph(options)
    expand = known_levels(graph, options.expand)
    view = View(Fold.REPEATS if options.full else None, options.depth, expand, options.sort)
    table = ShapeTable(graph)
    if options.format == "text":
        _draw(table, view=view, ascii=options.ascii)
        return
    formats = {
        "json": table.to_json,
        "csv": table.to_csv,
        "md": table.to_markdown,
        "html": table._repr_html_,
    }
    print(formats[options.format]().rstrip("\n"))


def source(options: Namespace) -> None:
    from netspec.emit.source import emit_source

    print(emit_source(_graph(options)).text, end="")


def export(options: Namespace) -> int:
    from netspec.cli.build import report_parity, status, warn_of_two_runtimes
    from netspec.runtime.module import build_module
    from netspec.runtime.verify import export_verified

    graph, output = _graph(options), _output(options)
    warn_of_two_runtimes()
    with status("exporting, and running PyTorch and onnxruntime side by side"):
        path, parity = export_verified(graph, build_module(graph, options.device), output)
    print(f"{path}  {_size(path)}")
    return report_parity(parity, path)


def diagram(options: Namespace) -> None:
    from netspec.emit.diagram.write import write_diagram

    write_diagram(_graph(options), _output(options), options.depth, options.expand, options.direction)


def diff(options: Namespace) -> int:
    from netspec.cli.diff import compared
    from netspec.emit.diff import Diff

    found = Diff(*compared(options, *_asked(options)))
    if options.format == "json":
        print(found.to_json())
    else:
        _draw(found, ascii=options.ascii)
    if options.output:
        from netspec.emit.diagram.pair import diff_dot
        from netspec.emit.diagram.render import render

        render(diff_dot(found, depth=options.depth), Path(options.output))
    return int(options.exit_code and not found.is_empty)


def explorer(options: Namespace) -> None:
    from netspec.emit.explorer import explorer_page

    write_text(_output(options), explorer_page(_graph(options)))


def serve(options: Namespace) -> int:
    from netspec.cli.serve import serve

    if options.port is not None and not 0 <= options.port <= 65535:
        raise UsageError(f"--port takes a number up to 65535, not {options.port}")
    spec, _ = find_spec(options.spec)
    return serve(spec, lambda: _graph(options), options.port, options.open)


def train(options: Namespace) -> int:
    if options.devices is not None:
        options.set.append(f"train.devices={options.devices}")
    overrides, sizes, limits = _asked(options)
    loaded = load_spec(options.spec, limits.file)
    graph = compile_loaded(loaded, variant=options.variant, overrides=overrides, sizes=sizes, limits=limits)
    from netspec.cli.train import train as run

    return run(graph, loaded, options)


def evaluate(options: Namespace) -> None:
    from netspec.cli.runs import evaluate as run

    run(options)


def predict(options: Namespace) -> None:
    from netspec.cli.runs import predict as run

    run(options)


def compare(options: Namespace) -> int:
    from netspec.cli.compare import compare as run

    _pairs(options.set, "--set")
    return run(options, _limits(options))


def list_zoo(options: Namespace) -> None:
    for path in zoo.files():
        spec = load_spec(path).spec
        print(f"{spec.name:<20} {spec.doc}".rstrip())
        names = [name for name in spec.variants if name != spec.name]
        for start in range(0, len(names), 6):
            print(f"{'':<20} {'  '.join(names[start : start + 6])}")


def ops(options: Namespace) -> None:
    from netspec.cli.ops import describe_op, list_ops

    print(describe_op(options.name) if options.name else list_ops())


def explain(options: Namespace) -> None:
    from netspec.cli import explain as explaining

    print(explaining.explain(options.id) if options.id else explaining.list_ids())


def schema(options: Namespace) -> None:
    from netspec.schema import schema_text

    if options.output:
        write_text(Path(options.output), schema_text())
    else:
        print(schema_text(), end="")


def lsp(options: Namespace) -> None:
    try:
        from netspec.lsp.server import serve
    except ModuleNotFoundError as found:
        if (found.name or "").partition(".")[0] not in ("pygls", "lsprotocol"):
            raise
        raise EnvironmentFault("the language server needs pygls: `pip install 'netspec[lsp]'`") from None
    serve()


def _graph(options: Namespace) -> Graph:
    """The graph that the common options ask for."""
    overrides, sizes, limits = _asked(options)
    return compile_spec(options.spec, variant=options.variant, overrides=overrides, sizes=sizes, limits=limits)


def _output(options: Namespace) -> Path:
    """The file to write, which is never the spec that it is made of."""
    output, (spec, _) = Path(options.output), find_spec(options.spec)
    if output.exists() and output.samefile(spec):
        raise UsageError(f"-o {options.output} is the spec itself: name another file")
    return output


def _asked(options: Namespace) -> tuple[dict[str, Any], dict[str, int], Limits]:
    """The parameters, sizes and limits that the common options ask for."""
    overrides = {key: read_value(key, text) for key, text in _pairs(options.set, "--set")}
    sizes = {name: _dimension(name, text) for name, text in _pairs(options.dim, "--dim")}
    return overrides, sizes, _limits(options)


def _pairs(given: list[str], option: str) -> list[tuple[str, str]]:
    made = []
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"{option} takes NAME=VALUE, not `{text}`")
        made.append((key.strip(), value))
    return made


def _dimension(name: str, text: str) -> int:
    if not re.fullmatch(r"[0-9][0-9_]*", text) or int(text) < 1:
        raise UsageError(f"--dim {name} takes a positive integer, not `{text}`")
    return int(text)


def _limits(options: Namespace) -> Limits:
    for option, given in (("--max-layers", options.max_layers), ("--max-file-size", options.max_file_size)):
        if given is not None and given < 1:
            raise UsageError(f"{option} takes a positive integer, not {given}")
    usual = Limits()
    return Limits(
        iterations=max(options.max_layers or 0, usual.iterations),
        layers=options.max_layers or usual.layers,
        file=FileLimits.of(options.max_file_size) if options.max_file_size else usual.file,
    )


def _draw(table: Any, ascii: bool = False, **how: Any) -> None:
    """Print a text as wide as the terminal, coloured on a terminal only; in ASCII where its encoding lacks a sign."""
    width = shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else 80
    how |= {"width": max(80, min(width, 160)), "colour": sys.stdout.isatty()}
    drawn: str = table.text(ascii=ascii, **how)
    try:
        drawn.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        drawn = table.text(ascii=True, **how)
    print(drawn.rstrip("\n"), file=bare(sys.stdout), flush=True)


def _size(path: Path) -> str:
    size = float(path.stat().st_size)
    unit = next((unit for unit, scale in UNITS if size < 1000 * scale), "GB")
    return f"{size / dict(UNITS).get(unit, 1e9):.3g} {unit}"


UNITS = (("B", 1.0), ("kB", 1e3), ("MB", 1e6))


COMMANDS = {
    "build": build,
    "check": check,
    "shapes": shapes,
    "source": source,
    "export": export,
    "diagram": diagram,
    "diff": diff,
    "explorer": explorer,
    "serve": serve,
    "list": list_zoo,
    "ops": ops,
    "explain": explain,
    "schema": schema,
    "lsp": lsp,
    "train": train,
    "evaluate": evaluate,
    "predict": predict,
    "compare": compare,
}
