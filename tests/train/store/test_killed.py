"""A run with everything that it can have at once, killed at its weakest moments, goes on bit for bit."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from train import small

from netspec.cli import main
from netspec.files import TEMPORARY
from netspec.pipeline import compile_spec
from netspec.runtime.module import build_module
from netspec.train.data.readers import images

SPEC = """\
netspec: 1
name: all
inputs: {image: [N, 3, 12, 12]}
blocks:
  layer:
    params: {drop: 0.0}
    body:
      - residual:
          drop_path: drop
          body:
            - conv2d: {name: conv, out_channels: 8, kernel_size: 3, padding: 1, bias: false}
            - batch_norm2d: {name: norm}
            - relu
            - dropout: 0.1
network:
  - conv2d: {name: stem, out_channels: 8, kernel_size: 3, stride: 2, padding: 1}
  - batch_norm2d: {name: stem_norm}
  - repeat: {name: h, count: 2, index: i, body: [{layer: {drop: 0.2 * (i + 1), recompute: true}}]}
  - global_avg_pool
  - linear: {name: head, out_features: 3}
"""
TRAIN = """\
train:
  data: {images: {path: pictures, size: 12}}
  weights: {from: start.pth, skip: head.*}
  prepare: [standardize]
  augment:
    - random_resized_crop
    - color_jitter: {brightness: 0.3, hue: 0.1}
    - rand_augment
    - random_erasing
    - mixup: {p: 0.4}
    - cutmix: {p: 0.4}
  loss: {cross_entropy: {label_smoothing: 0.1}}
  metrics: [accuracy]
  optimizer: {adamw: 0.01}
  schedule: {cosine: {warmup: 2}}
  weight_decay: {value: 0.05, skip: [bias, norm]}
  lora: {rank: 2, of: "*.conv", alpha: 4, dropout: 0.1}
  groups: {stem*: {lr: 0.002, warmup: 4, freeze: 1}, "*norm*": {weight_decay: 0}, head: {lr: 0.02}}
  layer_decay: 0.7
  batch_norm: {train: false, of: stem_norm}
  sample: balanced
  validation: 0.25
  clip: 1.0
  accumulate: 2
  batch: 12
  epochs: 4
  workers: 2
  devices: cpu
  checkpoint: {steps: 1}
"""

Moment = tuple[Any, str, int, Callable[..., bool]]
"""A function, by its holder and its name, at whose call of a number a run is killed, of those that count."""


def any_call(*given: Any, **named: Any) -> bool:
    return True


def of_a_checkpoint(path: Any, *rest: Any) -> bool:
    return Path(path).name.startswith(".step-")


def of_an_epoch(path: Any, *rest: Any) -> bool:
    return Path(path).name.startswith(".epoch-")


def of_the_index(path: Any, *rest: Any) -> bool:
    return Path(path).name.startswith(".index.json")


MOMENTS: dict[str, Moment] = {
    "before the optimizer's step": (torch.nn.utils, "clip_grad_norm_", 3, any_call),
    "half of a checkpoint written": (Path, "write_bytes", 2, of_a_checkpoint),
    "a checkpoint written, not moved": (os, "replace", 3, of_a_checkpoint),
    "a checkpoint moved, not named": (os, "replace", 2, of_the_index),
    "the weights of an epoch written, not moved": (os, "replace", 1, of_an_epoch),
    "in the backward pass": (torch.Tensor, "backward", 7, any_call),
    "with workers at work": (images.ImageRows, "take", 2, any_call),
}


MEANS = {"mixed": ("ema", "{decay: 0.9, warmup: true}"), "float16": ("average", "2")}
"""The mean of the weights that is kept, of which there is one, by the precision that it is tried in."""
TRIED = {
    "mixed": [each for each in MOMENTS if "of an epoch" not in each],
    "float16": ["half of a checkpoint written", "the weights of an epoch written, not moved"],
}


def train(folder: Path, name: str, precision: str, moment: str | None) -> None:
    """Train, or go on, and be killed at a moment. A process of its own does this."""
    torch.set_num_threads(1)
    multiprocessing.set_start_method("fork", force=True)  # of the workers: as in a process that a shell starts
    images.IN_MEMORY = 100  # pictures are read by workers
    going_on = ["--resume", name] if (folder / name / "run.json").is_file() else ["-o", name]
    with chdir(folder):
        if moment is not None:
            arm(moment)
        mean, value = MEANS[precision]
        chosen = ["--set", f"train.precision={precision}", "--set", f"train.{mean}={value}"]
        raise SystemExit(main(["train", "all.yaml", *chosen, *going_on]))


def arm(moment: str) -> None:
    """Have this process killed at a moment."""
    holder, name, number, counts = MOMENTS[moment]
    own, calls, process = getattr(holder, name), 0, os.getpid()

    def counted(*given: Any, **named: Any) -> Any:
        nonlocal calls
        calls += counts(*given)
        if calls == number and counts(*given):
            if name == "write_bytes":
                own(given[0], given[1][: len(given[1]) // 2])
            os.kill(process, signal.SIGKILL)  # a worker goes on without it, and ends
        return own(*given, **named)

    setattr(holder, name, counted)


@pytest.mark.slow
@pytest.mark.parametrize("precision", [*MEANS])
def test_all_at_once_killed_at_weak_moments_goes_on_bit_for_bit(tmp_path: Path, precision: str) -> None:
    chance = np.random.default_rng(0)
    for number in range(40):
        place = tmp_path / "pictures" / "aaabbc"[number % 6]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(chance.integers(0, 256, (14, 16, 3), np.uint8)).save(place / f"{number}.png")
    (tmp_path / "all.yaml").write_text(SPEC)
    torch.save(build_module(compile_spec(tmp_path / "all.yaml"), seed=7).state_dict(), tmp_path / "start.pth")
    (tmp_path / "all.yaml").write_text(SPEC + TRAIN)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["netspec.train.job", __name__])
    for name, moment in [("whole", None), *(("killed", each) for each in TRIED[precision]), ("killed", None)]:
        process = context.Process(target=train, args=(tmp_path, name, precision, moment))
        process.start()
        process.join(120)
        assert process.exitcode == (0 if moment is None else -signal.SIGKILL), moment
    steps = small.losses(tmp_path / "whole")
    assert len(steps) == 4 * 3
    assert small.losses(tmp_path / "killed") == steps
    for name in ("best.safetensors", "adapter/adapter_model.safetensors"):
        kept, wanted = (load_file(tmp_path / run / name) for run in ("killed", "whole"))
        assert [key for key in wanted if not torch.equal(kept[key], wanted[key])] == [], name
    results = [json.loads((tmp_path / name / "result.json").read_text()) for name in ("whole", "killed")]
    assert results[0]["scores"] == results[1]["scores"]
    assert not any(TEMPORARY.search(path.name) for path in (tmp_path / "killed").rglob("*"))
