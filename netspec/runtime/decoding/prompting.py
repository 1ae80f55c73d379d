"""A prompt as a decoder takes it: as the words that it goes on from, or as the text that it answers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from netspec.diagnostics import UsageError
from netspec.runtime.decoding.decoder import WordDecoder


def prompted(decoder: WordDecoder, numbers: Sequence[int], begin: int | None) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the words to go on from, int64 (T), and the inputs beside them, for a prompt by the numbers of its words.

    A network that reads a text and answers it takes the prompt as that; its answer goes on from the word ``begin``.
    Raises ``UsageError`` where it takes anything else, or no word begins an answer.
    """
    given = torch.tensor([*numbers], dtype=torch.int64)
    if decoder.form.begin is None:
        return given, {}
    inputs = decoder.form.begin.inputs
    texts = [name for name, value in inputs.items() if "int" in value.tensor.dtype and len(value.shape) == 2]
    if len(inputs) > 1 or not texts:
        other = next((name for name in inputs if name not in texts[:1]), "")
        raise UsageError(f"the network takes `{other}`, too, which no prompt gives: use `model.generate` with `inputs`")
    if begin is None:
        raise UsageError(
            "the network answers a text, and nothing says which word an answer begins with: the folder of the "
            "tokenizer has no config.json with a `decoder_start_token_id`"
        )
    return torch.tensor([begin]), {texts[0]: given[None]}
