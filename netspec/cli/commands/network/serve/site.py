"""``netspec serve``: the explorer in a browser, anew each time a file is saved.

The server listens on this machine alone, knows two paths, and answers only those who call it by its own name: a page of
another site that had its name led here would be refused.
"""

from __future__ import annotations

import json
import secrets
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from netspec.analysis.constraints import file_name
from netspec.cli.faults import tell_error
from netspec.cli.watched import PAUSE, Watched
from netspec.diagnostics import Diagnostic, EnvironmentFault, NetspecError, SpecError
from netspec.diagnostics.text import Layout, render_all
from netspec.emit.explorer import explorer_page, waiting_page
from netspec.graph import Graph

HOST = "127.0.0.1"
PORT = 4800
"""The port where none is asked for; another one where this is taken."""

HEARTBEAT = 15.0
"""Seconds after which a page that listens hears something, so that one that has gone is noticed."""

PATIENCE = 10.0
"""Seconds that a request may take to come in whole."""

LAYOUT = Layout(width=100)


class SavedText(NamedTuple):
    """A file at fault as it was saved."""

    name: str
    text: str


class FaultLine(NamedTuple):
    """A line at fault: the number of its text, the line from 1, and what is said there."""

    text: int
    line: int
    said: str


class News(NamedTuple):
    """An event for pages: the version of the spec that was last right, and its faults now, as text and by line."""

    version: str
    fault: str = ""
    texts: tuple[SavedText, ...] = ()
    marks: tuple[FaultLine, ...] = ()

    def to_json(self) -> str:
        """Return the news as the page reads it."""
        texts, marks = [[each._asdict() for each in found] for found in (self.texts, self.marks)]
        return json.dumps({"version": self.version, "fault": self.fault, "texts": texts, "marks": marks})


class Site:
    """The site that is served: the last good page, and news for those who listen.

    Its versions are no other server's, so that a page which outlives a server loads that of the next.
    """

    def __init__(self) -> None:
        self.own = secrets.token_hex(4)
        self.count = self.shown = 0
        self.news = News(f"{self.own}.0")
        self.page = waiting_page(self.news.version)
        self.changed = threading.Condition()

    def show(self, graph: Graph) -> None:
        """A good spec: a new page, and nothing wrong."""
        self.shown += 1
        news = News(f"{self.own}.{self.shown}")
        self._tell(news, explorer_page(graph, version=news.version))

    def show_fault(self, fault: NetspecError) -> None:
        """A spec at fault: the page stays, with what is wrong below it."""
        if isinstance(fault, SpecError):
            text = render_all(fault.diagnostics, fault.more, LAYOUT)
            news = News(self.news.version, text, *_places(fault.diagnostics))
        else:
            news = News(self.news.version, f"netspec: {fault}")
        self._tell(news, self.page)

    def _tell(self, news: News, page: str) -> None:
        with self.changed:
            self.news, self.page = news, page
            self.count += 1
            self.changed.notify_all()

    def wait(self, count: int) -> int:
        """Wait for news after the ``count``-th, but not for ever; gives the number of the last."""
        with self.changed:
            self.changed.wait_for(lambda: self.count != count, HEARTBEAT)
            return self.count


def _places(diagnostics: Sequence[Diagnostic]) -> tuple[tuple[SavedText, ...], tuple[FaultLine, ...]]:
    """Return the files that diagnostics are about, and the lines that they underline first."""
    sources = list({id(each.primary.span.source): each.primary.span.source for each in diagnostics}.values())
    marks = []
    for each in diagnostics:
        span, said = each.primary.span, each.primary.text or each.message
        number = next(at for at, source in enumerate(sources) if source is span.source)
        marks.append(FaultLine(number, span.line, said))
    return tuple(SavedText(file_name(source), source.text) for source in sources), tuple(marks)


class Server(ThreadingHTTPServer):
    """The server of a site, on this machine alone. Port 0 is any free one."""

    daemon_threads = True

    def __init__(self, site: Site, port: int):
        super().__init__((HOST, port), Handler)
        self.site = site
        names = [f"{name}:{self.server_port}" for name in (HOST, "localhost")]
        self.names = {*names, HOST, "localhost"} if self.server_port == 80 else {*names}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell of bugs alone: a browser that has gone away is not worth a traceback."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    """``/`` is the page, ``/events`` the news. All else is not here, and no other method is known."""

    server: Server
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
        elif self.path == "/":
            self._give(self.server.site.page)
        elif self.path == "/events":
            self._listen()
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _give(self, page: str) -> None:
        body = page.encode()
        self._head("text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _listen(self) -> None:
        """Server-sent events, until the page has gone: the news now, and each time there are others."""
        site = self.server.site
        self._head("text/event-stream")
        self.end_headers()
        told = None
        try:
            while True:
                count, news = site.count, site.news
                self.wfile.write(f"data: {news.to_json()}\n\n".encode() if told != count else b":\n\n")
                self.wfile.flush()
                told = count
                site.wait(count)
        except OSError:  # it has gone
            return

    def _head(self, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        for name, value in {"Content-Type": kind, **HEADERS}.items():
            self.send_header(name, value)

    def log_message(self, format: str, *arguments: object) -> None:
        """Requests are not worth a line."""


HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


def serve(spec: Path, compile: Callable[[], Graph], port: int | None, opens: bool) -> int:
    """Serve the explorer of a spec until Ctrl-C. Raises ``EnvironmentFault`` where the port is taken."""
    site = Site()
    server = _server(site, port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        watched = Watched([spec])
        watched.has_changed()
        _build(site, compile)
        print(f"{server.url}  shows {spec.name} as it is saved; Ctrl-C ends it", flush=True)
        if opens:
            webbrowser.open(server.url)
        while True:
            time.sleep(PAUSE)
            if watched.has_changed():
                _build(site, compile)
    except KeyboardInterrupt:
        print(file=sys.stderr)
    finally:
        server.shutdown()
        server.server_close()
    return 0


def _server(site: Site, port: int | None) -> Server:
    try:
        return Server(site, PORT if port is None else port)
    except OSError as error:
        if port is None:
            return Server(site, 0)
        raise EnvironmentFault(f"cannot serve at port {port}: {error.strerror}") from None


def _build(site: Site, compile: Callable[[], Graph]) -> None:
    try:
        site.show(compile())
    except NetspecError as error:
        site.show_fault(error)
        tell_error(error, "text")
