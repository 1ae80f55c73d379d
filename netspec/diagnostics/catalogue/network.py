"""Ids of the network: its ops, blocks, wires and shapes."""

from __future__ import annotations

from netspec.diagnostics.catalogue.base import Explanation

NETWORK = {
    "unknown-op": Explanation(
        "There is no op, block or structure with the name of a step.",
        "`netspec ops` lists the ops; blocks are defined under `blocks`.",
        "network:\n  - conv2: {out_channels: 8, kernel_size: 3}",
        "network:\n  - conv2d: {out_channels: 8, kernel_size: 3}",
    ),
    "unknown-argument": Explanation(
        "An op, a block or a spec has no argument of that name.",
        "A misspelt argument would be ignored, and its default would be used silently. Arguments have PyTorch's names.",
        "network:\n  - conv2d: {out_channels: 8, kernel: 3}",
        "network:\n  - conv2d: {out_channels: 8, kernel_size: 3}",
    ),
    "missing-argument": Explanation(
        "A required argument is missing.",
        "The argument has no default that would be right more often than wrong.",
        "network:\n  - conv2d: {out_channels: 8}",
        "network:\n  - conv2d: {out_channels: 8, kernel_size: 3}",
    ),
    "bad-argument": Explanation(
        "The value of an argument is not allowed.",
        "PyTorch would also reject it, or do something other than what is written.",
        "network:\n  - conv2d: {out_channels: 7 / 2, kernel_size: 3}",
        "network:\n  - conv2d: {out_channels: 7 // 2, kernel_size: 3}",
    ),
    "unknown-reference": Explanation(
        "No step visible here has the name given by `from`.",
        "A step can read earlier steps of its own body and of the enclosing bodies, and by a path what named groups "
        "and loops hold: `neck.4`, `h.0.attn`. Of a block, only the outputs are visible from outside.",
        "network:\n  - relu: {name: stem}\n  - linear: 8\n  - add: {from: [prev, steam]}",
        "network:\n  - relu: {name: stem}\n  - linear: 32\n  - add: {from: [prev, stem]}",
    ),
    "no-value": Explanation(
        "The previous step does not give a single value to read.",
        "A `parallel` with `merge: none` gives one value per branch, each under its own name.",
        "network:\n  - parallel: {branches: {a: [relu], b: [sigmoid]}, merge: none}\n  - linear: 8",
        "network:\n  - parallel: {branches: {a: [relu], b: [sigmoid]}, merge: none}\n"
        "  - linear: {from: a, out_features: 8}",
    ),
    "opaque-step": Explanation(
        "A step stands for something that no op does.",
        "`netspec import --partial` leaves such steps where a network does what has no counterpart. Table and diagram "
        "show them, since their shapes are known; nothing can build or run them.",
        'network:\n  - opaque: {of: "my_softmax, nets.py:12", shape: [N, 10]}',
        "network:\n  - linear: 10\n  - softmax: {dim: 1}",
    ),
    "missing-input": Explanation(
        "A step lacks one of its inputs.",
        "An op with several inputs reads one of them from the step before; the others are named.",
        "network:\n  - relu\n  - concat",
        "network:\n  - relu: {name: a}\n  - sigmoid\n  - concat: {from: [a, prev]}",
    ),
    "optional-value": Explanation(
        "A step requires a value that is optional.",
        "An optional value can only be read by an optional port of an op, such as the `lengths` of an `lstm`, or "
        "by a block's input that is written with a question mark. An op with one input and no parameters passes "
        "the absence on, and `concat` and arithmetic skip it; `coalesce` supplies another value instead.",
        "inputs:\n  image: [N, 3, 32, 32]\n  noise: {shape: [N, 3, 32, 32], optional: true}\n"
        "network:\n  - stack: {from: [image, noise]}",
        "inputs:\n  image: [N, 3, 32, 32]\n  noise: {shape: [N, 3, 32, 32], optional: true}\n"
        "network:\n  - scale: {name: none, from: image, factor: 0.0}\n"
        "  - coalesce: {name: other, from: noise, default: none}\n  - stack: {from: [image, other]}",
    ),
    "too-many-inputs": Explanation(
        "A step gets more inputs than it accepts.",
        "It is unclear what to do with the others: `concat`, `add` and similar ops combine several values into one.",
        "network:\n  - relu: {name: a}\n  - sigmoid\n  - linear: {from: [a, prev], out_features: 8}",
        "network:\n  - relu: {name: a}\n  - sigmoid\n  - concat: {from: [a, prev]}\n  - linear: 8",
    ),
    "shape-mismatch": Explanation(
        "A step cannot accept the shape of its input.",
        "The same network would fail in PyTorch when it first runs.",
        "network:\n  - residual:\n      - conv2d: {out_channels: 8, kernel_size: 3, padding: 1}",
        "network:\n  - residual:\n      body: [{conv2d: {out_channels: 8, kernel_size: 3, padding: 1}}]\n"
        "      projection: [{conv2d: {out_channels: 8, kernel_size: 1}}]",
    ),
    "training-only": Explanation(
        "A step or output that is always computed reads a value that exists only in training.",
        "Steps in `side: {when: training}` do not exist at inference.",
        "network:\n  - side: {when: training, body: [{linear: {name: aux, out_features: 4}}]}\n"
        "  - linear: {name: fc, out_features: 4}\noutputs: {logits: fc, aux: aux}",
        "network:\n  - side: {when: training, body: [{linear: {name: aux, out_features: 4}}]}\n"
        "  - linear: {name: fc, out_features: 4}\noutputs: {logits: fc, aux: {from: aux, when: training}}",
    ),
    "block-recursion": Explanation(
        "A block calls itself, directly or through other blocks.",
        "A network is finite, and nothing in a block could end the recursion.",
        "blocks:\n  a: {body: [b]}\n  b: {body: [a]}\nnetwork: [a]",
        "blocks:\n  a: {body: [b]}\n  b: {body: [relu]}\nnetwork: [{repeat: {count: 3, body: [a]}}]",
    ),
    "too-deep": Explanation(
        "Blocks are nested more than 32 levels deep.",
        "PyTorch recurses through nested modules, and so must every reader.",
        "blocks:\n" + "".join(f"  b{i}: {{body: [b{i + 1}]}}\n" for i in range(33)) + "  b33: {body: [relu]}\n"
        "network: [b0]",
        "blocks:\n  b0: {body: [b1]}\n  b1: {body: [relu]}\nnetwork: [b0]",
    ),
    "missing-data": Explanation(
        "A file or a folder that the data of a recipe name is not there. This is a warning.",
        "`netspec train` cannot begin. Paths start at the folder of the spec; where the data are on another machine, "
        "`# netspec: ignore[missing-data]` on the line or above silences the warning.",
        "inputs: {features: [N, 4]}\nnetwork: [linear: 1]\n"
        "train: {data: {csv: {path: houses.csv, target: price}}, loss: mse, optimizer: adam, epochs: 1}",
        "inputs: {features: [N, 2]}\nnetwork: [linear: 1]\ntrain: {data: line, loss: mse, optimizer: adam, epochs: 1}",
    ),
    "unused-step": Explanation(
        "No output of the network depends on a step. This is a warning.",
        "The network leaves such a step out; usually a later step lacks its `from`. The warning is given if no variant "
        "reads the step; `# netspec: ignore[unused-step]` on its line or above silences it.",
        "network:\n  - flatten: {name: pixels}\n  - linear: {name: wide, out_features: 800}\n"
        "  - linear: {from: pixels, out_features: 4}",
        "network:\n  - flatten: {name: pixels}\n  - linear: {name: wide, out_features: 800}\n"
        "  - linear: {from: wide, out_features: 4}",
    ),
    "unused-input": Explanation(
        "No output of the network depends on one of its inputs. This is a warning.",
        "Callers of the network have to pass a value that has no effect.",
        "inputs: {image: [N, 3, 32, 32], mask: [N, 1, 32, 32]}\nnetwork: [relu]",
        "inputs: {image: [N, 3, 32, 32], mask: [N, 1, 32, 32]}\nnetwork:\n  - relu\n  - multiply: {from: [prev, mask]}",
    ),
    "unused-block": Explanation(
        "Nothing in the file runs one of its blocks. This is a warning.",
        "It is usually a leftover. If other files import it, `# netspec: ignore[unused-block]` on its line or above "
        "silences the warning.",
        "blocks: {wide: {body: [linear: 64]}}\nnetwork: [linear: 8]",
        "blocks: {wide: {body: [linear: 64]}}\nnetwork: [wide]",
    ),
    "unused-import": Explanation(
        "Nothing in the file runs a block of a file that it imports. This is a warning.",
        "The file is read, and must be there, for nothing.",
        "import: [parts.yaml]\nnetwork: [linear: 8]",
        "import: [parts.yaml]\nnetwork: [wide]",
        beside=(("parts.yaml", "netspec: 1\nblocks: {wide: {body: [linear: 64]}}\n"),),
    ),
    "softened-output": Explanation(
        "A `softmax` or a `sigmoid` stands right before a loss that does the same itself. This is a warning.",
        "The loss takes scores. Of probabilities it makes others that are nearly equal, and the network learns little.",
        "inputs: {image: [N, 1, 8, 8]}\nnetwork: [flatten, {linear: 10}, {softmax: {dim: 1}}]\n"
        "train: {data: digits, loss: cross_entropy, optimizer: adam, epochs: 3}",
        "inputs: {image: [N, 1, 8, 8]}\nnetwork: [flatten, linear: 10]\n"
        "train: {data: digits, loss: cross_entropy, optimizer: adam, epochs: 3}",
    ),
    "unused-init": Explanation(
        "A rule of `init` sets nothing: no parameter matches it, or the weight is one that `weight_norm` or "
        "`spectral_norm` makes of others. This is a warning.",
        "What the rule was written for starts as PyTorch starts it. A weight that is made of others has no value to "
        "start with.",
        "network:\n  - linear: {name: fc, out_features: 8}\ninit: {'fcs.*': zeros}",
        "network:\n  - linear: {name: fc, out_features: 8}\ninit: {'fc.*': zeros}",
    ),
    "unused-parameter": Explanation(
        "No expression in the file, or in the block, uses one of its parameters or locals. This is a warning.",
        "Setting it has no effect; usually a number is written where the parameter was meant.",
        "params: {width: 8}\nnetwork:\n  - linear: 8",
        "params: {width: 8}\nnetwork:\n  - linear: width",
    ),
}
