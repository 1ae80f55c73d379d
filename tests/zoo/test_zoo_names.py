"""What the zoo's names mean."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from netspec import zoo
from netspec.pipeline import compile_loaded, compile_spec, load_spec


def test_no_two_networks_share_a_name() -> None:
    """But for a family whose default variant bears its name."""
    names = Counter(name for path in zoo.files() for name in {path.stem, *zoo.variants(path)})
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("path", zoo.files(), ids=lambda path: path.stem)
def test_a_file_is_called_as_its_spec_and_says_where_it_comes_from(path: Path) -> None:
    spec = load_spec(path).spec
    assert spec.name == path.stem
    assert spec.doc


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in zoo.files() if zoo.variants(path)], ids=lambda path: path.stem)
def test_a_family_by_its_own_name_is_one_of_its_variants(path: Path) -> None:
    """The one that bears the name, where there is one."""
    names = [path.stem] if path.stem in zoo.variants(path) else zoo.variants(path)
    assert compile_loaded(load_spec(path)).parameters in [compile_spec(name).parameters for name in names]
    if path.stem in zoo.variants(path):
        assert not load_spec(path).spec.variants[path.stem].values
