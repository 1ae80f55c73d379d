"""``netspec generate``: write a text with a trained network, word by word."""

from __future__ import annotations

from argparse import Namespace

from netspec.cli.options import WEIGHTS, add_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands


def add(commands: Commands) -> None:
    """Add its parser."""
    command = add_command(
        commands,
        "generate",
        "Write a text that goes on from a prompt, or answers it, word by word, with the best weights of a run, or with "
        "a spec, weights and a tokenizer's file. What a network has read is kept (keys and values of attention, states "
        "of recurrent layers), so that a word takes no longer at the end of a text than at its beginning.",
    )
    help = "a run's folder, such as runs/lstm_lm/last, or with --weights a spec, or its name"
    command.add_argument("run", metavar="RUN", help=help)
    command.add_argument("--prompt", metavar="TEXT", required=True, help="the text to go on from, or to answer")
    command.add_argument("--weights", metavar="FILE", help=WEIGHTS)
    command.add_argument(
        "--tokenizer",
        metavar="FILE",
        help="tokenizer.json of Hugging Face's tokenizers (default: that in the folder of --weights)",
    )
    command.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="set a parameter of the spec")
    command.add_argument("--max", type=int, default=100, metavar="N", help="write at most N words (default: 100)")
    help = "draw words by chance, scores divided by T (default: the likeliest word)"
    command.add_argument("--temperature", type=float, metavar="T", help=help)
    command.add_argument("--top-k", type=int, metavar="K", help="draw one of the K likeliest words")
    command.add_argument("--top-p", type=float, metavar="P", help="draw one of the likeliest, which have P together")
    command.add_argument("--beams", type=int, default=1, metavar="N", help="follow the N likeliest texts at once")
    command.add_argument("--seed", type=int, default=0, help="what is drawn depends on it alone (default: 0)")
    help = "the runtime for the network (default: torch)"
    command.add_argument("--runtime", choices=["torch", "onnx"], default="torch", help=help)


def run(options: Namespace) -> None:
    """Print the text, as it is written."""
    from netspec.cli.program import let_threads_sleep

    let_threads_sleep()  # before torch is imported: a word is too little work for threads that wait awake
    from netspec.cli.commands.training.generate.texts import write_text

    write_text(options)
