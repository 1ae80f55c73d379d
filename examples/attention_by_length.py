"""Attention against the plain encoder-decoder, as the source grows longer: a table and a picture.

python examples/attention_by_length.py        about four minutes of one core

Both read dates in English, letter by letter from left to right, and write them in French. The plain one hands over a
whole date as the 256 numbers of its encoder's last state; the other has 128 such numbers, and looks back at the source
for every letter that it writes. Of dates that neither has seen, those count that are written without a mistake. It is
not length alone that makes a date hard: long ones are also spans of time, and times of day on another clock.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from trains import trained

from netspec.files import replacing
from netspec.pipeline import compile_spec, read_value
from netspec.train.report.curves import COLOURS, PAPER, figure
from netspec.train.setup import Setup

PLAIN, ATTENTION = "seq2seq_dates", "rnn_attention_dates"
TITLES = {PLAIN: "plain encoder-decoder", ATTENTION: "with attention"}
LENGTHS = ((8, 13), (14, 19), (20, 25), (26, 31), (32, 41))
"""Characters of a source, from and to, of which the results are put together."""
PICTURE = Path("build/attention_by_length.png")
AHEAD = 0.2
"""How much more of the longest dates attention is to get right."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The rows of a test: how long each source is, and whether what was written of it is right; both [n]."""

    lengths: Tensor
    right: Tensor

    def rows(self, low: int, high: int) -> int:
        return int(((self.lengths >= low) & (self.lengths <= high)).sum())

    def share(self, low: int, high: int) -> float:
        """How many of the sources of these lengths were right."""
        return float(self.right[(self.lengths >= low) & (self.lengths <= high)].float().mean())


def judge(setup: Setup) -> Judged:
    """Test a trained network. It writes a text without a mistake where it predicts each letter from those before it."""
    assert setup.test is not None
    lengths, right = [], []
    setup.model.eval()
    with torch.inference_mode():
        for batch in setup.test.in_order(256):
            source, (target,) = batch.inputs[0], batch.targets.values()
            assert source is not None
            made = setup.model(*batch.inputs)
            scores = made["logits"] if isinstance(made, dict) else made
            lengths.append((source != 0).sum(1))
            right.append(((scores.argmax(-1) == target) | (target == 0)).all(1))
    return Judged(torch.cat(lengths), torch.cat(right))


def table(judged: Mapping[str, Judged]) -> str:
    """A line for each range of lengths."""
    first = next(iter(judged.values()))
    heads = [f"{'source':<18}{'dates':>6}", *(f"{TITLES[name]:>24}" for name in judged)]
    lines = ["".join(heads)]
    for low, high in LENGTHS:
        cells = [f"{f'{low} to {high} letters':<18}{first.rows(low, high):>6}"]
        cells += [f"{100 * each.share(low, high):>22.1f} %" for each in judged.values()]
        lines.append("".join(cells))
    return "\n".join(lines)


def draw(judged: Mapping[str, Judged], path: Path) -> None:
    """A line for each network over the lengths of the source."""
    places = range(len(LENGTHS))
    with figure(1, 6.4, 1) as (drawn, (axis,)):
        for (name, each), colour, mark in zip(judged.items(), COLOURS[1::-1], "so"):
            shares = [100 * each.share(low, high) for low, high in LENGTHS]
            axis.plot(places, shares, color=colour, marker=mark, linewidth=1.8, clip_on=False)
            beside = TITLES[name].replace(" ", "\n", 1)
            axis.annotate(
                beside, (places[-1], shares[-1]), (12, 8), textcoords="offset points", color=colour, va="center"
            )
        axis.set_xticks(places, [f"{low}–{high}" for low, high in LENGTHS])
        axis.set_ylim(-3, 105)
        axis.set_title("Dates written without a mistake, in percent")
        axis.set_xlabel("letters of the source")
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            drawn.savefig(temporary, dpi=160, facecolor=PAPER)


def main(given: Sequence[str] | None = None) -> int:
    """Train both, and compare them; 1 where attention is not ahead as it is to be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="another value for both")
    parser.add_argument("-o", "--output", type=Path, default=PICTURE, help=f"the picture; default: {PICTURE}")
    options = parser.parse_args(given)
    pairs = [text.partition("=") for text in options.set]
    overrides = {key: read_value(key, value) for key, _, value in pairs}
    judged = {}
    for name in (PLAIN, ATTENTION):
        graph = compile_spec(name, overrides=overrides)
        with tempfile.TemporaryDirectory() as folder:
            setup, result = trained(graph, Path(folder))
        judged[name] = judge(setup)
        print(f"{TITLES[name]}: {graph.body.parameter_count:,} parameters, {result.state.seconds:.0f} s", flush=True)
    print(f"\n{table(judged)}\n")
    draw(judged, options.output)
    print(f"wrote {options.output}")
    return 0 if keeps_up(judged) else 1


def keeps_up(judged: Mapping[str, Judged]) -> bool:
    """Whether attention is ahead where sources are long."""
    return judged[ATTENTION].share(*LENGTHS[-1]) >= judged[PLAIN].share(*LENGTHS[-1]) + AHEAD


if __name__ == "__main__":
    sys.exit(main())
