"""Ids of the form of a spec: its keys and the kinds of their values."""

from __future__ import annotations

from netspec.diagnostics.catalogue.base import Explanation

FORM = {
    "unknown-key": Explanation(
        "A key that has no meaning where it stands.",
        "A misspelt key would be ignored, and its default used in silence.",
        "network:\n  - repeat: {counts: 3, body: [relu]}",
        "network:\n  - repeat: {count: 3, body: [relu]}",
    ),
    "missing-key": Explanation(
        "A key that is needed is not there.",
        "It has no default that would be right more often than wrong.",
        "network:\n  - repeat: {count: 3}",
        "network:\n  - repeat: {count: 3, body: [relu]}",
    ),
    "wrong-type": Explanation(
        "A value is of another kind than what belongs there: a text for a list, a list for a mapping.",
        "Nothing is converted in silence.",
        "network: relu",
        "network: [relu]",
    ),
    "step-keys": Explanation(
        "A step has two keys.",
        "A step is one key with everything about it inside. Two keys come from an indentation that is too small, "
        "or from a dash that is missing.",
        "network:\n  - conv2d: {out_channels: 8, kernel_size: 3}\n    stride: 2",
        "network:\n  - conv2d: {out_channels: 8, kernel_size: 3, stride: 2}",
    ),
    "bad-name": Explanation(
        "A text that cannot be a name.",
        "Names become attributes of a Python module, keys of its state dict and names in the ONNX file: letters, "
        "digits and underscores, and no digit first. `prev` and `shape` are reserved.",
        "blocks:\n  my-block: {body: [relu]}\nnetwork: [relu]",
        "blocks:\n  my_block: {body: [relu]}\nnetwork: [my_block]",
    ),
    "unknown-type": Explanation(
        "A parameter's type is none of `int`, `float`, `bool`, `str` and lists of these, or cannot be told.",
        "The type decides what `--set` and variants may give, and whether a text is an expression. A default gives "
        "its own type, but an empty list has none, and what reads other parameters would be a text.",
        "params: {width: {type: integer, default: 8}}",
        "params: {width: {type: int, default: 8}}",
    ),
    "bad-import": Explanation(
        "An import leads nowhere, or out of the project.",
        "Imports are relative paths to spec files inside the project's folder (the one with `.git` or "
        "`pyproject.toml`, else the spec's own), so that a spec from elsewhere reads nothing but its own files.",
        "import: [/etc/hostname]",
        "import: [layers.yaml]",
        beside=(("layers.yaml", "netspec: 1\nblocks: {activation: {body: [relu]}}\n"),),
    ),
    "import-cycle": Explanation(
        "Files import each other in a circle.",
        "There is no order in which they could be read.",
        "import: [a.yaml]",
        "import: [b.yaml]",
        beside=(
            ("a.yaml", "netspec: 1\nimport: [c.yaml]\nblocks: {one: {body: [relu]}}\n"),
            ("c.yaml", "netspec: 1\nimport: [a.yaml]\nblocks: {two: {body: [relu]}}\n"),
            ("b.yaml", "netspec: 1\nblocks: {one: {body: [relu]}}\n"),
        ),
    ),
}
