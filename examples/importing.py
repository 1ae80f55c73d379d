"""Writes the networks in docs/importing.md anew: torchvision's source, and what it becomes.

python examples/importing.py
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from textwrap import dedent

PAGE = Path(__file__).parent.parent / "docs" / "importing.md"
NETWORKS = {
    "resnet18": ("torchvision.models.resnet", "BasicBlock"),
    "convnext_tiny": ("torchvision.models.convnext", "CNBlock"),
    "efficientnet_b0": ("torchvision.models.efficientnet", "MBConv"),
}


def section(name: str) -> str:
    """Return a network's part of the page: the class of its blocks, and the whole spec."""
    import torch

    import netspec
    from netspec.importer.sources import find_module

    module, block = NETWORKS[name]
    network = find_module(f"torchvision.models:{name}", {})
    source = dedent(inspect.getsource(getattr(__import__(module, fromlist=[block]), block))).rstrip()
    spec = netspec.from_torch(network, {"x": torch.randn(2, 3, 224, 224)}, name=name)
    assert spec.proof.holds
    return (
        f"torchvision's `{block}`, one class of `{module}`:\n\n```python\n{source}\n```\n\n"
        f"`netspec import torchvision.models:{name}`, the whole network, verified {spec.proof.text()}:\n\n"
        f"```yaml\n{spec.text}```\n"
    )


def rewritten(page: str) -> str:
    """Return the page with every network's part made anew."""
    for name in NETWORKS:
        part = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        made = section(name)
        page = part.sub(lambda found: f"{found[1]}\n{made}\n{found[2]}", page)  # noqa: B023 (called at once)
    return page


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
