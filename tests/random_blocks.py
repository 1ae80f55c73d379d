"""Random specs whose blocks are called several times, with other arguments of every kind.

``MANY`` multiplies how many examples the tests draw: ``NETSPEC_MANY=20 pytest tests/emit/test_classes.py``.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

import yaml

MANY = int(os.environ.get("NETSPEC_MANY", "1"))

BLOCKS: dict[str, tuple[dict[str, list[Any]], list[Any], dict[str, Any]]] = {
    "numbers": (
        {"p": [0.0, 0.1, 0.5], "slope": [0.01, 0.2, 1.0], "beta": [1, 2.5], "by": [2, 0.5, -1.0], "low": [-1.0, 0.25]},
        [{"linear": 8}, {"dropout": "p"}, {"leaky_relu": "slope"}, {"softplus": {"beta": "beta"}}, {"scale": "by"},
         {"hardtanh": {"min_val": "low", "max_val": "low + 1"}}, {"clamp": {"min": "-by ** 2"}}, {"pow": "2 * beta"},
         {"add": {"from": ["input", "prev"]}}],
        {},
    ),
    "heads": (
        {"causal": [True, False], "heads": [1, 2, 4], "drop": [0.0, 0.1], "weights": [True, False]},
        [{"multihead_attention": {"name": "m", "num_heads": "heads", "is_causal": "causal", "dropout": "drop"}},
         {"if": {"test": "weights", "then": [{"reduce_sum": {"from": "m.weights", "dim": -1, "keepdim": True}},
                                             {"add": {"from": ["prev", "m"]}}]}},
         {"layer_norm": {"name": "n"}}],
        {},
    ),
    "products": (
        {"causal": [True, False], "scale": [0.5, 2.0], "heads": [2, 4]},
        [{"linear": {"name": "q", "out_features": 8}}, {"linear": {"name": "k", "from": "input", "out_features": 8}},
         {"reshape": {"name": "a", "from": "q", "shape": ["N", "T", "heads", "8 // heads"]}},
         {"transpose": {"name": "at", "dim0": 1, "dim1": 2}},
         {"unflatten": {"name": "b", "from": "k", "dim": -1, "unflattened_size": ["heads", -1]}},
         {"permute": {"name": "bt", "dims": [0, 2, 1, 3]}},
         {"scaled_dot_product_attention":
            {"query": "at", "key": "bt", "value": "bt", "is_causal": "causal", "scale": "scale"}},
         {"transpose": {"dim0": 1, "dim1": 2}},
         {"flatten": {"start_dim": 2}}],
        {},
    ),
    "recurrent": (
        {"both": [True, False], "first": [True, False], "size": [2, 3], "last": [True, False]},
        [{"if": {"test": "not first", "then": [{"transpose": {"dim0": 0, "dim1": 1}}]}},
         {"gru": {"name": "r", "hidden_size": "size", "bidirectional": "both", "batch_first": "first"}},
         {"if": {"test": "last",
                 "then": [{"linear": {"name": "o", "from": "r.last", "out_features": 8}},
                          {"unsqueeze": {"dim": 1}}, {"add": {"from": ["input", "prev"]}}],
                 "else": [{"if": {"test": "not first", "then": [{"transpose": {"dim0": 0, "dim1": 1}}]}},
                          {"linear": {"name": "o", "out_features": 8}}]}}],
        {},
    ),
    "wires": (
        {"left": [True, False], "order": [True, False], "depth": [1, 2]},
        [{"linear": {"name": "a", "out_features": 8}}, {"linear": {"name": "b", "from": "input", "out_features": 8}},
         {"subtract": {"name": "c", "from": ["{'a' if left else 'b'}", "{'b' if left else 'a'}"]}},
         {"repeat": {"count": "depth", "name": "t", "index": "j", "body": [{"relu": {"inplace": "j > 5"}}, "tanh"]}},
         {"multiply": {"from": ["{'prev' if order else 'input'}", "{'input' if order else 'prev'}", "b"]}}],
        {},
    ),
    "words": (
        {"how": ["none", "tanh"], "act": ["relu", "tanh", "silu"], "dtype": ["float64", "float32"],
         "mode": ["reflect", "replicate"], "frozen": [True, False], "bias": [True, False]},
        [{"linear": {"out_features": 8, "bias": "bias", "freeze": "frozen"}}, {"gelu": {"approximate": "how"}}, "$act",
         {"cast": "dtype"}, {"cast": "float32"}, {"pad": {"pad": [1, 1], "mode": "mode"}},
         {"slice": {"dim": -1, "start": 1, "end": -1}}],
        {},
    ),
    "places": (
        {"start": [0, 1, 2], "dims": [[-1], [1, 2], [1]], "which": [0, 3], "axis": [1, 2], "value": [0.0, -2.5]},
        [{"linear": {"name": "o", "out_features": 8}},
         {"slice": {"name": "s", "dim": 2, "start": "start", "end": "start + 6"}},
         {"pad": {"name": "p", "pad": [1, 1], "value": "value"}},
         {"reduce_mean": {"name": "m", "from": "o", "dim": "dims", "keepdim": True}},
         {"select": {"name": "w", "from": "o", "dim": 2, "index": "which"}}, {"unsqueeze": {"name": "u", "dim": 2}},
         {"softmax": {"name": "f", "from": "o", "dim": "axis"}},
         {"greater": {"name": "g", "from": "o", "value": "value"}},
         {"masked_fill": {"name": "h", "input": "o", "mask": "g", "value": "value"}},
         {"add": {"from": ["p", "m", "u", "f", "h"]}}],
        {},
    ),
    "maybe": (
        {"times": [1.0, 3.0]},
        [{"coalesce": {"name": "g", "input": "gate", "default": "input"}},
         {"linear": {"name": "l", "out_features": 8}}, {"scale": "times"}, {"sigmoid": {}},
         {"multiply": {"from": ["prev", "input"]}}],
        {"inputs": ["input", "gate?"]},
    ),
    "turns": (
        {"size": [2, 3], "by": [0.5, 2.0], "tied": [True, False]},
        [{"scan": {"name": "s", "over": {"word": "input"}, "state": {"h": ["N", "size"]}, "reverse": True,
                   "body": [{"linear": {"name": "i", "out_features": "size"}}, {"scale": "by"},
                            {"gru_cell": {"name": "cell", "hidden_size": "size", "state": "h"}},
                            {"leaky_relu": "by / 10"}, {"linear": {"name": "o", "out_features": 8}}],
                   "next": {"h": "cell"}}},
         {"if": {"test": "tied", "then": [{"linear": {"name": "z", "out_features": 8}},
                                          {"share": {"step": "z", "name": "z2"}}]}}],
        {},
    ),
    "named": (
        {"third": [0, 2], "keyed": [True, False], "many": [2, 3], "by": [[1, 2], [3, 1]]},
        [{"let": {"wide": "[2 * size for size in by]", "last": "shape[2]"}},
         {"linear": {"name": 12, "out_features": "wide[0]"}},
         {"linear": {"name": "odd", "state_key": "odd-one", "from": 12, "out_features": "last"}},
         {"repeat": {"name": "h", "count": "many", "index": "j", "collect": {"made": "prev", "early": 0},
                     "body": [{"linear": 8}, {"scale": "wide[1]"}, "tanh"]}},
         {"if": {"test": "keyed", "then": [{"linear": {"name": 17, "state_key": "last-0", "out_features": 8}}]}},
         {"add": {"from": ["prev", "h.made[-1]", "h.{third if third < many else 1}.0", "odd"]}},
         {"concat": {"from": ["h.made", "prev"], "dim": -1}}, {"linear": 8}],
        {},
    ),
    "groups": (
        {"low": [True, False], "tied": [True, False], "twice": [True, False]},
        [{"sequential": {"name": "g", "outputs": {"low": 0, "high": "top.act"},
                         "body": [{"linear": 8}, {"sequential": {"name": "top", "body": [
                             {"linear": {"name": "fc", "out_features": 8}}, {"sigmoid": {"name": "act"}}]}},
                             {"linear": {"name": "end", "out_features": 8}}]}},
         {"if": {"test": "tied", "then": [
             {"linear": {"name": "t", "out_features": 8, "tie": {"weight": "g.top.fc.weight"}}}]}},
         {"if": {"test": "twice", "then": [{"share": {"step": "g.top", "name": "again"}},
                                          {"share": {"step": "g.end", "name": "more"}}]}},
         {"add": {"from": ["prev", "{'g.low' if low else 'g.high'}", "g.top.fc"]}}],
        {},
    ),
    "kept": (
        {"start": [0.5, 2.0], "mask": [[0, 1, 1, 0, 1, 1, 1, 1], [1, 1, 0, 1, 0, 1, 1, 1]], "loud": [0.1, 1.0]},
        [{"parameter": {"name": "gain", "value": "start"}}, {"buffer": {"name": "mask", "value": "mask"}},
         {"multiply": {"name": "m", "from": ["input", "gain", "mask"]}},
         {"noise": {"name": "n", "from": "input", "std": "loud", "when": "training"}}, {"add": {"from": ["m", "n"]}}],
        {},
    ),
    "nets": (
        {"wide": [4, 6], "part": [True, False], "cold": [True, False]},
        [{"use": {"name": "whole", "network": "inner", "variant": "{'large' if wide == 6 else 'small'}"}},
         {"if": {"test": "part",
                 "then": [{"use": {"name": "p", "network": "inner", "params": {"width": "wide"}, "freeze": "cold",
                                   "outputs": {"a": "first", "b": "h.0"}}},
                          {"concat": {"from": ["p.a", "p.b"], "dim": -1}}, {"linear": 8}],
                 "else": [{"use": {"name": "u", "network": "inner", "upto": "second", "without": ["act"]}}]}},
         {"add": {"from": ["input", "prev", "whole.made"]}}],
        {},
    ),
}  # fmt: skip
"""Blocks from (N, T, 8) to the same: the values of each parameter, the body, and what else the block says."""

INNER: dict[str, Any] = {
    "netspec": 1, "name": "inner", "params": {"width": 4}, "inputs": {"x": ["N", "L", "D"]},
    "variants": {"small": {"width": 2}, "large": {"width": 6}},
    "network": [{"linear": {"name": "first", "out_features": "width"}}, {"tanh": {"name": "act"}},
                {"repeat": {"name": "h", "count": 2, "body": [{"linear": "width"}]}},
                {"linear": {"name": "second", "out_features": "D"}},
                {"linear": {"name": "third", "out_features": "D"}}],
    "outputs": {"made": "third", "early": "act"}, "init": {"linear.bias": "zeros"},
}  # fmt: skip
"""A network that the block ``nets`` uses."""

KINDS = {bool: "bool", int: "int", float: "float", str: "str"}


def random_spec(random: Random) -> str:
    """A network of one to three of the blocks, each called two to five times, by hand or in loops."""
    chosen = random.sample([*BLOCKS], random.randint(1, 3))
    steps: list[Any] = [{"identity": {"name": "first", "from": "x"}}]
    for name in chosen:
        values, _, _ = BLOCKS[name]
        few = random.sample([*values], random.randint(1, min(2, len(values))))  # most are the same in all calls
        base = {key: random.choice(given) for key, given in values.items()}
        calls = [{**base, **{key: random.choice(values[key]) for key in few}} for _ in range(random.randint(2, 5))]
        if name == "maybe":
            for call in calls:
                call |= {"gate": "gate"} if random.random() < 0.5 else {}
        plain = not any(isinstance(value, (list, str)) for call in calls for value in call.values())
        if plain and random.random() < 0.5:
            steps.append({"repeat": {"name": f"{name}_loop", "count": len(calls), "index": "i", "body": [
                {name: {key: _by_index([call.get(key) for call in calls]) for key in calls[0] if key != "gate"}}
            ]}})  # fmt: skip
        else:
            steps += [{name: {"name": f"{name}{at}", **call}} for at, call in enumerate(calls)]
    more = {"networks": {"inner": INNER}} if "nets" in chosen else {}
    blocks = {
        name: {"params": {key: _declared(given) for key, given in values.items()}, **others, "body": body}
        for name, (values, body, others) in BLOCKS.items()
        if name in chosen
    }
    inputs = {"x": ["N", "T", 8], "gate": {"shape": ["N", "T", 8], "optional": True}}
    if "maybe" not in chosen:
        inputs.pop("gate")
    spec = {
        "netspec": 1,
        "name": "random",
        "dims": {"T": 7},
        "inputs": inputs,
        **more,
        "blocks": blocks,
        "network": steps,
    }
    return yaml.dump(spec, Dumper=Plain, sort_keys=False, width=1000)


class Plain(yaml.SafeDumper):
    """Writes each list where it stands."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _declared(values: list[Any]) -> Any:
    kinds = {type(value) for value in values}
    if list in kinds:
        return values[0]
    return "float" if kinds == {int, float} else KINDS[kinds.pop()]


def _by_index(values: list[Any]) -> str:
    """An expression in ``i`` that gives each value in turn."""
    made = repr(values[-1])
    for at, value in enumerate(values[:-1]):
        made = f"({value!r} if i == {at} else {made})"
    return made
