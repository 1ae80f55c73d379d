"""The import of a model that readers know: torchvision's ResNet-18, and a copy of it for smaller images."""

from __future__ import annotations

import json
import runpy

import pytest
import vision_operators  # noqa: F401 (they stand in for torchvision's, where those do not load)
import yaml
from places import EXAMPLES, GUIDES

from netspec.diagnostics import Source
from netspec.pipeline import compile_loaded, load_source
from netspec.train.names import import_torchvision

NOTEBOOK = json.loads((EXAMPLES / "import_a_model.ipynb").read_text(encoding="utf-8"))
CODE = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


@pytest.mark.slow
def test_the_notebook_runs_and_prints_what_is_kept_in_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    import_torchvision()
    fresh = {"cells": [{**cell, "outputs": []} for cell in NOTEBOOK["cells"]]}
    made = runpy.run_path(str(EXAMPLES / "importing.py"))["executed"](fresh)
    cells = [cell for cell in made["cells"] if cell["cell_type"] == "code"]
    assert [_printed(cell) for cell in cells] == [_printed(cell) for cell in CODE]
    shown = "".join(cells[1]["outputs"][0]["data"]["text/html"])
    assert "<table" in shown
    assert "<svg" in shown


def _printed(cell):
    return ["".join(each.get("text") or each["data"]["text/plain"]) for each in cell["outputs"]]


def test_the_notebook_is_one_that_jupyter_takes():
    assert (NOTEBOOK["nbformat"], NOTEBOOK["nbformat_minor"]) == (4, 4)
    assert all(cell["execution_count"] == number for number, cell in enumerate(CODE, 1))
    told = "\n".join(part for cell in CODE for part in _printed(cell))
    assert "It computes what torchvision's does, " in told
    assert "11,689,512" in "".join(CODE[1]["outputs"][0]["data"]["text/html"])
    assert "11,173,962 parameters" in told  # of the copy


def test_the_specs_in_the_documentation_have_the_parameters_that_they_promise():
    page = (GUIDES / "importing.md").read_text(encoding="utf-8")
    texts = [part.partition("```")[0] for part in page.split("```yaml\n")[1:]]
    assert len(texts) == 3
    for text in texts:
        graph = compile_loaded(load_source(Source("spec.yaml", text))).body
        assert graph.parameter_count == yaml.safe_load(text)["expect"]["params"]
