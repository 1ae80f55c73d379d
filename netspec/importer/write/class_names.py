"""Classes of Python as the names of specs and blocks."""

from __future__ import annotations

import re

JOINED = re.compile(r"(?<=[a-z])_(?=(?:net|nets|next)(?![a-z]))|(?<=(?<![a-z])[a-z][ei])_(?=lu(?![a-z]))")
"""The places where words are one, although each has a capital letter: ``ResNet``, ``ReLU``."""


def snake_case(name: str) -> str:
    """Return a class's name as a spec's: ``ResNet`` as ``resnet``, ``GPT2LMHeadModel`` as ``gpt2_lm_head_model``."""
    name = name.replace("NeXt", "Next").replace("gLeN", "gleN").replace("ViT", "Vit")
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=\d)(?=[A-Z][a-z]|[A-Z]{2})|(?<=[A-Z])(?=[A-Z][a-z](?!\d))", "_", name)
    return JOINED.sub("", re.sub(r"\W+", "_", words).lower()).strip("_") or "network"
