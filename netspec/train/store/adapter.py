"""The changes of low rank that a run has learned, by themselves: all that differs from the weights it started from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from torch import Tensor

from netspec.elaborate.training.changeable import is_trained
from netspec.files import write_text
from netspec.graph import Graph
from netspec.recipes.recipe import Recipe
from netspec.weights.files.adapter import CONFIG, MODEL, stored_key
from netspec.weights.files.safetensors import write_tensors
from netspec.weights.keys import RUNNING, tensors_of


def write_adapter(graph: Graph, weights: Mapping[str, Tensor], folder: Path) -> list[Path]:
    """Write what ``lora`` and ``groups`` have learned, of these weights, as peft reads it; return the paths.

    Modules that are trained as they are, and those with running statistics, are there as a whole.
    """
    recipe = graph.recipe
    assert recipe is not None
    lora = recipe.lora
    assert lora is not None
    folder.mkdir(exist_ok=True)
    embeddings = {key for each in graph.changes if each.op.name == "embedding" for key in (each.down, each.up)}
    tensors: dict[str, Tensor] = {}
    for change in graph.changes:
        for key in (change.down, change.up):
            turned = key in embeddings and key == change.down
            tensors[stored_key(key, key in embeddings)] = weights[key].t() if turned else weights[key]
    modules = dict.fromkeys(_whole_modules(graph, recipe))
    tensors |= {stored_key(key, False): tensor for key, tensor in weights.items() if key.rpartition(".")[0] in modules}
    config = {
        "peft_type": "LORA",
        "r": lora.rank,
        "lora_alpha": lora.rank * lora.scale,
        "lora_dropout": lora.dropout,
        "target_modules": [change.down.removesuffix(".lora_A.weight") for change in graph.changes],
        "modules_to_save": [*modules] or None,
        "fan_in_fan_out": any(change.op.name == "affine" for change in graph.changes),
        "bias": "none",
        "inference_mode": True,
        "task_type": None,
        "base_model_name_or_path": None,
    }
    write_tensors(tensors, folder / MODEL)
    write_text(folder / CONFIG, json.dumps(config, indent=2) + "\n")
    return [folder / MODEL, folder / CONFIG]


def _whole_modules(graph: Graph, recipe: Recipe) -> Iterator[str]:
    """Yield the paths of the modules that change beside the weights that have changes."""
    for tensor in tensors_of(graph):
        trained = tensor.learned and not tensor.added and is_trained(tensor.key, recipe.groups)
        if trained or tensor.key.endswith(RUNNING):
            yield tensor.module
