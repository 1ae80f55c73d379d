"""Draws specs that ``netspec check`` allows: any names, structures in structures, several outputs, degenerate sizes."""

from __future__ import annotations

import builtins
import keyword
from random import Random
from typing import Any

from torch import nn

from netspec.elaborate.building.reserved import why_reserved
from netspec.elaborate.steps import STRUCTURES
from netspec.ops import OPS
from netspec.spec import CALL_KEYS

ODD = """F nn torch self super cls x y z u v w x2 x3 _ __ ___ __x _x a i clas pas inp output weight bias step
steps state name module path mask packed length angle none true false f tensor Linear linear sequential N T as_
class_ as__ node edge graph digraph subgraph end click style default layer O0 l I add add_1 concat value data
grad running_mean items keys values clear h_n c_n last prepared x_steps h c T_ N_ relu result torch_ getattr
range zip reversed float int len Net Network ndim
""".split()  # noqa: SIM905
NAMES = sorted({*ODD, *keyword.kwlist, *keyword.softkwlist, *dir(builtins), *dir(nn.Module()), *dir(nn.ModuleList())})
STEPS = [name for name in NAMES if why_reserved(name) is None and name not in OPS and name not in STRUCTURES]
VARIABLES = [name for name in NAMES if name not in {"None", "True", "False", "for", "if", *OPS, *STRUCTURES}]

Step = Any


class Writer:
    """Draws a network on ``[N, T, width]``. ``scope`` has the names that may be read, with the widths behind them."""

    def __init__(self, seed: int):
        self.random = Random(seed)
        self.blocks: dict[str, Any] = {}
        self.called = "", "", ""

    def spec(self) -> dict[str, Any]:
        """A whole spec."""
        first, second, output, other, name, block = self.random.sample(VARIABLES, 6)
        scope = {first: 4, second: 4}
        self.declare(block)
        network, _ = self.body(scope, 4, 3, self.random.randint(1, 5), set())
        outputs: Any = {output: "prev"}
        if self.random.random() < 0.5:
            outputs[other] = self.random.choice([*scope, "prev"])
        if self.random.random() < 0.3:
            outputs[name] = {"from": self.random.choice([*scope, "prev"]), "when": "training"}
        made: dict[str, Any] = {"netspec": 1, "name": name, "dims": {"N": 2, "T": self.random.choice([1, 5])}}
        made["inputs"] = {first: ["N", "T", 4], second: ["N", "T", 4]}
        if self.blocks:
            made["blocks"] = self.blocks
        return {**made, "network": network, "outputs": outputs}

    def body(
        self, scope: dict[str, int], width: int, depth: int, count: int, taken: set[str]
    ) -> tuple[list[Step], int]:
        """Steps, and the width that they end with."""
        steps: list[Step] = []
        for _ in range(count):
            made, width = self.step(scope, width, depth, taken)
            steps += made
        return steps, width

    def named(self, taken: set[str]) -> str:
        free = [name for name in STEPS if name not in taken]
        name = self.random.choice(free)
        taken.add(name)
        return name

    def step(self, scope: dict[str, int], width: int, depth: int, taken: set[str]) -> tuple[list[Step], int]:
        kinds = ["leaf", "leaf", "linear", "parts", "join", "recurrent", "attention", "block"]
        kinds += (
            ["residual", "parallel", "repeat", "sequential", "scan", "scan", "side", "if", "share"] if depth else []
        )
        kind = self.random.choice(kinds)
        return getattr(self, f"make_{kind}")(scope, width, depth, taken)

    def make_leaf(self, scope: dict[str, int], width: int, depth: int, taken: set[str]) -> tuple[list[Step], int]:
        op = self.random.choice(["relu", "identity", "layer_norm", "tanh", "dropout", "gelu"])
        if self.random.random() < 0.5:
            return [op], width
        name = self.named(taken)
        scope[name] = width
        return [{op: {"name": name}}], width

    def make_linear(self, scope: dict[str, int], width: int, depth: int, taken: set[str]) -> tuple[list[Step], int]:
        made, name = self.random.choice([1, 2, 4, 6]), self.named(taken)
        read = self.random.choice([*scope, "prev"])
        scope[name] = made
        return [{"linear": {"name": name, "out_features": made, "from": read}}], made

    def make_parts(self, scope: dict[str, int], width: int, depth: int, taken: set[str]) -> tuple[list[Step], int]:
        """A dimension in parts, some of which are read, once or twice, or joined again."""
        count = self.random.choice([part for part in (1, 2, 3) if width % part == 0])
        name, other = self.named(taken), self.named(taken)
        cut = {"chunk": {"name": name, "chunks": count, "dim": -1}}
        if count == 1:
            return [cut], width
        parts = [self.random.choice([f"{name}.{at}" for at in range(count)]) for _ in range(self.random.randint(2, 3))]
        joined = {"concat": {"name": other, "from": parts, "dim": -1}}
        scope[other] = len(parts) * (width // count)
        steps: list[Step] = [cut, joined, {"relu": {"from": parts[-1]}}]
        steps.append({"concat": {"from": [other, "prev"], "dim": -1}})
        return steps, scope[other] + width // count

    def make_join(self, scope: dict[str, int], width: int, depth: int, taken: set[str]) -> tuple[list[Step], int]:
        same = [name for name, other in scope.items() if other == width]
        how = self.random.choice(["add", "multiply", "maximum", "mean"])
        reads = ["prev", *(self.random.choice([*same, "prev"]) for _ in range(self.random.randint(1, 2)))]
        name = self.named(taken)
        scope[name] = width
        return [{how: {"name": name, "from": reads}}], width

    def make_recurrent(self, scope: dict[str, int], width: int, depth: int, taken: set[str]) -> tuple[list[Step], int]:
        name, kind, size = self.named(taken), self.random.choice(["lstm", "gru", "rnn"]), self.random.choice([1, 3])
        steps: list[Step] = [{kind: {"name": name, "hidden_size": size}}]
        if self.random.random() < 0.5:
            steps.append({"unsqueeze": {"from": f"{name}.last", "dim": 1}})
            steps.append({"add": {"from": [f"{name}.output", "prev"]}})
        return steps, size

    def make_attention(self, scope: dict[str, int], width: int, depth: int, taken: set[str]) -> tuple[list[Step], int]:
        name = self.named(taken)
        scope[name] = width
        return [
            {"multihead_attention": {"name": name, "num_heads": 1}},
            {"add": {"from": [f"{name}.output", "prev"]}},
        ], width

    def make_block(self, scope: dict[str, int], width: int, depth: int, taken: set[str]) -> tuple[list[Step], int]:
        called, parameter, second = self.called
        made, name = self.random.choice([2, 4]), self.named(taken)
        return [{called: {"name": name, parameter: made, second: self.random.choice([*scope, "prev"])}}], made

    def declare(self, name: str) -> None:
        """A block of one parameter and two inputs; of two outputs, which may be one value, or of one."""
        first, second, out, more = self.random.sample([each for each in VARIABLES if each not in CALL_KEYS], 4)
        inner, width = self.random.sample([each for each in STEPS if each not in (first, second, *CALL_KEYS)], 2)
        body: list[Step] = [{"linear": {"name": inner, "out_features": width}}]
        body += [self.random.choice(["relu", "identity", "tanh"]), {"linear": {"out_features": width}}]
        body += [{"add": {"from": [inner, "prev"]}}] * self.random.randint(0, 1)
        made: dict[str, Any] = {"params": {width: {"type": "int"}}, "inputs": [first, second], "body": body}
        if self.random.random() < 0.5:
            made["outputs"] = {out: "prev", more: self.random.choice(["prev", inner, second])}
        self.blocks[name] = made
        self.called = name, width, second

    def make_residual(self, scope: dict[str, int], width: int, depth: int, taken: set[str]) -> tuple[list[Step], int]:
        if self.random.random() < 0.3:
            return [{"residual": [self.random.choice(["identity", "relu"])]}], width
        body, _ = self.body(dict(scope), width, depth - 1, 2, taken)
        return [{"residual": [*body, {"linear": {"out_features": width}}]}], width

    def make_parallel(self, scope: dict[str, int], width: int, depth: int, taken: set[str]) -> tuple[list[Step], int]:
        branches, total = {}, 0
        for _ in range(self.random.randint(2, 3)):
            empty = self.random.random() < 0.3
            name = self.named(taken)
            body, made = (
                ([], width) if empty else self.body(dict(scope), width, depth - 1, self.random.randint(1, 2), set())
            )
            branches[name], total = body, total + made
        step: dict[str, Any] = {"branches": branches, "merge": "concat", "dim": -1}
        if self.random.random() < 0.5:
            step["name"] = self.named(taken)
            scope[step["name"]] = total
        return [{"parallel": step}], total

    def make_repeat(self, scope: dict[str, int], width: int, depth: int, taken: set[str]) -> tuple[list[Step], int]:
        inner = dict(scope)
        body, _ = self.body(inner, width, depth - 1, 1, set())
        body.append({"linear": width})
        name, count = self.named(taken), self.random.randint(0, 3)
        step: dict[str, Any] = {"name": name, "count": count, "body": body}
        if count and self.random.random() < 0.5:
            turn, kept = self.random.randrange(count), self.random.choice(STEPS)
            self.lead_into(scope, f"{name}.{turn}", inner)
            step["collect"] = {kept: "prev"}
            scope[f"{name}.{kept}[{turn - count}]"] = width
        scope[name] = width
        return [{"repeat": step}], width

    def lead_into(self, scope: dict[str, int], path: str, inner: dict[str, int]) -> None:
        """Let what follows read the names of a level inside, by the paths to them."""
        scope.update({f"{path}.{name}": width for name, width in inner.items() if name not in scope})

    def make_sequential(self, scope: dict[str, int], width: int, depth: int, taken: set[str]) -> tuple[list[Step], int]:
        name = self.named(taken)
        inner = dict(scope)
        body, made = self.body(inner, width, depth - 1, self.random.randint(1, 3), set())
        if self.random.random() < 0.5:
            self.lead_into(scope, name, inner)
        scope[name] = made
        step: dict[str, Any] = {"name": name, "body": body}
        if self.random.random() < 0.3:
            step["state_key"] = self.random.choice(["block1-0", "class", "a b", "<b>"]) + name
        return [{"sequential": step}], made

    def make_side(self, scope: dict[str, int], width: int, depth: int, taken: set[str]) -> tuple[list[Step], int]:
        step: dict[str, Any] = {"body": self.body(dict(scope), width, depth - 1, 1, taken)[0]}
        if self.random.random() < 0.5:
            step["when"] = "training"
        return [{"side": step}], width

    def make_share(self, scope: dict[str, int], width: int, depth: int, taken: set[str]) -> tuple[list[Step], int]:
        name = self.named(taken)
        return [{"linear": {"name": name, "out_features": width}}, "relu", {"share": {"step": name}}], width

    def make_scan(self, scope: dict[str, int], width: int, depth: int, taken: set[str]) -> tuple[list[Step], int]:
        """A recurrent cell, whose body sees ``[N, width]``."""
        name = self.named(taken)
        word, state, index = self.random.sample([each for each in VARIABLES if each != "output"], 3)
        inside = {word, state, index}
        first, second = self.named(inside), self.named(inside)
        body: list[Step] = [{"linear": {"name": first, "from": word, "out_features": 3}}]
        body.append({"add": {"name": second, "from": [state, "prev"]}})
        body += self.random.choice(
            [[], ["tanh"], [{"linear": 3}, "tanh"], [{"chunk": {"chunks": 3, "dim": -1}}, {"linear": 3}]]
        )
        step: dict[str, Any] = {"name": name, "over": {word: "prev"}, "state": {state: ["N", 3]}, "body": body}
        step["next"] = {state: "prev"}
        if self.random.random() < 0.5:
            step["collect"] = {"output": self.random.choice([first, second, "prev"])}
            if self.random.random() < 0.5 and index != state:
                step["collect"][index] = self.random.choice([first, second, "prev"])
        if self.random.random() < 0.3 and "collect" not in step:
            step["index"] = index
        step["reverse"] = self.random.random() < 0.2
        return [{"scan": step}], 3

    def make_if(self, scope: dict[str, int], width: int, depth: int, taken: set[str]) -> tuple[list[Step], int]:
        """A choice made while compiling, whose other side is empty."""
        body, made = self.body(scope, width, depth - 1, 1, taken)
        return [{"if": {"test": True, "then": body}}], made
