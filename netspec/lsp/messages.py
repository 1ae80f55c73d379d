"""The messages of JSON-RPC as they come in: whatever is none gets the answer that the protocol has for it.

A client, or what stands in for one, can send anything; the next message is read all the same.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
from typing import Any

from lsprotocol import types
from pygls.exceptions import (
    JsonRpcException,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcParseError,
    JsonRpcServerNotInitialized,
)
from pygls.io_ import StdinAsyncReader, StdoutWriter
from pygls.protocol import LanguageServerProtocol

LENGTH = re.compile(rb"content-length:\s*(\d{1,18})\s*$", re.IGNORECASE)
MOST = 64_000_000
"""Bytes that a message may have: many times the largest spec."""
PIECE = 1_000_000

logging.getLogger("pygls").setLevel(logging.CRITICAL)  # it logs with a traceback what is answered here


class Protocol(LanguageServerProtocol):
    """The protocol, which answers texts that are no message and hands the others on."""

    def receive(self, body: bytes) -> None:
        """Handle one message as it was sent."""
        try:
            data = json.loads(body)
        except (ValueError, RecursionError):
            self.refuse(None, JsonRpcParseError())
            return
        fault = self.fault_of(data)
        if fault is not None:
            self.refuse(id_of(data), fault)
        elif is_sound(data):
            self.hand_on({"params": None, **data} if "method" in data else data)

    def fault_of(self, data: Any) -> JsonRpcException | None:
        """The fault of a request that cannot be taken; of what is no request, only that it is no message at all."""
        if not isinstance(data, dict) or data.get("jsonrpc") != self.VERSION:
            return JsonRpcInvalidRequest()
        if "method" not in data:
            return None if "id" in data else JsonRpcInvalidRequest()
        if not isinstance(data["method"], str) or ("id" in data and id_of(data) is None):
            return JsonRpcInvalidRequest()
        if "id" not in data:
            return None
        if self._workspace is None and data["method"] != types.INITIALIZE:
            return JsonRpcServerNotInitialized()
        again = self._workspace is not None and data["method"] == types.INITIALIZE
        return JsonRpcInvalidRequest() if again or self._shutdown else None

    def hand_on(self, data: dict[str, Any]) -> None:
        """Handle a message that has the form of one."""
        is_request = "id" in data and "method" in data
        if self._workspace is None and not is_request and data.get("method") != types.EXIT:
            return
        try:
            message = self.structure_message(data)
        except JsonRpcException:
            if is_request:
                self.refuse(data["id"], JsonRpcInvalidParams())
            return
        self.handle_message(message)

    def refuse(self, id: int | str | None, fault: JsonRpcException) -> None:
        self._send_response(id, error=fault.to_response_error())  # type: ignore[arg-type]  # null where none is known


def id_of(data: Any) -> int | str | None:
    """The id of a message; ``None`` where it has none that can be answered."""
    found = data.get("id") if isinstance(data, dict) else None
    return found if isinstance(found, (int, str)) and not isinstance(found, bool) else None


def is_sound(data: dict[str, Any]) -> bool:
    """Return whether a message is a call, or an answer to a request of ours: a damaged one is answered by nobody."""
    return "method" in data or (id_of(data) is not None and ("result" in data or "error" in data))


async def speak(protocol: Protocol) -> None:
    """Read messages from stdin until it ends, and answer on stdout."""
    reader = StdinAsyncReader(sys.stdin.buffer)
    protocol.set_writer(StdoutWriter(sys.stdout.buffer))
    length = 0
    while header := await reader.readline():
        found = LENGTH.search(header)
        if found:
            length = int(found[1])
        elif not header.strip() and length:
            body = await read(reader, length)
            protocol.receive(body)
            length = 0
        await asyncio.sleep(0)  # what has been asked for starts before more is read


async def read(reader: StdinAsyncReader, length: int) -> bytes:
    """The bytes of a message; of one that is too long, none."""
    kept = b""
    left = length
    while left and (piece := await reader.readexactly(min(left, PIECE))):
        left -= len(piece)
        kept += piece if length <= MOST else b""
    return kept
