"""The metadata in the ONNX file of a run: enough to prepare its inputs and to read its outputs."""

from __future__ import annotations

import json
from typing import Any

from netspec.graph import Graph
from netspec.recipes.binding import bind_inputs, bind_target, prepared
from netspec.recipes.recipe import written
from netspec.train.reading import recipe_of
from netspec.train.store.folder import RunFolder
from netspec.train.store.metadata import plain_meaning, read_meaning, read_states


def metadata_of(graph: Graph, run: RunFolder, fold: RunFolder) -> dict[str, str]:
    """Return the properties of an ONNX file, each a JSON text. ``fold`` has the transforms: a fold of the run, or the
    run.

    ``netspec.inputs`` has the column of each input, ``netspec.targets`` that of each output with a loss;
    ``netspec.data`` is the meaning of the columns, as in ``data.json``; ``netspec.classes`` has the names of an
    output's classes; ``netspec.prepare`` the transforms, in their order, with what each has learned (``states``, by
    column).
    """
    recipe, meaning = recipe_of(graph), read_meaning(run)
    inputs = bind_inputs(prepared(meaning.columns, recipe.prepare), graph.inputs, recipe.inputs)
    targets = {name: bind_target(meaning.columns, loss, [*inputs.values()]) for name, loss in recipe.losses.items()}
    classes = {name: meaning.words[column] for name, column in targets.items() if column in meaning.words}
    states = read_states(recipe.prepare, fold.path)
    steps = [
        {**written(each), **({"states": {name: state.tolist() for name, state in learned.items()}} if learned else {})}
        for each, learned in zip(recipe.prepare, states)
    ]
    properties: dict[str, Any] = {
        "inputs": inputs,
        "targets": targets,
        "classes": classes,
        "data": plain_meaning(meaning),
        "prepare": steps,
    }
    return {f"netspec.{name}": json.dumps(value, ensure_ascii=False) for name, value in properties.items()}
