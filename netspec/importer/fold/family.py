"""The numbers that make a family of a network, as parameters of the spec, by the names that its class has for them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from netspec.importer.fold.numbers.formulas import names_of, substituted, times
from netspec.importer.fold.numbers.meanings import makes_width
from netspec.importer.program import NamedNumber
from netspec.importer.write.phrases import CallPhrase, Formula, GroupPhrase, LoopPhrase, Phrase, SpecPhrase, Wire
from netspec.importer.write.rooms import everything_in, steps_in
from netspec.ops import OPS

LEAST_USES = 5
"""A width that stands in so many places is the network's."""
LEAST_WIDTH = 16
LARGEST_FACTOR = 8
SIZES = ("shape", "unflattened_size", "size", "split_size_or_sections", "normalized_shape")
"""The arguments that have widths among other sizes."""
WIDTHS = frozenset(
    """
    d_model embed_dim embedding_dim hidden_size in_channels in_features normalized_shape num_embeddings num_features
    out_channels out_features
    """.split()  # noqa: SIM905
)
SETTINGS = {
    "width": ("hidden_size", "n_embd", "d_model", "dim", "embed_dim", "hidden_dim"),
    "heads": ("num_attention_heads", "n_head", "num_heads", "n_heads", "encoder_attention_heads", "nhead"),
    "layers": ("num_hidden_layers", "n_layer", "num_layers", "n_layers", "encoder_layers", "depth"),
    "classes": ("num_classes", "n_classes", "num_labels", "n_class", "classes"),
    "vocab": ("vocab_size", "vocab", "n_vocab"),
}
"""The names that settings and constructors have for what a network is made of, by the name that it gets else."""
HIDDEN = ("intermediate_size", "n_inner", "ffn_dim", "encoder_ffn_dim", "mlp_dim", "d_ff")
"""The names that settings have for the width between the two layers of a feed-forward network."""
Numbers = Mapping[str, NamedNumber]


def name_family(spec: SpecPhrase) -> None:
    """Give names to numbers of the whole network, where no block or loop has them already."""
    _FamilyNames(spec).find()


def forget(spec: SpecPhrase, name: str) -> None:
    """Write the number itself again wherever a parameter of the whole network stands."""
    known = {name: spec.params.pop(name)}
    for phrase in _all(spec):
        if isinstance(phrase, CallPhrase):
            phrase.arguments = {each: substituted(value, known) for each, value in phrase.arguments.items()}
        elif isinstance(phrase, LoopPhrase):
            phrase.count = substituted(phrase.count, known)
            phrase.columns = {each: substituted(value, known) for each, value in phrase.columns.items()}


def _all(spec: SpecPhrase) -> list[Phrase]:
    return [*everything_in(spec.body), *(each for block in spec.blocks for each in everything_in(block.body))]


class _FamilyNames:
    """Finds the names. ``known`` are those of the network's class, ``taken`` those that mean something else."""

    def __init__(self, spec: SpecPhrase):
        self.spec = spec
        self.known = {name: number for name, number in spec.numbers.items() if number.is_parameter}
        self.calls = [phrase for phrase in _all(spec) if isinstance(phrase, CallPhrase)]
        self.loops = [phrase for phrase in _all(spec) if isinstance(phrase, LoopPhrase)]
        self.taken = {name for block in spec.blocks for name in block.params} | {*spec.inputs, *spec.sizes, *spec.let}
        self.taken |= {name for loop in self.loops for name in loop.columns}

    def find(self) -> None:
        self._level(self.spec.body, self.known)
        for block in self.spec.blocks:
            self._level(block.body, block.numbers)
        self._classes()
        self._vocab()
        self._hidden()
        self._width()
        self._heads()
        self._layers()
        used = {name for value in self._values() for name in names_of(value)}
        order = [*(name for name in self.known if name in self.spec.params), *self.spec.params]
        self.spec.params = {name: self.spec.params[name] for name in dict.fromkeys(order) if name in used}
        if any(name in SETTINGS["width"] or name == "width" for name in self.spec.params):
            self._leave_to_width()
            self._scales()

    def _values(self) -> Iterator[Formula]:
        for value in [each for call in self.calls for each in call.arguments.values()]:
            yield from (item for item in (value if isinstance(value, tuple) else (value,)) if isinstance(item, Formula))
        for loop in self.loops:
            columns = [
                each for value in loop.columns.values() for each in (value if isinstance(value, tuple) else (value,))
            ]
            yield from (each for each in (loop.count, *columns) if isinstance(each, Formula))

    def _level(self, body: list[Phrase], own: Numbers) -> None:
        """Name the numbers of a level's steps that its class, and that of the whole network, have one name for."""
        names = {
            name: self.known[name]._replace(words=number.words)
            for name, number in own.items()
            if name in self.known and self.known[name].value == number.value and name not in self.taken
        }
        for phrase in steps_in(body):
            if isinstance(phrase, GroupPhrase):
                self._level(phrase.body, phrase.numbers or own)
            elif isinstance(phrase, LoopPhrase):
                phrase.count = self._named(phrase.count, "count", names)
                self._columns(phrase, names)
            elif isinstance(phrase, CallPhrase):
                for argument, value in phrase.arguments.items():
                    word = argument if phrase.block is None else phrase.block.words.get(argument, argument)
                    if not _is_default(phrase, argument, value):
                        phrase.arguments[argument] = self._said(value, word, names)

    def _columns(self, loop: LoopPhrase, names: Numbers) -> None:
        """Say the widths of a loop by the network's width, where all of them are multiples of it."""
        for column, values in loop.columns.items():
            words = {word for call in steps_in(loop.body) for word in _words_for(call, column)}
            if isinstance(values, tuple) and len(words) == 1 and words <= WIDTHS:
                (word,) = words
                said = tuple(self._named(value, word, names) for value in values)
                if all(isinstance(each, Formula) for each in said):
                    loop.columns[column] = said

    def _said(self, value: Any, word: str, names: Numbers) -> Any:
        if not isinstance(value, tuple):
            return self._named(value, word, names)
        if word not in SIZES or len(value) > LARGEST_FACTOR:
            return value
        lengths = {name: number for name, number in names.items() if "num_embeddings" in number.words}
        return tuple(self._named(each, word, names if value.count(each) == 1 else lengths) for each in value)

    def _named(self, value: Any, word: str, names: Numbers) -> Any:
        """Return a number by the only name that it has as this argument; else the number itself."""
        if type(value) not in (int, float) or value in (0, 1):
            return value
        alike = [name for name, number in names.items() if number.value == value and _is_for(word, name, number)]
        if len(alike) == 1:
            return self._param(alike[0], value)
        if alike or type(value) is not int or word not in WIDTHS:
            return value
        parts = [
            name
            for name, number in names.items()
            if word in number.words and type(number.value) is int and LEAST_WIDTH <= number.value < value
            and value % number.value == 0 and value // number.value <= LARGEST_FACTOR
        ]  # fmt: skip
        if len(parts) != 1:
            return value
        base = int(names[parts[0]].value)
        return times(value // base, self._param(parts[0], base))

    def _param(self, name: str, value: Any) -> Formula:
        self.spec.params[name] = value
        return Formula(name)

    def _called(self, meaning: str, value: int) -> str | None:
        """Return what the network's class calls a number of this meaning, or else the meaning; nothing if taken."""
        names = [name for name in SETTINGS[meaning] if name in self.known and self.known[name].value == value]
        return next((name for name in [*names, meaning] if name not in self.taken), None)

    def _classes(self) -> None:
        """Say how wide the last layer is, where the network's class says that these are classes."""
        last = next((call for call in reversed(self.calls) if self._is_last(call)), None)
        value = last.arguments.get("out_features") if last is not None else None
        if last is None or type(value) is not int:
            return
        name = self._called("classes", value)
        if name is not None and name in self.known:
            last.arguments["out_features"] = self._param(name, value)

    def _vocab(self) -> None:
        """Say how many words there are by its name, where the last layer has one output for each."""
        words = [call for call in self.calls if call.word == "embedding"]
        ends = [call for call in self.calls if call.word == "linear" and self._is_given(call)]
        counts = {call.arguments.get("num_embeddings") for call in words}
        counts &= {call.arguments.get("out_features") for call in ends}
        value = next((each for each in counts if type(each) is int), 0)
        name = self._called("vocab", value) if value > LEAST_WIDTH else None
        if name is None:
            return
        for call in (*words, *ends):
            argument = "num_embeddings" if call.word == "embedding" else "out_features"
            if call.arguments.get(argument) == value:
                call.arguments[argument] = self._param(name, value)

    def _hidden(self) -> None:
        """Say how wide layers between others are, where the network's settings say so."""
        width = next((self.known[name].value for name in SETTINGS["width"] if name in self.known), None)
        for call in self.calls:
            value = call.arguments.get("out_features")
            if type(value) is int and value != width and call.word == "linear" and call.block is None:
                name = next((n for n in HIDDEN if n in self.known and self.known[n].value == value), None)
                if name is not None and name not in self.taken:
                    call.arguments["out_features"] = self._param(name, value)

    def _width(self) -> None:
        """Say the width that most layers have, and multiples of it, by its name."""
        counts = Counter(value for _, _, value in self._widths())
        width, uses = counts.most_common(1)[0] if counts else (0, 0)
        name = self._called("width", width)
        if uses < LEAST_USES or width < LEAST_WIDTH or name is None:
            return
        for call, argument, value in [*self._widths()]:
            factor, rest = divmod(value, width)
            if rest == 0 and factor <= LARGEST_FACTOR and not self._is_last(call):
                call.arguments[argument] = times(factor, self._param(name, width)) if factor > 1 else Formula(name)
        self.spec.params[name] = width

    def _widths(self) -> Iterator[tuple[CallPhrase, str, int]]:
        for call in self.calls:
            for argument, value in call.arguments.items():
                if type(value) is int and makes_width(argument) and argument != "num_embeddings" and call.block is None:
                    yield call, argument, value

    def _heads(self) -> None:
        """Say the number of heads by its name, where all attention has the same."""
        using = [call for call in self.calls if "num_heads" in call.arguments and not is_own(call)]
        values = {call.arguments["num_heads"] for call in using}
        if len(values) != 1 or type(value := values.pop()) is not int:
            return
        name = self._called("heads", value)
        for call in using:
            if name is not None:
                call.arguments["num_heads"] = self._param(name, value)

    def _layers(self) -> None:
        """Say the count of the only long loop over a block by its name."""
        loops = [each for each in everything_in(self.spec.body) if isinstance(each, LoopPhrase)]
        long = [loop for loop in loops if len(loop.body) == 1 and type(loop.count) is int and not loop.columns]
        blocks: Counter[Any] = Counter(call.block for call in self.calls if call.block is not None)
        long = [loop for loop in long if loop.count > 3 and blocks[getattr(loop.body[0], "block", None)] == 1]
        if len(long) == 1:
            (loop,) = long
            name = self._called("layers", loop.count)
            loop.count = loop.count if name is None else self._param(name, loop.count)

    def _leave_to_width(self) -> None:
        """Let the size of a head follow from the width, where layers are split into heads."""
        for call in self.calls:
            sizes = call.arguments.get("unflattened_size")
            if call.word != "unflatten" or not isinstance(sizes, tuple) or call.arguments.get("dim") not in (-1, 2):
                continue
            if len(sizes) in (2, 3) and type(sizes[-1]) is int and sizes[-1] > 1 and -1 not in sizes:
                call.arguments["unflattened_size"] = (*sizes[:-1], -1)

    def _scales(self) -> None:
        """Say roots of a width, or of that of a head, in place of the numbers that they come to."""
        whole = {name: value for name, value in self.spec.params.items() if type(value) is int}
        roots = {value**power: f"{name} ** {power}" for name, value in whole.items() for power in (-0.5, 0.5)}
        for width, heads in itertools.permutations(whole, 2):
            if heads in ("heads", *SETTINGS["heads"]) and whole[width] >= LEAST_WIDTH:
                roots.setdefault((whole[width] // whole[heads]) ** -0.5, f"({width} // {heads}) ** -0.5")
        for call in self.calls:
            for argument in ("factor", "scale"):
                value = call.arguments.get(argument)
                if call.block is None and type(value) is float and value in roots:
                    call.arguments[argument] = Formula(roots[value])

    def _is_given(self, call: CallPhrase) -> bool:
        """Return whether a step makes what the network gives."""
        return any(_maker(wire) is call for wire in self.spec.outputs.values())

    def _is_last(self, call: CallPhrase) -> bool:
        """Return whether a linear layer makes what the network gives, and nothing stands behind it."""
        phrase: Phrase | None = self.spec.body[-1] if self.spec.body else None
        while getattr(phrase, "body", None) and not isinstance(phrase, LoopPhrase):
            phrase = phrase.body[-1]  # type: ignore[union-attr]
        return phrase is call and call.word == "linear" and len(call.makes[0].tensor.shape) == 2


def is_own(call: CallPhrase) -> bool:
    """Return whether a step calls a block of the spec's own, whose arguments mean what its author wants."""
    return call.block is not None and not call.block.is_standard


def _maker(wire: Wire) -> Phrase | None:
    """Return the step that makes a wire, inside whatever levels."""
    while isinstance(wire.maker, GroupPhrase):
        wire = wire.maker.results[wire.port]
    return wire.maker


def _words_for(call: Phrase, column: str) -> Iterator[str]:
    """Yield the arguments that a call, or one in its levels, takes a column for."""
    if isinstance(call, CallPhrase):
        for argument, value in call.arguments.items():
            if value == column and isinstance(value, Formula):
                yield argument if call.block is None else call.block.words.get(argument, argument)
    for inner in getattr(call, "body", ()):
        yield from _words_for(inner, column)


def _is_default(phrase: CallPhrase, argument: str, value: Any) -> bool:
    """Return whether an argument of an op need not be written."""
    return phrase.block is None and bool(OPS[phrase.word].model_fields[argument].default == value)


def _is_for(word: str, name: str, number: NamedNumber) -> bool:
    """Return whether a number of this name is what an argument takes."""
    if word in number.words or (word == "max_length" and "num_embeddings" in number.words):
        return True
    if word == "count":
        return name in SETTINGS["layers"]
    if word == "num_heads" or (word == "unflattened_size" and name in SETTINGS["heads"]):
        return name in SETTINGS["heads"]
    return word in SIZES and number.value >= LEAST_WIDTH and bool(number.words & WIDTHS)
