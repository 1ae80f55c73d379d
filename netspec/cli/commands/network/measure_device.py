"""``netspec measure-device``: how fast this machine is, to foretell step times."""

from __future__ import annotations

from argparse import Namespace

from netspec.cli.options import add_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands


def add(commands: Commands) -> None:
    """Add its parser."""
    command = add_command(
        commands,
        "measure-device",
        "Measure this machine once, in about half a minute: matrix products, convolutions, attention, recurrent "
        "layers, elementwise work and optimizers at several sizes, forward and backward in float32. "
        "`netspec shapes SPEC --times FILE` foretells from it how long each layer takes.",
    )
    command.add_argument(
        "-o", "--output", metavar="FILE", default="device.json", help="the file to write (default: device.json)"
    )
    command.add_argument(
        "--device", default="auto", help="auto, cpu or cuda: what is measured (default: auto, a GPU where there is one)"
    )
    command.add_argument(
        "--threads",
        metavar="N",
        type=int,
        help="the threads of the CPU (default: as many as torch takes); one thread is measured in processor time, "
        "which other programs hardly disturb, all else in wall time, for which the machine should be idle",
    )


def run(options: Namespace) -> None:
    """Measure the device, and write its file."""
    from pathlib import Path

    from netspec.cli.output import status
    from netspec.diagnostics import UsageError
    from netspec.files import write_text

    if options.threads is not None and options.threads < 1:
        raise UsageError(f"--threads takes a positive number, not {options.threads}")
    from netspec.runtime.measure_device import measure_device

    with status("measuring this machine, for about half a minute"):
        record = measure_device(options.device, options.threads)
    write_text(Path(options.output), record.to_json())
    print(f"{options.output}  {record.title}")
