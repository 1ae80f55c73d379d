"""Ids of the form of a spec: its keys and the kinds of their values."""

from __future__ import annotations

from netspec.diagnostics.catalogue.base import Explanation

FORM = {
    "unknown-key": Explanation(
        "A key is not recognised where it is written.",
        "A misspelt key would be ignored, and its default would be used silently.",
        "network:\n  - repeat: {counts: 3, body: [relu]}",
        "network:\n  - repeat: {count: 3, body: [relu]}",
    ),
    "missing-key": Explanation(
        "A required key is missing.",
        "The key has no default that would be right more often than wrong.",
        "network:\n  - repeat: {count: 3}",
        "network:\n  - repeat: {count: 3, body: [relu]}",
    ),
    "wrong-type": Explanation(
        "A value is of the wrong kind: a string instead of a list, or a list instead of a mapping.",
        "netspec never converts values silently.",
        "network: relu",
        "network: [relu]",
    ),
    "step-keys": Explanation(
        "A step has two keys.",
        "A step has one key, with all its arguments inside. A second key is usually caused by too little "
        "indentation or a missing dash.",
        "network:\n  - conv2d: {out_channels: 8, kernel_size: 3}\n    stride: 2",
        "network:\n  - conv2d: {out_channels: 8, kernel_size: 3, stride: 2}",
    ),
    "bad-name": Explanation(
        "A string is not a valid name.",
        "Names become attributes of a Python module, keys of its state dict and names in the ONNX file: letters, "
        "digits and underscores, and no digit first. `prev` and `shape` are reserved.",
        "blocks:\n  my-block: {body: [relu]}\nnetwork: [relu]",
        "blocks:\n  my_block: {body: [relu]}\nnetwork: [my_block]",
    ),
    "unknown-type": Explanation(
        "A parameter's type is not `int`, `float`, `bool`, `str` or a list of these, or cannot be inferred.",
        "The type determines which values `--set` and variants may give, and whether a string is an expression. "
        "It is inferred from the default, except for an empty list and for a default that reads other parameters.",
        "params: {width: {type: integer, default: 8}}",
        "params: {width: {type: int, default: 8}}",
    ),
    "bad-import": Explanation(
        "An import refers to a missing file or to one outside the project.",
        "Imports are relative paths to spec files inside the project's folder (the one with `.git` or "
        "`pyproject.toml`, else the spec's own), so that a spec from elsewhere reads nothing but its own files.",
        "import: [/etc/hostname]",
        "import: [layers.yaml]",
        beside=(("layers.yaml", "netspec: 1\nblocks: {activation: {body: [relu]}}\n"),),
    ),
    "unknown-network": Explanation(
        "There is no network of the name that a step uses.",
        "A network is named as `netspec list` has it, or by the path of its file, and outright: an expression has no "
        "value yet. `variant` may be a template, and `if` chooses between steps.",
        "network: [use: {name: backbone, network: resnet51}]",
        "network: [use: {name: backbone, network: resnet50}]",
    ),
    "import-cycle": Explanation(
        "Files import or use each other in a cycle.",
        "There is no order in which the files could be read.",
        "import: [a.yaml]",
        "import: [b.yaml]",
        beside=(
            ("a.yaml", "netspec: 1\nimport: [c.yaml]\nblocks: {one: {body: [relu]}}\n"),
            ("c.yaml", "netspec: 1\nimport: [a.yaml]\nblocks: {two: {body: [relu]}}\n"),
            ("b.yaml", "netspec: 1\nblocks: {one: {body: [relu]}}\n"),
        ),
    ),
}
