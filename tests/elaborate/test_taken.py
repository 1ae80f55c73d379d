"""The names that no step can have are those of ``nn.Module``."""

from torch import nn

from netspec.elaborate.taken import TAKEN


def test_all_names_of_modules_are_taken() -> None:
    names = {*dir(nn.Module()), *dir(nn.Sequential())}
    assert {name for name in names if not name.startswith("_")} == TAKEN - {"initialize", "prepare"}
