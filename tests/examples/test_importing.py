"""The import of a model that readers know: torchvision's ResNet-18, and a copy of it with fewer classes."""

from __future__ import annotations

import runpy

import pytest
import vision_operators  # noqa: F401 (they stand in for torchvision's, where those do not load)
import yaml
from places import EXAMPLES, ROOT

from netspec.diagnostics import Source
from netspec.pipeline import compile_loaded, load_source
from netspec.runtime.vision import import_torchvision


@pytest.mark.slow
def test_a_model_comes_in_and_an_edited_copy_differs_in_its_classifier(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    import_torchvision()
    runpy.run_path(str(EXAMPLES / "import_a_model.py"))
    told = capsys.readouterr().out
    assert "It computes what torchvision's does, " in told
    assert "11,689,512" in told
    assert "11,181,642" in told  # of the copy
    assert (tmp_path / "build" / "import_a_model" / "edited.yaml").is_file()


def test_the_specs_in_the_documentation_have_the_parameters_that_they_promise():
    page = (ROOT / "docs" / "importing.md").read_text(encoding="utf-8")
    texts = [part.partition("```")[0] for part in page.split("```yaml\n")[1:]]
    assert len(texts) == 3
    for text in texts:
        graph = compile_loaded(load_source(Source("spec.yaml", text))).body
        assert graph.parameter_count == yaml.safe_load(text)["expect"]["params"]
