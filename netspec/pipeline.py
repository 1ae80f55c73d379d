"""The front half, step by step: the file to read first.

    path or name ─► Source ─► syntax tree ─► Spec ─► Graph

Nothing here imports torch, onnx or numpy. What is done with a graph is in ``emit`` (texts and files that need no
torch) and ``runtime`` (what needs it).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netspec import zoo
from netspec.dataclass import dataclass
from netspec.diagnostics import Report, Source, UsageError, did_you_mean
from netspec.diagnostics.suggest import MOST_LISTED
from netspec.elaborate import ElaborationCache, Limits, elaborate
from netspec.graph import Graph
from netspec.sources.run_folders import SPEC, named_run, names_run, no_such_run
from netspec.spec import Spec, read_spec
from netspec.syntax import DEFAULT, FileLimits, SyntaxNode, parse, read_source, read_stdin

if TYPE_CHECKING:
    from netspec.sources.imports import Tree


LEADS_ELSEWHERE = re.compile(r"\b(extends|import|use)\b")
"""Words in a text that may take something from another file."""

NETWORK = (re.compile(r"\bnetspec\b['\"]?\s*:"), re.compile(r"\b(network|extends)\b['\"]?\s*:"))
"""The keys of a spec that has a network, rather than blocks alone."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A spec file, read and checked in form. ``variant`` is set where a variant's name was asked for; that of a run has
    its variant, and the ``values`` that it was begun with, as on the command line.
    """

    source: Source
    document: SyntaxNode
    spec: Spec
    variant: str | None
    imported: tuple[Source, ...] = ()
    values: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the file's text, and of the texts that it imports."""
        hasher = hashlib.sha256(self.source.text.encode())
        for source in self.imported:
            hasher.update(b"\0" + source.text.encode())
        return hasher.hexdigest()

    @property
    def variants(self) -> list[str | None]:
        """Every build of the spec: its defaults, unless a variant has the spec's own name, then each variant."""
        return [*([] if self.spec.name in self.spec.variants else [None]), *self.spec.variants]


@dataclass(frozen=True, slots=True)
class Origin:
    """A spec with what a network was made of it with: the variant, and values as on the command line, ``width=8``."""

    loaded: Loaded
    variant: str | None = None
    values: tuple[str, ...] = ()

    def graph(self, values: Sequence[str] = (), limits: Limits | None = None) -> Graph:
        """Return the graph, with more values on top. Raises ``SpecError`` with everything that is wrong."""
        overrides = values_of((*self.values, *values))
        return compile_loaded(self.loaded, variant=self.variant, overrides=overrides, limits=limits)


def load_spec(target: str | Path, limits: FileLimits = DEFAULT) -> Loaded:
    """Find and read a spec: a path, a folder with one spec, that of a run, the name of a zoo entry or of one of its
    variants, or ``-`` for the standard input.

    Raises ``UsageError`` where there is none, ``SpecError`` with every fault of form.
    """
    if target == "-":
        return load_source(read_stdin(limits), None, limits)
    path, variant = find_spec(target)
    loaded = load_source(read_source(path, limits), variant, limits)
    if names_run(str(target)):
        from netspec.sources.runs import begun_with

        variant, values = begun_with(path.parent)
        return replace(loaded, variant=variant, values=values)
    return loaded


def load_source(
    source: Source,
    variant: str | None = None,
    limits: FileLimits = DEFAULT,
    tree: Tree | None = None,
    path: Path | None = None,
) -> Loaded:
    """Read a spec from a text, as an editor holds it. Raises ``SpecError`` with every fault of form.

    ``tree`` is where the files that it leads to come from, ``path`` its own place there (default: as they are beside
    the file that the source is named by; beside a run's spec, as the run has saved them).
    """
    report = Report()
    document = parse(source, report, limits)
    if document is None:
        report.raise_if_any()
    assert document is not None
    sources: list[Source] = []
    if LEADS_ELSEWHERE.search(source.text):
        from netspec.sources.networks import link  # most specs need no other file
        from netspec.sources.runs import tree_around

        if tree is None:
            tree, path = tree_around(path or Path(source.name))
        document, spec, sources = link(document, source, report, limits, tree, path)
    else:
        spec = read_spec(document, report)
    report.raise_if_any()
    assert spec is not None
    return Loaded(source, document, spec, variant, tuple(sources))


def show_spec(target: str | Path, limits: FileLimits = DEFAULT) -> str:
    """Return a spec as one text that needs no other file: what it extends, imports and uses stands in it.

    Raises ``UsageError`` where there is none, ``SpecError`` with every fault of form.
    """
    loaded = load_spec(target, limits)
    if not loaded.imported:
        return loaded.source.text
    from netspec.sources.runs import tree_around
    from netspec.sources.showing import show

    tree, path = tree_around(Path(loaded.source.name))
    return show(loaded.source, path, limits, tree)


def load_revision(target: str, revision: str, limits: FileLimits = DEFAULT) -> Loaded:
    """Read a spec, and what it imports, as a revision of its git repository has them.

    Raises ``UsageError`` where there is no such file or revision, ``EnvironmentFault`` where there is no git.
    """
    from netspec.sources.revisions import Revision

    path, variant = find_spec(target)
    tree = Revision.of(path, revision)
    own = tree.path_of(path)
    return load_source(tree.read(own, limits), variant, limits, tree, own)


def find_spec(target: str | Path) -> tuple[Path, str | None]:
    """The file that a path, a folder or a zoo name means, and the variant, where the name is a variant's.

    Raises ``UsageError`` where there is none, and for the standard input, which is no file.
    """
    if names_run(str(target)):
        path = named_run(str(target))
        return (path.parent if path.name.startswith("fold-") else path) / SPEC, None
    if (told := no_such_run(str(target))) is not None:
        raise UsageError(told)
    text = str(target)
    if target == "-":
        raise UsageError("this takes a file: the standard input, `-`, can be read only once")
    if isinstance(target, Path) or text.endswith((".yaml", ".yml")) or "/" in text or "\\" in text:
        return (only_spec(Path(target)) if os.path.isdir(target) else Path(target)), None
    entry = zoo.find(text)
    if entry is not None:
        return entry
    if os.path.isfile(text):
        return Path(text), None
    if os.path.isdir(text):
        return only_spec(Path(text)), None
    hint = did_you_mean(text, zoo.names()) or "`netspec list` lists them all"
    raise UsageError(f"there is no spec file or zoo entry named `{text}`: {hint}")


def only_spec(folder: Path) -> Path:
    """Return the one file in a folder that has a network. Raises ``UsageError`` where there is none, or several."""
    files = sorted(each for each in folder.glob("*.y*ml") if each.is_file())
    found = [str(each) for each in files if all(key.search(each.read_text("utf-8", "replace")) for key in NETWORK)]
    if not found:
        raise UsageError(f"the folder {folder} has no spec in it: name a YAML file, or a zoo entry (`netspec list`)")
    if len(found) > 1:
        more = f" and {len(found) - MOST_LISTED} more" if len(found) > MOST_LISTED else ""
        raise UsageError(f"the folder {folder} has several specs: name one of {', '.join(found[:MOST_LISTED])}{more}")
    return Path(found[0])


def compile_loaded(
    loaded: Loaded,
    *,
    variant: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    sizes: Mapping[str, int] | None = None,
    limits: Limits | None = None,
    shared: ElaborationCache | None = None,
) -> Graph:
    """The shaped graph of a loaded spec. Raises ``SpecError`` with everything that is wrong.

    ``overrides`` are values of parameters, and of keys under ``train`` by their path (``train.optimizer.lr``).
    """
    spec, lora = loaded.spec, None
    overrides = {**values_of(loaded.values), **(overrides or {})}
    if training := {path[6:]: value for path, value in (overrides or {}).items() if path.startswith("train.")}:
        from netspec.elaborate.training.overrides import with_overrides

        if spec.train is None:  # a network may be changed so without a recipe
            lora = training.pop("lora", None)
        spec = spec.changed(train=with_overrides(spec.train, training))
        overrides = {name: value for name, value in overrides.items() if not name.startswith("train.")}
    return elaborate(
        spec,
        Report(),
        variant=loaded.variant if variant is None else variant,
        overrides=overrides,
        sizes=sizes,
        limits=limits,
        shared=shared,
        lora=lora,
        digest=loaded.digest,
        texts=(loaded.source, *loaded.imported),
    )


def read_value(key: str, text: str) -> SyntaxNode | None:
    """A parameter's value as written on the command line: YAML, as it would be in the spec. Raises ``SpecError``."""
    report = Report()
    node = parse(Source(f"--set {key}", text), report)
    if any(diagnostic.id == "yaml-empty" for diagnostic in report.diagnostics):
        raise UsageError(f"--set {key}={text} gives no value: write an empty string as `{key}=''`, with its quotes")
    report.raise_if_any()
    return node


def values_of(texts: Sequence[str]) -> dict[str, SyntaxNode | None]:
    """Return values as on the command line, ``width=8``, by parameter or path of the recipe."""
    pairs = [text.partition("=") for text in texts]
    return {key.strip(): read_value(key.strip(), value) for key, _, value in pairs}


def compile_spec(target: str | Path, **options: Any) -> Graph:
    """``load_spec`` and ``compile_loaded`` in one: ``compile_spec("resnet50", overrides={"classes": 10})``."""
    limits = options.get("limits") or Limits()
    return compile_loaded(load_spec(target, limits.file), **options)
