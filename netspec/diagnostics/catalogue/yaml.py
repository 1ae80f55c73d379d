"""Ids of the text of a file: YAML and its traps."""

from __future__ import annotations

from netspec.diagnostics.catalogue.base import Explanation

YAML = {
    "bad-file": Explanation(
        "The file cannot be read as a spec: it is a folder, no regular file, or too large.",
        "A spec is one text file of at most 4 MB, and all that it imports is at most 16 MB, so that a wrong path "
        "ends in a message and not in a hanging command.",
        "import: [blocks]",
        "import: [blocks/layers.yaml]",
        beside=(("blocks/layers.yaml", "netspec: 1\nblocks: {activation: {body: [relu]}}\n"),),
    ),
    "yaml-encoding": Explanation(
        "The file is not UTF-8.",
        "Other encodings are read differently from one machine to the next.",
        "doc: Café",
        "doc: Café",
        encoding="latin-1",
    ),
    "yaml-character": Explanation(
        "The file holds a control character, an invisible one, or a line break that editors do not show.",
        "What cannot be seen cannot be reviewed: such characters make a line read differently from what it means.",
        "doc: a\u202eb",
        "doc: ab",
    ),
    "yaml-tab": Explanation(
        "The file holds a tab outside of a comment.",
        "YAML forbids tabs in indentation, and editors show them with different widths.",
        "network:\n\t- relu",
        "network:\n  - relu",
    ),
    "yaml-directive": Explanation(
        "The file starts with a YAML directive, such as `%YAML 1.1`.",
        "A spec is always read as YAML 1.2; a directive could only contradict that.",
        "%YAML 1.1\n---\nnetspec: 1",
        "netspec: 1",
    ),
    "yaml-documents": Explanation(
        "A second YAML document starts in the file.",
        "A file holds one spec; what follows `---` would be ignored without a word.",
        "netspec: 1\nname: net\ninputs: {image: [N, 3, 32, 32]}\nnetwork: [relu]\n---\nnetspec: 1",
        "netspec: 1",
    ),
    "yaml-empty": Explanation(
        "The file holds no spec.",
        "There is nothing to read: the file is empty, or all of it is comments.",
        "# netspec: 1\n# name: net\n# inputs: {image: [N, 3, 32, 32]}\n# network: [relu]",
        "netspec: 1",
        whole=True,
    ),
    "yaml-syntax": Explanation(
        "The text is not YAML: a bracket or a quote is not closed, a colon or an indentation is wrong.",
        "What follows cannot be told apart, so nothing after this place is read.",
        "network:\n  - conv2d: {out_channels: 8, kernel_size: 3\n  - relu",
        "network:\n  - conv2d: {out_channels: 8, kernel_size: 3}\n  - relu",
    ),
    "yaml-dollar": Explanation(
        "An expression is written as `${…}`.",
        "A brace starts a mapping in YAML. Expressions stand bare: the string is one already.",
        "params: {width: 8}\nnetwork:\n  - linear: {out_features: ${width}}",
        "params: {width: 8}\nnetwork:\n  - linear: {out_features: width}",
    ),
    "yaml-braces": Explanation(
        "Braces hold a word without a value, such as `{width}`.",
        "Braces make a mapping in YAML, and this one has a key without a value. Only inside a text, as in "
        "`name: layer{i}`, do braces hold an expression.",
        "params: {width: 8}\nnetwork:\n  - linear: {width}",
        "params: {width: 8}\nnetwork:\n  - linear: width",
    ),
    "yaml-comma": Explanation(
        "A comma inside round brackets ends an item of a list or a mapping in brackets.",
        "YAML knows no round brackets: `[max(a, b), 3]` has three items, the first of them `max(a`. Quotes keep an "
        "expression whole.",
        "params: {a: 8}\nnetwork:\n  - linear: {out_features: max(a, 4)}",
        'params: {a: 8}\nnetwork:\n  - linear: {out_features: "max(a, 4)"}',
    ),
    "yaml-trap": Explanation(
        "The text means something else to other YAML readers: `no`, `010`, `1:30`, a date, a list item that is none.",
        "YAML 1.1 reads `no` as false and `010` as 8. netspec reads YAML 1.2, and leaves no doubt which is meant.",
        "params: {norm: no}",
        "params: {norm: false}",
    ),
    "number-range": Explanation(
        "A number is too large to be kept exactly.",
        "Integers beyond 2**53 and floats beyond 1.8e308 would be rounded on their way through other programs.",
        "params: {width: 99_999_999_999_999_999}".replace("_", ""),
        "params: {width: 99999}",
    ),
    "yaml-tag": Explanation(
        "A YAML tag, such as `!include` or `!!python/object`.",
        "Tags make YAML readers build objects. Nothing in a spec does that; `import` takes other specs' blocks.",
        "doc: !shout hello",
        'doc: "!shout hello"',
    ),
    "yaml-key": Explanation(
        "A list or a mapping stands where a key belongs.",
        "Keys are texts. This comes from braces around an expression at the start of a value, as in `{{width}: 3}`.",
        "params:\n  {[width]: 3}",
        "params:\n  {width: 3}",
    ),
    "yaml-merge": Explanation(
        "A merge key, `<<: *base`.",
        "Merge keys are not part of YAML 1.2, and they hide where a value comes from. A block with params does the "
        "same, and shows in messages and diagrams.",
        "params:\n  <<: {width: 8}",
        "params:\n  width: 8",
    ),
    "duplicate-key": Explanation(
        "A key stands twice in one mapping.",
        "Most YAML readers keep the last one without a word, and the first is lost.",
        "params: {width: 8}\nnetwork:\n  - linear: {out_features: width, bias: false, bias: true}",
        "params: {width: 8}\nnetwork:\n  - linear: {out_features: width, bias: false}",
    ),
    "yaml-alias": Explanation(
        "An alias `*name` has no anchor `&name` before it, or stands inside what it names.",
        "An alias repeats what its anchor marks; here there is nothing to repeat.",
        "params: {width: *size}",
        "params: {width: &size 8, depth: *size}",
    ),
    "yaml-bomb": Explanation(
        "The aliases of the file expand to more than a million nodes.",
        "A few lines of aliases of aliases fill any memory.",
        "x:\n- &a [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]\n- &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
        "- &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n- &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n"
        "- &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\n- [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]",
        "blocks: {five: {body: [{repeat: {count: 5, body: [relu]}}]}}\nnetwork: [five]",
    ),
    "yaml-depth": Explanation(
        "Lists and mappings are nested more than 64 deep.",
        "No person can read that, and readers that recurse crash on it.",
        "params: {deep: " + "[" * 64 + "1" + "]" * 64 + "}",
        "params: {deep: [[1]]}",
    ),
    "yaml-nodes": Explanation(
        "The file holds more than 200,000 nodes.",
        "A spec of that size was made by a program; loops and blocks say the same in a few lines.",
        "network:\n- relu",
        "network:\n- repeat: {count: 300, body: [relu]}",
        repeated=201_000,
    ),
}
