"""The weights that a network starts from, as they are written: a source alone, or with what is made of its keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from netspec.diagnostics import Report, clipped
from netspec.recipes.weights import WeightsSource, rename_fault
from netspec.spec.reading import EMPTY, Form, Text, keyword, mapping_entries, misfit, read_form, read_text, reader
from netspec.syntax import ListNode, ScalarNode, SyntaxNode

RENAMES = "a mapping from regular expressions to what takes their place"
RENAME_EXAMPLE = "write `rename: {'^model\\.': ''}`"


def _read_patterns(node: SyntaxNode, report: Report) -> tuple[str, ...] | None:
    texts = [read_text(item, report) for item in (node.items if isinstance(node, ListNode) else (node,))]
    return None if None in texts else tuple(text for text in texts if text is not None)


def _read_renames(node: SyntaxNode, report: Report) -> dict[str, str]:
    made = {}
    for key, value in mapping_entries(node, report, RENAMES, RENAME_EXAMPLE):
        replacement = read_text(value, report)
        if replacement is None:
            continue
        if (fault := rename_fault(key.text, replacement)) is not None:
            report.error(
                "bad-value", f"`{clipped(key.text)}` cannot be renamed: {fault}", key.span, help=RENAME_EXAMPLE
            )
            continue
        made[key.text] = replacement
    return made


class WeightsSpec(Form):
    """The weights that the network starts from, and how their keys become those of the spec."""

    examples: ClassVar[Mapping[str, str]] = {"from": "write `from: resnet18.safetensors`"}

    source: Annotated[Text, keyword("from")]
    """a file (.safetensors, .pth, .onnx), the folder of a run or of Hugging Face's, `torchvision:IMAGENET1K_V2` or
    `hf:owner/name@revision`"""
    skip: Annotated[tuple[str, ...], reader(_read_patterns, "texts")] = ()
    """the keys that start anew: a pattern such as `fc.*`, or a list of them"""
    rename: Annotated[Mapping[str, str], reader(_read_renames, "values")] = EMPTY
    """replacements in the keys of the source, in order: regular expressions, as in Python's `re.sub`"""
    prefix: Text = ""
    """the beginning that the keys of the source have and those of the spec do not; others are left out"""
    adapter: Text = ""
    """a folder with changes of low rank for the steps of `lora`, which come on top: `runs/NAME/1/adapter`, or one of
    Hugging Face's library peft"""


def read_weights(node: SyntaxNode, report: Report) -> WeightsSource | None:
    """Read a source of weights: a text alone, or a mapping. What is at fault is reported."""
    if isinstance(node, ScalarNode):
        if isinstance(node.value, str) and node.value:
            return WeightsSource(node.value)
        misfit(report, node, "a file of weights", "write `weights: resnet18.safetensors`")
        return None
    form = read_form(WeightsSpec, node, report, "`weights`")
    return None if form is None else WeightsSource(form.source, form.skip, form.rename, form.prefix, form.adapter)
