"""The start-up of the front half's commands, each as a whole process.

`netspec --help` against argparse alone with the same commands; the shape tables of LeNet, ResNet-152 and GPT-2 against
importing Pydantic and defining a model; and `netspec shapes resnet152` against torchinfo's summary of torchvision's
ResNet-152, wall and CPU time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from pairs import Bar, alternate, finish, judge, ratios, seconds
from processes import NETSPEC, PYDANTIC, compiled, cpu, run

from netspec.cli.commands import command_files, command_help
from netspec.cli.parser import DESCRIPTION, EPILOG
from netspec.version import __version__

FASTER = Bar(8, least=True)
TABLE = Bar(1.5)
HELP = Bar(1.2)
ROUNDS = 5
MANY = 15
NETWORKS = ("lenet", "resnet152", "gpt2")
SUMMARY = """
from pairs import import_torchvision
import torchinfo
print(torchinfo.summary(import_torchvision().models.resnet152(), (1, 3, 224, 224), verbose=0))
"""
PARAMETERS = b"60,192,808"
"""The parameters that both must have counted."""
PARSER = f"""
import argparse
top = argparse.ArgumentParser(
    "netspec", description={DESCRIPTION!r}, epilog={EPILOG!r}, formatter_class=argparse.RawDescriptionHelpFormatter
)
top.add_argument("--version", action="version", version="netspec {__version__}")
commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
for name, help in {[(name, command_help(file)) for name, file in command_files().items()]!r}:
    commands.add_parser(name, help=help)
top.parse_args()
"""


def beside_torchinfo(env: Mapping[str, str]) -> list[bool]:
    """The table of ResNet-152 against torchinfo's summary."""
    ours, theirs = (NETSPEC, "shapes", "resnet152"), (sys.executable, "-c", SUMMARY)
    beside = {**env, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), env.get("PYTHONPATH", "")])}
    run(ours, env), run(theirs, beside)
    pairs = alternate(lambda: run(theirs, beside, PARAMETERS), lambda: run(ours, env, PARAMETERS), ROUNDS)
    print("torchinfo : netspec shapes")
    results = []
    for what, at in (("resnet152, wall", 0), ("resnet152, CPU", 1)):
        times = [(theirs[at], ours[at]) for theirs, ours in pairs]
        results.append(judge(what, ratios(times), FASTER, seconds(times)))
    return results


def beside_pydantic(env: Mapping[str, str]) -> list[bool]:
    """The tables against what every command has to import."""
    print("netspec shapes : importing Pydantic and defining a model")
    results = []
    for name in NETWORKS:
        ours = (NETSPEC, "shapes", name)
        cpu(ours, env), cpu(PYDANTIC, env)
        pairs = alternate(lambda ours=ours: cpu(ours, env), lambda: cpu(PYDANTIC, env), MANY)
        results.append(judge(f"{name}, CPU", ratios(pairs), TABLE, seconds(pairs)))
    return results


def beside_argparse(env: Mapping[str, str]) -> list[bool]:
    """The help against a parser with the same commands."""
    ours, theirs = (NETSPEC, "--help"), (sys.executable, "-c", PARSER, "--help")
    cpu(ours, env), cpu(theirs, env)
    pairs = alternate(lambda: cpu(ours, env), lambda: cpu(theirs, env), MANY)
    print("netspec --help : argparse")
    return [judge("CPU", ratios(pairs), HELP, seconds(pairs))]


def main() -> None:
    with compiled() as env:
        results = [*beside_argparse(env), *beside_pydantic(env), *beside_torchinfo(env)]
    finish(results)


if __name__ == "__main__":
    main()
