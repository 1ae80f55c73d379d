"""An example of each ingredient of training: the key of ``train`` that it stands under."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from netspec.recipes import Ingredient, Kind
from netspec.recipes.base import KEYS
from netspec.recipes.data import Transform

ARGUMENTS: Mapping[str, Mapping[str, str]] = {
    "csv": {"path": "houses.csv", "target": "price"},
    "parquet": {"path": "houses.parquet", "target": "price"},
    "npz": {"path": "arrays.npz"},
    "idx": {"path": "fashion_mnist"},
    "cifar": {"path": "cifar-10-batches-bin"},
    "images": {"path": "flowers", "size": "64"},
    "text": {"path": "novel.txt", "length": "35"},
    "pairs": {"path": "english_french.tsv"},
    "hugging_face": {"path": "ylecun/mnist"},
    "torchvision": {"of": "FashionMNIST", "root": "data"},
    "logic": {"of": "xor"},
    "noise": {"shape": "[3, 32, 32]"},
    "polynomial": {"degree": "3"},
    "step": {"step_size": "10"},
    "multi_step": {"milestones": "[10, 20]"},
    "exponential": {"gamma": "0.95"},
    "resize": {"size": "32"},
    "permute": {"dims": "[0, 2, 1]"},
    "random_erasing": {"size": "4"},
    "random_resized_crop": {"scale": "[0.5, 1]"},
    "color_jitter": {"brightness": "0.4", "contrast": "0.4"},
    "rand_augment": {"magnitude": "9"},
    "mixup": {"alpha": "0.2"},
    "cosine": {"warmup": "100"},
    "linear": {"warmup": "100"},
    "inverse_sqrt": {"warmup": "1000"},
    "normalize": {"mean": "0.13", "std": "0.31"},
    "cross_entropy": {"label_smoothing": "0.1"},
}
"""The arguments in an ingredient's example; one without any here shows its main argument's default."""


def ingredient_example(kind: Kind, ingredient: type[Ingredient]) -> str:
    """Return the part of ``train`` that names an ingredient."""
    return f"train:\n  {keys_of(kind, ingredient)[0]}: {written(ingredient)}"


def keys_of(kind: Kind, ingredient: type[Ingredient]) -> Sequence[str]:
    """Return the keys of ``train`` that an ingredient may stand under."""
    if kind != "transform":
        return (KEYS[kind],)
    transform = cast(type[Transform], ingredient)
    return ("augment",) if transform.varies() else ("prepare",) if transform.fits else ("prepare", "augment")


def written(ingredient: type[Ingredient]) -> str:
    """Return how a spec writes an ingredient: its name, its main argument, or several."""
    name, main = ingredient.name, ingredient.main
    arguments = dict(ARGUMENTS.get(name, {}))
    fields = ingredient.model_fields
    if main is not None and not arguments and fields[main].default is not None and not fields[main].is_required():
        arguments[main] = str(fields[main].default)
    arguments |= {each: "…" for each, field in fields.items() if field.is_required() and each not in arguments}
    if not arguments:
        return name
    if main is not None and [*arguments] == [main]:
        return f"{{{name}: {arguments[main]}}}"
    return f"{{{name}: {{{', '.join(f'{each}: {value}' for each, value in arguments.items())}}}}}"
