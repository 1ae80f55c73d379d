"""Ids of names and values: parameters, expressions, what is required and expected."""

from __future__ import annotations

from netspec.diagnostics.catalogue.base import Explanation

MEANING = {
    "bad-expression": Explanation(
        "An expression cannot be parsed or evaluated.",
        "Expressions are Python's arithmetic over parameters, loop indices and `shape`, with a few functions "
        "(`netspec help` lists them) and nothing else.",
        "params: {width: 8}\nnetwork:\n  - linear: widht * 2",
        "params: {width: 8}\nnetwork:\n  - linear: width * 2",
    ),
    "bad-value": Explanation(
        "A value is not allowed where it is used, because of its type, bounds or choices.",
        "A parameter has the type of its default; `min`, `max` and `choices` restrict its values further.",
        "params: {norm: {default: batch, choices: [batch, none]}}\nvariants: {plain: {norm: nothing}}",
        "params: {norm: {default: batch, choices: [batch, none]}}\nvariants: {plain: {norm: none}}",
    ),
    "unknown-name": Explanation(
        "A name is not defined: a dimension, a parameter after `$`, or an initialisation.",
        "It is usually a typo; the message suggests the closest name.",
        "network:\n  - conv2d: {out_channels: 8, kernel_size: 3}\ninit: {conv2d.weight: kaiming}",
        "network:\n  - conv2d: {out_channels: 8, kernel_size: 3}\ninit: {conv2d.weight: kaiming_normal}",
    ),
    "duplicate-name": Explanation(
        "Two steps of one level, two blocks, or a local and another value have the same name.",
        "A name is a step's place in the state dict and in the ONNX file; two cannot share it.",
        "network:\n  - linear: {name: fc, out_features: 8}\n  - linear: {name: fc, out_features: 4}",
        "network:\n  - linear: {name: fc1, out_features: 8}\n  - linear: {name: fc2, out_features: 4}",
    ),
    "requirement-failed": Explanation(
        "A condition under `require` does not hold.",
        "The author of the spec states what must be true of its parameters, and these values violate it.",
        "params: {width: 30, heads: 4}\nrequire: [width % heads == 0]",
        "params: {width: 32, heads: 4}\nrequire: [width % heads == 0]",
    ),
    "expectation-failed": Explanation(
        "The network's parameters, MACs or outputs differ from what `expect` states.",
        "Expectations compare a spec with a paper or a reference; a failing one is a regression or out of date.",
        "network:\n  - linear: 10\nexpect: {params: 300}",
        "network:\n  - linear: 10\nexpect: {params: 330}",
    ),
    "unequal-lists": Explanation(
        "The lists of a `for` differ in length.",
        "The body runs once per row; a shorter list would leave rows without a value.",
        "network:\n  - for: {each: {out: [8, 16], bias: [true]}, body: [{linear: {out_features: out, bias: bias}}]}",
        "network:\n  - for: {each: {out: [8, 16], bias: [true, true]}, "
        "body: [{linear: {out_features: out, bias: bias}}]}",
    ),
    "data-mismatch": Explanation(
        "The data cannot be read or do not match the network, or the loss does not match its output and target.",
        "Training would fail at its first step, or learn something other than intended.",
        "inputs: {image: [N, 3, 28, 28]}\nnetwork: [flatten, linear: 10]\n"
        "train: {data: mnist, loss: cross_entropy, optimizer: adam, epochs: 3}",
        "inputs: {image: [N, 1, 28, 28]}\nnetwork: [flatten, linear: 10]\n"
        "train: {data: mnist, loss: cross_entropy, optimizer: adam, epochs: 3}",
    ),
    "too-large": Explanation(
        "The loops of the spec run more iterations, or create more layers, than allowed.",
        "20,000 of each is more than any published network has; raise the limit with `--max-layers`.",
        "network:\n  - repeat: {count: 10 ** 9, body: [relu]}",
        "network:\n  - repeat: {count: 100, body: [relu]}",
    ),
}
