"""The data of a recipe, held against its network; in the numbering of the run that its weights come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from netspec.diagnostics import Report, SpecError, UsageError
from netspec.elaborate.reading.values import Reader
from netspec.elaborate.training.proposed_recipe import how_to_train
from netspec.elaborate.training.recipe import check_columns, class_count
from netspec.graph import Graph, covers
from netspec.recipes.binding import Unbound, bind_inputs, bind_target, prepared
from netspec.recipes.data import DataSet
from netspec.recipes.data.files import TableFile
from netspec.recipes.recipe import Recipe
from netspec.train.data import Data, DataFault, Meaning, Rows, TensorRows
from netspec.train.data.meaning import as_trained, by_character, changed, listed
from netspec.train.data.targets import judged
from netspec.train.names import resolve
from netspec.train.store.folder import RunFolder
from netspec.train.store.metadata import has_meaning, read_meaning
from netspec.weights.keys import SpecTensor, tensors_of
from netspec.weights.runs import run_behind

Words = tuple[str, ...]


def recipe_of(graph: Graph) -> Recipe:
    """Return the recipe of a graph. Raises ``UsageError`` if its spec does not say how it is trained."""
    if graph.recipe is None:
        raise UsageError(f"the spec of {graph.name} does not say how it is trained: {how_to_train(graph)}")
    return graph.recipe


def read_data(graph: Graph, known: Meaning | None = None) -> Data:
    """Read the data of a graph's recipe, and check them against the network. Raises ``SpecError`` at the spec's line.

    Data for a trained network are read by the meaning of its own, ``known``. A network that starts from the weights of
    a run has the words and classes of that one under its numbers, and its features in that one's order.
    """
    recipe, report = recipe_of(graph), Report()
    reader, span = Reader(report), recipe.spans["data"]
    try:
        data = _as_it_lies(graph, recipe.data, known)
        if known is None:
            data = ordered_by_weights(graph, data)
        ranks = {name: len(each.value.shape) for name, each in graph.outputs.items()}
        repair = "`classes: true` makes 0 and 1 of any two values" if hasattr(recipe.data, "classes") else None
        data = judged(data, recipe.losses, ranks, known is not None, repair)
        data = as_trained(data, known) if known is not None else numbered_by_weights(graph, data)
    except DataFault as error:
        reader.error("data-mismatch", error.message, span, help=error.help)
        raise SpecError(report.diagnostics) from None
    check_columns(recipe, data.columns, graph.inputs, graph.outputs, graph.requirements, reader)
    report.raise_if_any()
    return data


def _as_it_lies(graph: Graph, data_set: DataSet, known: Meaning | None = None) -> Data:
    here = recipe_of(graph).folder_of("data", graph.spec)
    data: Data = resolve(data_set.torch)(data_set, here, *([known] if data_set.knows else []))
    return data


def learned_before(graph: Graph) -> tuple[str, Meaning] | None:
    """Return the run that a network's weights come from, and the meaning of its data; ``None`` where there is none."""
    recipe = recipe_of(graph)
    path = None if recipe.weights is None else run_behind(recipe.weights, recipe.folder_of("weights", graph.spec))
    return None if path is None or not has_meaning(RunFolder(path)) else (str(path), read_meaning(RunFolder(path)))


def ordered_by_weights(graph: Graph, data: Data) -> Data:
    """Return the data of a table whose columns are those of the run that the weights come from, in that one's order."""
    data_set, found = recipe_of(graph).data, learned_before(graph)
    if found is None or not isinstance(data_set, TableFile):
        return data
    run, held = found
    own, theirs = ([column.name for column in columns] for columns in (data.table, held.table))
    if own == theirs or sorted(own) != sorted(theirs):
        return data
    data = _as_it_lies(graph, data_set.model_copy(update={"features": theirs}))
    return replace(data, notes=(*data.notes, f"features in the order of {run}, which the weights are from"))


def numbered_by_weights(graph: Graph, data: Data) -> Data:
    """Return data with words and classes under the numbers that they have in the run that the weights come from.

    Words that are new to it get the numbers after its own. Raises ``DataFault`` where the network has none left.
    """
    weights, found = recipe_of(graph).weights, learned_before(graph)
    if weights is None or found is None:
        return data
    run, held = found
    if not weights.skip:
        data = replace(data, notes=(*data.notes, *other_features(data, held, run)))
    groups: dict[tuple[Words, Words], list[str]] = {}
    for name, words in data.words.items():
        if held.words.get(name, words) != words:
            groups.setdefault((held.words[name], words), []).append(name)
    with suppress(Unbound, ValueError):  # data that are not the network's are told as such
        for (known, words), names in groups.items():
            data = Numbering(graph, run, known, words, names).of(data)
    return data


def other_features(data: Data, held: Meaning, run: str) -> Iterator[str]:
    """Yield a note for the columns whose features are others than those of a run, or in another order."""
    for name, features in data.names.items():
        if held.names.get(name, features) != features:
            theirs = f"{run} has learned {listed(held.names[name])}, in this order"
            yield f"`{name}` of the data are {listed(features)}, and {theirs}"


@dataclass(frozen=True, slots=True)
class Numbering:
    """The numbers of the ``words`` of some columns, in a network with weights of a ``run`` that has ``known`` ones."""

    graph: Graph
    run: str
    known: Words
    words: Words
    columns: Sequence[str]

    def of(self, data: Data) -> Data:
        """Return the data numbered so; as they are, with a note, where classes are others than those of the run."""
        is_text = any(not (column := data.columns[name]).target or column.shifted for name in self.columns)
        new = [word for word in self._used(data) if word not in self.known]
        room = self._room(data)
        if room is not None and (room < len(self.known) or self._starts_anew(room)):
            return data
        if not is_text and new:
            told = f"{listed(self.columns)} has other classes than {self.run}, where they are {listed(self.known)}"
            return replace(data, notes=(*data.notes, f"{told}: `skip` lets the last layer start anew"))
        if room is not None and len(self.known) + len(new) > room:
            raise self._no_room(new, room)
        return self._renumbered(data, (*self.known, *new), new)

    def _used(self, data: Data) -> list[str]:
        """Return the words that stand in the rows, in the order of their numbers."""
        parts = [rows for rows in (data.train, data.validation, data.test) if rows is not None]
        if not all(isinstance(rows, TensorRows) for rows in parts):
            return [*self.words]
        found = {number for rows in parts for name in self.columns for number in _numbers(rows, name)}
        return [word for number, word in enumerate(self.words) if number in found]

    def _room(self, data: Data) -> int | None:
        """Return how many words the network has numbers for; ``None`` where nothing bounds them."""
        recipe, graph = recipe_of(self.graph), self.graph
        columns = prepared(data.columns, recipe.prepare)
        bound = bind_inputs(columns, graph.inputs, recipe.inputs)
        read = [
            input_range.below for name, input_range in graph.input_ranges.items() if bound.get(name) in self.columns
        ]
        scored = [
            class_count(graph.outputs[name].value)
            for name, loss in recipe.losses.items()
            if bind_target(columns, loss, [*bound.values()]) in self.columns
        ]
        return min((size for size in (*read, *scored) if isinstance(size, int)), default=None)

    def _starts_anew(self, room: int) -> bool:
        """Return whether tensors with a row for each word are left out of the weights that the network takes."""
        source = recipe_of(self.graph).weights
        keys = [tensor.key for tensor in self._with_rows(room)]
        patterns = () if source is None else source.skip
        return any(covers(pattern, key) for pattern in patterns for key in keys)

    def _with_rows(self, count: int) -> list[SpecTensor]:
        """Return the parameters with so many rows, as those of an embedding and of the scores of words."""
        return [tensor for tensor in tensors_of(self.graph) if tensor.learned and count in tensor.shape[:1]]

    def _no_room(self, new: Sequence[str], room: int) -> DataFault:
        what, count = self._what(new), len(self.known) + len(new)
        layers = [f"{tensor.module}.*" for tensor in self._with_rows(room)]
        ends = ", ".join(dict.fromkeys([*layers[:1], *layers[-1:]]))
        message = f"{what} of the data are new to {self.run}, which has {len(self.known)}, and the network takes {room}"
        return DataFault(
            f"{message}: {listed(new)}",
            f"leave them out of the data, have rare ones count as unknown (`least`), or make room for {count} and let "
            f"the layers with a row for each start anew: `skip: [{ends}]`",
        )

    def _what(self, words: Sequence[str]) -> str:
        unit = "character" if by_character(self.known) else "word"
        return f"{len(words):,} {unit}{'s' * (len(words) != 1)}"

    def _renumbered(self, data: Data, numbering: Words, new: Sequence[str]) -> Data:
        place = {word: number for number, word in enumerate(numbering)}
        table = torch.tensor([place.get(word, 0) for word in self.words])
        changes = dict.fromkeys(self.columns, lambda rows: table[rows.long()])
        validation, test = (rows if rows is None else changed(rows, changes) for rows in (data.validation, data.test))
        columns = {
            name: replace(column, classes=column.classes and len(numbering)) if name in changes else column
            for name, column in data.columns.items()
        }
        return replace(
            data,
            columns=columns,
            train=changed(data.train, changes),
            validation=validation,
            test=test,
            words={**data.words, **dict.fromkeys(self.columns, numbering)},
            notes=(*data.notes, *self._told(new)),
        )

    def _told(self, new: Sequence[str]) -> Sequence[str]:
        if not new:
            return ()
        told = f"{self._what(new)} new to {self.run}, which has learned nothing of them: {listed(new)}"
        return (f"{told} (from number {len(self.known)} on)",)


def _numbers(rows: Rows, name: str) -> Sequence[int]:
    tensors: Mapping[str, Tensor] = getattr(rows, "tensors", {})
    return torch.unique(tensors[name]).tolist() if name in tensors else ()
