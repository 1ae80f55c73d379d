"""Names for weights whose names in the file an exporter made: the module's path, and torch's name of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from netspec.importer.capture.onnx.scopes import calls_of
from netspec.importer.program import ForeignProgram, ForeignStep, ModuleCall
from netspec.ops.core.foreign import ForeignTensor

LONGEST_CONSTANT = 64
"""Numbers of a constant that a spec has in its text; those of a longer one are a buffer."""


def give_keys(program: ForeignProgram, said: Mapping[ForeignStep, str]) -> None:
    """Give every tensor that an op holds a key, and each step the calls of modules that its keys stand in.

    ``state`` of the program has them all then, with their values. ``said`` are the steps whose tensors have their keys,
    with their paths.
    """
    names = _Keys(program)
    for step in program.steps:
        if step.reading is None:
            continue
        if step in said:
            step.reading = step.reading._replace(inputs=names.inputs(step))
            step.scopes = names.placed(step, said[step])
            continue
        state = names.own(step, step.reading.state)
        step.reading = step.reading._replace(state=state, inputs=names.inputs(step))
        step.scopes = names.scopes(step)


class _Keys:
    """Hands out keys; a tensor of the same key and the same values is the same tensor.

    ``ops`` has the ops by the paths of their tensors, ``homes`` the paths of steps that hold another's.
    """

    def __init__(self, program: ForeignProgram):
        self.program = program
        self.state = program.state
        self.made = {*program.inputs.values()}
        for step in program.steps:
            self.made.update(each for each in step.call.outputs if each is not None)
        counts = Counter(step.scopes[-1].path if step.scopes else "" for step in program.steps)
        self.busy = {"", *(call.path for step in program.steps for call in step.scopes[:-1])}
        self.busy |= {path for path, count in counts.items() if count > 1}
        states = [step.reading.state for step in program.steps if step.reading is not None]
        self.named = {each for state in states for each in state.values() if each.key}
        self.turns: Counter[str] = Counter()
        self.made_up: set[ForeignTensor] = set()
        self.ops: dict[str, str] = {}
        self.homes: dict[ForeignStep, str] = {}
        self.seen: dict[tuple[int, tuple[int, ...]], ForeignTensor] = {}

    def own(self, step: ForeignStep, state: Mapping[str, ForeignTensor]) -> dict[str, ForeignTensor]:
        """Return the tensors that an op holds by key: where one is named after the module that holds it, all are."""
        for name, tensor in state.items():
            tensor.learned = tensor.dtype.startswith("float") and not name.startswith("running_")
            if tensor.constant is None:
                tensor.constant = np.zeros(tensor.shape, tensor.dtype)
        state = {name: tensor if at else self.again(tensor) for at, (name, tensor) in enumerate(state.items())}
        home = self.home(step, state)
        if self.ops.setdefault(home, step.op) != step.op:
            return self.tied(step, state)
        made: dict[str, ForeignTensor] = {}
        for name, tensor in state.items():
            other = bool(tensor.key) and _joined(home, name) != tensor.key
            if other and (made or lent(step, tensor) or not _fits(tensor.key, name)):
                copied = np.array(tensor.constant)  # another tensor, though its values are the same
                tensor = ForeignTensor(tensor.shape, tensor.dtype, "", tensor.learned, copied)
            made[name] = self.kept(tensor.key or _joined(home, name), tensor)
        return made

    def tied(self, step: ForeignStep, state: Mapping[str, ForeignTensor]) -> dict[str, ForeignTensor]:
        """Return the tensors of an op that has some of another's, such as the table of an embedding, by key."""
        home = self.free(self.place_of(step), state)
        made = {name: self.kept(tensor.key or _joined(home, name), tensor) for name, tensor in state.items()}
        others = {_joined(home, name): tensor.key for name, tensor in made.items() if not tensor.key.startswith(home)}
        self.program.tied = {**self.program.tied, **others}
        self.homes[step] = home
        return made

    def home(self, step: ForeignStep, state: Mapping[str, ForeignTensor]) -> str:
        """Return the path of the module that holds a step's tensors: by the first one's key, or one in its scope.

        Exporters write equal tensors once, so that a bias may go by the key of another's.
        """
        inside = step.scopes[-1].path if step.scopes else ""
        first = next(iter(state), "")
        for name, tensor in state.items():
            key = tensor.key
            if lent(step, tensor) and _fits(key, name):
                return inside
            near = name == first or (tensor in self.named and (not inside or key.startswith(f"{inside}.")))
            if not key or not near:
                continue
            if _fits(key, name):
                return home_of(key, name)
            stem = key.removesuffix(f"_{name}")
            if stem != key or (stem := key.rpartition(".")[0]) not in self.busy:
                return stem
        return self.free(self.place_of(step), state)

    def place_of(self, step: ForeignStep) -> str:
        """Return the path of a step's module, or one in it if the module does more than this step."""
        path = step.scopes[-1].path if step.scopes else ""
        return _joined(path, step.op) if path in self.busy else path

    def free(self, path: str, state: Mapping[str, ForeignTensor]) -> str:
        """Return a path for a module at which nothing stands under the names of its tensors."""
        count, home = 1, path
        while any(_joined(home, name) in self.state for name in state):
            count += 1
            home = f"{path}_{count}"
        return home

    def placed(self, step: ForeignStep, path: str) -> tuple[ModuleCall, ...]:
        """Return the calls around a step at a path, and enter its tensors; one at another's path is tied to it."""
        assert step.reading is not None
        keys = {name: tensor.key for name, tensor in step.reading.state.items()}
        others = {key for name, key in keys.items() if key in self.state and _joined(path, name) != key}
        self.state.update((tensor.key, tensor) for tensor in step.reading.state.values())
        for name, key in keys.items():
            if key in others:
                self.program.tied = {**self.program.tied, _joined(path, name): key}
        self.turns[path] += 1
        return _down_to(path, calls_of(path), self.turns[path] - 1)

    def scopes(self, step: ForeignStep) -> tuple[ModuleCall, ...]:
        """Return the calls around a step; that of the module which holds its tensors is the innermost."""
        assert step.reading is not None
        state = step.reading.state
        if step in self.homes:
            return _down_to(self.homes[step], step.scopes, 0)
        homes = {home_of(tensor.key, name) for name, tensor in state.items() if _fits(tensor.key, name)}
        if len(homes) != 1:
            return step.scopes
        home = homes.pop()
        self.turns[home] += 1
        return _down_to(home, step.scopes, self.turns[home] - 1)

    def inputs(self, step: ForeignStep) -> tuple[ForeignTensor | None, ...]:
        """Return what a step reads, by keys where it is a weight."""
        assert step.reading is not None
        return tuple(None if each is None else self.read(step, each) for each in step.reading.inputs)

    def read(self, step: ForeignStep, tensor: ForeignTensor) -> ForeignTensor:
        """Return a tensor that an op reads: a weight or a large constant by a key, anything else as it is."""
        if tensor in self.made or tensor.constant is None:
            return tensor
        inside = step.scopes[-1].path if step.scopes else ""
        home, _, name = tensor.key.rpartition(".")
        if tensor.key and tensor not in self.made_up:
            if lent(step, tensor) and _pattern(home) == _pattern(inside):
                tensor = ForeignTensor(tensor.shape, tensor.dtype, "", tensor.learned, np.array(tensor.constant))
                return self.kept(_joined(inside, name), tensor)
            return self.kept(tensor.key, tensor)
        if not tensor.key and tensor.constant.size <= LONGEST_CONSTANT:
            return tensor
        if tensor.key and home != inside:  # each module has its own, though the file has one
            tensor = ForeignTensor(tensor.shape, tensor.dtype, "", tensor.learned, tensor.constant)
        found = self.kept(tensor.key or _joined(inside, f"{step.op}_constant"), tensor)
        self.made_up.add(found)
        return found

    def again(self, tensor: ForeignTensor) -> ForeignTensor:
        """Return the tensor that has the same numbers in the same place of the file, if there was one; else itself."""
        return tensor if tensor.key else self.seen.get(_memory(tensor), tensor)

    def kept(self, wish: str, tensor: ForeignTensor) -> ForeignTensor:
        """Return the tensor that the state has under a key, which is another one if that is taken by other values."""
        key, count = wish, 1
        while (there := self.state.get(key)) is not None:
            if there is tensor or _equal(there, tensor):
                return there
            count += 1
            key = f"{wish}_{count}"
        tensor.key = key
        self.state[key] = self.seen[_memory(tensor)] = tensor
        return tensor


def _pattern(path: str) -> str:
    """The path of a module without its numbers, as those of a list have it in common."""
    return re.sub(r"\d+", "0", path)


def lent(step: ForeignStep, tensor: ForeignTensor) -> bool:
    """Return whether a tensor has one number throughout, such as a new norm's ones, and the key of another module's:
    exporters write equal tensors once.
    """
    inside = step.scopes[-1].path if step.scopes else ""
    if not inside or not tensor.key or tensor.key.startswith(f"{inside}."):
        return False
    return tensor.constant.size > 0 and bool((tensor.constant == tensor.constant.flat[0]).all())


def _memory(tensor: ForeignTensor) -> tuple[int, tuple[int, ...]]:
    """The place of a tensor's numbers, and their shape."""
    return tensor.constant.__array_interface__["data"][0], tensor.constant.shape


def _equal(left: ForeignTensor, right: ForeignTensor) -> bool:
    return left.shape == right.shape and left.dtype == right.dtype and np.array_equal(left.constant, right.constant)


def _fits(key: str, name: str) -> bool:
    """Return whether a key is that of a tensor of this name in a module."""
    return key == name or key.endswith(f".{name}") or not name


def home_of(key: str, name: str) -> str:
    """Return the path of the module that holds a tensor of this key under this name."""
    return key[: -len(name)].removesuffix(".") if name else key


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name


def _down_to(path: str, scopes: Sequence[ModuleCall], turn: int) -> tuple[ModuleCall, ...]:
    """The calls down to a path: those that there are on the way to it, and the last, which is its call of that turn."""
    kept = [call for call in scopes if path == call.path or path.startswith(f"{call.path}.")]
    if not path:
        return tuple(kept)
    if kept and kept[-1].path == path:
        return (*kept[:-1], kept[-1]._replace(turn=turn))
    return (*kept, ModuleCall(path, "", turn))
