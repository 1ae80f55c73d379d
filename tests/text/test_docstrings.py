"""The texts behind a class's fields: of its own, of an alias, of the class it inherits from."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated
from zipfile import ZipFile

import pytest
from pydantic import BaseModel, Field

from netspec.recipes.losses import CrossEntropyLoss, HuberLoss
from netspec.recipes.optimizers import AdamW
from netspec.text.docstrings import documentation, field_docs

Size = Annotated[int, Field(ge=1)]
"""the size"""


class Base(BaseModel):
    """The first line.

    And ``more`` of it.
    """

    size: Size
    other: Size | None = None
    mine: Size = 1
    """a ``text``
    of its own"""
    silent: int = 0


class Derived(Base):
    mine: int = 2
    silent: int = 1
    """now with one"""


def test_a_class() -> None:
    assert documentation(Base) == "The first line.\n\nAnd `more` of it."


def test_fields() -> None:
    assert field_docs(Base) == {"size": "the size", "other": "the size", "mine": "a `text` of its own"}


def test_inherited_fields() -> None:
    assert field_docs(Derived) == {**field_docs(Base), "silent": "now with one"}


def test_fields_of_other_modules() -> None:
    assert field_docs(HuberLoss)["delta"] == "the error up to which the loss is squared"
    assert {*field_docs(CrossEntropyLoss)} >= {"scale", "target", "weight", "ignore_index", "label_smoothing"}
    assert field_docs(AdamW)["lr"] == "the learning rate"


def test_an_alias_that_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "borrowed.py").write_text(
        "from netspec.recipes.base import Ingredient\n"
        "from netspec.recipes.optimizers import Rate as Speed\n"
        "class It(Ingredient):\n    speed: Speed = 1.0\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    borrowed = __import__("borrowed")
    assert field_docs(borrowed.It) == {"speed": "the learning rate"}


def test_without_a_source() -> None:
    made: type = type("Made", (BaseModel,), {"__module__": "nowhere", "__annotations__": {"size": int}})
    assert field_docs(made) == {}
    assert documentation(int) != ""


def test_the_source_of_a_module_may_lie_in_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    archive = tmp_path / "packed.zip"
    with ZipFile(archive, "w") as packed:
        packed.writestr("packed_module.py", 'class Packed:\n    size: int = 1\n    """how large"""\n')
    monkeypatch.syspath_prepend(str(archive))
    assert field_docs(import_module("packed_module").Packed) == {"size": "how large"}
