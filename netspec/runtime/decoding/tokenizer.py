"""Words as Hugging Face's tokenizers number them, from a ``tokenizer.json``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from netspec.diagnostics import EnvironmentFault, UsageError

ENDS = ("<|endoftext|>", "</s>", "<|end_of_text|>", "<|eot_id|>", "<eos>")
"""Words that end a text in the vocabularies of language models."""


class TokenizerFile:
    """A tokenizer's file. ``ends`` are the numbers of the words that end a text.

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
        found = (self.tokenizer.token_to_id(word) for word in ENDS)
        self.ends = tuple(number for number in found if number is not None)

    def numbers(self, text: str) -> list[int]:
        """Return the words of a text by their numbers. Raises ``UsageError`` where the tokenizer does not know one."""
        try:
            numbers: list[int] = self.tokenizer.encode(text).ids
        except Exception as reason:  # tokenizers raises nothing more telling
            raise UsageError(f"the tokenizer cannot read the prompt: {reason}") from None
        return numbers

    def text(self, numbers: Sequence[int]) -> str:
        """Return the text of words by their numbers, without those that end it."""
        text: str = self.tokenizer.decode([number for number in numbers if number not in self.ends])
        return text
