"""The pages of the language's words: ops, blocks, structures, keys and what recipes are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from inspect import signature
from operator import attrgetter

from netspec.diagnostics.catalogue import CATALOGUE
from netspec.ops import OPS
from netspec.recipes import ingredients
from netspec.reference.coverage.table import torch_table
from netspec.reference.examples.complete import complete
from netspec.reference.registry import SECTIONS, Section
from netspec.reference.show.types import type_text
from netspec.reference.usage import used_in
from netspec.reference.word import Word, WordArgument
from sitemaker.page import Page, fence, link, prose, sentence, terms
from sitemaker.samples import Sample, sample, whole

FOLDERS = {
    "op": "reference/ops",
    "block": "reference/blocks",
    "structure": "reference/structures",
    "data": "reference/training/data",
    "transform": "reference/training/transforms",
    "loss": "reference/training/losses",
    "metric": "reference/training/metrics",
    "optimizer": "reference/training/optimizers",
    "schedule": "reference/training/schedules",
    "initialisation": "reference/training/initialisations",
}
"""The kinds of words that have a page each, and the folder of these."""
KEYS = "reference/keys"
DIAGNOSTICS = "reference/diagnostics"
COLUMNS = "guides/costs.md"
FORMS = {"": "step", "spec": "spec"}
"""The names of the pages of keys, where they are not the form's."""


@cache
def places() -> dict[str, str]:
    """Return the page of every word, by the word: the first meaning where it has several."""
    found: dict[str, str] = {}
    for section in SECTIONS:
        for group, name in section.names():
            found.setdefault(name, place(section.kind, group, name))
    return {name: path for name, path in found.items() if path}


def place(kind: str, group: str, name: str) -> str:
    """Return the page of a word, with its anchor there where it shares one."""
    if kind in FOLDERS:
        return f"{FOLDERS[kind]}/{name}.md"
    if kind == "key":
        return f"{KEYS}/{FORMS.get(group, group)}.md#{name}"
    if kind == "diagnostic":
        return f"{DIAGNOSTICS}/{name}.md"
    if kind == "column":
        return f"{COLUMNS}#{name.lower()}"
    return f"reference/expressions.md#{name.lower()}"


def linked(here: str, names: Sequence[str], kind: str = "") -> str:
    """Return names as links to their pages."""
    own = FOLDERS.get(kind, "")
    there = places()
    paths = {name: f"{own}/{name}.md" if own and (kind, name) in kinds() else there.get(name, "") for name in names}
    return ", ".join(link(here, path, f"`{name}`") if path else f"`{name}`" for name, path in paths.items())


@cache
def kinds() -> frozenset[tuple[str, str]]:
    """Return every word with its kind."""
    return frozenset((section.kind, name) for section in SECTIONS for _, name in section.names())


def word_pages() -> Iterator[Page]:
    """Give a page for each word of the kinds that have pages, an index for each kind, and a page of keys a form."""
    for section in SECTIONS:
        if section.kind in FOLDERS:
            yield _index(section)
            yield from (_word_page(section.entry(*each), each[0]) for each in section.names())
    keys = [section for section in SECTIONS if section.kind == "key"]
    for section in keys:
        for group, names in section.groups().items():
            yield _keys_page(group, [section.entry(group, name) for name in names])


def _index(section: Section) -> Page:
    """The list of a kind's words, each with the first sentence of its text."""
    path = f"{FOLDERS[section.kind]}/index.md"
    lines = [INTRODUCTIONS[section.kind], ""]
    for group, names in section.groups().items():
        lines += [f"## {group.capitalize()}", ""] if group else []
        for name in names:
            word = section.entry(group, name)
            lines.append(f"- {link(path, place(section.kind, group, name), f'`{name}`')} – {first(word)}")
        lines.append("")
    return Page(path, section.title, "\n".join(lines))


def first(word: Word) -> str:
    """Return the first sentence of a word's text."""
    return prose(word.doc).split("\n\n")[0].replace("\n", " ")


def _word_page(word: Word, group: str) -> Page:
    path = place(word.kind, group, word.name)
    parts = [prose(word.doc), ""]
    is_built = word.kind in ("op", "block", "structure") and word.name != OPAQUE
    made = [sample(text) for text in word.examples] if is_built else []
    parts += [_example(each) for each in made] or [
        fence(whole(complete(text)), title="net.yaml") for text in word.examples
    ]
    if word.arguments:
        title = "Keys" if word.kind == "structure" else "Arguments"
        needed = {argument.name for argument in word.arguments if argument.required}
        parts += [f"## {title}", "", terms(_argument(each, needed) for each in _ordered(word))]
    if made:
        plain = min(made, key=lambda each: len(each.source))
        parts += [_costs(plain), _pytorch(word, plain), _onnx(plain)]
    elif stands_for(word):
        parts += ["## PyTorch", "", f"Stands for {', '.join(f'`{name}`' for name in stands_for(word))}.", ""]
    parts += ["## Facts", "", *_facts(word, path)]
    return Page(path, word.name, "\n".join(parts), group, first(word))


def _ordered(word: Word) -> list[WordArgument]:
    """The arguments of a word: those that are required first, then in torch's order, those that torch lacks last."""
    order = _torch_arguments(OPS[word.name].torch) if word.kind == "op" else []
    place = {name: at for at, name in enumerate(order)}
    return sorted(word.arguments, key=lambda each: (not each.required, place.get(each.name, len(order))))


def _torch_arguments(name: str | None) -> list[str]:
    """The arguments of a class of torch's in their order; none of what is written in C, which does not say."""
    import torch

    try:
        return [*signature(attrgetter(name or "")(torch)).parameters]
    except (AttributeError, TypeError, ValueError):
        return []


def _example(made: Sample) -> str:
    return fence(made.spec, title="net.yaml") + "\n" + fence(made.table, "text", "netspec shapes net.yaml")


def _argument(argument: WordArgument, needed: set[str]) -> tuple[str, str, str]:
    default = "required" if argument.required else f"default `{argument.default}`" if argument.default else ""
    takes = " · ".join(part for part in (type_text(argument.holds), default) if part)
    alone = " Its value may stand alone." if argument.main and needed <= {argument.name} else ""
    return argument.name, takes, sentence(prose(argument.doc)) + alone


def _costs(made: Sample) -> str:
    rows = [("parameters", "Parameters"), ("MACs", "Multiply-accumulates"), ("memory", "Memory")]
    lines = [f"- {title}: {made.costs[key]}" for key, title in rows if made.costs.get(key)]
    about = (
        "Of the example (the simplest, if there are several), at the sizes that symbolic dimensions have by default:"
    )
    return "\n".join(["## Costs", "", about, "", *lines, ""])


def _pytorch(word: Word, made: Sample) -> str:
    lines = ["## PyTorch", ""]
    if word.kind == "op" and stands_for(word):
        lines += [f"Stands for {', '.join(f'`{name}`' for name in stands_for(word))}.", ""]
    return "\n".join([*lines, fence(made.source, "python", "netspec source net.yaml")])


def stands_for(word: Word) -> list[str]:
    """Return torch's names of an op, a loss, an optimizer or a schedule."""
    if word.kind == "optimizer":
        name = str(vars(ingredients("optimizer")[word.name])["torch"])
        return [name.removeprefix("torch.")] if name.startswith("torch.") else []
    if word.kind == "schedule":
        name = f"optim.lr_scheduler.{ingredients('schedule')[word.name].__name__}"
        return [name] if _torch_arguments(name) else []
    named = f"loss `{word.name}`" if word.kind == "loss" else f"`{word.name}`"
    return [row.name for row in torch_table() if named in row.text.split(" and ")[0].split(", ")[:1]]


def _onnx(made: Sample) -> str:
    nodes = made.nodes or "no node: the value is passed on, or known beforehand"
    return f"## ONNX\n\nIn the example, in opset {made.opset}: {nodes}.\n"


def _facts(word: Word, path: str) -> Iterator[str]:
    """Return further facts, each in a line."""
    if word.kind == "op" and OPS[word.name].without:
        yield f"- **Not taken** of torch's arguments: {', '.join(f'`{each}`' for each in OPS[word.name].without)}"
    if word.place:
        yield (
            f"- **Written** as {word.place}"
            if word.kind in ("op", "block", "structure")
            else f"- **Written** under {word.place}"
        )
    for title, text in word.details:
        if title == "also":
            yield f"- **Every step** also takes {linked(path, [each.strip(' `') for each in text.split(',')])}"
        else:
            yield f"- **{title.capitalize()}** {text}"
    if word.kind == "schedule":
        yield f"- **Moves** the learning rate, `lr`, of {linked(path, [*ingredients('optimizer')], 'optimizer')}"
    if used := used_in(word.name):
        yield f"- **Used in** {', '.join(link(path, f'reference/zoo/{name}.md', name) for name in used)}"
    if word.related:
        yield f"- **See also** {linked(path, word.related, word.kind)}"
    if word.kind == "structure" and (found := mistakes(word.name)):
        yield f"- **Mistakes** {linked(path, found)}"
    yield f"- **In a terminal** `netspec help {word.name}`"
    yield ""


def mistakes(name: str) -> list[str]:
    """Return the diagnostics whose wrong spec has a key, where what is wrong is about it: their text names it."""
    return [
        id
        for id, entry in CATALOGUE.items()
        if re.search(rf"\b{name}:", entry.wrong) and re.search(rf"\b{name}\b", f"{entry.what} {entry.why} {id}")
    ]


def _keys_page(group: str, words: Sequence[Word]) -> Page:
    name = FORMS.get(group, group)
    path = f"{KEYS}/{name}.md"
    lines = [f"The keys of {words[0].place}." if group else "The keys that every step takes, beside its arguments.", ""]
    for word in words:
        lines += [f"## {word.name} {{#{word.name}}}", "", prose(word.doc), ""]
        takes = type_text(word.holds or {})
        default = WordArgument("", "", word.holds or {}).default
        lines += [f"Takes: {takes}" + (f" · default `{default}`" if default is not None else ""), ""]
        lines += [
            f"One of {linked(path, [each.strip(' `') for each in text.split(',')])}.\n" for _, text in word.details
        ]
        lines += [fence(text) for text in word.examples]
        lines += _inner(word)
        found = mistakes(word.name)
        lines += [f"Mistakes: {linked(path, found)}.", ""] if found else []
    return Page(path, FORM_TITLES[name], "\n".join(lines))


def _inner(word: Word) -> list[str]:
    """The keys within a key's value: of a form with a page of its own, the page says them."""
    if not word.arguments:
        return []
    inner = INNER_PAGES.get((word.group, word.name))
    if inner:
        return [f"Its keys are those of {link(f'{KEYS}/x.md', f'{KEYS}/{inner}.md', FORM_TITLES[inner].lower())}.", ""]
    needed = {each.name for each in word.arguments if each.required}
    rows = (_argument(each, needed) for each in word.arguments)
    return ["\n".join(f"- `{name}` ({takes}): {text}" for name, takes, text in rows), ""]


OPAQUE = "opaque"
"""The structure that nothing can build."""
INNER_PAGES = {
    ("spec", "params"): "parameter",
    ("spec", "dims"): "dimension",
    ("spec", "inputs"): "input",
    ("spec", "blocks"): "block",
    ("spec", "outputs"): "output",
    ("spec", "expect"): "expect",
    ("spec", "train"): "train",
    ("train", "weights"): "weights",
    ("block", "params"): "parameter",
    ("block", "outputs"): "output",
}
FORM_TITLES = {
    "spec": "Keys of a spec",
    "parameter": "Keys of a parameter",
    "dimension": "Keys of a dimension",
    "input": "Keys of an input",
    "output": "Keys of an output",
    "block": "Keys of a block",
    "expect": "Keys of expect",
    "train": "Keys of train",
    "weights": "Keys of weights",
    "step": "Keys of every step",
}
INTRODUCTIONS = {
    "op": "Every op, by family. Names and arguments are PyTorch's, in snake case, with PyTorch's defaults.",
    "block": "Standard blocks, written in netspec's own language and called like ops. A block of the spec takes "
    "precedence over one of the same name here.",
    "structure": "What steps are arranged with: groups, loops, branches, shortcuts, recurrences, choices.",
    "data": "What a network trains on, under `train.data`: data that come with netspec, synthetic ones, and readers of "
    "your own files.",
    "transform": "What is done to every row, under `train.prepare`, or to rows in training, under `train.augment`.",
    "loss": "What training makes small, under `train.loss`: one, or one for each output.",
    "metric": "What is measured beside the loss, under `train.metrics`.",
    "optimizer": "How weights are changed, under `train.optimizer`.",
    "schedule": "How the learning rate moves, under `train.schedule`.",
    "initialisation": "How weights start, under `init` of a spec or a step, and under `train.init`.",
}


def filled(text: str) -> str:
    """Return a page with the list of a kind's words in the place of each line ``::: words KIND``."""
    return re.sub(r"^::: words (.+)$", lambda found: _word_list(found[1]), text, flags=re.MULTILINE)


def _word_list(kind: str) -> str:
    words = [section.entry(*each) for section in SECTIONS if section.kind == kind for each in section.names()]
    return terms(
        (word.name, "", " ".join([prose(word.doc), *(text for title, text in word.details if title == "example")]))
        for word in words
    )
