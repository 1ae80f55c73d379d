"""Ids of the network: its ops, blocks, wires and shapes."""

from __future__ import annotations

from netspec.diagnostics.catalogue.base import Explanation

NETWORK = {
    "unknown-op": Explanation(
        "No op, block or structure has the name of a step.",
        "`netspec ops` lists the ops; blocks stand under `blocks`.",
        "network:\n  - conv2: {out_channels: 8, kernel_size: 3}",
        "network:\n  - conv2d: {out_channels: 8, kernel_size: 3}",
    ),
    "unknown-argument": Explanation(
        "An op, a block or a spec has no argument of that name.",
        "A misspelt argument would be ignored, and its default used in silence. Arguments have PyTorch's names.",
        "network:\n  - conv2d: {out_channels: 8, kernel: 3}",
        "network:\n  - conv2d: {out_channels: 8, kernel_size: 3}",
    ),
    "missing-argument": Explanation(
        "An argument without a default is not given.",
        "It has no value that would be right more often than wrong.",
        "network:\n  - conv2d: {out_channels: 8}",
        "network:\n  - conv2d: {out_channels: 8, kernel_size: 3}",
    ),
    "bad-argument": Explanation(
        "The value of an argument is not one that it takes.",
        "PyTorch would refuse it too, or do something else than what is written.",
        "network:\n  - conv2d: {out_channels: 7 / 2, kernel_size: 3}",
        "network:\n  - conv2d: {out_channels: 7 // 2, kernel_size: 3}",
    ),
    "unknown-reference": Explanation(
        "No step that can be seen here has the name that `from` gives.",
        "A step reads what stands before it: steps of its own body and of the bodies around it. Of a block, only its "
        "outputs are seen from outside.",
        "network:\n  - relu: {name: stem}\n  - linear: 8\n  - add: {from: [prev, steam]}",
        "network:\n  - relu: {name: stem}\n  - linear: 32\n  - add: {from: [prev, stem]}",
    ),
    "no-value": Explanation(
        "The step before leaves no single value to read.",
        "A `parallel` with `merge: none` leaves its branches, and each has a name of its own.",
        "network:\n  - parallel: {branches: {a: [relu], b: [sigmoid]}, merge: none}\n  - linear: 8",
        "network:\n  - parallel: {branches: {a: [relu], b: [sigmoid]}, merge: none}\n"
        "  - linear: {from: a, out_features: 8}",
    ),
    "missing-input": Explanation(
        "A step lacks one of its inputs.",
        "An op with several inputs reads one of them from the step before; the others are named.",
        "network:\n  - relu\n  - concat",
        "network:\n  - relu: {name: a}\n  - sigmoid\n  - concat: {from: [a, prev]}",
    ),
    "optional-value": Explanation(
        "A step needs a value that may be left out.",
        "Only what can do without it may read it: an optional port of an op, such as the `lengths` of an `lstm`, or an "
        "input of a block that is written with a question mark. An op of one input that learns nothing passes the "
        "absence on; `coalesce` puts another value in its place.",
        "inputs:\n  image: [N, 3, 32, 32]\n  noise: {shape: [N, 3, 32, 32], optional: true}\n"
        "network:\n  - add: {from: [image, noise]}",
        "inputs:\n  image: [N, 3, 32, 32]\n  noise: {shape: [N, 3, 32, 32], optional: true}\n"
        "network:\n  - scale: {name: none, from: image, factor: 0.0}\n"
        "  - coalesce: {name: added, from: noise, default: none}\n  - add: {from: [image, added]}",
    ),
    "too-many-inputs": Explanation(
        "A step is given more inputs than it has.",
        "What to do with the rest is not said: `concat`, `add` and similar ops combine several values into one.",
        "network:\n  - relu: {name: a}\n  - sigmoid\n  - linear: {from: [a, prev], out_features: 8}",
        "network:\n  - relu: {name: a}\n  - sigmoid\n  - concat: {from: [a, prev]}\n  - linear: 8",
    ),
    "shape-mismatch": Explanation(
        "A step cannot take the shape that reaches it.",
        "The same would fail in PyTorch, when it first runs.",
        "network:\n  - residual:\n      - conv2d: {out_channels: 8, kernel_size: 3, padding: 1}",
        "network:\n  - residual:\n      body: [{conv2d: {out_channels: 8, kernel_size: 3, padding: 1}}]\n"
        "      projection: [{conv2d: {out_channels: 8, kernel_size: 1}}]",
    ),
    "training-only": Explanation(
        "Something that runs always reads what exists only in training.",
        "Steps in `side: {when: training}` are not there when the network is used.",
        "network:\n  - side: {when: training, body: [{linear: {name: aux, out_features: 4}}]}\n"
        "  - linear: {name: fc, out_features: 4}\noutputs: {logits: fc, aux: aux}",
        "network:\n  - side: {when: training, body: [{linear: {name: aux, out_features: 4}}]}\n"
        "  - linear: {name: fc, out_features: 4}\noutputs: {logits: fc, aux: {from: aux, when: training}}",
    ),
    "block-recursion": Explanation(
        "A block runs itself, perhaps through others.",
        "A network is finite, and nothing in a block could end the recursion.",
        "blocks:\n  a: {body: [b]}\n  b: {body: [a]}\nnetwork: [a]",
        "blocks:\n  a: {body: [b]}\n  b: {body: [relu]}\nnetwork: [{repeat: {count: 3, body: [a]}}]",
    ),
    "too-deep": Explanation(
        "Blocks run blocks more than 32 deep.",
        "PyTorch recurses through nested modules, and so does everyone who reads them.",
        "blocks:\n" + "".join(f"  b{i}: {{body: [b{i + 1}]}}\n" for i in range(33)) + "  b33: {body: [relu]}\n"
        "network: [b0]",
        "blocks:\n  b0: {body: [b1]}\n  b1: {body: [relu]}\nnetwork: [b0]",
    ),
    "unused-step": Explanation(
        "No output of the network depends on a step. A warning.",
        "Its weights are made, kept and paid for, and never learn anything; most often a `from` is missing behind it. "
        "It is told where the step is read in none of the variants.",
        "network:\n  - flatten: {name: pixels}\n  - linear: {name: wide, out_features: 800}\n"
        "  - linear: {from: pixels, out_features: 4}",
        "network:\n  - flatten: {name: pixels}\n  - linear: {name: wide, out_features: 800}\n"
        "  - linear: {from: wide, out_features: 4}",
    ),
    "unused-input": Explanation(
        "No output of the network depends on one of its inputs. A warning.",
        "Whoever runs the network has to give it something that changes nothing.",
        "inputs: {image: [N, 3, 32, 32], mask: [N, 1, 32, 32]}\nnetwork: [relu]",
        "inputs: {image: [N, 3, 32, 32], mask: [N, 1, 32, 32]}\nnetwork:\n  - relu\n  - multiply: {from: [prev, mask]}",
    ),
    "unused-parameter": Explanation(
        "No expression of the file, or of the block, reads one of its parameters. A warning.",
        "It can be set to anything, and nothing changes; most often a number stands where its name was meant.",
        "params: {width: 8}\nnetwork:\n  - linear: 8",
        "params: {width: 8}\nnetwork:\n  - linear: width",
    ),
}
