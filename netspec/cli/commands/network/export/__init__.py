"""``netspec export``: write a verified ONNX file."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from netspec.cli.commands.network.export.files import (
    said_of,
    tell_precision,
    told_parity,
    write_calibrated,
    write_int8,
    write_raw,
    write_unverified,
)
from netspec.cli.options import (
    add_cached_argument,
    add_command,
    add_device_argument,
    add_spec_arguments,
    add_verify_argument,
    add_weights_argument,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from netspec.cli.options import Commands
    from netspec.emit.onnx.runtimes import OnnxForm
    from netspec.graph import Graph
    from netspec.train.predict.trained_run import TrainedRun


PRECISIONS = ("float32", "float16", "bfloat16", "int8")


def add(commands: Commands) -> None:
    """Add its parser."""
    command = add_command(
        commands,
        "export",
        "Write an ONNX file, with freshly initialised weights or those of a file, after running it on onnxruntime and "
        "comparing it with PyTorch, or a folder that transformers load. SPEC may be a run, such as runs/lenet/last: "
        "its network with its best weights.",
    )
    add_spec_arguments(command)
    add_cached_argument(command)
    _add_output_arguments(command)
    add_weights_argument(command)
    command.add_argument(
        "--for",
        dest="runtime",
        metavar="RUNTIME",
        help="write what this runtime reads: onnxruntime, onnxruntime-web, coreml, openvino or tensorrt, of a version "
        "as onnxruntime==1.20; what it lacks is told with the line",
    )
    command.add_argument(
        "--opset",
        type=int,
        choices=range(13, 24),
        metavar="N",
        help="the version of ONNX's operators, 13 to 23 (default: the lowest in which the network loses nothing, at "
        "least 15, which onnxruntime has from 1.10 on)",
    )
    command.add_argument(
        "--ir",
        type=int,
        choices=range(7, 14),
        metavar="N",
        help="the version of ONNX's format (default: the first that has the opset)",
    )
    help = (
        "fold batch norms into the layers before them, share equal nodes, and put weights above 10 MB into FILE.data "
        "beside it, which loads sooner; such a file says no more of the spec"
    )
    command.add_argument("--optimize", action="store_true", help=help)
    add_verify_argument(command)
    command.add_argument(
        "--verify-on",
        metavar="RUNTIMES",
        default="onnxruntime",
        help="the runtimes to verify the file on, onnxruntime, or it and openvino: `onnxruntime,openvino` (default: "
        "onnxruntime)",
    )
    help = "write the steps of `lora` as they are, rather than as parts of the weights that they change"
    command.add_argument("--keep-lora", action="store_true", help=help)
    _add_run_arguments(command)
    add_device_argument(command)


def _add_output_arguments(command: ArgumentParser) -> None:
    """Add what is written: a file, or a folder."""
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("-o", "--output", metavar="FILE", help="the file to write, such as model.onnx")
    what.add_argument(
        "--as",
        dest="form",
        nargs=2,
        metavar=("hf", "DIR"),
        help="write a folder instead that transformers load: config.json and model.safetensors, for the networks that "
        "are GPT-2, Llama or BERT in all their steps, whatever these are called",
    )


def _add_run_arguments(command: ArgumentParser) -> None:
    """Add what a run alone can be asked for."""
    help = (
        "of a run: take raw rows, such as images in bytes of any size or the columns of a table, and give answers: put "
        "the fitted steps of `prepare` in front of the network, and probabilities, labels or numbers behind it"
    )
    command.add_argument("--with-prepare", action="store_true", help=help)
    help = (
        "float16 and bfloat16 have weights and products in 16 bits, inputs and outputs in float32; int8, of a run, has "
        "convolutions and linear maps in 8 bits, measured on its own rows and judged by those that validate (default: "
        "float32)"
    )
    command.add_argument("--precision", choices=PRECISIONS, default="float32", help=help)
    command.add_argument(
        "--keep-float",
        metavar="PATTERN",
        action="append",
        default=[],
        help="leave layers by this pattern of their paths in float32; may be repeated",
    )
    command.add_argument(
        "--agree",
        metavar="X",
        type=float,
        help="how far float16 or bfloat16 may take outputs from those in float32, as 0.01 (max|Δ|/max|y|): as few "
        "layers as will do, those that do most harm, stay in float32",
    )
    command.add_argument(
        "--calibrate",
        metavar="FILE",
        action="append",
        default=[],
        help="rows to measure the ranges of int8 on: of a run, files that `predict` reads; of a spec, a .npz file with "
        "arrays by the names of its inputs, or NAME=FILE.npy; may be repeated (default: a run's rows that train)",
    )
    command.add_argument(
        "--accuracy-budget",
        metavar="X",
        type=float,
        help="by how much int8 may lower the score that the run watches, as 0.01: as few layers as will do, those that "
        "do most harm, stay in float32",
    )


def run(options: Namespace) -> int:
    """Write the file, or the folder, and verify it; gives 1 where PyTorch and what reads it disagree."""
    from netspec.cli.program import let_threads_sleep

    let_threads_sleep()  # before torch is imported
    return _write_onnx(options) if options.form is None else _write_folder(options)


def _write_onnx(options: Namespace) -> int:
    """Write the ONNX file and verify it; gives 1 where PyTorch and onnxruntime disagree."""

    from pathlib import Path

    from netspec.cli.option_values import cached_part, output_of
    from netspec.cli.output import status, warn
    from netspec.emit.onnx.precision.half import Half
    from netspec.emit.onnx.runtimes import form_of
    from netspec.ops import HALVES
    from netspec.runtime.module import part_of
    from netspec.runtime.onnx.report import two_runtimes
    from netspec.runtime.onnx.session import other_runtimes
    from netspec.runtime.onnx.verify import export_verified, sizes_to_try, verify_onnx
    from netspec.sources.run_folders import names_run

    form = form_of(options.opset, options.ir, options.runtime, options.optimize)
    if options.precision in HALVES:
        form = form._replace(half=Half(options.precision, options.keep_float))
    others = other_runtimes(options.verify_on)
    _guard_options(options, others)
    for text in two_runtimes():
        warn(text)
    run: TrainedRun | None = None
    if names_run(options.spec):
        run, graph, module = _of_run(options)
        output = Path(options.output)
        if options.precision == "int8":
            return write_int8(run, graph, module, output, form, options)
        if options.with_prepare:
            form = _with_kept(graph, module, form, options.agree)
            return write_raw(run, graph, module, output, form, options)
    else:
        graph, module = _of_spec(options)
        output = output_of(options)
        if options.precision == "int8":
            return write_calibrated(graph, module, output, form, options)
    if options.cached is not None:
        graph = cached_part(graph, options.cached)
        module = part_of(graph, module.state_dict())
    form = _with_kept(graph, module, form, options.agree)
    if options.verify == "none":
        write_unverified(graph, module, output, form)
        return 0
    with status("exporting, and running PyTorch and onnxruntime side by side"):
        path, parity = export_verified(graph, module, output, effort=options.verify, form=form)
    if form.half is None or not parity.agrees:
        print(said_of(path, options.optimize))
    else:
        tell_precision(run, graph, module, path, form, parity)
    agrees = told_parity(parity, path, options.precision)
    for runtime in others if agrees else ():
        with status(f"running PyTorch and {runtime} side by side"):
            parity = verify_onnx(graph, module, path, sizes_to_try(graph, options.verify), form, runtime)
        agrees = told_parity(parity, path, options.precision) and agrees
    return 0 if agrees else 1


def _write_folder(options: Namespace) -> int:
    """Write the folder that another library loads."""
    from netspec.cli.hugging_face import export_folder, guard_form
    from netspec.sources.run_folders import names_run

    guard_form(options)
    return export_folder(options, _of_run(options) if names_run(options.spec) else None)


def _guard_options(options: Namespace, others: Sequence[str]) -> None:
    """Guard: no option is given that would change nothing."""
    from netspec.diagnostics import UsageError
    from netspec.ops import HALVES

    if (options.calibrate or options.accuracy_budget is not None) and options.precision != "int8":
        raise UsageError("--calibrate and --accuracy-budget are for --precision int8: leave them out")
    if options.accuracy_budget is not None and not options.accuracy_budget >= 0:
        raise UsageError("--accuracy-budget is how much a score may lose, such as 0.01: at least 0")
    if options.agree is not None and options.precision not in HALVES:
        raise UsageError("--agree is for --precision float16 or bfloat16: leave it out")
    if options.agree is not None and not options.agree > 0:
        raise UsageError("--agree is how far outputs may be from those in float32, such as 0.01: above 0")
    if options.keep_float and options.precision == "float32":
        raise UsageError(
            "--keep-float is for --precision int8, float16 or bfloat16: without it, all layers are in float32"
        )
    if others and (options.with_prepare or options.precision == "int8"):
        raise UsageError(
            f"--verify-on {','.join(others)} compares networks, not answers or scores of 8 bits: leave it out here"
        )


def _with_kept(graph: Graph, module: nn.Module, form: OnnxForm, bound: float | None) -> OnnxForm:
    """Return a form with the layers that stay in float32: those of patterns, and what a bound of outputs needs.

    Raises ``UsageError`` for a pattern that matches none, and for a bound that no choice of layers meets.
    """
    from netspec.cli.output import status
    from netspec.emit.onnx.precision.half import kept_layers

    if form.half is not None:
        kept_layers(graph, form.half)
    if bound is None:
        return form
    from netspec.runtime.precision.budget import half_within

    with status("searching for the layers that stay in float32"):
        return half_within(graph, module, form, bound)


def _of_spec(options: Namespace) -> tuple[Graph, nn.Module]:
    """The network of a spec, with its weights."""
    from netspec.cli.given_weights import GivenWeights
    from netspec.cli.option_values import graph_of, weights_of
    from netspec.diagnostics import UsageError
    from netspec.runtime.module import build_module, merged

    if options.with_prepare:
        raise UsageError(f"--with-prepare is for a run, which has fitted its steps: {options.spec} is a spec")
    if options.precision == "int8" and not options.calibrate:
        raise UsageError(
            f"--precision int8 measures ranges on rows, and {options.spec} is a spec, which has none: name some with "
            "--calibrate FILE, or export a run"
        )
    if options.accuracy_budget is not None:
        raise UsageError(f"--accuracy-budget is for a run, whose rows judge: {options.spec} is a spec")
    graph, source = graph_of(options), weights_of(options)
    module = build_module(graph, options.device)
    if source is not None:
        GivenWeights(graph, source).fill(module)
    return (graph, module) if options.keep_lora else merged(graph, module)


def _of_run(options: Namespace) -> tuple[TrainedRun, Graph, nn.Module]:
    """A run, and its network with the best weights or with those of ``--weights``."""
    from netspec.cli.given_weights import give_weights
    from netspec.cli.output import warn
    from netspec.diagnostics import UsageError
    from netspec.runtime.module import merged
    from netspec.train.predict.trained_run import TrainedRun

    if options.precision == "int8" and options.cached is not None:
        raise UsageError("--precision int8 is for a whole network, and --cached a part of one: choose one")
    if options.with_prepare and options.cached is not None:
        raise UsageError(
            "--cached is a part that reads words and what was kept, and --with-prepare a whole: choose one"
        )
    if options.set or options.variant or options.dim:
        raise UsageError(f"{options.spec} is a run, which has its own variant and values: leave these options out")
    run = TrainedRun.find_one(options.spec, warn)
    give_weights([run], options)
    module = run.module("torch")
    return run, *((run.graph, module) if options.keep_lora else merged(run.graph, module))
