"""Signals that ask a run to stop."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

_asked: list[int] = []
"""The signal that has asked the present run to stop."""


class Stoppable(Protocol):
    asked_to_stop: bool


@contextmanager
def stopped_by_signals(run: Stoppable) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM, SIGHUP) lets the step end and saves; a second ends the run, a third the process."""

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
    """Return the exit code of a run that was asked to stop, and has saved: 128 and the signal, by default Ctrl-C's."""
    return 128 + (_asked[0] if _asked else signal.SIGINT)


def stopping_signals() -> list[int]:
    """Those that ask a run to stop: not of a terminal that closes, where nohup has the run go on."""
    found: list[int] = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)
    return found if hangup is None or signal.getsignal(hangup) == signal.SIG_IGN else [*found, hangup]
