"""Random ops on symbolic sizes: what netspec says must hold of the sizes is true exactly where torch runs.

By default some hundred specs are drawn, each tried at several sizes; ``NETSPEC_MANY=20`` draws twenty times as many.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import torch
import yaml

from netspec.analysis.constraints import size_constraints
from netspec.diagnostics import Source, SpecError
from netspec.dims import evaluate, evaluate_shape
from netspec.elaborate.passes.sizes import other_sizes
from netspec.elaborate.state.requirements import holds
from netspec.graph import Graph, Requirement
from netspec.pipeline import compile_loaded, load_source
from netspec.runtime.module import build_module

torch.set_num_threads(1)

MANY = int(os.environ.get("NETSPEC_MANY", "1"))
TRIED = (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13)
LAYOUTS: Mapping[int, str] = {1: "L", 2: "HW", 3: "DHW"}

Draw = random.Random
Drawn = tuple[dict[str, list[Any]], Any]
"""The shapes of the inputs, and the step (or several)."""


def spatial(draw: Draw, rank: int, channels: int = 4) -> list[Any]:
    """``[N, 4, H, W]``, with a known size here and there."""
    batch = draw.choice(["N", "N", 1, 2])
    return [batch, channels, *(name if draw.random() < 0.8 else draw.choice([1, 2, 5]) for name in LAYOUTS[rank])]


def each(draw: Draw, rank: int, least: int, most: int) -> Any:
    """One number for all dimensions, or one for each."""
    if rank == 1 or draw.random() < 0.5:
        return draw.randint(least, most)
    return [draw.randint(least, most) for _ in range(rank)]


def convolution(draw: Draw) -> Drawn:
    rank = draw.choice([1, 2, 2, 3])
    arguments = {
        "out_channels": 2,
        "kernel_size": each(draw, rank, 1, 4),
        "dilation": each(draw, rank, 1, 2),
        "padding_mode": draw.choice(["zeros", "reflect", "replicate", "circular"]),
    }
    if draw.random() < 0.2:
        arguments["padding"] = draw.choice(["same", "valid"])
    else:
        arguments |= {"padding": each(draw, rank, 0, 3), "stride": each(draw, rank, 1, 3)}
    return {"x": spatial(draw, rank)}, {f"conv{rank}d": arguments}


def transposed(draw: Draw) -> Drawn:
    rank = draw.choice([1, 2, 3])
    arguments = {
        "out_channels": 2,
        "kernel_size": each(draw, rank, 1, 3),
        "padding": each(draw, rank, 0, 3),
        "stride": each(draw, rank, 1, 3),
        "dilation": each(draw, rank, 1, 2),
        "output_padding": draw.choice([0, 0, 1]),
    }
    return {"x": spatial(draw, rank)}, {f"conv_transpose{rank}d": arguments}


def pool(draw: Draw) -> Drawn:
    rank = draw.choice([1, 2, 3])
    kind = draw.choice(["max", "avg"])
    arguments = {
        "kernel_size": each(draw, rank, 1, 5),
        "padding": each(draw, rank, 0, 2),
        "stride": each(draw, rank, 1, 4),
        "ceil_mode": draw.random() < 0.5,
    }
    if draw.random() < 0.3:
        del arguments["stride"]
    if kind == "max":
        arguments["dilation"] = each(draw, rank, 1, 3)
    return {"x": spatial(draw, rank)}, {f"{kind}_pool{rank}d": arguments}


def patches(draw: Draw) -> Drawn:
    windows = {"kernel_size": each(draw, 2, 1, 4), "stride": each(draw, 2, 1, 3)}
    step = draw.choice(
        [
            {"unfold": {**windows, "padding": each(draw, 2, 0, 2), "dilation": each(draw, 2, 1, 2)}},
            {"lp_pool2d": {**windows, "norm_type": 2, "ceil_mode": draw.random() < 0.5}},
        ]
    )
    return {"x": spatial(draw, 2)}, step


def signal(draw: Draw) -> Drawn:
    stretches = {"n_fft": draw.randint(4, 9), "hop_length": draw.randint(1, 4), "center": draw.random() < 0.6}
    step = draw.choice(
        [
            {"stft": {**stretches, "pad_mode": draw.choice(["constant", "reflect", "replicate", "circular"])}},
            {"rfft": {"dim": draw.choice([0, 1, -1])}},
        ]
    )
    return {"x": ["N", "T"]}, step


def adaptive_pool(draw: Draw) -> Drawn:
    rank = draw.choice([1, 2, 3])
    kind = draw.choice(["max", "avg"])
    return {"x": spatial(draw, rank)}, {f"adaptive_{kind}_pool{rank}d": {"output_size": each(draw, rank, 1, 4)}}


def global_pool(draw: Draw) -> Drawn:
    return {"x": spatial(draw, draw.choice([1, 2, 3]))}, {draw.choice(["global_avg_pool", "global_max_pool"]): {}}


def channel_norm(draw: Draw) -> Drawn:
    rank = draw.choice([1, 2, 3])
    shape = spatial(draw, rank)
    if rank == 1 and draw.random() < 0.4:
        return {"x": shape[:2]}, {"batch_norm1d": {"track_running_stats": draw.random() < 0.5}}
    kind = draw.choice(["batch", "instance"])
    return {"x": shape}, {f"{kind}_norm{rank}d": {"track_running_stats": draw.random() < 0.5}}


def other_norm(draw: Draw) -> Drawn:
    rank = draw.choice([1, 2, 3])
    shape = spatial(draw, rank)
    step = draw.choice(
        [
            {"group_norm": draw.choice([1, 2, 4])},
            {"local_response_norm": draw.randint(1, 6)},
            {"layer_norm": draw.choice([1, 3, [2, 3]])},
            {"rms_norm": draw.choice([1, 3, [2, 3]])},
        ]
    )
    if "group_norm" in step and draw.random() < 0.3:
        shape = shape[:2]
    return {"x": shape}, step


def pad(draw: Draw) -> Drawn:
    rank = draw.choice([1, 2, 3])
    mode = draw.choice(["constant", "reflect", "replicate", "circular"])
    least = -4 if mode == "constant" else draw.choice([0, 0, 0, -2])
    if rank == 2 and draw.random() < 0.4:
        usual = ["-shape[3] % 3", "shape[2] // 2", 1]
        amounts = [draw.choice([*usual, *(["2 - shape[3]"] if mode == "constant" else [])]) for _ in range(4)]
        return {"x": spatial(draw, rank)}, {"pad": {"pad": amounts, "mode": mode}}
    return {"x": spatial(draw, rank)}, {"pad": {"pad": [draw.randint(least, 3) for _ in range(2 * rank)], "mode": mode}}


def resize(draw: Draw) -> Drawn:
    rank = draw.choice([1, 2, 3])
    smooth = {1: ["linear"], 2: ["bilinear", "bicubic"], 3: ["trilinear"]}[rank]
    arguments: dict[str, Any] = {"mode": draw.choice(["nearest", "nearest-exact", *smooth])}
    if draw.random() < 0.2:
        arguments["size"] = each(draw, rank, 1, 4)
    elif draw.random() < 0.2:
        arguments["size"] = [draw.choice(["shape[2] - 2", "shape[2] * 2", "shape[-1] // 2"]) for _ in range(rank)]
    else:
        arguments["scale_factor"] = draw.choice([0.25, 0.5, 0.75, 1.5, 2, 3, 0.375, 1.25, 0.7, 0.3, 1.1])
    if arguments["mode"] in smooth and draw.random() < 0.5:
        arguments["align_corners"] = draw.random() < 0.5
    return {"x": spatial(draw, rank)}, {"upsample": arguments}


def shuffle(draw: Draw) -> Drawn:
    factor = draw.choice([1, 2, 3])
    if draw.random() < 0.3:
        return {"x": spatial(draw, 2)}, {"pixel_shuffle": draw.choice([1, 2])}
    return {"x": spatial(draw, 2)}, {"pixel_unshuffle": factor}


def pick(draw: Draw) -> Drawn:
    shape = ["N", "T", "S", 4]
    dim = draw.choice([0, 1, 2, -2, -3, 3])
    start, end = draw.choice([None, 0, 1, 2, 5, -1, -2]), draw.choice([None, None, -1, -3, 2, 4])
    step = draw.choice(
        [
            {"select": {"dim": dim, "index": draw.randint(-5, 5)}},
            {"slice": {"dim": dim, "start": start, "end": end, "step": draw.choice([1, 1, 2, 3])}},
            {"split": {"split_size_or_sections": draw.choice([2, 3, [2, 2], [1, 3], [1, 2, 4]]), "dim": dim}},
            {
                "split": {
                    "split_size_or_sections": draw.choice([[2, "T - 2"], ["T // 2", 1, "T - T // 2 - 1"]]),
                    "dim": 1,
                }
            },
            {"slice": {"dim": 1, "start": draw.choice(["T // 2", "T - 4", 1]), "end": draw.choice(["T - 1", "T", -1])}},
            {"chunk": {"chunks": draw.randint(1, 4), "dim": dim}},
            {"flip": [dim]},
            {"squeeze": dim},
            {"glu": {"dim": dim}},
            {"tril": draw.randint(-2, 2)},
        ]
    )
    (name, arguments), *_ = step.items()
    if name == "slice":
        arguments = {key: value for key, value in arguments.items() if value is not None}
    return {"x": shape}, {name: arguments}


def along(draw: Draw) -> Drawn:
    dim = draw.choice([0, 1, 2, -1])
    name = draw.choice(
        [
            "softmax",
            "log_softmax",
            "cumsum",
            "argmax",
            "argmin",
            "reduce_max",
            "reduce_min",
            "reduce_sum",
            "reduce_mean",
        ]
    )
    return {"x": ["N", "T", 3]}, {name: {"dim": dim}}


def reshaped(draw: Draw) -> Drawn:
    step = draw.choice(
        [
            {
                "reshape": draw.choice(
                    [
                        *([-1, 4], ["N", -1], ["N", -1, 6], [-1, 5], ["N", "T", 2, -1], ["N", 4, "T"], [6, -1]),
                        *(["N * T", -1], ["T", "N", -1], ["T // 2", 2, "N", -1], ["N", 1, "T - 1", -1]),
                    ]
                )
            },
            {
                "unflatten": {
                    "dim": 1,
                    "unflattened_size": draw.choice([[2, -1], [-1, 3], [2, 3], [4, -1], [5], [1, -1]]),
                }
            },
            {"flatten": {"start_dim": draw.choice([0, 1])}},
            {"unsqueeze": 0},
            {"permute": [2, 0, 1]},
        ]
    )
    return {"x": ["N", "T", draw.choice([4, "S"])]}, step


def joined(draw: Draw) -> Drawn:
    shapes = {name: [draw.choice(["N", "M"]), draw.choice(["T", "S", 3, 1]), draw.choice([4, "T"])] for name in "xy"}
    name = draw.choice(["concat", "stack", "add", "multiply", "maximum", "matmul", "equal", "coalesce", "gather"])
    if name in ("matmul", "equal"):
        return shapes, {name: {"input": "x", "other": "y"}}
    if name in ("concat", "stack"):
        return shapes, {name: {"from": ["x", "y"], "dim": draw.choice([0, 1, 2, -1])}}
    if name == "coalesce":
        return shapes, {name: {"input": "x", "default": "y"}}
    if name == "gather":
        return {"x": shapes["x"], "index": shapes["y"]}, {
            name: {"dim": draw.choice([0, 1, 2]), "input": "x", "index": "index"}
        }
    return shapes, {name: {"from": ["x", "y"]}}


def summed(draw: Draw) -> Drawn:
    shapes = {name: [draw.choice(["N", "M"]), draw.choice(["T", "S", 3]), 4] for name in "xy"}
    equation = draw.choice(["ntc,nsc->nts", "ntc,ntd->ncd", "ntc,ntc->n", "ntc,mtc->nm"])
    return shapes, {"einsum": {"from": ["x", "y"], "equation": equation}}


def positions(draw: Draw) -> Drawn:
    name = draw.choice(["learned_positions", "learned_positions", "sinusoidal_positions", "rotary_embedding"])
    step = {name: {"max_length": draw.randint(1, 6)}} if name == "learned_positions" else {name: {}}
    return {"x": draw.choice([["N", "T", 4], ["N", 2, "T", 4], ["T", 4]])}, step


def attention(draw: Draw) -> Drawn:
    shapes = {
        "q": ["N", 2, "L", 4],
        "k": [draw.choice(["N", "M"]), 2, "S", 4],
        "v": ["N", 2, "S", draw.choice([4, 3])],  # of fewer values than keys torch reads on behind their end
    }
    arguments = {"query": "q", "key": "k", "value": "v", "is_causal": draw.random() < 0.5}
    return shapes, {"scaled_dot_product_attention": arguments}


def multihead(draw: Draw) -> Drawn:
    shapes = {"q": ["N", "L", 4], "k": [draw.choice(["N", "M"]), "S", 4], "v": ["N", draw.choice(["S", "T"]), 4]}
    return shapes, {"multihead_attention": {"num_heads": 2, "query": "q", "key": "k", "value": "v"}}


def recurrent(draw: Draw) -> Drawn:
    name = draw.choice(["rnn", "gru", "lstm"])
    shapes: dict[str, list[Any]] = {"x": ["N", "T", 3]}
    arguments: dict[str, Any] = {"hidden_size": 2, "input": "x"}
    if draw.random() < 0.5:
        shapes["lengths"] = [draw.choice(["N", "M"])]
        arguments["lengths"] = "lengths"
    elif name != "lstm":
        shapes["h"] = [1, draw.choice(["N", "M", 2]), 2]
        arguments["h_0"] = "h"
    return shapes, {name: arguments}


def cell(draw: Draw) -> Drawn:
    return {"x": ["N", 3], "h": [draw.choice(["N", "M", 1]), 2]}, {
        "gru_cell": {"hidden_size": 2, "input": "x", "state": "h"}
    }


def made(draw: Draw) -> Drawn:
    step = draw.choice(
        [
            {"arange": {"end": "T", "like": "x"}},
            {"arange": {"start": draw.choice([-1, 2, "N", "T - 3"]), "end": draw.choice(["T", "N + T"]), "step": 2}},
            {"zeros": {"size": ["N * T", "T - 2"]}},
            {"zeros": {"size": ["N", "T", 2], "like": "x"}},
            {"causal_mask": {"query": "x"}},
            {"expand": {"shape": draw.choice([["N", "T", 3], [-1, -1, 3], [-1, 5, 3]]), "input": "x"}},
        ]
    )
    return {"x": ["N", "T", draw.choice([3, 1])]}, step


def channelwise(draw: Draw) -> Drawn:
    rank = draw.choice([1, 2, 3])
    name = draw.choice([f"dropout{rank}d", "prelu", "feature_alpha_dropout", "alpha_dropout", "rrelu"])
    return {"x": spatial(draw, rank)}, {name: {}}


def chained(draw: Draw) -> Drawn:
    """Two to four layers of an image, one after the other."""
    steps: list[Any] = []
    count = draw.randint(2, 4)
    while len(steps) < count:
        kind = draw.choice(
            [convolution, transposed, pool, adaptive_pool, channel_norm, other_norm, pad, resize, shuffle]
        )
        shapes, step = kind(draw)
        if len(shapes["x"]) == 4 and "pixel_shuffle" not in step:
            steps.append(step)
    return {"x": ["N", 4, "H", draw.choice(["H", "W"])]}, steps


KINDS: tuple[Callable[[Draw], Drawn], ...] = (
    convolution,
    patches,
    signal,
    transposed,
    pool,
    adaptive_pool,
    global_pool,
    channel_norm,
    other_norm,
    pad,
    resize,
    shuffle,
    pick,
    along,
    reshaped,
    joined,
    summed,
    positions,
    attention,
    multihead,
    recurrent,
    cell,
    made,
    channelwise,
    chained,
)


def spec_of(shapes: Mapping[str, list[Any]], steps: list[Any]) -> str:
    dtypes = {"index": "int64", "lengths": "int64"}
    inputs = {name: {"shape": shape, "dtype": dtypes.get(name, "float32")} for name, shape in shapes.items()}
    return yaml.safe_dump({"netspec": 1, "name": "drawn", "inputs": inputs, "network": steps}, sort_keys=False)


def compiled(text: str, sizes: Mapping[str, int] | None = None) -> Graph | None:
    """The graph; ``None`` where netspec refuses it."""
    try:
        return compile_loaded(load_source(Source("drawn.yaml", text)), sizes=sizes)
    except SpecError as found:
        if not {each.id for each in found.diagnostics} <= {"shape-mismatch", "bad-argument"}:
            raise
        return None


def symbols_of(shapes: Mapping[str, list[Any]]) -> list[str]:
    return list(dict.fromkeys(size for shape in shapes.values() for size in shape if isinstance(size, str)))


def assignments(draw: Draw, names: list[str], count: int) -> Iterator[dict[str, int]]:
    for _ in range(count):
        same = draw.choice(TRIED)
        yield {name: same if draw.random() < 0.3 else draw.choice(TRIED) for name in names}


def values(graph: Graph, sizes: Mapping[str, int]) -> list[torch.Tensor]:
    made = []
    for name, value in graph.inputs.items():
        shape = evaluate_shape(value.shape, sizes)
        kinds = {"index": torch.zeros(shape, dtype=torch.int64), "lengths": torch.ones(shape, dtype=torch.int64)}
        made.append(kinds.get(name, torch.randn(shape).requires_grad_()))
    return made


def shapes_in_torch(module: torch.nn.Module, inputs: list[torch.Tensor]) -> list[tuple[int, ...]] | None:
    """The shapes of what torch makes, there and (in training mode) back; ``None`` where it refuses."""
    try:
        with torch.set_grad_enabled(module.training):
            made = module(*inputs)
            made = [*made.values()] if isinstance(made, dict) else [made]
            total = sum(each.sum() for each in made)
            if isinstance(total, torch.Tensor) and total.requires_grad:
                total.backward()
    except (RuntimeError, ValueError, IndexError, AssertionError):
        return None
    return [tuple(each.shape) for each in made]


def disagreements(graph: Graph, module: torch.nn.Module, sizes: Mapping[str, int]) -> Iterator[str]:
    """Return where netspec and torch do not say the same of these sizes, in inference and in training.

    Not counted are sizes of 1 that torch repeats, as netspec asks that two names be equal sizes where they meet, and
    tensors that are empty on the way, which it lets none be.
    """
    inputs = values(graph, sizes)
    said = [evaluate_shape(output.value.shape, sizes) for output in graph.outputs.values()]
    for training in (False, True):
        unmet = [each for each in graph.requirements if not holds(each, sizes) and (training or not each.training)]
        got = shapes_in_torch(module.train(training), inputs)
        runs = got == said and all(min(shape, default=1) > 0 for shape in said)
        if runs and unmet and all(repeats(each, sizes) or is_empty(each, sizes) for each in unmet):
            continue
        if runs == bool(unmet):
            yield f"{'training' if training else 'inference'} at {dict(sizes)}: said {not unmet} {said}, torch {got}"


def is_empty(requirement: Requirement, sizes: Mapping[str, int]) -> bool:
    return requirement.reason.endswith("has an empty output") and evaluate(requirement.left, sizes) == 0


def repeats(requirement: Requirement, sizes: Mapping[str, int]) -> bool:
    return requirement.relation == "==" and 1 in (evaluate(requirement.left, sizes), evaluate(requirement.right, sizes))


def check(kind: Callable[[Draw], Drawn], draw: Draw, count: int = 6) -> None:
    shapes, step = kind(draw)
    steps = step if isinstance(step, list) else [step]
    text = spec_of(shapes, steps)
    names = symbols_of(shapes)
    graph = compiled(text)
    if graph is None:
        return
    module = build_module(graph)
    told = [cause for constraint in size_constraints(graph) if constraint.training for cause in constraint.causes]
    for sizes in [graph.sizes, *other_sizes(graph, 2)[1:], *assignments(draw, names, count)]:
        for found in disagreements(graph, module, sizes):
            raise AssertionError(f"{text}{found}")
        if all(holds(each, sizes) for each in graph.requirements if not each.training):
            unmet = [each for each in graph.requirements if not holds(each, sizes)]
            assert bool(unmet) == any(not holds(each, sizes) for each in told), f"{text}{sizes}"
    for sizes in assignments(draw, names, 1 if names_no_size(steps) else 0):
        fixed = {name: [sizes.get(size, size) for size in shape] for name, shape in shapes.items()}
        unmet = [each for each in graph.requirements if not each.training and not holds(each, sizes)]
        if any(each.reason.startswith("slice takes") for each in unmet):  # of a known size, it takes what there is
            continue
        if not all(repeats(each, sizes) for each in unmet) or not unmet:
            assert (compiled(spec_of(fixed, steps)) is not None) == (not unmet), f"{text}{sizes}"


def names_no_size(steps: list[Any]) -> bool:
    return not re.search(r"'[^']*\b[NT]\b", str(steps))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.filterwarnings("ignore")
def test_what_must_hold_is_true_exactly_where_torch_runs(kind: Callable[[Draw], Drawn]) -> None:
    for seed in range(12 * MANY):
        check(kind, random.Random(f"{kind.__name__} {seed}"))
