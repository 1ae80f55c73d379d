"""Texts that a trained network writes, word by word, from its cached form."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from netspec.diagnostics import UsageError
from netspec.runtime.decoding.decoder import WordDecoder
from netspec.train.data.meaning import by_character
from netspec.train.predict.answers import BEGIN, END, Predictor
from netspec.train.predict.trained_run import TrainedRun


class Writer:
    """Writes texts by a trained run, on ``torch`` or on ``onnx``, with the words that it was trained on.

    A network that continues texts goes on from the prompt; one that translates reads it. Raises ``UsageError`` for a
    run of another kind of network.
    """

    def __init__(self, run: TrainedRun, runtime: str = "torch", warn: Callable[[str], None] = print):
        self.predictor = predictor = Predictor(run, warn=warn)
        if predictor.shifted is None or predictor.text is None:
            raise UsageError(f"{run.folder.path} is no run of a network that writes texts: `netspec predict` asks it")
        made = WordDecoder.on_onnx if runtime == "onnx" else WordDecoder.on_torch
        self.decoder = made(run.graph, predictor.module)
        self.continues = predictor.text == predictor.shifted
        self.words: Sequence[str] = predictor.words[predictor.target]
        self.ends = tuple(number for number, word in enumerate(self.words) if word == END)

    def prompted(self, prompt: str) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the words to go on from, int64 (T), and the inputs beside them, for a prompt.

        Raises ``UsageError`` for words that no network without one for unknown ones can read.
        """
        numbers = torch.tensor(self.predictor.reader.numbers(prompt), dtype=torch.int64)
        if self.continues:
            return numbers, {}
        assert self.predictor.shifted is not None
        begin = torch.tensor([self.predictor.words[self.predictor.shifted].index(BEGIN)])
        return begin, self.inputs(numbers)

    def inputs(self, numbers: Tensor) -> dict[str, Tensor]:
        """Return the inputs beside the words that are written: the text that is read, as long as it is."""
        bound = self.predictor.bound
        return {name: numbers[None] for name, column in bound.items() if column == self.predictor.text}

    def text(self, numbers: Sequence[int]) -> str:
        """Return the text of words by their numbers, up to the word that ends it."""
        words = [self.words[number] for number in numbers if number not in self.ends]
        return ("" if by_character(self.words) else " ").join(words)
