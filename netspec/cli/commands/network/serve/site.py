"""``netspec serve``: the explorer in a browser, anew each time a file is saved.

The server listens on this machine alone, and knows two paths.
"""

from __future__ import annotations

import json
import secrets
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from netspec.analysis.constraints import file_name
from netspec.cli.commands.network.serve.local import LocalHandler, LocalServer, listening
from netspec.cli.faults import tell_error
from netspec.cli.watched import PAUSE, Watched
from netspec.diagnostics import Diagnostic, NetspecError, SpecError
from netspec.diagnostics.text import Layout, render_all
from netspec.emit.explorer import explorer_page, waiting_page
from netspec.graph import Graph

PORT = 4800
"""The port where none is asked for; another one where this is taken."""

HEARTBEAT = 15.0
"""Seconds after which a page that listens hears something, so that one that has gone is noticed."""

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


class Server(LocalServer):
    """The server of a site."""

    def __init__(self, site: Site, port: int):
        super().__init__(Handler, port)
        self.site = site


class Handler(LocalHandler):
    """``/`` is the page, ``/events`` the news. All else is not here."""

    server: Server

    def answer(self) -> None:
        if self.path == "/":
            self._give(self.server.site.page)
        elif self.path == "/events":
            self._listen()
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _give(self, page: str) -> None:
        body = page.encode()
        self.head("text/html; charset=utf-8", HEADERS)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _listen(self) -> None:
        """Server-sent events, until the page has gone: the news now, and each time there are others."""
        site = self.server.site
        self.head("text/event-stream", HEADERS)
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


HEADERS = {"Cache-Control": "no-store", "X-Frame-Options": "DENY"}


def serve(spec: Path, compile: Callable[[], Graph], port: int | None, opens: bool) -> int:
    """Serve the explorer of a spec until Ctrl-C. Raises ``EnvironmentFault`` where the port is taken."""
    site = Site()
    server = listening(partial(Server, site), port, PORT)
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


def _build(site: Site, compile: Callable[[], Graph]) -> None:
    try:
        site.show(compile())
    except NetspecError as error:
        site.show_fault(error)
        tell_error(error, "text")
