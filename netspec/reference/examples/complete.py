"""Examples show what matters; here they become whole specs, which ``netspec check`` takes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import cast

from netspec.diagnostics.catalogue import complete as with_needed_keys
from netspec.recipes import Loss, Metric, Task, ingredients

CLASSES = "cross_entropy"
TOKENS = "{x: {shape: [N, 35], dtype: int64, below: 27}}"
NETWORKS: Mapping[str, tuple[str, str, str]] = {
    "mnist": ("{x: [N, 1, 28, 28]}", "[flatten, linear: 10]", CLASSES),
    "digits": ("{x: [N, 1, 8, 8]}", "[flatten, linear: 10]", CLASSES),
    "breast_cancer": ("{x: [N, 30]}", "[linear: 1]", "binary_cross_entropy"),
    "diabetes": ("{x: [N, 10]}", "[linear: 1]", "mse"),
    "alice": (TOKENS, "[embedding: {num_embeddings: 27, embedding_dim: 8}, linear: 27]", CLASSES),
    "dates": (
        "{target: {shape: [N, 40], dtype: int64, below: 55}}",
        "[embedding: {num_embeddings: 55, embedding_dim: 8}, linear: 55]",
        CLASSES,
    ),
    "text": (
        TOKENS.replace("27", "5_000"),
        "[embedding: {num_embeddings: 5_000, embedding_dim: 8}, linear: 5_000]",
        CLASSES,
    ),
    "pairs": (
        "{target: {shape: [N, T], dtype: int64, below: 5_000}}",
        "[embedding: {num_embeddings: 5_000, embedding_dim: 8}, linear: 5_000]",
        CLASSES,
    ),
    "resize": ("{x: [N, 1, 32, 32]}", "[flatten, linear: 10]", CLASSES),
    "channels": ("{x: [N, 3, 28, 28]}", "[flatten, linear: 10]", CLASSES),
    "csv": ("{x: [N, 8]}", "[linear: 1]", "mse"),
    "parquet": ("{x: [N, 8]}", "[linear: 1]", "mse"),
    "npz": ("{x: [N, 8]}", "[linear: 1]", "mse"),
    "idx": ("{x: [N, 1, 28, 28]}", "[flatten, linear: 10]", CLASSES),
    "cifar": ("{x: [N, 3, 32, 32]}", "[flatten, linear: 10]", CLASSES),
    "images": ("{x: [N, 3, 64, 64]}", "[flatten, linear: 5]", CLASSES),
    "logic": ("{x: [N, 2]}", "[linear: 1]", "binary_cross_entropy"),
    "separable": ("{x: [N, 2]}", "[linear: 1]", "binary_cross_entropy"),
    "line": ("{x: [N, 2]}", "[linear: 1]", "mse"),
    "polynomial": ("{x: [N, 3]}", "[linear: 1]", "mse"),
    "noise": ("{x: [N, 3, 32, 32]}", "[flatten, linear: 10]", CLASSES),
    "edges": ("{x: [N, 1, 6, 8]}", "[conv2d: {out_channels: 1, kernel_size: [1, 2]}]", "mse"),
    "hugging_face": ("{x: [N, 1, 28, 28]}", "[flatten, linear: 10]", CLASSES),
    "torchvision": ("{x: [N, 1, 28, 28]}", "[flatten, linear: 10]", CLASSES),
    "dice": ("{x: [N, 3, 64, 64]}", "[conv2d: {out_channels: 5, kernel_size: 1}]", "dice"),
    "binary_dice": ("{x: [N, 3, 64, 64]}", "[conv2d: {out_channels: 1, kernel_size: 1}]", "binary_dice"),
    "margin_ranking": ("{x: [N, 20, 8]}", "[linear: 1, flatten]", "margin_ranking"),
    "rank_net": ("{x: [N, 20, 8]}", "[linear: 1, flatten]", "rank_net"),
    "triplet_margin": ("{x: [N, 3, 8]}", "[linear: 4]", "triplet_margin"),
}
"""Inputs, network and loss that suit each data set, each transform that changes a row's shape, and losses of places."""

DATA: Mapping[str, str] = {"standardize": "diabetes", "standardize_targets": "diabetes", "kl_div": "npz"}
"""The data set that suits an ingredient, where it is not the one of its task."""

OF_TASK: Mapping[Task, str] = {"classes": "mnist", "binary": "breast_cancer", "numbers": "diabetes"}
"""The data set that suits the losses and metrics of a task."""

NPZ = "{npz: arrays.npz}"
OF_PLACES = ("dice", "binary_dice", "margin_ranking", "rank_net", "triplet_margin")
WRITTEN: Mapping[str, str] = {"resize": "mnist", "channels": "mnist", "npz": NPZ, **dict.fromkeys(OF_PLACES, NPZ)}
"""Spellings of data that are not written by their name alone."""


def complete(text: str) -> str:
    """Return an example as a whole spec."""
    text = text.rstrip("\n") + "\n"
    if not _has("train", text):
        return with_needed_keys(text if _has("inputs", text) else text + "inputs: {x: [N, 16]}\n")
    words = re.findall(r"\w+", text)
    known = next((word for word in words if word in NETWORKS), None)
    known = known or next((DATA[word] for word in words if word in DATA), None) or OF_TASK[_task(words)]
    inputs, network, loss = NETWORKS[known]
    if "\ntrain: {" not in text:
        data = WRITTEN.get(known, known)
        for key, value in (("data", data), ("loss", loss), ("optimizer", "adam"), ("epochs", "30")):
            if not _has(f"  {key}", text) and not (key == "epochs" and _has("  steps", text)):
                text += f"  {key}: {value}\n"
    for key, value in (("inputs", inputs), ("network", network)):
        text += "" if _has(key, text) else f"{key}: {value}\n"
    return with_needed_keys(text)


def _task(words: Sequence[str]) -> Task:
    """The task of the loss among these words, else of the metric; classes where there is none."""
    for word in words:
        loss, metric = ingredients("loss").get(word), ingredients("metric").get(word)
        if loss is not None and "loss" in words:
            return cast(type[Loss], loss).task
        if metric is not None:
            return next(iter(cast(type[Metric], metric).tasks))
    return "classes"


def _has(key: str, text: str) -> bool:
    """Return whether a line begins with a key, indentation and all."""
    return any(line.startswith(f"{key}:") for line in text.split("\n"))
