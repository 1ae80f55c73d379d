"""Signals that ask a run to stop."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

_asked: list[int] = []
"""The signals that have asked the present run to stop."""


FIRST = "stopping at the end of this step, to save the run"
NOW = "stopping, to save the run; this epoch is judged when it goes on"
AGAIN = "the run stops and is saved as soon as its step has ended; a third signal ends it unsaved"


class Stoppable(Protocol):
    """The interface of a run that signals can stop. ``can_save_now`` says that it is between two steps."""

    asked_to_stop: bool
    can_save_now: bool


class StoppedNow(BaseException):
    """Raised by a signal in a run that is between two steps, which is saved as it is."""


@contextmanager
def stopped_by_signals(run: Stoppable, tell: Callable[[str], None]) -> Iterator[None]:
    """Handle signals, and tell what each does: the first Ctrl-C (or SIGTERM, SIGHUP) stops after the step, so that the
    run is saved, or at once between two steps; a second changes nothing, a third ends the run, a fourth the process.

    Raises ``StoppedNow`` between two steps.
    """

    def stop(number: int, frame: Any) -> None:
        _asked.append(number)
        if len(_asked) > 2:
            for each in before:
                signal.signal(each, signal.SIG_DFL)
            raise KeyboardInterrupt(number)
        first, now = not run.asked_to_stop, run.can_save_now
        run.asked_to_stop, run.can_save_now = True, False
        with suppress(Exception):  # it may have come while another line was being printed, or warnings are errors
            tell(NOW if now else FIRST if first else AGAIN)
        if now:
            raise StoppedNow

    _asked.clear()
    before: dict[int, Any] = {}
    with suppress(ValueError):  # not in the main thread: whoever started it stops it
        before = {number: signal.signal(number, stop) for number in stopping_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stopped_code() -> int:
    """Return the exit code of a run that was asked to stop and has saved: 128 plus the signal, by default Ctrl-C's."""
    return 128 + (_asked[0] if _asked else signal.SIGINT)


def stopping_signals() -> list[int]:
    """Return the signals that ask a run to stop; SIGHUP is left out under nohup."""
    signals: list[int] = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)
    return signals if hangup is None or signal.getsignal(hangup) == signal.SIG_IGN else [*signals, hangup]
