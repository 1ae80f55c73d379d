"""The ingredients of a recipe: one class an ingredient says everything there is to say about it.

An ingredient is a loss, an optimizer, a schedule, a data set, a transform or a metric. Its Pydantic fields are its
arguments, with PyTorch's names and defaults; a spec writes it as it writes a step: its name, or one key with the
arguments inside (``adam``, ``adam: 0.002``, ``adam: {lr: 0.002}``). To add one, write its class in the file of its
kind. Nothing here imports torch: a class names what does the work (``torch``), and ``netspec.train`` looks it up.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from os.path import dirname, join
from types import ModuleType
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from netspec.dataclass import dataclass
from netspec.diagnostics import UsageError
from netspec.ops.registry import names_in

Task = Literal["classes", "binary", "numbers"]
Kind = Literal["loss", "optimizer", "schedule", "data", "transform", "metric"]

KEYS: Mapping[Kind, str] = {
    "loss": "loss",
    "optimizer": "optimizer",
    "schedule": "schedule",
    "data": "data",
    "transform": "prepare",
    "metric": "metrics",
}
"""The key of ``train`` that an ingredient of each kind stands under."""

BASES: Mapping[Kind, str] = {
    "loss": "losses.Loss",
    "optimizer": "optimizers.Optimizer",
    "schedule": "schedules.Schedule",
    "data": "data.base.DataSet",
    "transform": "data.base.Transform",
    "metric": "metrics.Metric",
}
"""The class that those of a kind are derived from."""

FILES: Mapping[Kind, tuple[str, ...]] = {
    "loss": ("losses", "special_losses"),
    "optimizer": ("optimizers",),
    "schedule": ("schedules",),
    "data": ("data.built_in", "data.files", "data.points"),
    "transform": ("transforms", "augmentations"),
    "metric": ("metrics",),
}


class Ingredient(BaseModel):
    """Base of every ingredient.

    Class variables: ``name`` the spec key; ``main`` the argument that a lone value goes to; ``torch`` the function or
    class that does the work, by its full name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True, allow_inf_nan=False)

    name: ClassVar[str]
    main: ClassVar[str | None] = None
    torch: ClassVar[str] = ""

    @classmethod
    def summary(cls) -> str:
        """Return the first line of its documentation."""
        return (cls.__doc__ or "").strip().split("\n")[0]

    def detail(self) -> str:
        """Return its telling arguments in few characters: ``adam 0.002, weight_decay=0.01``."""
        texts: list[str] = []
        for argument, field in type(self).model_fields.items():
            value = getattr(self, argument)
            if argument == self.main and value is not None:
                texts.insert(0, _text(value))
            elif value != field.default:
                texts.append(f"{argument}={_text(value)}")
        return f"{self.name} {', '.join(texts)}".strip()


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_text, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


class Ingredients(Mapping[str, type[Ingredient]]):
    """The ingredients of a kind by their spec keys, in the order of their texts. A file is imported with its first."""

    def __init__(self, files: Sequence[str]):
        folder = dirname(__file__)
        paths = {f"{__package__}.{file}": join(folder, *file.split(".")) + ".py" for file in files}
        self._modules = {name: module for module, path in paths.items() for name in names_in(path)}
        self._loaded: dict[str, type[Ingredient]] = {}

    def __getitem__(self, name: str) -> type[Ingredient]:
        if name not in self._loaded:
            self._loaded |= {each.name: each for each in ingredients_in(import_module(self._modules[name]))}
        return self._loaded[name]

    def add(self, kind: type[Ingredient]) -> type[Ingredient]:
        """Add an ingredient from outside, unless there is one of its name; return the one that is there then."""
        if kind.name not in self._modules:
            self._modules[kind.name], self._loaded[kind.name] = kind.__module__, kind
        return self[kind.name]

    def __contains__(self, name: object) -> bool:
        return name in self._modules

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)


@cache
def ingredients(kind: Kind) -> Mapping[str, type[Ingredient]]:
    """Return every ingredient of a kind by its spec key, those of plugins too.

    Raises ``UsageError`` where two have one name.
    """
    found = Ingredients(FILES[kind])
    if PLUGIN_MODULES:
        file, _, name = BASES[kind].rpartition(".")
        base = getattr(import_module(f"netspec.recipes.{file}"), name)
        for module in PLUGIN_MODULES:
            for value in ingredients_in(import_module(module)):
                if issubclass(value, base) and found.add(value) is not value:
                    raise UsageError(f"{module} brings a {name} `{value.name}`, which already exists")
    return found


def ingredients_in(module: ModuleType) -> list[type[Ingredient]]:
    """The ingredients in a module's sight that can be named in a spec."""
    classes = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Ingredient)]
    return [value for value in classes if "name" in vars(value)]


PLUGIN_MODULES: list[str] = []
"""The modules from outside that are looked through for ingredients; ``netspec.plugins`` adds to them."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a data set, as far as it is known before it is read: one row's shape, dtype and meaning.

    A size of ``None`` is known only once the data are read. ``classes`` is how many whole numbers a column of such
    has, from 0 on. ``target`` marks what is to be predicted; ``padding`` a number that stands for nothing. ``shifted``
    names the column that holds the same words one place later: each is predicted from those before it.
    """

    shape: tuple[int | None, ...]
    dtype: str = "float32"
    classes: int | None = None
    target: bool = False
    padding: int | None = None
    shifted: str | None = None
