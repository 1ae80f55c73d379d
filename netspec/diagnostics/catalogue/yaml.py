"""Ids of the text of a file: YAML and its traps."""

from __future__ import annotations

from netspec.diagnostics.catalogue.base import Explanation

YAML = {
    "bad-file": Explanation(
        "The file cannot be read as a spec: it is a folder, not a regular file, or too large.",
        "A spec is a text file of at most 4 MB, with imports of at most 16 MB in total, so that a wrong path "
        "gives a message rather than a hanging command.",
        "import: [blocks]",
        "import: [blocks/layers.yaml]",
        beside=(("blocks/layers.yaml", "netspec: 1\nblocks: {activation: {body: [relu]}}\n"),),
    ),
    "yaml-encoding": Explanation(
        "The file is not UTF-8.",
        "Other encodings are read differently on different machines.",
        "doc: Café",
        "doc: Café",
        encoding="latin-1",
    ),
    "yaml-character": Explanation(
        "The file contains a control character, an invisible character, or a line break that editors do not show.",
        "Invisible text cannot be reviewed: such characters make a line look different from what it means.",
        "doc: a\u202eb",
        "doc: ab",
    ),
    "yaml-tab": Explanation(
        "The file contains a tab outside a comment.",
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
        "A file contains one spec; anything after `---` would be ignored silently.",
        "netspec: 1\nname: net\ninputs: {image: [N, 3, 32, 32]}\nnetwork: [relu]\n---\nnetspec: 1",
        "netspec: 1",
    ),
    "yaml-empty": Explanation(
        "The file contains no spec.",
        "There is nothing to read: the file is empty or contains only comments.",
        "# netspec: 1\n# name: net\n# inputs: {image: [N, 3, 32, 32]}\n# network: [relu]",
        "netspec: 1",
        whole=True,
    ),
    "yaml-syntax": Explanation(
        "The text is not YAML: a bracket or a quote is not closed, a colon or an indentation is wrong.",
        "The text after this position is ambiguous, so it is not read.",
        "network:\n  - conv2d: {out_channels: 8, kernel_size: 3\n  - relu",
        "network:\n  - conv2d: {out_channels: 8, kernel_size: 3}\n  - relu",
    ),
    "yaml-dollar": Explanation(
        "An expression is written as `${…}`.",
        "In YAML, a brace starts a mapping. Write expressions bare: a string is already read as an expression.",
        "params: {width: 8}\nnetwork:\n  - linear: {out_features: ${width}}",
        "params: {width: 8}\nnetwork:\n  - linear: {out_features: width}",
    ),
    "yaml-braces": Explanation(
        "Braces contain a word without a value, such as `{width}`.",
        "Braces make a mapping in YAML, and this one has a key without a value. Braces contain an expression only"
        " inside a string, as in `name: layer{i}`.",
        "params: {width: 8}\nnetwork:\n  - linear: {width}",
        "params: {width: 8}\nnetwork:\n  - linear: width",
    ),
    "yaml-comma": Explanation(
        "A comma inside round brackets ends an item of a list or a mapping in brackets.",
        "YAML does not treat round brackets specially: `[max(a, b), 3]` has three items, the first of which is "
        "`max(a`. Quotes keep an expression in one piece.",
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
        "A number is too large to be represented exactly.",
        "Other programs would round integers beyond 2**53 and floats beyond 1.8e308.",
        "params: {width: 99_999_999_999_999_999}".replace("_", ""),
        "params: {width: 99999}",
    ),
    "yaml-tag": Explanation(
        "The file contains a YAML tag, such as `!include` or `!!python/object`.",
        "Tags make YAML readers build objects, which a spec never does; `import` brings in blocks of other specs.",
        "doc: !shout hello",
        'doc: "!shout hello"',
    ),
    "yaml-key": Explanation(
        "A list or a mapping is used as a key.",
        "Keys are strings. The usual cause is an expression in braces at the start of a value, as in `{{width}: 3}`.",
        "params:\n  {[width]: 3}",
        "params:\n  {width: 3}",
    ),
    "yaml-merge": Explanation(
        "The file contains a merge key, `<<: *base`.",
        "Merge keys are not part of YAML 1.2, and they hide where a value comes from. A block with params serves "
        "the same purpose, and is visible in messages and diagrams.",
        "params:\n  <<: {width: 8}",
        "params:\n  width: 8",
    ),
    "duplicate-key": Explanation(
        "A mapping contains the same key twice.",
        "Most YAML readers silently keep the last one and lose the first.",
        "params: {width: 8}\nnetwork:\n  - linear: {out_features: width, bias: false, bias: true}",
        "params: {width: 8}\nnetwork:\n  - linear: {out_features: width, bias: false}",
    ),
    "yaml-alias": Explanation(
        "An alias `*name` has no anchor `&name` before it, or is inside the value that it names.",
        "An alias repeats what its anchor marks; here there is nothing to repeat.",
        "params: {width: *size}",
        "params: {width: &size 8, depth: *size}",
    ),
    "yaml-bomb": Explanation(
        "The aliases of the file expand to more than a million nodes.",
        "A few lines of nested aliases can fill any memory.",
        "x:\n- &a [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]\n- &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
        "- &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n- &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n"
        "- &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\n- [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]",
        "blocks: {five: {body: [{repeat: {count: 5, body: [relu]}}]}}\nnetwork: [five]",
    ),
    "yaml-depth": Explanation(
        "Lists and mappings are nested more than 64 deep.",
        "No one can read such a file, and recursive readers crash on it.",
        "params: {deep: " + "[" * 64 + "1" + "]" * 64 + "}",
        "params: {deep: [[1]]}",
    ),
    "yaml-nodes": Explanation(
        "The file contains more than 200,000 nodes.",
        "A spec of that size was generated by a program; loops and blocks say the same in a few lines.",
        "network:\n- relu",
        "network:\n- repeat: {count: 300, body: [relu]}",
        repeated=201_000,
    ),
}
