"""``netspec predict``: ask a trained network."""

from __future__ import annotations

from argparse import Namespace

from netspec.cli.options import add_command, add_run_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands


def add(commands: Commands) -> None:
    """Add its parser."""
    command = add_command(
        commands,
        "predict",
        "Print what the best weights of a run say of images, of rows of numbers (.csv, .npy, .npz by column), or of a "
        "text: classes with their probabilities, numbers, or the text that the network writes. Images are brought to "
        "the size of the training images; transforms are as the training rows have fitted them.",
    )
    add_run_arguments(command)
    command.add_argument("inputs", metavar="FILE", nargs="+", help="a file, or a text for a network that reads such")
    command.add_argument("--format", choices=["text", "json", "csv"], default="text", help="default: text")


def run(options: Namespace) -> None:
    """Print the answers."""
    from netspec.cli.commands.training.predict.answers import print_answers
    from netspec.diagnostics import UsageError
    from netspec.train.predict.answers import Predictor
    from netspec.train.predict.trained_run import TrainedRun

    runs = TrainedRun.find(options.run)
    if len(runs) > 1:
        raise UsageError(f"{options.run} has a network for each fold: name one, such as {options.run}/fold-1")
    predictor = Predictor(runs[0], options.runtime)
    print_answers([answer for text in options.inputs for answer in predictor.answers(text)], options.format)
