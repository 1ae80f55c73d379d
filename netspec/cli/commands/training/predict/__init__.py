"""``netspec predict``: predict with a trained run."""

from __future__ import annotations

from argparse import Namespace

from netspec.cli.options import add_command, add_run_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands
    from netspec.train.predict.answers import Predictor
    from netspec.train.predict.raw_file import RawFile


def add(commands: Commands) -> None:
    """Add its parser."""
    command = add_command(
        commands,
        "predict",
        "Predict with the best weights of a run for images, tables (.csv, .parquet), arrays (.npy, or .npz by column), "
        "folders of these, or a text; print classes with their probabilities, numbers, or the text that the network "
        "generates, or write them to a file. Images are resized to the size of the training images; transforms are "
        "applied as fitted on the training rows. RUN may be an ONNX file by `netspec export RUN --with-prepare`, too.",
    )
    add_run_arguments(command)
    command.add_argument(
        "inputs", metavar="FILE", nargs="+", help="a file or a folder, or a text if the network reads text"
    )
    command.add_argument(
        "--format", choices=["text", "json", "csv"], help="default: text; to a file, as its name ends, or csv"
    )
    command.add_argument("-o", "--output", metavar="FILE", help="write all answers to a file: answers.csv, or .json")
    command.add_argument(
        "--keep", metavar="COLUMN", action="append", default=[], help="copy a column of the tables; may be repeated"
    )


def run(options: Namespace) -> None:
    """Print the answers."""
    from netspec.cli.commands.training.predict.answers import print_answers, write_answers

    _guard_inputs(options)
    predictor = _of_file(options) if options.run.endswith(".onnx") else _of_run(options)
    answers = [answer for text in options.inputs for answer in predictor.answers(text)]
    if options.output is None:
        print_answers(answers, options.format or "text")
    else:
        write_answers(answers, options.output, options.format)


def _guard_inputs(options: Namespace) -> None:
    """Guard: the answers are not written over what they are for, or over the network."""
    from os.path import exists, samefile

    from netspec.diagnostics import UsageError
    from netspec.text.quoting import visible

    output = options.output
    if output is None or not exists(output):
        return
    for given in filter(exists, (*options.inputs, options.run)):
        if samefile(given, output):
            raise UsageError(f"-o {visible(output)} would overwrite what is read: name another file")


def _of_run(options: Namespace) -> Predictor:
    """Return the predictor of a run."""
    from netspec.cli.given_weights import give_weights
    from netspec.cli.output import warn
    from netspec.train.predict.answers import Predictor
    from netspec.train.predict.trained_run import TrainedRun

    run = TrainedRun.find_one(options.run, warn)
    give_weights([run], options)
    return Predictor(run, options.runtime, options.keep, warn)


def _of_file(options: Namespace) -> RawFile:
    """Return the predictor of an ONNX file that takes raw rows."""
    from pathlib import Path

    from netspec.cli.output import warn
    from netspec.diagnostics import UsageError
    from netspec.train.predict.raw_file import RawFile

    if options.weights is not None:
        raise UsageError("--weights are put into PyTorch's network, and the ONNX file has its own: leave one out")
    return RawFile(Path(options.run), options.keep, warn)
