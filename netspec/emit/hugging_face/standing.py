"""The choice of the form that a graph has, or the telling of the first step that keeps it from the nearest one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netspec import zoo
from netspec.cached.plain import plain
from netspec.dataclass import dataclass
from netspec.diagnostics import SpecError, UsageError
from netspec.emit.hugging_face.forms import FORMS, Found, NetworkForm, activation
from netspec.emit.hugging_face.matching import FormDifference, FormMatch, FormMatcher
from netspec.emit.hugging_face.normal import NormalForm, normal_form
from netspec.graph import Graph
from netspec.pipeline import compile_loaded, load_spec


@dataclass(frozen=True, slots=True)
class HuggingFaceForm:
    """A network of Hugging Face's that a graph is: its class there (``architecture``), and its settings (``config``).

    ``keys`` has their key for each key of the graph that is written: of tied ones, one alone. ``inputs`` has their name
    for each input, ``outputs`` for each output; ``writes`` says that the network writes words.
    """

    title: str
    architecture: str
    config: Mapping[str, Any]
    keys: Mapping[str, str]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    writes: bool


def hugging_face_form(graph: Graph) -> HuggingFaceForm:
    """Return the network of Hugging Face's that a graph is, by its nodes and sizes, whatever its steps are called.

    Raises ``UsageError`` where it is none: it names the nearest, and the first step that differs, with its place.
    """
    own = normal_form(graph)
    nearest: tuple[NetworkForm, FormDifference] | None = None
    for form in FORMS:
        made = _against(own, form)
        if isinstance(made, HuggingFaceForm):
            return made
        if made is not None and (nearest is None or made.matched > nearest[1].matched):
            nearest = form, made
    *first, last = (form.title for form in FORMS)
    if nearest is None:
        known = f"{', '.join(first)} or {last}"
        raise UsageError(f"{graph.name} is no {known}: it has no embedding of words with layers of attention behind it")
    form, difference = nearest
    where = graph.name if difference.node is None else f"{difference.node.place}: {difference.node.path}"
    known = f"{', '.join(first)} and {last}"
    raise UsageError(f"{where} is not as in {form.title}, the nearest of {known}: {difference.text}")


def _against(own: NormalForm, form: NetworkForm) -> HuggingFaceForm | FormDifference | None:
    """Hold a graph against a form; ``None`` where its sizes cannot be told."""
    try:
        sizes = form.sizes(own)
        loaded = load_spec(zoo.folder() / f"{form.spec}.yaml")
        theirs = compile_loaded(loaded, overrides={name: size for name, size in sizes.items() if size is not None})
    except (LookupError, SpecError):
        return None
    inputs = _inputs(own.graph, theirs)
    left = plain(theirs, {*inputs.values()})
    made = FormMatcher(own, normal_form(left), inputs, form.slots, activation, form.tie).result()
    if isinstance(made, FormDifference):
        return made
    found = Found(own, sizes, made.chosen, bool(made.ties))
    config = {"architectures": [form.architecture], "model_type": form.model_type, **form.config(found)}
    later = _later_of_tied(made)
    written = {key: other for key, other in made.keys.items() if other not in later}
    names = {name: form.inputs[other] for name, other in inputs.items()}
    return HuggingFaceForm(form.title, form.architecture, config, written, names, made.outputs, form.writes)


def _later_of_tied(made: FormMatch) -> set[str]:
    """Return the form's keys that are not written, as they are another's: the later ones of its steps."""
    order = [*made.keys.values()]
    return {max(pair, key=order.index) for pair in made.ties.items()}


def _inputs(own: Graph, theirs: Graph) -> dict[str, str]:
    """Return the form's name for each input of a graph: its own, or that of the next one that is like it."""
    found = {name: name for name in own.inputs if name in theirs.inputs}
    for name, value in own.inputs.items():
        left = [other for other in theirs.inputs if other not in found.values()]
        if name not in found and left and "int" in value.tensor.dtype and len(value.shape) == 2:
            found[name] = left[0]
    return found
