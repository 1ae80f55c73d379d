"""Signals that ask a run to stop."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

_asked: list[int] = []
"""The signal that has asked the present run to stop."""


class Stoppable(Protocol):
    """The interface of a run that signals can stop."""

    asked_to_stop: bool


@contextmanager
def stopped_by_signals(run: Stoppable) -> Iterator[None]:
    """Handle signals: the first Ctrl-C (or SIGTERM, SIGHUP) stops after the step and saves, a second ends the run, a
    third the process.
    """

    def stop(number: int, frame: Any) -> None:
        if run.asked_to_stop:
            for each in before:
                signal.signal(each, signal.SIG_DFL)
            raise KeyboardInterrupt(number)
        _asked.append(number)
        run.asked_to_stop = True

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
