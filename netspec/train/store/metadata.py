"""The metadata by which a run is loaded again without its spec or its data at hand."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from netspec import zoo
from netspec.diagnostics import EnvironmentFault, Source, SpecError, TrainingFault, UsageError
from netspec.elaborate import Limits
from netspec.files import write_text
from netspec.graph import Graph
from netspec.pipeline import Loaded, Origin, load_source
from netspec.plugins import plugins
from netspec.recipes import Column
from netspec.recipes.data.base import Transform
from netspec.recipes.data.table_column import columns_from
from netspec.sources.imports import DISK
from netspec.sources.runs import SOURCES, ZOO, RunSources
from netspec.syntax import STDIN
from netspec.text.quoting import shell
from netspec.train.data import Data, Meaning
from netspec.train.data.batches import Prepared
from netspec.train.data.digests import differences, digests_of
from netspec.train.data.meaning import meaning_of
from netspec.train.store.checkpoints import digest_of
from netspec.train.store.folder import RunFolder
from netspec.weights.files.safetensors import damaged, read_tensors, write_tensors

MEANING = "data.json"
STATES = "transforms.safetensors"


@dataclass(frozen=True, slots=True)
class Asked:
    """The request for a run besides the spec's text. ``values`` are as on the command line: ``train.epochs=2``."""

    spec: str
    variant: str | None = None
    values: tuple[str, ...] = ()

    def words(self) -> list[str]:
        """Return the request as words of a command line."""
        variant = ["--variant", self.variant] if self.variant else []
        return [
            as_path(self.spec),
            *variant,
            *(word for value in self.values for word in ("--set", value)),
            *plugin_words(),
        ]


def as_path(path: str | Path) -> str:
    """Return a path as a word of a command line that is never taken for an option; the standard input is ``-``."""
    if str(path) in ("-", STDIN):
        return "-"
    return f"./{path}" if str(path).startswith("-") else str(path)


def plugin_words() -> list[str]:
    """Return the plugins in use as words of a command line."""
    return [word for module in plugins() for word in ("--plugin", module)]


def begun_as(folder: RunFolder) -> Asked:
    """Return the request that a run was begun with; a spec of the zoo by its name."""
    asked = folder.facts()["asked"]
    path = Path(os.path.relpath(folder.path / asked["spec"]))
    name = path.stem if path.resolve() in [each.resolve() for each in zoo.files()] else str(path)
    return Asked(name, asked["variant"], tuple(asked["set"]))


def going_on(folder: RunFolder) -> str:
    """Return the command that resumes a run: its folder knows all that it was begun with, but plugins."""
    return shell(["netspec", "train", "--resume", as_path(folder.path), *plugin_words()])


def cannot_go_on(folder: RunFolder) -> EnvironmentFault:
    """Return the error about a run of which no checkpoint is whole, with the command that begins another like it."""
    own = as_path(folder.path)
    weights = ["--weights", own] if folder.best.is_file() else []
    command = shell(["netspec", "train", own, *weights, *plugin_words()])
    start = "from its best weights" if weights else "as it was begun"
    return EnvironmentFault(f"no checkpoint in {folder.checkpoints} is whole; a new run, {start}:\n  {command}")


def write_sources(loaded: Loaded, asked: Asked, folder: Path) -> dict[str, Any]:
    """Save the files that the spec imports or uses; return the request as ``run.json`` has it."""
    spec = Path(loaded.source.name).absolute()
    root = DISK.project_of(spec)
    own = spec.relative_to(root)
    for source in loaded.imported:
        ours = zoo.READ.get(source)
        name = Path(source.name).absolute().relative_to(root) if ours is None else Path(ZOO) / ours.name
        write_text(folder / SOURCES / name, source.text)
    saved = {"sources": own.as_posix(), "digests": source_digests(folder)} if loaded.imported else {}
    return {
        "variant": asked.variant or loaded.variant,
        "set": [*asked.values],
        "spec": os.path.relpath(spec, folder.absolute()),
        **saved,
    }


def rebuild(folder: RunFolder, values: Sequence[str] = ()) -> Graph:
    """Return the graph and the recipe of a run, from its folder alone; ``values`` are set on top of the run's own.

    Raises ``UsageError`` if the spec in the folder has changed since the run began.
    """
    return compiled(reloaded(folder), folder, values)


def reloaded(folder: RunFolder) -> Loaded:
    """Return the spec of a run from its folder. Raises ``UsageError`` if it has changed since the run began."""
    facts = folder.facts()
    asked = facts["asked"]
    sources, other = folder.path / SOURCES, f"{folder.path}/spec.yaml is another than when the run began"
    guard_sources(folder.path, asked.get("digests", {}))
    own = sources / asked["sources"] if "sources" in asked else folder.path / "spec.yaml"
    try:
        text = (folder.path / "spec.yaml").read_text(encoding="utf-8")
        loaded = load_source(
            Source(os.path.relpath(folder.path / asked["spec"]), text),
            asked["variant"],
            tree=RunSources(sources),
            path=own,
        )
    except OSError as fault:
        raise UsageError(f"cannot read {folder.path}/spec.yaml: {fault.strerror}") from None
    except (SpecError, UnicodeDecodeError):  # when the run began, it was right
        raise UsageError(f"{other}, and at fault now") from None
    if loaded.digest != facts["spec"]["sha256"]:
        raise UsageError(f"{other}: its weights do not belong to it")
    return loaded


def compiled(loaded: Loaded, folder: RunFolder, values: Sequence[str] = (), limits: Limits | None = None) -> Graph:
    """Return the graph of a spec with the variant and the values of a run, and with ``values`` on top of these."""
    asked = folder.facts()["asked"]
    return Origin(loaded, asked["variant"], tuple(asked["set"])).graph(values, limits)


def source_digests(folder: Path) -> dict[str, str]:
    """Return the digests of the files that a run has saved of its spec's imports, by their names in the run."""
    files = sorted(path for path in (folder / SOURCES).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): digest_of(path) for path in files}


def guard_sources(folder: Path, digests: Mapping[str, str]) -> None:
    """Guard: the files of a spec's imports are as the run has saved them; older runs have no digests."""
    for name, digest in digests.items():
        try:
            same = digest_of(folder / name) == digest
        except OSError as fault:
            raise UsageError(f"cannot read {folder / name}: {fault.strerror}") from None
        if not same:
            raise UsageError(f"{folder / name} is another than when the run began: its weights do not belong to it")


def write_meaning(data: Data, folder: RunFolder) -> None:
    """Write ``data.json``: the columns, the meaning of their numbers, and the digests of the rows."""
    meaning = meaning_of(data)
    content = {**plain_meaning(meaning), "rows": digests_of(data)}
    folder.write(MEANING, content)


def write_rows(data: Data, folder: RunFolder) -> None:
    """Write the digests of other rows that a run is resumed with; their meaning stays."""
    content = {**folder.read(MEANING), "rows": digests_of(data)}
    folder.write(MEANING, content)


def plain_meaning(meaning: Meaning) -> dict[str, Any]:
    """Return the meaning of rows as plain values."""
    return {
        "columns": {name: asdict(column) for name, column in meaning.columns.items()},
        "words": {name: [*words] for name, words in meaning.words.items()},
        "names": {name: [*names] for name, names in meaning.names.items()},
        "bytes": [*meaning.bytes],
        "ranges": {name: [*ends] for name, ends in meaning.ranges.items()},
        "table": [asdict(column) for column in meaning.table],
        "brightness": {name: [*found] for name, found in meaning.brightness.items()},
    }


def has_meaning(folder: RunFolder) -> bool:
    """Return whether a run has saved the meaning of its rows."""
    return (folder.path / MEANING).is_file()


def read_meaning(folder: RunFolder) -> Meaning:
    """Return the meaning of a run's rows. Raises ``EnvironmentFault`` if the file is damaged."""
    return meaning_from(folder.read(MEANING), folder.path / MEANING)


def meaning_from(content: Any, file: Path) -> Meaning:
    """Return the meaning of rows from plain values. Raises ``EnvironmentFault`` if these, in ``file``, are damaged."""
    try:
        return Meaning(
            {
                name: Column(**{**column, "shape": tuple(column["shape"])})
                for name, column in content["columns"].items()
            },
            {name: tuple(words) for name, words in content["words"].items()},
            {name: tuple(names) for name, names in content.get("names", {}).items()},
            tuple(content.get("bytes", ())),
            {name: (low, high) for name, (low, high) in content.get("ranges", {}).items()},
            columns_from(content.get("table", ())),
            {name: (mean, spread) for name, (mean, spread) in content.get("brightness", {}).items()},
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise damaged(file) from None


def changes_of_data(data: Data, folder: RunFolder) -> list[str]:
    """Return the differences between these data and those that a run was begun with, a sentence each."""
    content = folder.read(MEANING)
    return differences(content["rows"], digests_of(data)) if "rows" in content else []


def guard_same_data(data: Data, folder: RunFolder) -> None:
    """Guard: a run is resumed with the data that it was begun with."""
    if changes := changes_of_data(data, folder):
        raise TrainingFault(
            f"{folder.path} was begun with other data: {'; '.join(changes)}. Put the old ones back or start a new run; "
            "`--changed-data` goes on with these"
        )


def write_states(prepare: Sequence[Prepared], folder: Path) -> None:
    """Write the states that the transforms have learned from the training rows, if any learns."""
    states = {f"{at}.{name}": state for at, each in enumerate(prepare) for name, state in each.states.items()}
    if states:
        write_tensors(states, folder / STATES)


def has_states(folder: Path) -> bool:
    """Return whether a run has saved the states of its transforms."""
    return (folder / STATES).is_file()


def read_states(transforms: Sequence[Transform], folder: Path) -> list[dict[str, Tensor]]:
    """Return the state of each transform, by column; empty for those that do not learn."""
    states: list[dict[str, Tensor]] = [{} for _ in transforms]
    if not any(transform.fits for transform in transforms):
        return states
    for name, state in read_tensors(folder / STATES, "what the transforms have learned")[0].items():
        at, _, column = name.partition(".")
        states[int(at)][column] = state
    return states
