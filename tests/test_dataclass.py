"""netspec's dataclass beside the standard library's, which judges it: the same class made by both."""

import copy
import dataclasses
import pickle
import subprocess
import sys
from dataclasses import field

import pytest

from netspec.dataclass import dataclass

KINDS = [{}, {"frozen": True}, {"slots": True}, {"frozen": True, "slots": True}, {"frozen": True, "eq": False}]
ARGUMENTS = [((1,), {}), ((), {"x": 1, "y": [2]}), ((3, [4]), {"note": "n"})]
WRONG = [((), {}), ((1, 2, 3, 4), {}), ((1,), {"x": 2}), ((1,), {"z": 2})]


def point(decorate):
    class Point:
        x: int
        y: list[int] = field(default_factory=list)
        note: str = field(default="", compare=False)
        total: int = field(init=False, repr=False)

        def __post_init__(self):
            object.__setattr__(self, "total", self.x + sum(self.y))

    return decorate(Point)


def both(**options):
    return point(dataclass(**options)), point(dataclasses.dataclass(**options))


@pytest.mark.parametrize("options", KINDS, ids=str)
@pytest.mark.parametrize(("values", "named"), ARGUMENTS)
def test_instances_are_those_of_the_standard_library(options, values, named):
    ours, theirs = (kind(*values, **named) for kind in both(**options))
    assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)
    assert repr(ours) == repr(theirs)
    assert hasattr(ours, "__dict__") == hasattr(theirs, "__dict__")
    changed, expected = (dataclasses.replace(each, x=7) for each in (ours, theirs))
    assert dataclasses.asdict(changed) == dataclasses.asdict(expected)
    assert repr(copy.deepcopy(ours)) == repr(theirs)


@pytest.mark.parametrize("options", KINDS, ids=str)
@pytest.mark.parametrize(("values", "named"), WRONG)
def test_wrong_arguments_are_refused(options, values, named):
    for kind in both(**options):
        with pytest.raises(TypeError, match="__init__"):
            kind(*values, **named)


@pytest.mark.parametrize("options", [*KINDS, {"unsafe_hash": True, "slots": True}], ids=str)
def test_comparison(options):
    for kind in both(**options):
        assert (kind(1) == kind(1)) == options.get("eq", True)
        assert kind(1) != kind(2)
        assert kind(1) != 1
    ours, theirs = (compared(decorate, options) for decorate in (dataclass, dataclasses.dataclass))
    assert (ours.__hash__ is None) == (theirs.__hash__ is None)
    if ours.__hash__ is not None and options.get("eq", True):
        assert hash(ours(1, "a")) == hash(ours(1, "b")) != hash(ours(2, "a"))
        assert hash(theirs(1, "a")) == hash(theirs(1, "b")) != hash(theirs(2, "a"))


def compared(decorate, options):
    class Pair:
        number: int
        note: str = field(compare=False)

    return decorate(**options)(Pair)


@pytest.mark.parametrize("options", KINDS[1:4:2], ids=str)
def test_a_frozen_one_refuses_changes(options):
    for kind in both(**options):
        made = kind(1)
        with pytest.raises(dataclasses.FrozenInstanceError, match="x"):
            made.x = 2
        with pytest.raises(dataclasses.FrozenInstanceError, match="x"):
            del made.x
        assert made.x == 1


@dataclass(frozen=True, slots=True)
class Stored:
    x: int
    y: tuple[int, ...] = ()

    def __repr__(self):
        return "stored"


@dataclass
class Inner:
    inner: object = None


def test_pickle_brings_a_frozen_one_back():
    assert pickle.loads(pickle.dumps(Stored(1, (2,)))) == Stored(1, (2,))


def test_methods_of_the_class_stay():
    assert repr(Stored(1)) == "stored"


def test_one_that_holds_itself_is_shown():
    made = Inner()
    made.inner = made
    assert repr(made) == "Inner(inner=...)"


def test_defining_a_class_compiles_nothing():
    text = """
import builtins, dataclasses
from netspec.dataclass import dataclass
compiled, before = [], builtins.exec
builtins.exec = lambda *given: (compiled.append(given[0]), before(*given))
@dataclass(frozen=True, slots=True)
class A:
    x: int
assert not compiled
assert A(1) == A(1) and A(2).x == 2
assert len(compiled) == 1, compiled
"""
    subprocess.run([sys.executable, "-c", text], check=True)
