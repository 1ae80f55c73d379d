"""Writes anew what shows imported networks: those in docs/guides/importing.md, and what import_a_model.ipynb prints.

python examples/importing.py
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import json
import re
from pathlib import Path
from textwrap import dedent
from typing import Any

PAGE = Path(__file__).parent.parent / "docs" / "guides" / "importing.md"
NOTEBOOK = Path(__file__).parent / "import_a_model.ipynb"
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
        f"torchvision's `{block}`, one class of `{module}`:\n\n``` {{.python .excerpt}}\n{source}\n```\n\n"
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


def executed(notebook: dict[str, Any]) -> dict[str, Any]:
    """Run a notebook's cells in order, as Jupyter would; return it with what they print, and what the last line is."""
    names: dict[str, Any] = {}
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(cells, 1):
        cell["execution_count"] = number
        cell["outputs"] = _outputs("".join(cell["source"]), names, number)
    return notebook


def _outputs(source: str, names: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """Run a cell; return its output, and its last expression unless a semicolon ends it."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(tree, str(NOTEBOOK), "exec"), names)
        value = eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names) if last is not None else None
    text = printed.getvalue()
    outputs: list[dict[str, Any]] = []
    if text:
        outputs.append({"name": "stdout", "output_type": "stream", "text": text.splitlines(keepends=True)})
    if value is not None and not source.endswith(";"):
        shown = {"text/plain": repr(value).splitlines(keepends=True)}
        if hasattr(value, "_repr_html_"):
            shown = {"text/html": value._repr_html_().splitlines(keepends=True), **shown}
        outputs.append({"data": shown, "execution_count": number, "metadata": {}, "output_type": "execute_result"})
    return outputs


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    made = executed(json.loads(NOTEBOOK.read_text(encoding="utf-8")))
    NOTEBOOK.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
