"""A server for this machine alone.

It answers only those who call it by its own name: a page of another site that had its name led here would be refused.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

from netspec.diagnostics import EnvironmentFault, UsageError

HOST = "127.0.0.1"

PATIENCE = 10.0
"""Seconds that a request may take to come in whole."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


class LocalServer(ThreadingHTTPServer):
    """A server on this machine alone. Port 0 is any free one."""

    daemon_threads = True

    def __init__(self, handler: type[LocalHandler], port: int):
        super().__init__((HOST, port), handler)
        names = [f"{name}:{self.server_port}" for name in (HOST, "localhost")]
        self.names = {*names, HOST, "localhost"} if self.server_port == 80 else {*names}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell of bugs alone: a browser that has gone away is not worth a traceback."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_port}/"


class LocalHandler(BaseHTTPRequestHandler):
    """Hands requests that come in whole, and by the server's own name, to ``answer``. No method but GET is known."""

    server: LocalServer
    server_version = "netspec"
    sys_version = ""
    timeout = PATIENCE

    def setup(self) -> None:
        super().setup()
        self.alarm = threading.Timer(PATIENCE, self._hang_up)
        self.alarm.daemon = True
        self.alarm.start()

    def finish(self) -> None:
        self.alarm.cancel()
        super().finish()

    def _hang_up(self) -> None:
        """End a request that comes in a byte at a time."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def do_GET(self) -> None:
        self.alarm.cancel()
        if self.headers.get_all("Host") not in [[name] for name in self.server.names]:
            self.send_error(HTTPStatus.FORBIDDEN)
        else:
            self.answer()

    def answer(self) -> None:
        """Answer a request that has come by the server's own name."""
        raise NotImplementedError

    def head(self, kind: str, headers: Mapping[str, str], status: HTTPStatus = HTTPStatus.OK) -> None:
        """Begin an answer of a kind of content, with headers beside those that every answer has."""
        self.send_response(status)
        for name, value in {"Content-Type": kind, **HEADERS, **headers}.items():
            self.send_header(name, value)

    def log_message(self, format: str, *arguments: object) -> None:
        """Requests are not worth a line."""


Made = TypeVar("Made", bound=LocalServer)


def guard_port(port: int | None) -> None:
    """Guard: a port that is asked for is one. Raises ``UsageError``."""
    if port is not None and not 0 <= port <= 65535:
        raise UsageError(f"--port takes a number up to 65535, not {port}")


def listening(make: Callable[[int], Made], asked: int | None, usual: int) -> Made:
    """Return a server at the port that is asked for, else at the usual one, or a free one where that is taken.

    Raises ``EnvironmentFault`` where the port that is asked for is taken.
    """
    try:
        return make(usual if asked is None else asked)
    except OSError as error:
        if asked is None:
            return make(0)
        raise EnvironmentFault(f"cannot serve at port {asked}: {error.strerror}") from None
