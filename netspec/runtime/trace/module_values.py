"""The values of a module's own modules, by their names: a spec that was imported has them as paths of its steps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from netspec.graph import key_of
from netspec.runtime.interpret import Held
from netspec.runtime.trace.runs import TracedStep


class ModuleValues:
    """The outputs of each of a module's modules, run after run; ``call`` runs it on inputs by their names."""

    def __init__(self, module: nn.Module, call: Callable[[dict[str, Tensor]], Any]):
        self.module, self.call = module, call
        self.kept: dict[str, list[list[Tensor]]] = defaultdict(list)

    def run(self, inputs: Mapping[str, Tensor]) -> None:
        """Run the module in inference, and keep what its modules give."""
        self.kept.clear()
        training = [(each, each.training) for each in self.module.modules()]
        hooks = [
            each.register_forward_hook(partial(self._keep, name)) for name, each in self.module.named_modules() if name
        ]
        try:
            self.module.eval()
            with torch.no_grad():
                self.call(dict(inputs))
        finally:
            for hook in hooks:
                hook.remove()
            for each, mode in training:
                each.training = mode

    def _keep(self, name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        """Keep copies: what comes next may write into the same tensors."""
        leaves = torch.utils._pytree.tree_leaves(output)
        self.kept[name].append([each.detach().clone() for each in leaves if isinstance(each, Tensor)])

    def values(self, run: TracedStep) -> Sequence[Held] | None:
        """Return what the module of a step gave as often as it had run by then."""
        runs = self.kept.get(key_of(run.home), [])
        return runs[run.turn] if run.turn < len(runs) else None
