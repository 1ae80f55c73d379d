"""The names that no step can have are those of ``nn.Module``."""

from torch import nn

from netspec.elaborate.building.reserved import RESERVED_NAMES, free_name, why_reserved


def is_torch_s(name: str) -> bool:
    """Return whether a name of modules is torch's own: other packages, such as transformers, add theirs."""
    value = getattr(nn.Sequential, name, None)
    return not str(getattr(value, "__module__", "")).startswith("transformers")


def test_all_names_of_modules_are_taken() -> None:
    names = {name for name in (*dir(nn.Module()), *dir(nn.Sequential())) if is_torch_s(name)}
    public = {name for name in names if not name.startswith("_")}
    assert public == {name for name in RESERVED_NAMES if not name.startswith("_")} - {"initialize", "prepare"}
    assert not [name for name in names if why_reserved(name) is None]


def test_the_name_to_write_instead_can_be_had() -> None:
    taken = [
        *RESERVED_NAMES,
        "class",
        "None",
        "in",
        "__init__",
        "__init_subclass__",
        "__",
        "____",
        "__class__",
        "__train__",
    ]
    assert all(why_reserved(name) is not None and why_reserved(free_name(name)) is None for name in taken)
