"""The parts of training: losses, optimizers, schedules, data sets, transforms, metrics, and the keys of a run."""

from __future__ import annotations

from collections.abc import Mapping

from netspec.recipes import Ingredient
from netspec.recipes.settings import Settings
from netspec.reference.sources.forms import form_keys
from netspec.reference.word import WordArgument
from netspec.spec import TrainSpec
from netspec.text.docstrings import field_docs


def ingredient_arguments(kind: type[Ingredient]) -> Mapping[str, WordArgument]:
    """Return the arguments of an ingredient by name, in their order."""
    docs, holds = field_docs(kind), kind.model_json_schema().get("properties", {})
    return {
        name: WordArgument(name, docs.get(name, ""), holds.get(name, {}), field.is_required(), name == kind.main)
        for name, field in kind.model_fields.items()
    }


def settings() -> Mapping[str, WordArgument]:
    """Return the keys of ``train`` that hold a number or a word each, with their values' schema and default."""
    keys = form_keys(TrainSpec)
    return {
        name: WordArgument(name, keys[name].doc, argument.holds)
        for name, argument in ingredient_arguments(Settings).items()
    }


def train_keys() -> Mapping[str, WordArgument]:
    """Return the keys of ``train`` with what each of them takes."""
    return {**form_keys(TrainSpec), **settings()}
