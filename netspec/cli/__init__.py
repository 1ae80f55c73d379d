"""The command line: ``main`` parses the options, runs the command, and tells how it ended."""

from __future__ import annotations

import signal

try:  # Ctrl-C while the rest is read ends the process as it is, without a traceback
    _handler = signal.signal(signal.SIGINT, signal.SIG_DFL)
except ValueError:  # not in the main thread
    _handler = None

import atexit
import gc
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from types import ModuleType

from netspec.cli.commands import command_files, load_command
from netspec.cli.parser import parsed
from netspec.cli.program import INTERRUPTED, is_interrupted, leave, run_as_program
from netspec.text.streams import showing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from netspec.diagnostics import NetspecError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; gives the exit code. Without arguments it is the one that this process was started for.

    Such a process ends here, with the code, if nothing is left to be done but to tear the interpreter down.
    """
    # Nearly all that a command makes stays until it ends: looking for garbage at every 700 objects takes a tenth of it.
    # Importing the front half and compiling a spec make 150,000.
    before = gc.get_threshold()
    gc.set_threshold(500_000, *before[1:])
    if arguments is None:  # in a process of others, Pydantic's plugins are theirs
        _seek_no_pydantic_plugins()
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # torchmetrics may load onnxruntime before we do
    _look_nowhere_else()
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)  # nor is there any use in looking once more when the process ends
    try:
        if arguments is not None:
            return _shown(arguments)
        code = run_as_program(lambda: _shown(None))
        leave(code)
        return code
    finally:
        gc.set_threshold(*before)


def _seek_no_pydantic_plugins() -> None:
    """Have Pydantic look for no plugins of its own: looking takes twice as long as reading a spec.

    It would still import what it looks with, so a module that finds none takes that one's place. Where Pydantic has no
    such module, it goes unnoticed.
    """
    if os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__") == "__all__":
        finder: Any = ModuleType("pydantic.plugin._loader")
        finder.get_plugins = tuple
        sys.modules.setdefault(finder.__name__, finder)


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
    words = sys.argv[1:] if arguments is None else arguments
    options = parsed(words)
    from netspec.cli.machine import machine_fault  # `--help` needs no words for faults
    from netspec.diagnostics import EnvironmentFault, NetspecError

    try:
        try:
            return _done(options)
        except NetspecError as error:
            return _told(error, options.error_format)
        except Exception as error:
            fault = machine_fault(error)
            if fault is None or is_interrupted():
                raise
            return _told(EnvironmentFault(fault), options.error_format)
    except KeyboardInterrupt as error:
        return 128 + error.args[0] if error.args else INTERRUPTED
    except Exception as error:
        if is_interrupted():  # and something has made another fault of it
            return INTERRUPTED
        fault = machine_fault(error)
        if fault is not None:  # not even the words for a fault could be read
            print(f"netspec: {fault}", file=sys.stderr)
            return EnvironmentFault.exit_code
        if os.environ.get("NETSPEC_TRACEBACK"):
            raise
        message = f"netspec: a bug in netspec, not in your spec: {type(error).__name__}: {error}"
        print(f"{message}\nNETSPEC_TRACEBACK=1 shows where; please report it.", file=sys.stderr)
        return 4


def _done(options: Namespace) -> int:
    from netspec.cli.machine import guard_folder

    guard_folder()
    _guard_output(options)
    if options.plugin:
        from netspec.plugins import add_plugin

        for module in options.plugin:
            add_plugin(module)
    return load_command(options.command, command_files()[options.command]).run(options) or 0


def _guard_output(options: Namespace) -> None:
    """Guard: what is written has a name, as the standard output is for texts, which are printed without ``-o``."""
    if getattr(options, "output", None) == "-":
        from netspec.diagnostics import UsageError

        raise UsageError("`-o -` would write a file called `-`: give the file a name; texts are printed without -o")


def _told(found: NetspecError, format: str) -> int:
    from netspec.cli.faults import tell_error

    tell_error(found, format)
    return found.exit_code


if _handler is not None:
    signal.signal(signal.SIGINT, _handler)
