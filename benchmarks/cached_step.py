"""A step of a decoder's cached form: late in a text against early, and the network without a cache against it.

GPT-2 and Llama with four layers, one thread, CPU time. A late step has more keys and values to look at, and joins them
to those before; the rest of it is the same. MACs say how much attention adds, and the bar leaves room for the copies.
"""

from __future__ import annotations

import argparse
from functools import partial

import torch
from pairs import Bar, alternate, finish, judge, keep_memory, ratios, seconds, timed

import netspec
from netspec.dims import evaluate
from netspec.runtime.decoding.decoder import DecoderState, WordDecoder
from netspec.runtime.module import build_module

SIZES = {"vocab": 8000, "context": 1024, "width": 512, "heads": 8, "layers": 4}
NETWORKS = {"gpt2": SIZES, "llama": {**SIZES, "groups": 2, "hidden": 1536}}
EARLY, LATE = 16, 1000
GROWTH, SAVED = Bar(1.6), Bar(10, least=True)
STEPS = 8
WORD = torch.zeros(1, 1, dtype=torch.int64)


def step(decoder: WordDecoder, state: DecoderState) -> None:
    """A few words, each read with what was kept of as many before."""
    for _ in range(STEPS):
        decoder.read(state, WORD)


def compare(name: str, rounds: int) -> list[bool]:
    """Time late steps against early ones, and the whole text read anew against a late step."""
    graph = netspec.load(name, **NETWORKS[name]).graph
    module = build_module(graph).eval()
    decoder = WordDecoder.on_torch(graph, module)
    words = torch.zeros(1, LATE, dtype=torch.int64)
    late, early = (decoder.read(decoder.start(1), words[:, :length])[1] for length in (LATE, EARLY))
    more = [evaluate(decoder.form.step.body.macs, {"N": 1, "T": 1, "P": length}) for length in (LATE, EARLY)]
    for state in (late, early):
        step(decoder, state)
    found = alternate(
        partial(timed, partial(step, decoder, late)), partial(timed, partial(step, decoder, early)), rounds
    )
    note = f"{seconds(found)}, MACs {more[0] / more[1]:.2f}"
    results = [judge(f"{name}: word {LATE} : word {EARLY}", ratios(found), GROWTH, note)]
    with torch.inference_mode():
        whole = alternate(
            lambda: STEPS * timed(lambda: module(words)),
            partial(timed, partial(step, decoder, late)),
            max(3, rounds // 4),
        )
    results.append(judge(f"{name}: all {LATE} words anew : the last", ratios(whole), SAVED, seconds(whole)))
    return results


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("networks", nargs="*", default=list(NETWORKS), help=f"of {', '.join(NETWORKS)}")
    options.add_argument("--rounds", type=int, default=12, help="pairs to time")
    given = options.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    finish([met for name in given.networks for met in compare(name, given.rounds)])


if __name__ == "__main__":
    main()
