"""The choice of the next word from scores: the likeliest, by chance, or by beams."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from netspec.diagnostics import UsageError
from netspec.runtime.decoding.decoder import DecoderState, WordDecoder

COLDEST = 1e-30
"""The lowest temperature that float32 divides by; the likeliest word is drawn far above it."""


@dataclass(frozen=True)
class Choosing:
    """The way that words are chosen: at most ``most`` of them, up to one of ``ends``; only the first ``words`` of the
    numbers that the network has scores for stand for one, by default all.

    With a ``temperature`` they are drawn by chance, which depends on ``seed`` alone: scores are divided by it, then
    only the ``top_k`` likeliest stay, then the likeliest that ``top_p`` of the probability is for. Without one, each is
    the likeliest, or with ``beams`` the text is the likeliest of so many that are followed, by the mean of its words'
    logarithms. Both are as in Hugging Face's ``generate``.
    """

    most: int = 100
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    beams: int = 1
    seed: int = 0
    ends: tuple[int, ...] = ()
    words: int | None = None

    def __post_init__(self) -> None:
        bounds: Mapping[str, bool] = {
            "max must be 1 or more": self.most < 1,
            "temperature must be a number above 0": self.temperature is not None
            and not 0 < self.temperature < math.inf,
            "top_k must be 1 or more": self.top_k is not None and self.top_k < 1,
            "top_p must be above 0, and at most 1": self.top_p is not None and not 0 < self.top_p <= 1,
            "beams must be 1 or more": self.beams < 1,
            "seed must have 64 bits at most": not -(2**63) <= self.seed < 2**64,
            "beams are followed without chance: leave temperature, top_k and top_p out": self.beams > 1 and self.draws,
        }
        for text, wrong in bounds.items():
            if wrong:
                raise UsageError(text)

    @property
    def draws(self) -> bool:
        """Return whether words are drawn by chance."""
        return any(each is not None for each in (self.temperature, self.top_k, self.top_p))


def generate(
    decoder: WordDecoder, prompt: Tensor, choosing: Choosing, inputs: Mapping[str, Tensor] | None = None
) -> Iterator[int]:
    """Yield the numbers of words that go on from a prompt, int64 (T), of one word at least, as they are chosen.

    With beams all come at the end. ``inputs`` are the network's inputs beside the words, of one row. No more words come
    than the network has positions for; one of ``ends`` is the last.
    """
    if not len(prompt):
        raise UsageError("there is no word to go on from: give a prompt")
    if len(prompt) > decoder.most:
        raise UsageError(f"the prompt has {len(prompt)} words, but the network reads at most {decoder.most}")
    beyond = [int(number) for number in prompt if not 0 <= number < decoder.known]
    if beyond:
        raise UsageError(
            f"the network knows the words 0 to {decoder.known - 1}, and the prompt has {beyond[0]}: is it another "
            "network's tokenizer?"
        )
    scores, progress = decoder.read(decoder.start(1, inputs), prompt[None])
    most = min(choosing.most, decoder.most - len(prompt) + 1)
    if choosing.beams > 1:
        yield from _by_beams(decoder, scores[:, -1], progress, choosing, most)
        return
    choose = _chooser(choosing)
    for count in range(most):
        word = choose(scores[0, -1, : choosing.words].cpu())
        yield word
        if word in choosing.ends or count + 1 == most:
            return
        scores, progress = decoder.read(progress, torch.tensor([[word]]))


def _chooser(choosing: Choosing) -> Callable[[Tensor], int]:
    """Return what chooses a word by the scores of all, float32 (words)."""
    if not choosing.draws:
        return lambda scores: int(scores.argmax())
    generator = torch.Generator().manual_seed(choosing.seed)
    return lambda scores: int(torch.multinomial(probabilities(scores, choosing), 1, generator=generator))


def probabilities(scores: Tensor, choosing: Choosing) -> Tensor:
    """Return the probabilities by which a word is drawn, float32 (words)."""
    temperature = max(choosing.temperature or 1.0, COLDEST)
    scores = (scores - scores.max()) / temperature  # the largest is 0, so that nothing overflows
    if choosing.top_k is not None:
        least = scores.topk(min(choosing.top_k, len(scores))).values[-1]
        scores = scores.masked_fill(scores < least, -torch.inf)
    if choosing.top_p is not None and choosing.top_p < 1:
        order = scores.argsort(stable=True)
        unlikely = scores[order].softmax(-1).cumsum(-1) <= 1 - choosing.top_p
        unlikely[-1] = False
        scores = scores.masked_fill(torch.zeros_like(unlikely).scatter(0, order, unlikely), -torch.inf)
    return scores.softmax(-1)


def _by_beams(
    decoder: WordDecoder, scores: Tensor, progress: DecoderState, choosing: Choosing, most: int
) -> tuple[int, ...]:
    """Return the words of the best of several texts that are followed at once; ``scores`` are those behind the prompt.

    A text that has ended counts by the mean of its words' logarithms; the search ends when no other can be better.
    """
    width = choosing.beams
    keep = max(2, 1 + len(choosing.ends)) * width
    beams: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    ended: list[tuple[float, tuple[int, ...]]] = []
    for length in range(1, most + 1):
        logs = scores[:, : choosing.words].log_softmax(-1).cpu() + torch.tensor([score for score, _ in beams])[:, None]
        best = logs.flatten().topk(min(keep, logs.numel()))
        found = [(score, *divmod(at, logs.shape[1])) for score, at in zip(best.values.tolist(), best.indices.tolist())]
        last = length == most
        stops = [last or word in choosing.ends for _, _, word in found]
        for (score, row, word), stop in list(zip(found, stops))[:width]:
            if stop:
                ended.append((score / length, (*beams[row][1], word)))
        ended = sorted(ended, key=lambda each: -each[0])[:width]
        going = [each for each, stop in zip(found, stops) if not stop][:width]
        if last or not going or (len(ended) == width and going[0][0] / length <= ended[-1][0]):
            break
        beams = [(score, (*beams[row][1], word)) for score, row, word in going]
        progress = decoder.chosen(progress, [row for _, row, _ in going])
        words = torch.tensor([[word] for _, _, word in going])
        scores, progress = decoder.read(progress, words)
        scores = scores[:, -1]
    return ended[0][1]
