"""Trains every network of the zoo that is promised to learn, and holds what it reaches against the promise.

python examples/trains.py                 all of them, about ten minutes of one core
python examples/trains.py lenet xor       some of them
python examples/trains.py --quick         the long ones on fewer epochs, with lower bands: what the tests do
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from netspec.graph import Graph
from netspec.pipeline import compile_spec, read_value
from netspec.train.data import Data
from netspec.train.job import Scores, average
from netspec.train.reading import read_data, recipe_of
from netspec.train.run import Result, Run
from netspec.train.setup import Setup, chosen_device
from netspec.train.store.folder import RunFolder

HERE = Path(__file__).parent
SHARES = ("accuracy", "exact_match")
"""Measures that are told in percent."""


@dataclass(frozen=True, slots=True)
class Band:
    """Where a measure is to end: ``test accuracy``, ``train loss``, the ``epochs`` it took, ``error of weights``."""

    measure: str
    least: float | None = None
    most: float | None = None

    def holds(self, value: float) -> bool:
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def promise(self) -> str:
        bounds = {"≥": self.least, "≤": self.most}
        return " ".join([self.measure, *(f"{sign} {self.text(at)}" for sign, at in bounds.items() if at is not None)])

    def text(self, value: float) -> str:
        return f"{round(100 * value, 1):g} %" if self.measure.endswith(SHARES) else f"{value:.3g}"


@dataclass(frozen=True, slots=True)
class Promise:
    """A network and what it is to reach; ``values`` are set on its spec, as ``netspec train --set`` does.

    ``how`` says in a word what is set; ``weights`` are those that the network is to find. ``quick`` are values and
    bands for those who cannot wait.
    """

    network: str
    bands: tuple[Band, ...]
    values: Mapping[str, str] = field(default_factory=dict)
    how: str = ""
    weights: tuple[float, ...] = ()
    quick: tuple[Mapping[str, str], tuple[Band, ...]] | None = None

    def shortened(self) -> Promise:
        """The promise for those who cannot wait."""
        if self.quick is None:
            return self
        values, bands = self.quick
        return replace(self, values={**self.values, **values}, bands=bands)

    @property
    def label(self) -> str:
        return f"{self.network} {self.how}".strip()

    @property
    def graph(self) -> Graph:
        file = HERE / f"{self.network}.yaml"
        overrides = {key: read_value(key, text) for key, text in self.values.items()}
        return compile_spec(file if file.is_file() else self.network, overrides=overrides)


def least(measure: str, bound: float) -> tuple[Band, ...]:
    return (Band(measure, least=bound),)


def most(measure: str, bound: float) -> tuple[Band, ...]:
    return (Band(measure, most=bound),)


XOR = {"train.data": "{logic: xor}"}
DECAY = {"train.weight_decay": "0.01"}
STOPPING = {"train.epochs": "60", "train.early_stopping": "{patience: 3, metric: loss}"}
ONE_EPOCH = {"train.epochs": "1"}
THREE_EPOCHS = {"train.epochs": "3"}

PROMISES: Mapping[str, tuple[Promise, ...]] = {
    "Convolution": (
        Promise("edge_detector", most("error of weights", 0.01), weights=(1, -1)),
        Promise("lenet", least("test accuracy", 0.85)),
        Promise("lenet_modern", (Band("test accuracy", least=0.95), Band("seconds", most=30))),
        Promise("lenet_batch_norm", least("test accuracy", 0.95)),
        Promise("plain20", least("train accuracy", 0.98), quick=(THREE_EPOCHS, least("train accuracy", 0.45))),
        Promise("plain56", most("train accuracy", 0.85), quick=(THREE_EPOCHS, most("train accuracy", 0.35))),
        Promise("resnet20", least("train accuracy", 0.99), quick=(THREE_EPOCHS, least("train accuracy", 0.9))),
        Promise("resnet56", least("train accuracy", 0.99), quick=(THREE_EPOCHS, least("train accuracy", 0.9))),
    ),
    "From the perceptron to the multilayer perceptron": (
        Promise("perceptron", least("train accuracy", 1)),
        Promise("perceptron", most("train accuracy", 0.75), XOR, "on xor"),
        Promise("xor", least("train accuracy", 1)),
        Promise("softmax_regression", least("test accuracy", 0.86)),
        Promise("mlp", least("test accuracy", 0.92)),
        Promise("mlp2", least("test accuracy", 0.92)),
        Promise("mlp_dropout", least("test accuracy", 0.93)),
        Promise("mlp", (Band("test accuracy", least=0.92), Band("epochs", most=40)), STOPPING, "stopped early"),
        Promise("linear_regression", most("error of weights", 0.02), weights=(2, -3.4, 4.2)),
        Promise("polynomial1", (Band("train loss", least=0.1), Band("test loss", least=0.1))),
        Promise("polynomial", (Band("train loss", most=0.01), Band("test loss", most=0.02))),
        Promise("polynomial19", (Band("train loss", most=0.005), Band("test loss", least=0.03))),
        Promise("polynomial19", most("test loss", 0.02), DECAY, "decayed"),
        Promise("breast_cancer", least("validation accuracy", 0.96)),
    ),
    "Sequences and attention": (
        Promise("rnn_lm", most("test perplexity", 5), quick=(ONE_EPOCH, most("test perplexity", 7))),
        Promise("gru_lm", most("test perplexity", 4.6), quick=(ONE_EPOCH, most("test perplexity", 7))),
        Promise("lstm_lm", most("test perplexity", 4.5), quick=(ONE_EPOCH, most("test perplexity", 7))),
        Promise("seq2seq_dates", least("test exact_match", 0.5), quick=(ONE_EPOCH, least("test accuracy", 0.6))),
        Promise(
            "rnn_attention_dates", least("test exact_match", 0.95), quick=(ONE_EPOCH, least("test exact_match", 0.4))
        ),
        Promise("transformer_dates", least("test exact_match", 0.9), quick=(ONE_EPOCH, least("test accuracy", 0.75))),
    ),
}


class Quiet:
    """The progress of a run that tells nothing."""

    def step(self, done: int, loss: float) -> None: ...

    def epoch(self, record: Mapping[str, Any]) -> None: ...

    def close(self) -> None: ...

    def resumed(self, step: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a promise: scores, the mean of several folds, and the best epoch of each fold."""

    scores: Scores
    best_epochs: tuple[int, ...]
    epochs: int
    error: float
    seconds: float

    def of(self, measure: str) -> float:
        others = {"epochs": self.epochs, "error of weights": self.error, "seconds": self.seconds}
        part, _, name = measure.partition(" ")
        return others[measure] if measure in others else self.scores[part][name]


def trained(graph: Graph, folder: Path, data: Data | None = None, fold: int | None = None) -> tuple[Setup, Result]:
    """Train a network into an empty folder, as its spec says; it is left with its best weights."""
    setup = Setup(graph, data or read_data(graph), chosen_device(recipe_of(graph).settings.devices), fold)
    result = Run(setup, RunFolder(folder), Quiet(), print).go()
    if result.interrupted:
        raise KeyboardInterrupt
    return setup, result


def train(promise: Promise, folder: Path) -> Outcome:
    """Train the network of a promise, into an empty folder."""
    began = time.perf_counter()
    graph = promise.graph
    data, folds = read_data(graph), recipe_of(graph).settings.folds
    results = list[Result]()
    for fold in range(folds) if folds else (None,):
        here = folder / f"fold-{fold}"
        here.mkdir()
        setup, result = trained(graph, here, data, fold)
        results.append(result)
    seconds = time.perf_counter() - began
    error = 0.0
    if promise.weights:
        found = torch.cat([weight.detach().flatten() for weight in setup.model.parameters()])
        error = (found - torch.tensor(promise.weights)).abs().max().item()
    scores, states = average([each.scores for each in results]), [each.state for each in results]
    best = tuple(state.best_epoch for state in states)
    return Outcome(scores, best, max(state.epoch for state in states), error, seconds)


WIDTHS = (22, 14, 27, 9, 8)


def line(*cells: str) -> str:
    """A line of the table; numbers stand to the right."""
    placed = (f"{cell:<{size}}" if at < 3 else f"{cell:>{size}}" for at, (cell, size) in enumerate(zip(cells, WIDTHS)))
    return "".join(placed).rstrip()


def lines(promise: Promise, outcome: Outcome) -> Iterator[str]:
    """What came of a promise: a line for each of its bands."""
    whose = promise.label, recipe_of(promise.graph).data.name
    seconds = f"{outcome.seconds:.1f} s"
    for at, band in enumerate(promise.bands):
        value = outcome.of(band.measure)
        cells = (*(whose if at == 0 else ("", "")), band.promise(), band.text(value), seconds if at == 0 else "")
        yield line(*cells) + ("" if band.holds(value) else "  missed")


def main(given: Sequence[str] | None = None) -> int:
    """Train what is asked for; 1 where a promise is not kept."""
    known = list(dict.fromkeys(each.network for several in PROMISES.values() for each in several))
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("networks", nargs="*", help="some of: " + ", ".join(known))
    parser.add_argument("--quick", action="store_true", help="fewer epochs of what takes long, with lower bands")
    options = parser.parse_args(given)
    unknown = [name for name in options.networks if name not in known]
    if unknown:
        parser.error(f"nothing is promised of {', '.join(unknown)}; but of {', '.join(known)}")
    print(line("network", "data", "promised", "reached", "time"))
    missed = 0
    for heading, several in PROMISES.items():
        chosen = [each for each in several if not options.networks or each.network in options.networks]
        if chosen:
            print(f"\n{heading}")
        for promise in (each.shortened() if options.quick else each for each in chosen):
            if sys.stdout.isatty():
                print(f"{promise.label} …", end="\r", flush=True)
            with tempfile.TemporaryDirectory() as folder:
                outcome = train(promise, Path(folder))
            print(*lines(promise, outcome), sep="\n", flush=True)
            missed += not all(band.holds(outcome.of(band.measure)) for band in promise.bands)
    print(f"\n{missed} promise{'s are' if missed > 1 else ' is'} not kept" if missed else "\nevery promise is kept")
    return 1 if missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
