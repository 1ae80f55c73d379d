"""The language server itself, on pygls: it keeps the documents, and puts into the protocol's words what they say.

Only this module knows pygls. The protocol counts lines from 0 and columns in UTF-16 code units (or what else the
client asks for); everything else here counts both from 1, in characters.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path, to_fs_path
from pygls.workspace import PositionCodec, TextDocument

from netspec import library, zoo
from netspec.diagnostics import Diagnostic, Span, UsageError
from netspec.diagnostics.text import plain_text
from netspec.lsp.completion import Item, complete
from netspec.lsp.definition import definition
from netspec.lsp.document import Document, analyse, analyse_file
from netspec.lsp.extras.pages import diagram, explorer, summary
from netspec.lsp.extras.repairs import repairs
from netspec.lsp.hints import hints
from netspec.lsp.hover import hover
from netspec.lsp.messages import Protocol, speak
from netspec.lsp.words import is_of_others, word_before
from netspec.version import __version__

Made = TypeVar("Made")

PAUSE = 0.15
"""Seconds without a keystroke before a document is checked."""

KINDS = {
    "op": types.CompletionItemKind.Function,
    "block": types.CompletionItemKind.Class,
    "structure": types.CompletionItemKind.Keyword,
    "argument": types.CompletionItemKind.Property,
    "reference": types.CompletionItemKind.Variable,
    "parameter": types.CompletionItemKind.Constant,
    "function": types.CompletionItemKind.Function,
    "word": types.CompletionItemKind.EnumMember,
    "network": types.CompletionItemKind.Module,
}


class NetspecServer(LanguageServer):
    """The documents that are open, each with its last analysis."""

    def __init__(self) -> None:
        # Whole texts: pygls splits lines at characters that the protocol does not count as line breaks.
        super().__init__(
            "netspec", __version__, text_document_sync_kind=types.TextDocumentSyncKind.Full, protocol_cls=Protocol
        )
        self.analysed: dict[str, Document] = {}
        self.pending: dict[str, asyncio.Task[None]] = {}
        self.snippets = False
        self.refreshes = False

    @property
    def codec(self) -> PositionCodec:
        return self.workspace.position_codec

    def open(self, uri: str) -> TextDocument | None:
        """A spec that the client has opened: nothing is read from the disk, and no other YAML is looked at."""
        found: TextDocument | None = self.workspace.text_documents.get(unquote(uri))
        if found is None or is_of_others(found.uri, found.language_id or "", found.source):
            return None
        return found

    def text(self, uri: str) -> str:
        found = self.open(uri)
        return found.source if found is not None else ""

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Tell of a bug in a line; a request that met one has its answer, as has one with wrong parameters."""
        if isinstance(error, JsonRpcException):
            return
        print(f"netspec: a bug of netspec: {type(error).__name__}: {error}", file=sys.stderr)

    def schedule(self, uri: str, pause: float) -> None:
        """Check a document soon; a newer text replaces the wait for an older one."""
        waiting = self.pending.pop(uri, None)
        if waiting is not None:
            waiting.cancel()
        self.pending[uri] = asyncio.get_running_loop().create_task(self._check(uri, pause))

    async def _check(self, uri: str, pause: float) -> None:
        await asyncio.sleep(pause)
        document = self.open(uri)
        if document is None:
            return
        text, version = document.source, document.version
        before = self.analysed.get(uri)
        made = await self.aside(analyse, _name(uri), text, before)
        self.analysed[uri] = made
        self.pending.pop(uri, None)
        found = [self.diagnostic(made, each) for each in made.diagnostics]
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, found, version))
        if self.refreshes:
            with contextlib.suppress(Exception):  # a client that has gone needs no hints
                await self.workspace_inlay_hint_refresh_async(None)

    async def current(self, uri: str) -> Document | None:
        """The analysis of the text as it stands, once it is done; ``None`` where the document is not open."""
        waiting = self.pending.get(uri)
        if waiting is not None and uri not in self.analysed:
            await asyncio.wait([waiting])
        if self.open(uri) is None:
            return None
        found = self.analysed.get(uri)
        text = self.text(uri)
        if found is None or (found.source.text != text.removeprefix("\ufeff") and waiting is None):
            found = self.analysed[uri] = analyse(_name(uri), text, found)
        return found

    async def aside(self, make: Callable[..., Made], *arguments: Any) -> Made:
        """Make something in another thread, so that what is asked for meanwhile is answered."""
        return await asyncio.get_running_loop().run_in_executor(None, make, *arguments)

    def close(self, uri: str) -> None:
        waiting = self.pending.pop(uri, None)
        if waiting is not None:
            waiting.cancel()
        self.analysed.pop(uri, None)
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    def place(self, uri: str, position: types.Position) -> tuple[int, int]:
        """A client's position as line and column from 1, in characters."""
        line = _line(self.text(uri), position.line)
        return position.line + 1, self._characters(line, position.character) + 1

    def _characters(self, line: str, units: int) -> int:
        """Return the number of characters that a number of the client's code units make."""
        taken = 0
        for index, char in enumerate(line):
            if taken >= units:
                return index
            taken += self.codec.client_num_units(char)
        return len(line)

    def position(self, lines: list[str], line: int, column: int) -> types.Position:
        """A place counted from 1 as a client's position."""
        text = lines[line - 1].rstrip("\r") if 0 < line <= len(lines) else ""
        return types.Position(line - 1, self.codec.client_num_units(text[: column - 1]))

    def range(self, span: Span) -> types.Range:
        lines = span.source.lines
        start = self.position(lines, span.line, span.column)
        return types.Range(start, self.position(lines, span.end_line, span.end_column))

    def location(self, uri: str, document: Document, span: Span) -> types.Location:
        """Return where a span is: in the document, or in a file that it leads to."""
        if span.source.name != document.source.name:
            ours = library.READ.get(span.source) or zoo.READ.get(span.source)
            path = ours or Path(span.source.name).resolve()
            uri = from_fs_path(str(path)) or uri
        return types.Location(uri, self.range(span))

    def diagnostic(self, document: Document, found: Diagnostic) -> types.Diagnostic:
        """A fault in the protocol's words; one in another file stands at the top of this one."""
        here = found.primary.span.source.name == document.source.name
        at = self.range(found.primary.span) if here else types.Range(types.Position(0, 0), types.Position(0, 0))
        labels = found.secondary if here else (found.primary, *found.secondary)
        uri = from_fs_path(document.source.name) or document.source.name
        related = [
            types.DiagnosticRelatedInformation(self.location(uri, document, label.span), label.text or "here")
            for label in labels
        ]
        severity = types.DiagnosticSeverity.Error if found.severity == "error" else types.DiagnosticSeverity.Warning
        tags = [types.DiagnosticTag.Unnecessary] if found.id.startswith("unused-") else None
        return types.Diagnostic(at, plain_text(found), severity, found.id, None, "netspec", tags, related or None)


def _name(uri: str) -> str:
    return to_fs_path(uri) or uri


def _line(text: str, number: int) -> str:
    lines = text.split("\n")
    return lines[number].rstrip("\r") if 0 <= number < len(lines) else ""


def make_server() -> NetspecServer:
    """Return the server with everything that it answers."""
    server = NetspecServer()
    _follow_documents(server)
    _complete_words(server)
    _explain_words(server)
    _mend_words(server)
    _show_pages(server)
    return server


def _follow_documents(server: NetspecServer) -> None:
    """Have the server keep up with the client's documents."""

    @server.feature(types.INITIALIZED)
    def initialized(_: types.InitializedParams) -> None:
        offered = server.client_capabilities
        document, workspace = offered.text_document, offered.workspace
        item = document.completion.completion_item if document and document.completion else None
        server.snippets = bool(item and item.snippet_support)
        server.refreshes = bool(workspace and workspace.inlay_hint and workspace.inlay_hint.refresh_support)

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    async def opened(params: types.DidOpenTextDocumentParams) -> None:
        server.schedule(params.text_document.uri, 0)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(params: types.DidChangeTextDocumentParams) -> None:
        uri = params.text_document.uri
        if server.open(uri) is not None:
            server.schedule(uri, PAUSE)
        elif uri in server.analysed:  # it has become something else
            server.close(uri)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    async def saved(params: types.DidSaveTextDocumentParams) -> None:
        for uri in list(server.analysed):  # what imports the saved file too
            server.schedule(uri, 0)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseTextDocumentParams) -> None:
        server.close(params.text_document.uri)


def _complete_words(server: NetspecServer) -> None:
    """Have the server offer what may stand at the cursor."""

    @server.feature(
        types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=["-", " ", "{", "[", "$", ":"])
    )
    async def completion(params: types.CompletionParams) -> types.CompletionList:
        uri = params.text_document.uri
        document, text = await server.current(uri), server.text(uri)
        if document is None:
            return types.CompletionList(False, [])
        line, column = server.place(uri, params.position)
        found = complete(document, text, line, column)
        written = _written(server, text, params.position, line, column)
        return types.CompletionList(
            False, [_item(item, number, written, server.snippets) for number, item in enumerate(found)]
        )


def _explain_words(server: NetspecServer) -> None:
    """Have the server answer for words and lines: what they mean, where they are declared, which shapes they give."""

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def hovered(params: types.HoverParams) -> types.Hover | None:
        uri = params.text_document.uri
        document = await server.current(uri)
        found = hover(document, *server.place(uri, params.position)) if document is not None else None
        return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, found)) if found else None

    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    async def defined(params: types.DefinitionParams) -> types.Location | None:
        uri = params.text_document.uri
        document = await server.current(uri)
        found = definition(document, *server.place(uri, params.position)) if document is not None else None
        return server.location(uri, document, found) if document is not None and found is not None else None

    @server.feature(types.TEXT_DOCUMENT_INLAY_HINT)
    async def hinted(params: types.InlayHintParams) -> list[types.InlayHint]:
        document = await server.current(params.text_document.uri)
        if document is None:
            return []
        lines = document.source.lines
        found = hints(document, params.range.start.line + 1, params.range.end.line + 1)
        return [
            types.InlayHint(server.position(lines, line, len(lines[line - 1]) + 1), text, padding_left=True)
            for line, text in found
        ]


def _mend_words(server: NetspecServer) -> None:
    """Have the server offer the words that its messages name in the place of wrong ones."""

    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix])
    )
    async def mended(params: types.CodeActionParams) -> list[types.CodeAction]:
        uri = params.text_document.uri
        document = await server.current(uri)
        if document is None or document.source.text != server.text(uri).removeprefix("\ufeff"):
            return []
        found = repairs(document, params.range.start.line + 1, params.range.end.line + 1)
        return [
            types.CodeAction(
                f"Change to `{each.word}`",
                types.CodeActionKind.QuickFix,
                [server.diagnostic(document, each.of)],
                is_preferred=True,
                edit=types.WorkspaceEdit({uri: [types.TextEdit(server.range(each.span), each.word)]}),
            )
            for each in found
        ]


def _show_pages(server: NetspecServer) -> None:
    """Have the server answer what netspec's own extensions of editors ask: pages beside the text, and checks of files.

    A ``document`` in their parameters is a URI; ``variant`` and ``shown`` may be null.
    """

    @server.feature("netspec/summary")
    async def summed(params: Any) -> dict[str, Any] | None:
        document = await server.current(_text_of(params, "document"))
        return summary(document, _may_be_text(params, "variant")) if document is not None else None

    @server.feature("netspec/explorer")
    async def explored(params: Any) -> dict[str, Any] | None:
        document = await server.current(_text_of(params, "document"))
        variant, shown = _may_be_text(params, "variant"), _may_be_text(params, "shown")
        return await server.aside(explorer, document, variant, shown) if document is not None else None

    @server.feature("netspec/diagram")
    async def drew(params: Any) -> dict[str, Any] | None:
        document = await server.current(_text_of(params, "document"))
        variant = _may_be_text(params, "variant")
        return await server.aside(diagram, document, variant) if document is not None else None

    @server.feature("netspec/check")
    async def checked(params: Any) -> list[types.Diagnostic]:
        """Check a file as it was saved, whether it is open or not."""
        try:
            document = await server.aside(analyse_file, Path(_name(_text_of(params, "document"))))
        except UsageError as fault:
            raise JsonRpcInvalidParams(str(fault)) from None
        return [server.diagnostic(document, each) for each in document.diagnostics]


def _text_of(params: Any, key: str) -> str:
    found = _may_be_text(params, key)
    if found is None:
        raise JsonRpcInvalidParams(f"`{key}` is a text")
    return found


def _may_be_text(params: Any, key: str) -> str | None:
    found = getattr(params, key, None)
    if found is not None and not isinstance(found, str):
        raise JsonRpcInvalidParams(f"`{key}` is a text")
    return found


def _written(server: NetspecServer, text: str, position: types.Position, line: int, column: int) -> types.Range:
    """The part of the word that is there already, which the chosen one replaces."""
    word = word_before(_line(text, line - 1), column - 1)
    return types.Range(server.position(text.split("\n"), line, column - len(word)), position)


def _item(item: Item, number: int, written: types.Range, snippets: bool) -> types.CompletionItem:
    plain = item.insert.split("$0")[0].split(" {")[0] if "$" in item.insert else item.insert
    new = item.insert if snippets else plain.replace("\\$", "$").replace("($0)", "(")
    return types.CompletionItem(
        label=item.label,
        kind=KINDS[item.kind],
        detail=item.detail or None,
        documentation=types.MarkupContent(types.MarkupKind.Markdown, item.documentation)
        if item.documentation
        else None,
        sort_text=f"{number:04}",
        text_edit=types.TextEdit(written, new),
        insert_text_format=types.InsertTextFormat.Snippet if snippets else types.InsertTextFormat.PlainText,
    )


def serve() -> None:
    """Speak the protocol over stdin and stdout until the client says goodbye."""
    server = make_server()
    protocol = server.protocol
    assert isinstance(protocol, Protocol)
    try:
        with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):  # the client has gone
            asyncio.run(speak(protocol))
    finally:
        server.shutdown()  # type: ignore[no-untyped-call]
