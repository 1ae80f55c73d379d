"""The process around a command: streams that may be closed, full, or of another encoding, and signals that end it.

A command prints and goes on: what cannot be written is dropped, as a training or a file that is being written matters
more than who looks on, and is told at the end. A signal ends a command by ``KeyboardInterrupt``, once.
"""

from __future__ import annotations

import atexit
import codecs
import errno
import io
import os
import signal
import sys
import warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TextIO

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
INTERRUPTED = 128 + signal.SIGINT
ROOM = 100_000
"""Python's values that one piece of memory for frames must hold; a frame takes some thirty."""
RACE = "ignored due to race condition"
"""Python's message on a signal that comes in just before it was to end the process at once."""

LOOK_ALIKE = "netspec.look-alike"
"""The error handler that writes characters that an encoding lacks."""

_caught: list[int] = []
_outputs: list[Output] = []


class Output(io.FileIO):
    """A stream that takes everything. Why something could not be written is its ``fault``."""

    def __init__(self, number: int, fault: OSError | None = None):
        super().__init__(number, "wb", closefd=False)
        self.closed_before = fault
        self.fault: OSError | None = None

    def write(self, data: Any) -> int:
        if self.fault is None and self.closed_before is None:
            try:
                return self._written(data)
            except OSError as error:
                self.fault = error
        self.fault = self.fault or self.closed_before
        return len(memoryview(data).cast("B"))

    def has_lost_its_reader(self) -> bool:
        """Return whether the system knows already that nothing written from now on would be read."""
        import select

        if not hasattr(select, "poll"):  # as on Windows
            return False
        poll = select.poll()
        poll.register(self.fileno(), 0)
        return bool(poll.poll(0))

    def _written(self, data: Any) -> int:
        count: int | None = super().write(data)
        while count is None:  # another program has made the terminal one that does not wait
            import select

            select.select([], [self], [])
            count = super().write(data)
        return count


def run_as_program(command: Callable[[], int]) -> int:
    """Run a command as this process; gives the exit code, 3 where its output could not be written."""
    try:
        _catch_signals()
        _keep_numbers()
        sys.stdout, sys.stderr = _stream(1, sys.stdout), _stream(2, sys.stderr)
        if any(action == "error" for action, *_ in warnings.filters):  # as PYTHONWARNINGS may say
            warnings.simplefilter("ignore")  # of the packages we use: none of them is a fault of the command
        code = with_room(command)()
    except SystemExit as ending:  # of argparse
        code = ending.code if isinstance(ending.code, int) else 2
    except BaseException:
        if not _caught:
            raise
        code = INTERRUPTED
    _end_at_signals()
    if _caught and code == INTERRUPTED:
        return 128 + _caught[0]
    return _judged(code)


def with_room(command: Callable[[], int]) -> Callable[[], int]:
    """Return the command with memory for all of its calls in one piece.

    Python keeps the frames of calls in pieces of 16 KiB, which it takes from the system and gives back with every call
    that crosses from one to the next: a tenth of the time of whatever recurses, as elaboration does. The piece for a
    frame that asks for more is larger, and has room for the frames of the calls inside it. What is not used costs
    nothing.
    """

    def roomy() -> int:
        return command()

    roomy.__code__ = roomy.__code__.replace(co_stacksize=ROOM)
    return roomy


def leave(code: int) -> None:
    """End the process without tearing the interpreter down, which takes as long as checking a spec.

    Return where more than the front half has been at work: torch, whose threads end in their own way, or any thread.
    """
    threads = sys.modules.get("threading")
    if "torch" in sys.modules or (threads is not None and threads.active_count() > 1):
        return
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:
            stream.flush()
    os._exit(code)


def is_interrupted() -> bool:
    """Return whether a signal has ended the command."""
    return bool(_caught)


def nobody_reads() -> bool:
    """Return whether what is printed gets lost."""
    return any(each.fault is not None or each.has_lost_its_reader() for each in _outputs)


def let_threads_sleep() -> None:
    """Have torch's threads sleep while they wait for work, unless the user has chosen; it is called before torch loads.

    They would spin, which takes a third of the processor time of a verification: its runs are many and small.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def _judged(code: int) -> int:
    """The exit code of a command whose output may have been lost, which says more than that of what is lost. A reader
    that has gone has had enough.
    """
    if not sys.stdout.closed:  # as by the language server, which ends with its client
        sys.stdout.flush()
    fault = _outputs[0].fault
    if fault is None or fault.errno == errno.EPIPE:
        return code
    print(f"netspec: cannot write to the standard output: {fault.strerror}", file=sys.stderr, flush=True)
    return max(code, 3)


def _keep_numbers() -> None:
    """Open the standard streams that are closed: a file would get their number, and what is printed with it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _stream(number: int, before: TextIO | None) -> TextIO:
    """A standard stream that takes everything, in the encoding that it had."""
    closed = OSError(errno.EBADF, os.strerror(errno.EBADF)) if before is None else None
    raw = Output(number, closed)
    _outputs.append(raw)
    unbuffered = getattr(before, "write_through", False)
    return io.TextIOWrapper(
        raw if unbuffered else io.BufferedWriter(raw),
        encoding=before.encoding if before is not None else "utf-8",
        errors=LOOK_ALIKE,
        line_buffering=getattr(before, "line_buffering", False),
        write_through=unbuffered,
    )


def _look_alike(fault: UnicodeError) -> tuple[str | bytes, int]:
    """Characters that look like those that an encoding lacks, or how JSON and Python write these."""
    from netspec.view.terminal import PLAIN_SIGNS

    assert isinstance(fault, UnicodeEncodeError)
    made = []
    for letter in fault.object[fault.start : fault.end]:
        plain = str(PLAIN_SIGNS.get(ord(letter), '"'))
        pairs = letter.encode("utf-16-be", "surrogatepass")
        escaped = "".join(f"\\u{pairs[at]:02x}{pairs[at + 1]:02x}" for at in range(0, len(pairs), 2))
        made.append(escaped if plain == '"' else plain)
    return "".join(made), fault.end


codecs.register_error(LOOK_ALIKE, _look_alike)


def _catch_signals() -> None:
    def end(number: int, frame: Any) -> None:
        _end_at_signals()
        _caught.append(number)
        raise KeyboardInterrupt

    for number in _numbers():
        signal.signal(number, end)
    hook = sys.unraisablehook

    def told(found: Any) -> None:
        if _caught and found.exc_type is KeyboardInterrupt:  # Python has met it where nothing can be raised
            signal.raise_signal(_caught[0])
        elif found.exc_type is not OSError or RACE not in str(found.exc_value):
            hook(found)
        elif not _caught:  # else the command is about to end
            signal.raise_signal(int(str(found.exc_value).split()[1]))

    sys.unraisablehook = told


def _end_at_signals() -> None:
    """From here on, a signal ends the process at once."""
    for number in _numbers():
        signal.signal(number, signal.SIG_DFL)


def _numbers() -> list[int]:
    """The signals that end a command; those that are ignored, as nohup has it, stay so."""
    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    return [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
