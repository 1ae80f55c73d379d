"""The values of arguments, by what the help calls them: SPEC, RUN, FILE, KEY=VALUE, …"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from netspec.diagnostics import NetspecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from netspec.pipeline import Loaded

    Values: TypeAlias = Iterable[tuple[str] | tuple[str, str]]
    """Each value, perhaps with what it is."""


class ValuePlace(NamedTuple):
    """The place of a value: its command and option, its name in the help, the positionals before, its beginning."""

    command: str
    option: Sequence[str]
    metavar: str
    positionals: Sequence[str]
    current: str


def values(place: ValuePlace) -> Values:
    """Return the values that begin as the place does; none where nobody can say, or a spec on the line is at fault."""
    named = (place.option[-1] if place.option else place.command, place.metavar)
    find = BY_PLACE.get(named) or BY_NAME.get(place.metavar)
    if find is None:
        return [(place.metavar,)] if place.metavar.islower() else []
    try:
        return [*find(place)]
    except (NetspecError, OSError):
        return []


def specs(place: ValuePlace) -> Values:
    """Yield specs in the folder, and the zoo: its families at first, and variants once a letter is there."""
    from netspec import zoo

    yield from _paths(place.current, (".yaml", ".yml"))
    if "/" in place.current:
        return
    if not place.current:
        yield from ((path.stem, "zoo") for path in zoo.files())
        return
    yield from ((name, "zoo") for name in zoo.names(place.current))


def runs(place: ValuePlace) -> Values:
    """Yield the runs in the folder, and folders that may have some."""
    from netspec.sources.run_folders import LAST, RUNS, is_run

    folders = sorted(each.parent for each in RUNS.glob("*/*/run.json") if is_run(each.parent))
    if folders:
        yield LAST, "the run that was begun last"
    yield from ((str(each.parent / LAST), "the last of its network") for each in folders)
    yield from ((str(each),) for each in folders)
    if not folders or "/" in place.current:
        yield from folders_in(place)


def specs_or_runs(place: ValuePlace) -> Values:
    """Yield what can be compared: networks to train, or runs."""
    yield from runs(place)
    yield from specs(place)


def files(place: ValuePlace) -> Values:
    """Yield files and folders."""
    yield from _paths(place.current, ("",))


def models(place: ValuePlace) -> Values:
    """Yield what can be imported."""
    yield from _paths(place.current, (".py", ".onnx", ".pt2", ".pt"))


def folders_in(place: ValuePlace) -> Values:
    """Yield folders."""
    yield from _paths(place.current, ())


def _paths(current: str, suffixes: tuple[str, ...]) -> Iterator[tuple[str]]:
    """Yield files of these suffixes, and folders, whose names begin like the path; hidden ones if that is asked for."""
    folder, beginning = os.path.split(current)
    try:
        entries = sorted(os.scandir(os.path.expanduser(folder) or "."), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        hidden = entry.name.startswith(".") and not beginning.startswith(".")
        if hidden or not entry.name.startswith(beginning):
            continue
        path = os.path.join(folder, entry.name)
        if entry.is_dir():
            yield (f"{path}/",)
        elif entry.name.endswith(suffixes):
            yield (path,)


def variants(place: ValuePlace) -> Values:
    """Yield the variants of the spec on the line."""
    return [(name,) for name in _loaded(place).variants if name is not None]


def parameters(place: ValuePlace) -> Values:
    """Yield the parameters of the spec on the line; behind a key the values that it may have."""
    loaded = _loaded(place)
    key, given, _ = place.current.partition("=")
    for name, parameter in loaded.spec.params.items():
        spec = parameter.spec
        if not given:
            yield f"{name}=", (spec.doc or "" if spec is not None else "")
        elif name == key:
            default = getattr(parameter.default, "value", None)
            choices = [getattr(each, "text", "") for each in (spec.choices or ())] if spec is not None else []
            yield from ((f"{name}={choice}",) for choice in choices or ["true", "false"] * isinstance(default, bool))


def dimensions(place: ValuePlace) -> Values:
    """Yield the symbolic dimensions of the spec on the line."""
    from netspec.pipeline import compile_loaded

    loaded = _loaded(place)
    variant = loaded.variant or loaded.variants[0]
    return [(f"{name}=", f"quoted at {size}") for name, size in compile_loaded(loaded, variant=variant).sizes.items()]


def _loaded(place: ValuePlace) -> Loaded:
    """Return the spec on the line. Raises ``NetspecError`` where there is none that is right."""
    from netspec.pipeline import load_spec

    return load_spec(place.positionals[-1] if place.positionals else "")


def ops(_: ValuePlace) -> Values:
    """Yield the ops, and the library's blocks."""
    from netspec import library
    from netspec.ops import OPS

    yield from ((name,) for name in OPS)
    yield from ((name, "library") for name in library.names())


def words(_: ValuePlace) -> Values:
    """Yield every word of the language."""
    from netspec.reference.registry import all_names

    return [(name,) for name in all_names()]


def diagnostics(_: ValuePlace) -> Values:
    """Yield the ids of the diagnostics."""
    from netspec.diagnostics.catalogue import CATALOGUE

    return [(id, entry.what) for id, entry in CATALOGUE.items()]


def targets(_: ValuePlace) -> Values:
    """Yield what a network can be written as."""
    from netspec.targets import target_names

    return [(name,) for name in target_names()]


BY_NAME: dict[str, Callable[[ValuePlace], Values]] = {
    "SPEC": specs,
    "A": specs,
    "B": specs,
    "RUN": runs,
    "FILE": files,
    "DIR": folders_in,
    "SOURCE": models,
    "KEY=VALUE": parameters,
    "KEY=A,B,…": parameters,
    "NAME=SIZE": dimensions,
    "TARGET": targets,
    "ID": diagnostics,
}
BY_PLACE: dict[tuple[str, str], Callable[[ValuePlace], Values]] = {
    ("compare", "SPEC"): specs_or_runs,
    ("help", "NAME"): words,
    ("ops", "NAME"): ops,
    ("--variant", "NAME"): variants,
}
