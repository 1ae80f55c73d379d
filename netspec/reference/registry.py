"""Every word of the language by its kind, and what is found under a name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from netspec import library
from netspec.dataclass import dataclass
from netspec.diagnostics import UsageError
from netspec.diagnostics.catalogue import PHASES
from netspec.diagnostics.suggest import SYNONYMS, nearest
from netspec.elaborate.passes.init_rules import FUNCTIONS as RULES
from netspec.elaborate.steps import STRUCTURES
from netspec.ops import OPS
from netspec.plugins import look_for_plugins
from netspec.recipes import Kind as IngredientKind
from netspec.recipes import ingredients
from netspec.reference import entries
from netspec.reference.sources.columns import COLUMNS
from netspec.reference.sources.expressions import FUNCTIONS, REFERENCES, TYPES, WORDS
from netspec.reference.sources.forms import form_keys
from netspec.reference.sources.ops import families, step_keys
from netspec.reference.word import Kind, Word, WordArgument

Groups = Mapping[str, Sequence[str]]


def _no_arguments(_: str, __: str) -> Collection[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Section:
    """The words of a kind: their names in groups, each with a title or without, and how a name becomes its entry.

    ``arguments`` gives the names of a word's arguments, for which no entry need be made.
    """

    kind: Kind
    title: str
    groups: Callable[[], Groups]
    entry: Callable[[str, str], Word]
    arguments: Callable[[str, str], Collection[str]] = _no_arguments

    def names(self) -> Iterator[tuple[str, str]]:
        """Give the group and the name of every word, in order."""
        return ((group, name) for group, names in self.groups().items() for name in names)


def _ingredient_section(kind: IngredientKind, title: str) -> Section:
    return Section(
        kind,
        title,
        lambda: {"": [*ingredients(kind)]},
        lambda _, name: entries.ingredient_word(kind, name),
        lambda _, name: ingredients(kind)[name].model_fields,
    )


SECTIONS: tuple[Section, ...] = (
    Section(
        "key",
        "Keys",
        lambda: {title: [*form_keys(form)] for title, form in entries.FORM_TITLES.items()},
        entries.key_word,
        entries.part_keys,
    ),
    Section("key", "Keys of every step", lambda: {"": [*step_keys()]}, entries.step_key_word),
    Section(
        "structure",
        "Structures",
        lambda: {"": [*STRUCTURES]},
        entries.structure_word,
        lambda _, name: form_keys(STRUCTURES[name]),
    ),
    Section("op", "Ops", families, entries.op_word, lambda _, name: OPS[name].model_fields),
    Section(
        "block", "Blocks of the library", lambda: {"": [*library.names()]}, entries.block_word, entries.block_parameters
    ),
    _ingredient_section("data", "Data sets"),
    _ingredient_section("transform", "Transforms"),
    _ingredient_section("loss", "Losses"),
    _ingredient_section("metric", "Metrics"),
    _ingredient_section("optimizer", "Optimizers"),
    _ingredient_section("schedule", "Schedules"),
    Section(
        "initialisation", "Initialisations", lambda: {"": [*RULES]}, entries.rule_word, lambda _, name: RULES[name]
    ),
    Section("type", "Types", lambda: {"": [*TYPES]}, entries.type_word),
    Section("function", "Functions of expressions", lambda: {"": [*FUNCTIONS]}, entries.expression_word),
    Section("expression word", "Words of expressions", lambda: {"": [*WORDS]}, entries.expression_word),
    Section("expression word", "References", lambda: {"": [*REFERENCES]}, entries.reference_word),
    Section(
        "diagnostic",
        "Diagnostics",
        lambda: {phase: [*ids] for phase, ids in PHASES.items()},
        entries.diagnostic_word,
    ),
    Section("column", "Columns of the shape table", lambda: {"": [*COLUMNS]}, entries.column_word),
)
"""The language, in the order in which it is listed."""


def find(name: str) -> tuple[Word, ...]:
    """Return every meaning of a name: of a word, of an argument, or of a value that an argument chooses from.

    ``conv2d.padding`` is the argument of one word. Raises ``UsageError``, with the nearest words, where there is none.
    """
    found = _found(name)
    if not found:
        look_for_plugins()
        found = _found(name)
    if not found:
        raise UsageError(f"there is no word named `{name}`: {_suggestion(name)}")
    return found


def _found(name: str) -> tuple[Word, ...]:
    named = tuple(section.entry(*each) for section in SECTIONS for each in section.names() if each[1] == name)
    owner, dot, argument = name.rpartition(".")
    having = _found(owner) if dot else _having(name)
    found = named + tuple(_argument_words(argument if dot else name, having))
    return found or tuple(_value_words(name))


def _having(argument: str) -> Iterator[Word]:
    """Give the words that have an argument."""
    for section in SECTIONS:
        yield from (section.entry(*each) for each in section.names() if argument in section.arguments(*each))


def all_names() -> list[str]:
    """Return every word and argument by name, each once."""
    words = [name for section in SECTIONS for _, name in section.names()]
    having = [argument for section in SECTIONS for each in section.names() for argument in section.arguments(*each)]
    return list(dict.fromkeys([*words, *having]))


def _argument_words(name: str, owners: Iterable[Word]) -> list[Word]:
    """An argument's entry for each thing that it means, with the words that have it so."""
    having: dict[tuple[str, str], list[tuple[Word, WordArgument]]] = {}
    for word in owners:
        for argument in word.arguments:
            if argument.name == name:
                having.setdefault((word.kind, argument.doc), []).append((word, argument))
    return [_argument_word(*pairs[0], [word.name for word, _ in pairs]) for pairs in having.values()]


def _argument_word(owner: Word, argument: WordArgument, owners: Sequence[str]) -> Word:
    kind = "key" if owner.kind in ("structure", "key") else "argument"
    return Word(
        argument.name,
        "key" if kind == "key" else "argument",
        argument.doc[:1].upper() + argument.doc[1:] + ".",
        group=owner.name if len(owners) == 1 else "",
        place=", ".join(f"`{each}`" for each in owners),
        examples=tuple(text for text in owner.examples if f"{argument.name}:" in text)[:1],
        related=tuple(each.name for each in owner.arguments if each is not argument)[: entries.MOST_RELATED],
        holds=argument.holds,
    )


def _value_words(name: str) -> list[Word]:
    """The entry of a word that an argument or a key chooses from others."""
    having: dict[str, tuple[Word, WordArgument]] = {}
    for word in (section.entry(*each) for section in SECTIONS for each in section.names()):
        own = WordArgument(word.name, word.doc, word.holds or {})
        for argument in (own, *word.arguments):
            if name in _choices(argument.holds):
                having.setdefault(argument.name, (word, argument))
    return [
        Word(
            name,
            "value",
            f"One of the values of `{key}`: {argument.doc[:1].lower() + argument.doc[1:].rstrip('.')}.",
            place=f"`{key}`" if word.name == key else f"`{key}` of `{word.name}`",
            related=tuple(each for each in _choices(argument.holds) if each != name),
        )
        for key, (word, argument) in having.items()
    ]


def _choices(holds: Mapping[str, object]) -> list[str]:
    """The words that a value is one of."""
    options = holds.get("anyOf")
    inner = [each for option in options for each in _choices(option)] if isinstance(options, list) else []
    own = holds.get("enum") or ([holds["const"]] if "const" in holds else [])
    return [each for each in own if isinstance(each, str)] + inner if isinstance(own, list) else inner


def _suggestion(name: str) -> str:
    owner = name.rpartition(".")[0]
    having = [f"{owner}.{argument.name}" for word in (_found(owner) if owner else ()) for argument in word.arguments]
    names = list(dict.fromkeys(having)) or all_names()
    begun = [each for each in names if len(name) > 2 and each.startswith(name.lower())][:3]
    meant = [SYNONYMS.get(name.lower(), ""), nearest(name, names) or ""]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    within = [each for each in names if len(name) > 2 and name.lower() in each.lower()]
    found = [each for each in dict.fromkeys([*meant, *begun, *near, *within]) if each in names][:5]
    if not found:
        return "`netspec help` lists them all"
    return "did you mean " + " or ".join(", ".join(f"`{each}`" for each in found).rsplit(", ", 1)) + "?"
