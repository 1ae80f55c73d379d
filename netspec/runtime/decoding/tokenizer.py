"""Words as Hugging Face's tokenizers number them, from a ``tokenizer.json``, and the settings that lie beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from netspec.diagnostics import EnvironmentFault, UsageError

ENDS = ("<|endoftext|>", "</s>", "<|end_of_text|>", "<|eot_id|>", "<eos>")
"""Words that end a text in the vocabularies of language models."""
SETTINGS = ("config.json", "generation_config.json")
WORDS = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
"""The settings that number the words with a part to play."""


class TokenizerFile:
    """A tokenizer's file. ``ends`` are the numbers of the words that end a text, ``begin`` is that of the word that an
    answer to a text begins with, if there is one: as the settings in its folder say, else as such words are called.

    Raises ``EnvironmentFault`` where the package ``tokenizers`` is not installed or the file cannot be read.
    """

    def __init__(self, path: Path):
        try:
            from tokenizers import Tokenizer
        except ModuleNotFoundError:
            raise EnvironmentFault("a tokenizer's file needs tokenizers: `pip install 'netspec[generate]'`") from None
        if not path.is_file():
            raise UsageError(f"there is no file {path}")
        try:
            self.tokenizer = Tokenizer.from_file(str(path))
        except Exception as reason:  # tokenizers raises nothing more telling
            raise EnvironmentFault(f"cannot read {path} as a tokenizer's file: {reason}") from None
        said = word_settings(path.parent)
        ends = said.get("eos_token_id", [self.tokenizer.token_to_id(word) for word in ENDS])
        self.ends = tuple(number for number in (ends if isinstance(ends, list) else [ends]) if _is_number(number))
        begin = said.get("decoder_start_token_id", self.tokenizer.token_to_id("<pad>"))
        self.begin: int | None = begin if _is_number(begin) else None

    def numbers(self, text: str) -> list[int]:
        """Return the words of a text by their numbers. Raises ``UsageError`` where the tokenizer does not know one."""
        try:
            numbers: list[int] = self.tokenizer.encode(text).ids
        except Exception as reason:  # tokenizers raises nothing more telling
            raise UsageError(f"the tokenizer cannot read the prompt: {reason}") from None
        return numbers

    def unknown(self, text: str) -> list[str]:
        """Return the parts of a text that the tokenizer has no word for but that of unknown ones."""
        encoded = self.tokenizer.encode(text)
        number = self.tokenizer.token_to_id(getattr(self.tokenizer.model, "unk_token", None) or "<unk>")
        return [text[start:end] for one, (start, end) in zip(encoded.ids, encoded.offsets) if one == number]

    def text(self, numbers: Sequence[int]) -> str:
        """Return the text of words by their numbers, without those that end it."""
        text: str = self.tokenizer.decode([number for number in numbers if number not in self.ends])
        return text


def word_settings(folder: Path) -> dict[str, Any]:
    """Return the numbers of the words that begin, end and fill a text, as a folder of Hugging Face's says them."""
    found: dict[str, Any] = {}
    for name in SETTINGS:
        found.update({key: value for key, value in _held(folder / name).items() if key in WORDS and value is not None})
    return found


def _held(path: Path) -> Mapping[str, Any]:
    """The settings in a file of JSON; none where there is no such file, or it holds something else."""
    try:
        held = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return held if isinstance(held, dict) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
