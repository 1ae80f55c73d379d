"""The names that no step can have are those of ``nn.Module``."""

from torch import nn

from netspec.elaborate.building.reserved import TAKEN, free_name, why_taken


def test_all_names_of_modules_are_taken() -> None:
    names = {*dir(nn.Module()), *dir(nn.Sequential())}
    public = {name for name in names if not name.startswith("_")}
    assert public == {name for name in TAKEN if not name.startswith("_")} - {"initialize", "prepare"}
    assert not [name for name in names if why_taken(name) is None]


def test_the_name_to_write_instead_can_be_had() -> None:
    taken = [*TAKEN, "class", "None", "in", "__init__", "__init_subclass__", "__", "____", "__class__", "__train__"]
    assert all(why_taken(name) is not None and why_taken(free_name(name)) is None for name in taken)
