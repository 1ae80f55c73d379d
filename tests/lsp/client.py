"""A client of the language server protocol: JSON-RPC over the stdin and stdout of a server that it starts."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from typing import Any

PATIENCE = 60
URI = "file:///nets/spec.yaml"


class Client:
    """Starts `netspec lsp`, asks, and keeps what the server says of its own accord."""

    def __init__(self, **capabilities: Any):
        command = [sys.executable, "-m", "netspec", "lsp"]
        # The server must speak UTF-8 whatever the locale.
        environment = {**os.environ, "LC_ALL": "C", "PYTHONWARNINGS": "default"}
        self.server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        self.said: queue.Queue[Any] = queue.Queue()
        self.notes: list[Any] = []
        self.number = 0
        self.version = 0
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()
        self.capabilities = self.ask(
            "initialize", {"processId": os.getpid(), "rootUri": None, "capabilities": capabilities}
        )["capabilities"]
        self.tell("initialized", {})

    def _listen(self) -> None:
        stream = self.server.stdout
        assert stream is not None
        while header := stream.readline():
            length = 0
            while header.strip():
                if header.lower().startswith(b"content-length:"):
                    length = int(header.split(b":")[1])
                header = stream.readline()
            self.said.put(json.loads(stream.read(length)))
        self.said.put(None)

    def _send(self, message: dict[str, Any]) -> None:
        data = json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False).encode()
        assert self.server.stdin is not None
        self.server.stdin.write(b"Content-Length: %d\r\n\r\n" % len(data) + data)
        self.server.stdin.flush()

    def tell(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def ask(self, method: str, params: Any) -> Any:
        self.number += 1
        number = self.number
        self._send({"id": number, "method": method, "params": params})
        while True:
            message = self._next()
            if message.get("id") == number and "method" not in message:
                assert "error" not in message, message
                return message["result"]

    def _next(self) -> Any:
        message = self.said.get(timeout=PATIENCE)
        assert message is not None, "the server has gone"
        if "method" in message:
            self.notes.append(message)
            if "id" in message:  # a request of the server
                self._send({"id": message["id"], "result": None})
        return message

    def open(self, text: str, uri: str = URI) -> list[Any]:
        """Open a document; gives its diagnostics."""
        self.version += 1
        item = {"uri": uri, "languageId": "yaml", "version": self.version, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": item})
        return self.diagnostics(uri)

    def change(self, text: str, uri: str = URI) -> None:
        self.version += 1
        document = {"uri": uri, "version": self.version}
        self.tell("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})

    def edit(self, text: str, uri: str = URI) -> list[Any]:
        """Change the whole document; gives its diagnostics."""
        self.change(text, uri)
        return self.diagnostics(uri)

    def diagnostics(self, uri: str = URI) -> list[Any]:
        """The next diagnostics of this version of a document."""
        while True:
            message = self._next()
            if message.get("method") == "textDocument/publishDiagnostics":
                params = message["params"]
                if params["uri"] == uri and params.get("version") == self.version:
                    return params["diagnostics"]

    def at(self, what: str, line: int, character: int, uri: str = URI) -> Any:
        """Ask about a position, counted from 0 as the protocol does."""
        position = {"line": line, "character": character}
        return self.ask(f"textDocument/{what}", {"textDocument": {"uri": uri}, "position": position})

    def hints(self, first: int = 0, last: int = 10_000, uri: str = URI) -> dict[int, str]:
        """The inlay hints by line."""
        asked = {"start": {"line": first, "character": 0}, "end": {"line": last, "character": 0}}
        found = self.ask("textDocument/inlayHint", {"textDocument": {"uri": uri}, "range": asked})
        return {hint["position"]["line"]: hint["label"] for hint in found}

    def close(self) -> int:
        """Say goodbye; gives the server's exit code."""
        self.ask("shutdown", None)
        self.tell("exit", None)
        code = self.server.wait(timeout=PATIENCE)
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.listener.join(PATIENCE)
        self.server.stdin.close()
        self.server.stdout.close()
        return code
