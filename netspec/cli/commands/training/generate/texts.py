"""The text of ``netspec generate``, printed as it is written."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from netspec.cli.output import warn
from netspec.diagnostics import UsageError
from netspec.runtime.decoding.choosing import Choosing, generate
from netspec.runtime.decoding.decoder import WordDecoder
from netspec.sources.run_folders import names_run
from netspec.text.quoting import visible


@dataclass(frozen=True, slots=True)
class TextToWrite:
    """Words that are to be written: the network, the prompt and what it reads beside, and what spells the words."""

    decoder: WordDecoder
    prompt: Tensor
    inputs: dict[str, Tensor]
    choosing: Choosing
    spell: Callable[[Sequence[int]], str]

    def words(self) -> Iterator[int]:
        """Yield the numbers of the words as they are written."""
        return generate(self.decoder, self.prompt, self.choosing, self.inputs)

    @property
    def room(self) -> int:
        """The most words that the network has positions for, behind the prompt."""
        return self.decoder.most - len(self.prompt) + 1


def write_text(options: Namespace) -> None:
    """Print the words as they come; those that only later ones complete wait for these."""
    writing = _writing(options)
    written: list[int] = []
    printed = ""
    for number in writing.words():
        written.append(number)
        text = writing.spell(written)
        if text.startswith(printed) and not text.endswith("\N{REPLACEMENT CHARACTER}"):
            sys.stdout.write(text[len(printed) :])
            sys.stdout.flush()
            printed = text
    print(writing.spell(written)[len(printed) :], flush=True)
    if len(written) == writing.room < options.max and written[-1] not in writing.choosing.ends:
        why = f"the network has {writing.decoder.most:,} positions, the prompt included"
        warn(f"the text ends after {len(written):,} of {options.max:,}: {why}")


def _writing(options: Namespace) -> TextToWrite:
    """Return the words that the options ask for."""
    if names_run(options.run):
        return _of_run(options)
    tokenizer = options.tokenizer or _tokenizer_beside(options.weights)
    if tokenizer is not None:
        return _of_spec(options, Path(tokenizer))
    if Path(options.run).is_dir():
        return _of_run(options)
    raise UsageError(
        f"{options.run} is no run's folder; a spec writes with --weights and --tokenizer, or with --weights of a "
        "folder that has a tokenizer.json"
    )


def _tokenizer_beside(weights: str | None) -> Path | None:
    """Return the tokenizer's file in the folder of the weights, as Hugging Face lays one out."""
    file = Path(weights or "").expanduser() / "tokenizer.json"
    return file if weights and file.is_file() else None


def _of_run(options: Namespace) -> TextToWrite:
    """Return the words that a run's network writes."""
    from netspec.cli.given_weights import give_weights
    from netspec.train.predict.trained_run import TrainedRun
    from netspec.train.predict.writing import Writer

    if options.tokenizer is not None or options.set:
        raise UsageError("a run has its own words and parameters: leave --tokenizer and --set out")
    runs = TrainedRun.find(options.run, warn=warn)
    if len(runs) > 1:
        raise UsageError(f"{options.run} has a network for each fold: choose one, such as {options.run}/fold-1")
    give_weights(runs, options)
    writer = Writer(runs[0], options.runtime, warn)
    return TextToWrite(
        writer.decoder,
        *writer.prompted(options.prompt),
        _choosing(options, writer.ends, len(writer.words)),
        writer.text,
    )


def _of_spec(options: Namespace, file: Path) -> TextToWrite:
    """Return the words that the network of a spec writes with given weights, and the tokenizer in a file."""
    from netspec.cli.given_weights import GivenWeights
    from netspec.cli.option_values import overrides_of, weights_of
    from netspec.pipeline import compile_spec
    from netspec.runtime.decoding.prompting import prompted
    from netspec.runtime.decoding.tokenizer import TokenizerFile
    from netspec.runtime.module import build_module

    source = weights_of(options)
    if source is None:
        raise UsageError("a spec has no trained weights: name some with --weights")
    tokenizer = TokenizerFile(file)
    graph = compile_spec(options.run, overrides=overrides_of(options))
    module = build_module(graph)
    GivenWeights(graph, source).fill(module, complete=True)
    decoder = (WordDecoder.on_onnx if options.runtime == "onnx" else WordDecoder.on_torch)(graph, module)
    prompt, inputs = prompted(decoder, tokenizer.numbers(options.prompt), tokenizer.begin)
    if unknown := tokenizer.unknown(options.prompt):
        listed = ", ".join(f"`{visible(each)}`" for each in dict.fromkeys(unknown))
        warn(f"the tokenizer has no word for {len(unknown):,} parts of the prompt, which are read as unknown: {listed}")
    return TextToWrite(decoder, prompt, inputs, _choosing(options, tokenizer.ends), tokenizer.text)


def _choosing(options: Namespace, ends: tuple[int, ...], words: int | None = None) -> Choosing:
    """Return the way that words are chosen."""
    return Choosing(
        most=options.max,
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        beams=options.beams,
        seed=options.seed,
        ends=ends,
        words=words,
    )
