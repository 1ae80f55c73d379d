"""The server of the playground: the files of its page, to browsers on this machine."""

from __future__ import annotations

import sys
import webbrowser
from functools import partial
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote, urlsplit

from netspec.cli.commands.network.serve.local import LocalHandler, LocalServer, listening

PORT = 4900
"""The port where none is asked for; another one where this is taken."""

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".zip": "application/zip",
}
"""The kinds of content, as browsers ask for them to be named. The system's own table may have others."""


class PageServer(LocalServer):
    """Serves the files that a folder has when it begins, and no other."""

    def __init__(self, folder: Path, port: int):
        super().__init__(PageHandler, port)
        self.files = {f"/{path.relative_to(folder).as_posix()}": path for path in folder.rglob("*") if path.is_file()}
        self.files["/"] = self.files["/index.html"]


class PageHandler(LocalHandler):
    """Gives a file by its path. A browser that has it keeps it, and asks only whether it is another now."""

    server: PageServer

    def answer(self) -> None:
        path = self.server.files.get(unquote(urlsplit(self.path).path))
        if path is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        state = path.stat()
        headers = {"Cache-Control": "no-cache", "ETag": f'"{state.st_mtime_ns:x}-{state.st_size:x}"'}
        kind = KINDS.get(path.suffix, "application/octet-stream")
        if self.headers.get("If-None-Match") == headers["ETag"]:
            self.head(kind, headers, HTTPStatus.NOT_MODIFIED)
            self.end_headers()
            return
        body = path.read_bytes()
        self.head(kind, {**headers, "Content-Length": str(len(body))})
        self.end_headers()
        self.wfile.write(body)


def serve(folder: Path, port: int | None, opens: bool) -> int:
    """Serve a folder's page until Ctrl-C. Raises ``EnvironmentFault`` where the port is taken."""
    server = listening(partial(PageServer, folder), port, PORT)
    print(f"{server.url}  Ctrl-C ends it", flush=True)
    try:
        if opens:
            webbrowser.open(server.url)
        server.serve_forever()
    except KeyboardInterrupt:
        print(file=sys.stderr)
    finally:
        server.server_close()
    return 0
