"""An op of one's own in all that netspec does: the example of deformable attention, which says only what it must."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import EXAMPLES

from netspec.cli import main
from netspec.diagnostics import EnvironmentFault
from netspec.lsp.completion import complete
from netspec.lsp.document import analyse
from netspec.lsp.hover import hover
from netspec.ops import OPS, Dim, Tensor
from netspec.plugins import add_plugin, clear_plugins
from netspec.recipes.base import PLUGIN_MODULES
from netspec.runtime.onnx.exported_op import exported_op
from netspec.testing import check_op

FOLDER = EXAMPLES / "plugin"
SPEC = str(FOLDER / "deformable.yaml")
NOTES = [
    "MACs not given by `deformable_attention`: left out of the sum",
    "memory not given by `deformable_attention`: counted as all that it reads and gives",
]


@pytest.fixture(autouse=True)
def plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The example's modules, as PYTHONPATH has them; forgotten at the end."""
    monkeypatch.syspath_prepend(FOLDER)
    yield
    for module in [*PLUGIN_MODULES, "deformable_module"]:
        sys.modules.pop(module, None)
    clear_plugins()


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    code = main([*words, "--plugin", "deformable"])
    out, err = capsys.readouterr()
    assert code == 0, err
    return out


@pytest.mark.slow
def test_it_is_held_against_torch_and_onnxruntime():
    add_plugin("deformable")
    check_op("deformable_attention", "N L 8", "N L 2", "N 8 H W", heads=2, tolerance=1e-4)
    assert OPS["deformable_attention"].unsaid() == ("MACs", "memory")


def test_check_and_shapes_import_no_torch_and_say_what_is_not_known(capsys: pytest.CaptureFixture[str]):
    assert "ok" in run(capsys, "check", SPEC)
    assert "deformable_module" not in sys.modules
    table = run(capsys, "shapes", SPEC)
    assert all(note[:60] in table for note in NOTES)
    assert json.loads(run(capsys, "shapes", SPEC, "--format", "json"))["unsaid"] == {
        "MACs": ["deformable_attention"],
        "memory": ["deformable_attention"],
    }


def test_schema_help_and_ops_know_it(capsys: pytest.CaptureFixture[str]):
    schema = json.loads(run(capsys, "schema"))
    assert "heads" in json.dumps(schema["$defs"]["op.deformable_attention"])
    assert "the number of heads, which share the channels" in run(capsys, "help", "deformable_attention")
    assert "query, points, picture" in run(capsys, "ops", "deformable_attention")


def test_explorer_diagram_and_diff_show_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run(capsys, "explorer", SPEC, "-o", str(tmp_path / "page.html"))
    page = (tmp_path / "page.html").read_text()
    assert "deformable_attention" in page
    assert NOTES[0] in page
    run(capsys, "diagram", SPEC, "-o", str(tmp_path / "net.dot"))
    assert "MACs not given by" in (tmp_path / "net.dot").read_text()
    other = tmp_path / "other.yaml"
    other.write_text(Path(SPEC).read_text().replace("heads: 2", "heads: 4"))
    main(["diff", SPEC, str(other), "--plugin", "deformable"])
    difference = capsys.readouterr().out
    assert "deformable_attention" in difference
    assert NOTES[0][:60] in difference


def test_the_language_server_explains_and_completes_it():
    add_plugin("deformable")
    text = Path(SPEC).read_text()
    document = analyse("deformable.yaml", text)
    assert document.diagnostics == ()
    line = next(at for at, each in enumerate(text.split("\n"), 1) if "deformable_attention" in each)
    assert "Attention to a few places" in str(hover(document, line, 8))
    typed = text.replace("  - reduce_mean: 1", "  - deform")
    at = next(at for at, each in enumerate(typed.split("\n"), 1) if each == "  - deform")
    assert "deformable_attention" in [each.label for each in complete(document, typed, at, 11)]


@pytest.mark.slow
def test_it_is_built_verified_and_trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    built = run(capsys, "build", SPEC, "-o", str(tmp_path / "build"))
    assert "verified: PyTorch and onnxruntime agree" in built
    assert "import deformable_module" in (tmp_path / "build/model.py").read_text()
    run(capsys, "train", SPEC, "--set", "train.epochs=1", "-o", str(tmp_path / "run"))
    assert (tmp_path / "run/model.onnx").is_file()
    assert "accuracy" in run(capsys, "evaluate", str(tmp_path / "run"))


def test_a_loop_that_torch_cannot_write_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "unrolled.py").write_text(
        "from netspec.ops import Op\nclass Unrolled(Op):\n    name = 'unrolled'\n    functional = 'unrolled_code.run'\n"
    )
    (tmp_path / "unrolled_code.py").write_text("def run(x):\n    return x * sum(1 for _ in range(int(x.sum())))\n")
    add_plugin("unrolled")
    with pytest.raises(EnvironmentFault, match="torch cannot export `unrolled` to ONNX: "):
        exported_op(OPS["unrolled"](), [Tensor((Dim.symbol("N"), 4))])
