"""The words of expressions, and the types of values."""

from __future__ import annotations

from collections.abc import Mapping

FUNCTIONS: Mapping[str, tuple[str, str]] = {
    "min": ("The smallest of several numbers, or of a list of them.", "min(width, 64)"),
    "max": ("The largest of several numbers, or of a list of them.", "max(width // 4, 8)"),
    "ceil": ("The next whole number upwards.", "ceil(width / 3)"),
    "floor": ("The next whole number downwards.", "floor(width / 3)"),
    "round": (
        "The nearest whole number, of halves the even one; with a second argument to so many digits.",
        "round(2.6)",
    ),
    "abs": ("A number without its sign.", "abs(-3)"),
    "sqrt": ("The square root of a number.", "sqrt(width)"),
    "exp": ("The exponential of a number.", "exp(-2)"),
    "log": ("The natural logarithm of a number; with a second argument to that base.", "log(width, 2)"),
    "make_divisible": (
        "The nearest multiple of the second number, at least that number itself (or the third), and never less than "
        "nine tenths of the first: the rounding of channels in MobileNet and its kin.",
        "make_divisible(0.35 * width, 8)",
    ),
    "len": ("The number of items of a list, or of characters in a string.", "len(widths)"),
    "sum": ("The sum of a list of numbers.", "sum(widths)"),
    "range": ("A list of whole numbers: up to the end, or from a start, or by a step.", "range(2, 8, 2)"),
    "reversed": ("A list back to front.", "reversed(widths)"),
}
"""The value of each function, and an example, in which ``width`` is 64 and ``widths`` [8, 16, 32]."""

WORDS: Mapping[str, tuple[str, str]] = {
    "if": ("A choice between two values.", "2 if width > 32 else 1"),
    "else": ("The value of a choice where its condition does not hold.", "2 if width > 32 else 1"),
    "for": (
        "A list made from another, item by item, with a condition where some are left out.",
        "[2 * w for w in widths if w > 8]",
    ),
    "and": ("True where both conditions are.", "width > 8 and width % 2 == 0"),
    "or": ("True where one of two conditions is.", "width < 8 or width > 32"),
    "not": ("True where a condition is not.", "not width % 2 == 0"),
    "in": ("True where a list or a string contains a value.", "width in [32, 64]"),
    "True": ("The truth value; YAML's own is `true`.", "True"),
    "False": ("The other truth value; YAML's own is `false`.", "False"),
    "shape": (
        "The shape of the step's input, in the arguments of an op or a block, and in an `if`'s test. "
        "Of a block's own expressions: the shape of its first input.",
        "shape[-1] * 2",
    ),
}
"""The same of the other words."""

REFERENCES: Mapping[str, str] = {
    "prev": "The step before this one, where a step names what it reads: `add: {from: [prev, shortcut]}`. Its other "
    "outputs are `prev.h_n` and the like.",
}
"""Words that stand for a step."""

TYPES: Mapping[str, str] = {
    "int": "A whole number, as a parameter's type: `width: int`.",
    "float": "A real number, as a parameter's type: `p: float`.",
    "bool": "`true` or `false`: a parameter's type (`{type: bool}`), and the dtype of a mask.",
    "str": "A string, as a parameter's type: `{type: str, default: relu}`. It may name an op or a block: `$name`.",
    "list": "A list of values of one type, as a parameter's type: `widths: list[int]`.",
    "pair": "A list of two, which may be given as one value for both, as a parameter's type: `kernel_size: pair[int]`.",
    "float32": "Real numbers of 32 bits: the dtype of inputs unless another is given.",
    "float64": "Real numbers of 64 bits, as a dtype.",
    "float16": "Real numbers of 16 bits, as a dtype: 11 bits of precision, up to 65,504.",
    "bfloat16": "Real numbers of 16 bits with the range of float32, as a dtype: 8 bits of precision.",
    "int64": "Whole numbers of 64 bits, as a dtype: tokens and classes.",
    "int32": "Whole numbers of 32 bits, as a dtype.",
}
"""The values of each type of parameters and of tensors' elements."""
