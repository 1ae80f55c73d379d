"""Ingredients of the user's own: found by their names, checked like netspec's, and never named by a spec alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from places import EXAMPLES

from netspec.cli import main
from netspec.plugins import add_plugin, clear_plugins, plugins
from netspec.recipes import ingredients
from netspec.recipes.base import PLUGIN_MODULES
from netspec.testing import check_op

EXAMPLE = EXAMPLES / "plugin"


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Without plugins, before and after."""
    yield
    for module in PLUGIN_MODULES:
        sys.modules.pop(module, None)
    clear_plugins()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that Python imports from, and forgets."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name, module in [*sys.modules.items()]:
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def told(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What a command says of a fault."""
    assert main(words) != 0
    return capsys.readouterr().err


def test_the_example_trains_and_is_judged_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.syspath_prepend(EXAMPLE)
    spec, run = str(EXAMPLE / "stripes.yaml"), str(tmp_path / "run")
    assert main(["train", spec, "--plugin", "stripes", "-o", run]) == 0
    said = capsys.readouterr().out
    assert f"netspec evaluate {run} --plugin stripes" in said
    test = next(line for line in said.splitlines() if line.startswith("test"))
    assert float(test.split()[2]) >= 0.95
    assert main(["evaluate", run, "--plugin", "stripes"]) == 0
    assert test in capsys.readouterr().out


def test_a_spec_is_checked_against_it_without_torch(tmp_path: Path):
    found = tmp_path / "net.yaml"
    found.write_text((EXAMPLE / "stripes.yaml").read_text().replace("data: stripes", "data: {stripes: {sise: 9}}"))
    code = (
        "import sys; from netspec.cli import main; "
        f"code = main(['check', {str(found)!r}, '--plugin', 'stripes']); print(code, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{EXAMPLE}:{EXAMPLE.parent.parent}"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "1 False\n"
    assert "`stripes` has no argument `sise`" in done.stderr
    assert "did you mean `size`?" in done.stderr


def test_without_the_option_a_spec_cannot_reach_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.syspath_prepend(EXAMPLE)
    assert "there is no data set named `stripes`" in told(capsys, "check", str(EXAMPLE / "stripes.yaml"))
    assert "stripes" not in sys.modules


def test_a_module_that_is_not_there(capsys: pytest.CaptureFixture[str]):
    said = told(capsys, "check", "lenet", "--plugin", "nowhere")
    assert said == "netspec: there is no module `nowhere`: install it, or put its folder on PYTHONPATH\n"
    assert plugins() == ()


def test_a_module_that_needs_another(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "needy.py").write_text("import nowhere_at_all\n")
    said = told(capsys, "check", "lenet", "--plugin", "needy")
    assert said == "netspec: the plugin `needy` needs nowhere_at_all, which is not installed\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def broken(:", "SyntaxError: invalid syntax (brought.py, line 1)"),
        ("import os\nos.environ['NO_SUCH_VARIABLE']", "KeyError: 'NO_SUCH_VARIABLE'"),
    ],
)
def test_a_module_that_fails_as_it_is_imported(folder: Path, text: str, why: str, capsys: pytest.CaptureFixture[str]):
    (folder / "brought.py").write_text(text)
    assert main(["shapes", "lenet", "--plugin", "brought"]) == 2
    assert f"the plugin `brought` cannot be imported: {why}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "from netspec.recipes.losses import CrossEntropyLoss",
            "it has no class of its own that is derived from one of netspec's ops or ingredients, and no target",
        ),
        ("from netspec.ops import Op\nclass Twice(Op): pass", "its class `Twice` has no `name`"),
        ("from netspec.recipes.losses import Loss\nclass Mine(Loss): pass", "its class `Mine` has no `name`"),
        ("from inverses import OneOver", "`OneOver` is a class of `inverses`, which is the module to name"),
    ],
)
def test_a_module_that_brings_nothing(brought: Path, text: str, why: str, capsys: pytest.CaptureFixture[str]):
    (brought / "empty.py").write_text(text + "\n")
    said = told(capsys, "check", "lenet", "--plugin", "empty")
    assert said == f"netspec: the plugin `empty` brings nothing: {why}\n"


FAMILIES = "convolution, linear, norm, activation, pooling, shape, arithmetic, dropout, sequence"


@pytest.mark.parametrize(
    ("base", "body", "why"),
    [
        ("Op", "family = 'pointwise'", f"its `family` must be one of {FAMILIES}"),
        (
            "Pointwise",
            "functional, main = 'torch.abs', 'size'",
            "its `main` is `size`, which is not one of its arguments",
        ),
        (
            "Pointwise",
            "onnx_type = 'Abs'",
            "it needs `torch` or `functional`, or a method `call` or `statements`, to be written in PyTorch",
        ),
        (
            "Pointwise",
            "functional, name = 'torch.abs', 'my abs'",
            "its `name` is 'my abs', but a name in a spec consists of letters, digits and `_`",
        ),
    ],
)
def test_an_op_that_lacks_something(folder: Path, base: str, body: str, why: str, capsys: pytest.CaptureFixture[str]):
    (folder / "lacking.py").write_text(
        f"from netspec.ops import {base}\nclass Mine({base}):\n    name = 'mine'\n    {body}\n"
    )
    said = told(capsys, "check", "lenet", "--plugin", "lacking")
    assert said == f"netspec: the op `Mine` of lacking cannot be used: {why}\n"


def test_a_name_that_there_is_already(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "twice.py").write_text(
        "from netspec.recipes.data import DataSet\nclass Mine(DataSet):\n    name = 'mnist'\n    torch = 'twice.read'\n"
    )
    assert told(capsys, "check", "lenet", "--plugin", "twice") == (
        "netspec: twice brings a DataSet `mnist`, which already exists\n"
    )


def test_added_twice_it_is_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(EXAMPLE)
    add_plugin("stripes")
    add_plugin("stripes")
    assert plugins() == ("stripes",)
    assert {"stripes"} <= {*ingredients("data")}
    assert {"poly"} <= {*ingredients("loss")}


OP = """
from netspec.ops import Pointwise


class OneOver(Pointwise):
    \"\"\"1/x (`torch.reciprocal`): any shape.\"\"\"

    name = "one_over"
    functional = "torch.reciprocal"
    onnx_type = "Reciprocal"
    saved_for_backward = "output"
"""
SPEC = """
netspec: 1
name: inverse
inputs: {x: {shape: [N, 6], range: [1, 2]}}
network:
  - one_over: {name: inverse}
  - linear: 3
train: {data: {noise: {shape: [6], classes: 3, rows: 8}}, loss: cross_entropy, optimizer: {sgd: 0.1}, steps: 2}
"""


@pytest.fixture
def brought(folder: Path) -> Path:
    """A folder with a module that brings an op, and a spec that has it."""
    (folder / "inverses.py").write_text(OP)
    (folder / "s.yaml").write_text(SPEC)
    return folder


def by_name(folder: Path) -> tuple[str, ...]:
    return "--plugin", "inverses"


def by_entry_point(folder: Path) -> tuple[str, ...]:
    """As an installed package offers it."""
    info = folder / "inverses-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: inverses\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[netspec.plugins]\ninverses = inverses\n")
    return ()


def test_its_test_is_two_lines(brought: Path):
    check_op(import_module("inverses").OneOver, "N 6 H W", values=lambda values: [value.abs() + 1 for value in values])


@pytest.mark.parametrize("offer", [by_name, by_entry_point])
def test_an_op_from_outside_goes_through_every_command(
    brought: Path, offer: Callable[[Path], tuple[str, ...]], capsys: pytest.CaptureFixture[str]
):
    spec, plugin = str(brought / "s.yaml"), offer(brought)
    assert main(["check", spec, *plugin]) == 0
    assert main(["shapes", spec, *plugin]) == 0
    assert main(["source", spec, *plugin]) == 0
    printed = capsys.readouterr().out
    assert "one_over" in printed
    assert "torch.reciprocal(" in printed
    assert main(["diagram", spec, "-o", str(brought / "d.dot"), *plugin]) == 0
    assert "one_over" in (brought / "d.dot").read_text()
    assert main(["build", spec, "-o", str(brought / "b"), *plugin]) == 0
    assert "verified" in capsys.readouterr().out
    assert main(["build", spec, "-o", str(brought / "page"), "--only", "explorer", *plugin]) == 0
    assert "one_over" in next((brought / "page").glob("*.html")).read_text()
    assert main(["train", spec, "-o", str(brought / "run"), *plugin]) == 0


def test_an_op_of_a_name_that_there_is_already(brought: Path, capsys: pytest.CaptureFixture[str]):
    (brought / "again.py").write_text(OP.replace("one_over", "relu"))
    said = told(capsys, "check", "lenet", "--plugin", "again")
    assert said == "netspec: again brings an op `relu`, which already exists\n"


def test_a_package_offers_its_ops_by_an_entry_point(
    brought: Path,
):
    """It is asked only for names that netspec does not know."""
    by_entry_point(brought)
    assert main(["check", "lenet"]) == 0
    assert "inverses" not in sys.modules
    assert main(["check", str(brought / "s.yaml")]) == 0
    assert "inverses" in sys.modules


def test_an_op_that_nobody_brings(brought: Path, capsys: pytest.CaptureFixture[str]):
    assert "there is no op or block named `one_over`" in told(capsys, "check", str(brought / "s.yaml"))


INGREDIENTS = """
from netspec.recipes import Column, DataSet, Length, Loss, Metric, Optimizer, Rate, Schedule, Transform, Weight


class LogCosh(Loss):
    '''log cosh of the error.'''

    name = "log_cosh"
    torch = "ours.log_cosh"
    sharpness: Weight = 1.0


class Plain(Optimizer):
    '''Steps down the gradient.'''

    name = "plain"
    torch = "torch.optim.SGD"
    lr: Rate = 0.1


class Halves(Schedule):
    '''Half the rate after the first epoch.'''

    name = "halves"

    def after(self, lr: float, step: int, length: Length) -> float:
        return lr if step < length.epoch else lr / 2


class Largest(Metric):
    '''The largest error.'''

    name = "largest_error"
    tasks = {"numbers": "ours.LargestError"}
    better = "lower"


class Doubled(Transform):
    '''Every feature doubled.'''

    name = "doubled"
    torch = "ours.doubled"

    def takes(self, column):
        return not column.target


class Slope(DataSet):
    '''y = 6·x.'''

    name = "slope"
    torch = "ours.read"

    def columns(self):
        return {"x": Column((1,)), "y": Column((), target=True)}


def log_cosh(output, target, sharpness):
    return ((output - target) * sharpness).cosh().log().mean()


def doubled(transform, rows):
    return 2 * rows


def read(data_set, folder):
    import torch

    from netspec.train.data import Data, TensorRows

    x = torch.linspace(-1, 1, 40)[:, None]
    rows = TensorRows({"x": x, "y": 6 * x[:, 0]})
    return Data(data_set.columns(), rows, test=rows)


class LargestError:
    def __init__(self):
        self.reset()

    def reset(self):
        self.error = 0.0

    def to(self, device):
        return self

    def update(self, output, wanted):
        self.error = max(self.error, float((output - wanted).abs().max()))

    def compute(self):
        return self.error
"""
OURS = """
netspec: 1
name: ours
inputs: {x: [N, 1]}
network:
  - linear: 1
train:
  data: slope
  prepare: doubled
  loss: {log_cosh: {sharpness: 2.0}}
  metrics: largest_error
  optimizer: plain
  schedule: halves
  epochs: 60
  batch: 8
"""


def test_a_package_offers_ingredients_of_every_kind(folder: Path, capsys: pytest.CaptureFixture[str]):
    """Through the public names of ``netspec.recipes`` alone, by an entry point."""
    (folder / "ours.py").write_text(INGREDIENTS)
    (folder / "ours.yaml").write_text(OURS)
    info = folder / "ours-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ours\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[netspec.plugins]\nours = ours\n")
    assert main(["train", str(folder / "ours.yaml"), "-o", str(folder / "run")]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(folder / "run"), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["scores"]["test"]["largest_error"] < 0.1
    assert main(["help", "log_cosh"]) == 0
    assert capsys.readouterr().out.startswith("log_cosh · loss\n\nlog cosh of the error.\n")
