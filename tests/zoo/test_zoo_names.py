"""The names that a zoo file has its networks by."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec import zoo
from netspec.pipeline import load_spec


@pytest.mark.parametrize("path", zoo.files(), ids=lambda path: path.stem)
def test_the_names_are_those_of_the_spec(path: Path) -> None:
    assert zoo.variants(path) == (*load_spec(path).spec.variants,)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("netspec: 1\nvariants:\n  a: {}\n\n# a comment\n  'b c': {x: 1}\nnetwork: []\n", ("a", "b c")),
        ("variants: {a: {}, b: {x: 1}}\nnetwork: []\n", ("a", "b")),
        ("network: []\nvariants:\n  a: {}\n  b:\n    x: 1", ("a", "b")),
        ("# variants:\n#   a: {}\nnetwork: []\n", ()),
        ("doc: |\n  variants:\n    a: {}\nnetwork: []\n", ()),
        ('{"variants": {"a": {}}, "network": []}\n', ("a",)),
    ],
)
def test_they_are_found_however_they_are_written(text: str, names: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    assert zoo.variants(path) == names
