"""Go to definition: from a block's name, a reference or a parameter to where it is declared."""

from __future__ import annotations

from netspec.diagnostics import Span
from netspec.lsp.document import Document
from netspec.lsp.mention import Mention
from netspec.lsp.networks import imported_file, other_network
from netspec.lsp.words import word_at


def definition(document: Document, line: int, column: int) -> Span | None:
    """Return where the word at a place (counted from 1) is declared; ``None`` where it is not."""
    mention = document.outline.at(line, column) if document.read else None
    if mention is None:
        return None
    outline = document.outline
    match mention.role:
        case "step":
            if mention.word.startswith("$"):
                return mention.scope.value(mention.word[1:])
            return document.blocks[mention.word].span if mention.word in document.blocks else None
        case "argument":
            block = document.blocks.get(mention.owner)
            return block.params[mention.word][0] if block and mention.word in block.params else None
        case "reference":
            return mention.scope.at(mention.word)
        case "network":
            other = other_network(document.source, mention.word, outline.networks)
            return None if other is None else other.span
        case "file":
            return imported_file(document.source, mention.word)
        case "variant" | "inner":
            return _in_network(document, mention)
        case "parameter" if mention.owner:
            return _in_network(document, mention)
        case "parameter":
            return outline.params[mention.word][0] if mention.word in outline.params else None
        case "expression" | "definition":
            return _of_word(document, mention, line, column)
    return None


def _in_network(document: Document, mention: Mention) -> Span | None:
    """A variant, a parameter, a step or an output of another network."""
    other = other_network(document.source, mention.owner, document.outline.networks)
    if other is None:
        return None
    inside, word = other.outline, mention.word
    if mention.role == "variant":
        return inside.variants.get(word)
    if mention.role == "parameter":
        return inside.params[word][0] if word in inside.params else None
    return other.place(word)


def _of_word(document: Document, mention: Mention, line: int, column: int) -> Span | None:
    """A parameter, index or list in an expression; in a text that holds a block's name, the block."""
    if mention.span.line != line:
        return None
    text = document.source.line(line)
    word = word_at(text, column - 1)
    if word is None:
        return None
    found = mention.scope.value(word)
    if found is not None or mention.role == "definition":
        return found
    block = document.blocks.get(word)
    return block.span if block is not None else None
