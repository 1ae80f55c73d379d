"""Initial values: once, from the spec's rules, else PyTorch's defaults; each parameter from a seed of its own."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized
from torch.overrides import TorchFunctionMode

from netspec.graph import Graph, Node, visits, walk_parameters
from netspec.runtime.single import Suppressed, fills, own_module


def construct_uninitialised(kind: type[nn.Module]) -> nn.Module:
    """An instance whose parameters have no particular value: filling them twice is most of the cost."""
    module = kind.__new__(kind)
    # A rule's function may loop until its numbers fit (trunc_normal_): it must not run at all, not merely fill nothing.
    vars(module)["initialize"] = lambda: None
    with Suppressed():
        module.__init__()  # type: ignore[misc]
    del vars(module)["initialize"]
    return module


class _Seeded(TorchFunctionMode):
    """Draws a parameter's numbers from a generator of its own, seeded from its path when it is first touched.

    torch's own generator stays out of it: all threads share that one.
    """

    def __init__(self, paths: dict[int, str], seed: int, leave: frozenset[str]):
        super().__init__()
        self.paths, self.seed, self.leave = paths, seed, leave
        self.touched: set[str] = set()
        self.generator = torch.Generator()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        target = args[0] if args else kwargs.get("tensor")
        path = self.paths.get(id(target))
        if path is not None:
            if path in self.leave and fills(func):
                return target
            if path not in self.touched:
                self.touched.add(path)
                self.generator.manual_seed(parameter_seed(self.seed, path))
        if _draws(func) and kwargs.get("generator") is None:
            kwargs["generator"] = self.generator
        return func(*args, **kwargs)


DRAWS = frozenset(
    {
        Tensor.uniform_,
        Tensor.normal_,
        Tensor.bernoulli_,
        Tensor.exponential_,
        Tensor.random_,
        torch.rand,
        torch.randn,
        torch.randint,
        torch.randperm,
        torch.normal,
        torch.bernoulli,
    }
)


@cache
def _draws(function: Callable[..., Any]) -> bool:
    """Return whether a function draws random numbers, from a generator that it can be given."""
    if getattr(function, "__module__", None) == "torch.nn.init":
        return "generator" in inspect.signature(function).parameters
    return function in DRAWS


def parameter_seed(seed: int, path: str) -> int:
    """The seed of one parameter: a hash of the network's seed and the parameter's path."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{path}".encode()).digest()[:7], "big")


def initialize(module: nn.Module, graph: Graph, seed: int) -> None:
    """Give every parameter and buffer its initial value. torch's own random state is neither read nor changed."""
    paths = {id(parameter): path for path, parameter in module.named_parameters()}
    ruled = ruled_parameters(graph)
    modules = [each for root in (module, *keyed_modules(module, graph)) for each in root.modules()]
    with torch.no_grad():
        with _Seeded(paths, seed, ruled):
            for each in reversed(modules):  # a part first: what holds it may set its values anew
                reset = getattr(each, "reset_parameters", None) or getattr(each, "_reset_parameters", None)
                if is_parametrized(each, "weight"):
                    _reset_parametrized(each, paths)
                elif callable(reset):
                    reset()
        if ruled:
            with _Seeded(paths, seed, frozenset()):
                module.initialize()  # type: ignore[operator]


def _reset_parametrized(layer: Any, paths: dict[int, str]) -> None:
    """Give a layer under weight or spectral normalisation the weight that it has without, and estimate its norm."""
    parts = layer.parametrizations.weight
    original = getattr(parts, "original", None)
    original = parts.original1 if original is None else original
    kind: Any = type(layer).__bases__[0]
    plain = kind.__new__(kind)
    weight = nn.Parameter(torch.empty_like(original))
    vars(plain).update(vars(layer), _parameters={**layer._parameters, "weight": weight})
    paths[id(weight)] = paths[id(original)]
    plain.reset_parameters()
    parts.right_inverse(weight)
    for norm in parts:
        if hasattr(norm, "_power_method"):
            for vector in (norm._u, norm._v):
                vector.copy_(nn.functional.normalize(vector.normal_(), dim=0))
            norm._power_method(norm._reshape_weight_to_matrix(original), 15)


def keyed_modules(module: nn.Module, graph: Graph) -> Iterator[nn.Module]:
    """Yield the ops whose tensors have keys of their own as modules by themselves, which hold these tensors."""
    if not graph.body.has_keys:
        return
    state = module.state_dict(keep_vars=True)
    for path, step, _, _, shared, _ in visits(graph.body):
        if isinstance(step, Node) and step.keys and not shared:
            prefix = path.removesuffix(step.name)
            yield own_module(step, {name: state[step.key(prefix, name)] for name in step.state})


def ruled_parameters(graph: Graph) -> frozenset[str]:
    """The keys of the parameters that a rule of ``init`` sets."""
    if not graph.init:
        return frozenset()
    return frozenset(
        key
        for _, node, name, key in walk_parameters(graph.body)
        if any(rule.sets(key, node.op.name, name) for rule in graph.init)
    )
