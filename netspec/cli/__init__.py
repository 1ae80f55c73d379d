"""The command line: argparse, and one short function a command in ``commands``."""

from __future__ import annotations

import signal

try:  # Ctrl-C while the rest is read ends the process as it is, without a traceback
    _handler = signal.signal(signal.SIGINT, signal.SIG_DFL)
except ValueError:  # not in the main thread
    _handler = None

import argparse
import atexit
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from netspec.cli.program import INTERRUPTED, is_interrupted, run_as_program
from netspec.text.streams import showing
from netspec.version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.diagnostics import NetspecError

DESCRIPTION = "Write a neural network as YAML; get its shapes, PyTorch source, verified ONNX and a diagram."

EPILOG = """\
SPEC is a path to a YAML file, or the name of a zoo entry or of one of its variants (netspec list).

  netspec build lenet                      table, source, ONNX and diagram into build/lenet/
  netspec build my.yaml --set width=128    with another value for a parameter of the spec
  netspec shapes resnet50 --dim H=512      costs at another size of a symbolic dimension
  netspec check specs/*.yaml               every variant, with what it requires and expects
  netspec diff net.yaml                    what has changed since the last commit

Exit codes: 0 fine, 1 the spec is at fault, 2 wrong usage, 3 the environment, 4 a bug of netspec.
"""


def parser() -> argparse.ArgumentParser:
    """The parser of every command."""
    top = argparse.ArgumentParser(
        "netspec", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--version", action="version", version=f"netspec {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, help: str, description: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=help, description=description)
        made.add_argument(
            "--error-format",
            choices=["text", "json", "sarif", "github"],
            default="text",
            help="how faults are told: text goes to stderr, the others to stdout (default: text)",
        )
        made.add_argument(
            "--plugin",
            metavar="MODULE",
            action="append",
            default=[],
            help="a Python module with data sets, losses, transforms, … of your own; may be repeated",
        )
        return made

    build = command(
        "build",
        "all of it: table, source, verified ONNX, diagram",
        "Print the shape table and write model.py, model.onnx, diagram.svg, diagram.dot, explorer.html, shapes.json "
        "and build.json. The ONNX file is run on onnxruntime and compared with PyTorch at three sizes of every "
        "symbolic dimension; where they disagree the file is kept as model.rejected.onnx and the command fails.",
    )
    _spec_arguments(build)
    build.add_argument("-o", "--output", metavar="DIR", help="the folder to write into (default: build/NAME)")
    _device_argument(build)

    check = command(
        "check",
        "every variant of the specs, without building",
        "Check specs: form, names, shapes, what they `require` and what they `expect`, for the defaults and for every "
        "variant. Takes milliseconds a spec, and does not need torch.",
    )
    check.add_argument("specs", metavar="SPEC", nargs="+", help="a path, or the name of a zoo entry")
    check.add_argument("--watch", action="store_true", help="check again whenever a file is saved; Ctrl-C ends it")
    _limit_argument(check)

    shapes = command("shapes", "the shape table", "Print shapes, parameters and MACs, layer by layer.")
    _spec_arguments(shapes)
    shapes.add_argument("--format", choices=["text", "json", "csv", "md", "html"], default="text", help="default: text")
    shapes.add_argument("--depth", metavar="N", type=int, help="levels that stand open, one in the other")
    _expand_argument(shapes)
    shapes.add_argument("--sort", choices=["macs", "params"], default="", help="single ops, the heaviest first")
    shapes.add_argument("--full", action="store_true", help="fold nothing but repeats")
    shapes.add_argument("--ascii", action="store_true", help="keep to the characters of ASCII")
    shapes.add_argument(
        "--budget-memory",
        metavar="SIZE",
        help="instead of the table, the largest batch that trains and that infers within SIZE, such as 24GiB",
    )
    shapes.add_argument(
        "--optimizer", choices=["sgd", "momentum", "adam", "adamw"], default="adam", help="default: adam"
    )
    shapes.add_argument(
        "--precision",
        choices=["float32", "mixed", "bfloat16"],
        default="float32",
        help="for --budget-memory; mixed is bfloat16 by autocast over float32 weights (default: float32)",
    )

    source = command("source", "the PyTorch source", "Print the network as standalone PyTorch source.")
    _spec_arguments(source)

    export = command(
        "export",
        "a verified ONNX file",
        "Write ONNX with freshly initialised weights; it has been run on onnxruntime and compared with PyTorch.",
    )
    _spec_arguments(export)
    export.add_argument("-o", "--output", metavar="FILE", required=True, help="the file to write, such as model.onnx")
    _device_argument(export)

    diagram = command("diagram", "a picture of the architecture", "Draw the network with Graphviz.")
    _spec_arguments(diagram)
    diagram.add_argument("-o", "--output", metavar="FILE", required=True, help="a .svg, .png, .pdf, .dot or .mmd file")
    diagram.add_argument(
        "--depth", type=int, metavar="N", help="how many levels to draw open (default: what is readable)"
    )
    _expand_argument(diagram)
    diagram.add_argument(
        "--direction",
        choices=["TB", "LR"],
        help="from top to bottom or from left to right (default: what fits a page best, in columns if need be)",
    )

    diff = command(
        "diff",
        "what differs between two networks",
        "Compare two networks by structure: layers added, removed and changed, with what they cost; the totals; and "
        "what becomes of every state_dict key. A key counts as renamed only where nothing else could be meant. "
        "Of one SPEC alone: its defaults against --variant or --set, else the file's last commit against the file.",
    )
    diff.add_argument("old", metavar="SPEC", help="as elsewhere, or as git has it: net.yaml@HEAD~1")
    diff.add_argument("new", metavar="SPEC", nargs="?", help="what to compare it with")
    diff.add_argument(
        "--variant",
        metavar="NAME",
        action="append",
        default=[],
        help="a variant of the specs; given twice, one for each side",
    )
    _value_arguments(diff)
    _limit_argument(diff)
    diff.add_argument("--format", choices=["text", "json"], default="text", help="default: text")
    diff.add_argument("--ascii", action="store_true", help="keep to the characters of ASCII")
    diff.add_argument(
        "-o", "--output", metavar="FILE", help="draw both side by side, too: a .svg, .png, .pdf or .dot file"
    )
    diff.add_argument("--depth", type=int, metavar="N", help="how many levels to draw open (default: what is readable)")
    diff.add_argument("--exit-code", action="store_true", help="exit with 1 where they differ (default: 0 either way)")

    explorer = command(
        "explorer",
        "one page to look into it",
        "Write one HTML file that needs nothing else: the diagram, the shape table and the YAML side by side, levels "
        "to open and close, search, heat by cost, and sliders for the symbolic dimensions.",
    )
    _spec_arguments(explorer)
    explorer.add_argument("-o", "--output", metavar="FILE", required=True, help="the file to write, such as net.html")

    serve = command(
        "serve",
        "the explorer in a browser, as you edit",
        "Serve the explorer to browsers on this machine. It is loaded anew whenever the spec or a file that it imports "
        "is saved; a fault is shown over the last good page. Ctrl-C ends it.",
    )
    _spec_arguments(serve)
    serve.add_argument("--port", type=int, metavar="N", help="the port to listen on (default: 4800, or a free one)")
    serve.add_argument("--open", action="store_true", help="open it in a browser")

    train = command(
        "train",
        "train it on real data",
        "Train a network as its `train:` says. The run goes into runs/NAME/1, 2, …: metrics, checkpoints, the best "
        "weights. Ctrl-C finishes the step and saves; --resume goes on bit for bit. Any key of the recipe can be set: "
        "--set train.epochs=10 --set train.optimizer.lr=0.01.",
    )
    _spec_arguments(train)
    train.add_argument(
        "--devices",
        metavar="N",
        help="how many processes share the work on this machine, one a GPU where there are any; or auto, cpu or cuda "
        "(default: as the spec says, else auto)",
    )
    train.add_argument(
        "--nodes", metavar="N", help="how many machines do, or MIN:MAX of them; give the same command on each"
    )
    train.add_argument(
        "--rendezvous", metavar="HOST:PORT", help="where the machines meet: one of them, and a free port of it"
    )
    train.add_argument(
        "--restarts",
        type=int,
        metavar="N",
        default=0,
        help="how often the processes start again from the last checkpoint when one of them dies (default: 0)",
    )
    train.add_argument("--resume", metavar="RUN", help="go on with a run: its folder, its number, or `last`")
    train.add_argument(
        "--changed-data",
        action="store_true",
        help="go on with a run although its data are not those that it was begun with",
    )
    train.add_argument("--dry-run", action="store_true", help="print the plan and the first batch, and stop")
    train.add_argument("-o", "--output", metavar="DIR", help="the run's folder (default: the next in runs/NAME)")

    evaluate = command(
        "evaluate",
        "score a trained run again",
        "Load the best weights of a run and print loss and metrics of every part of its data, or of other data. All "
        "that it needs is in the run's folder: transforms, classes and words are as in training, and columns are found "
        "by name.",
    )
    _run_arguments(evaluate)
    evaluate.add_argument(
        "--data",
        metavar="TEXT",
        help="other data, written as under `train.data`; of the same kind, their path: 'csv: new.csv'",
    )
    evaluate.add_argument("--format", choices=["text", "json"], default="text", help="default: text")

    predict = command(
        "predict",
        "ask a trained network",
        "Print what the best weights of a run say of images, of rows of numbers (.csv, .npy, .npz by column), or of a "
        "text: classes with their probabilities, numbers, or the text that the network writes. Images are brought to "
        "the size of the training images; transforms are as the training rows have fitted them.",
    )
    _run_arguments(predict)
    predict.add_argument("given", metavar="FILE", nargs="+", help="a file, or a text for a network that reads such")
    predict.add_argument("--format", choices=["text", "json", "csv"], default="text", help="default: text")

    compare = command(
        "compare",
        "several runs side by side",
        "Train several specs, or one with several values of a key, and show their scores in a table and their losses "
        "in one picture: runs/compare/N/compare.png. Several --over make every combination.",
    )
    compare.add_argument("specs", metavar="SPEC", nargs="+", help="a path, or the name of a zoo entry or variant")
    compare.add_argument(
        "--over",
        metavar="KEY=A,B,…",
        action="append",
        default=[],
        help="the values of a parameter, of a key of the recipe (train.optimizer=sgd,adam), or of `variant`",
    )
    compare.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="what all of them have; may be repeated"
    )
    _limit_argument(compare)

    command("list", "the model zoo", "List the zoo: families, what they are, and their variants.")

    ops = command("ops", "the ops and the library's blocks", "List them, or describe one: arguments, defaults, shapes.")
    ops.add_argument("name", metavar="NAME", nargs="?", help="an op or a block, such as conv2d")

    explain = command(
        "explain",
        "what a diagnostic means",
        "Explain a diagnostic by its id: what it means, why it is refused, a wrong and a right spec. Without an id, "
        "list them all.",
    )
    explain.add_argument("id", metavar="ID", nargs="?", help="an id, such as shape-mismatch")

    schema = command(
        "schema",
        "the JSON Schema for editors",
        "Print the JSON Schema (draft 2020-12) of a spec, for completion and documentation in editors. A spec names it "
        "in its first line: `# yaml-language-server: $schema=netspec.schema.json`.",
    )
    schema.add_argument("-o", "--output", metavar="FILE", help="the file to write (default: print it)")

    command(
        "lsp",
        "the language server for editors",
        "Speak the language server protocol over stdin and stdout: an editor starts this. Diagnostics while typing, "
        "completion, hover, definitions, and the inferred shape at the end of each step's line. examples/editors.md "
        "tells how to set it up; it needs `pip install 'netspec[lsp]'`.",
    )
    return top


def _spec_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("spec", metavar="SPEC", help="a path, or the name of a zoo entry or variant")
    command.add_argument("--variant", metavar="NAME", help="a variant of the spec")
    _value_arguments(command)
    _limit_argument(command)


def _run_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN", help="a run's folder, such as runs/lenet/1, or runs/lenet/last")
    command.add_argument(
        "--runtime", choices=["torch", "onnx"], default="torch", help="what runs the network (default: torch)"
    )


def _value_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="a parameter's value; may be repeated"
    )
    command.add_argument(
        "--dim",
        metavar="NAME=SIZE",
        action="append",
        default=[],
        help="the size of a symbolic dimension that costs are quoted at",
    )


def _expand_argument(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--expand", metavar="NAME", action="append", default=[], help="keep this level open: its path, name or block"
    )


def _limit_argument(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--max-layers", type=int, metavar="N", help="how many layers a network may have (default: 20000)"
    )
    command.add_argument(
        "--max-file-size", type=int, metavar="MB", help="how large a spec file may be, with what it holds (default: 4)"
    )


def _device_argument(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--device", default="auto", help="auto, cpu or cuda: where the network is run to verify it (default: auto)"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; gives the exit code. Without arguments it is the one that this process was started for."""
    # Nearly all that a command makes stays until it ends: looking for garbage at every 700 objects takes a tenth of it.
    before = gc.get_threshold()
    gc.set_threshold(100_000, *before[1:])
    # Pydantic would look through every installed package for plugins of its own, which takes as long as reading a spec.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # torchmetrics may load onnxruntime before we do
    _look_nowhere_else()
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)  # nor is there any use in looking once more when the process ends
    try:
        return run_as_program(lambda: _shown(None)) if arguments is None else _shown(arguments)
    finally:
        gc.set_threshold(*before)


def _look_nowhere_else() -> None:
    """Have no process look for modules or programs in the working folder, which may hold anybody's files.

    Who runs ``python -m netspec`` has asked for just that, as far as modules go.
    """
    with suppress(OSError):  # the working folder may be gone
        if sys.path[:1] not in ([""], [os.getcwd()]):
            os.environ["PYTHONSAFEPATH"] = "1"
    folders = os.environ.get("PATH", "").split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join(filter(os.path.isabs, folders)) or os.defpath  # an empty one is that folder


def _shown(arguments: Sequence[str] | None) -> int:
    """Run a command; control characters in what it prints are shown."""
    with showing():
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    options = parser().parse_args(arguments)
    from netspec.cli.machine import machine_fault  # `--help` needs no words for faults
    from netspec.diagnostics import EnvironmentFault, NetspecError

    try:
        try:
            return _done(options)
        except NetspecError as found:
            return _told(found, options.error_format)
        except Exception as found:
            fault = machine_fault(found)
            if fault is None or is_interrupted():
                raise
            return _told(EnvironmentFault(fault), options.error_format)
    except KeyboardInterrupt as found:
        return 128 + found.args[0] if found.args else INTERRUPTED
    except Exception as found:
        if is_interrupted():  # and something has made another fault of it
            return INTERRUPTED
        fault = machine_fault(found)
        if fault is not None:  # not even the words for a fault could be read
            print(f"netspec: {fault}", file=sys.stderr)
            return EnvironmentFault.exit_code
        if os.environ.get("NETSPEC_TRACEBACK"):
            raise
        message = f"netspec: a bug of netspec, not of your spec: {type(found).__name__}: {found}"
        print(f"{message}\nNETSPEC_TRACEBACK=1 shows where; please report it.", file=sys.stderr)
        return 4


def _done(options: argparse.Namespace) -> int:
    from netspec.cli.machine import guard_folder

    guard_folder()
    from netspec.cli.commands import COMMANDS

    if options.plugin:
        from netspec.plugins import add_plugin

        for module in options.plugin:
            add_plugin(module)
    return COMMANDS[options.command](options) or 0


def _told(found: NetspecError, format: str) -> int:
    from netspec.cli.faults import tell_error

    tell_error(found, format)
    return found.exit_code


if _handler is not None:
    signal.signal(signal.SIGINT, _handler)
