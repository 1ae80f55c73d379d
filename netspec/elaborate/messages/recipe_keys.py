"""The keys of a recipe that people look for by other names, or at another place."""

from __future__ import annotations

from netspec.diagnostics.suggest import typo_of
from netspec.recipes import ingredients
from netspec.spec.reading import form_fields
from netspec.spec.training import TrainSpec

OTHER_NAMES = {
    "accumulation": "accumulate",
    "amp": "precision",
    "batch_size": "batch",
    "bs": "batch",
    "checkpoint_every": "checkpoint",
    "clip_grad": "clip",
    "dataset": "data",
    "epoch": "epochs",
    "fp16": "precision",
    "bf16": "precision",
    "grad_accum": "accumulate",
    "gradient_accumulation_steps": "accumulate",
    "gradient_clip_val": "clip",
    "iterations": "steps",
    "k_folds": "folds",
    "l2": "weight_decay",
    "label_smoothing": "loss.label_smoothing",
    "learning_rate": "optimizer.lr",
    "logger": "loggers",
    "lr_scheduler": "schedule",
    "max_epochs": "epochs",
    "max_grad_norm": "clip",
    "max_steps": "steps",
    "n_epochs": "epochs",
    "num_epochs": "epochs",
    "num_workers": "workers",
    "num_steps": "steps",
    "opt": "optimizer",
    "patience": "early_stopping.patience",
    "pretrained": "weights",
    "scheduler": "schedule",
    "val_split": "validation",
    "warmup": "schedule.warmup",
    "warmup_steps": "schedule.warmup",
    "wd": "weight_decay",
}
"""Keys of other tools by their last word, with netspec's path under `train`."""

BARE = {"amp": "mixed", "fp16": "float16", "bf16": "bfloat16"}
"""The values that options without any stand for elsewhere."""


def path_in_recipe(word: str) -> str | None:
    """Return the path for ``--set`` of what a word most likely means in a recipe, ``train.epochs``; or ``None``."""
    if (found := known_path(word)) is not None:
        return found
    near = typo_of(as_key(word), [*fields_of_train(), *OTHER_NAMES])
    return None if near is None else known_path(near)


def known_path(word: str) -> str | None:
    """Return the path for ``--set`` of a key or an optimizer's argument, by any tool's name; or ``None``."""
    key = as_key(word)
    if key in OTHER_NAMES:
        return f"train.{OTHER_NAMES[key]}"
    if key in fields_of_train():
        return f"train.{key}"
    return f"train.optimizer.{key}" if key in optimizer_arguments() else None


def as_key(word: str) -> str:
    """Return an option's name as a key would be written."""
    return word.replace("-", "_").lower()


def fields_of_train() -> list[str]:
    """Return the keys of ``train``."""
    return [name for name in form_fields(TrainSpec) if name != "span"]


def optimizer_arguments() -> set[str]:
    """Return the names of the arguments that optimizers take."""
    return {name for kind in ingredients("optimizer").values() for name in kind.model_fields}
