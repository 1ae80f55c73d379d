"""The shape table, on graphs built by hand."""

from __future__ import annotations

import csv
import io
import json
import re
from functools import cache

import pytest
from clock import at_most
from hypothesis import given, settings
from hypothesis import strategies as st
from places import GOLDEN

from netspec.analysis.costs import Costs
from netspec.diagnostics import Source, Span
from netspec.dims import Dim, plain_shape
from netspec.emit.table import ShapeTable
from netspec.graph import Call, Graph, Level, NetworkOutput, Node, Value, walk
from netspec.ops import OPS, Tensor
from netspec.pipeline import compile_spec
from netspec.reference.sources.columns import COLUMNS, TIMED
from netspec.view.lines import View, table_lines

SOURCE = Source("net.yaml", "")
N, H, W = map(Dim.symbol, "NHW")


class Body:
    """A level in the making; a step reads the last one unless told otherwise."""

    def __init__(self, **inputs):
        self.inputs = {name: Value(Tensor(shape)) for name, shape in inputs.items()}
        self.last = next(iter(self.inputs.values()))
        self.steps = []

    def op(self, name, key, *inputs, structure="", training=False, **arguments):
        op = OPS[key](**arguments)
        inputs = inputs or (self.last,)
        outputs = tuple(Value(tensor) for tensor in op.infer(*(value.tensor for value in inputs)))
        span = Span(SOURCE, len(self.steps) + 1, 1, 1, 2)
        self.steps.append(Node(name, op, inputs, outputs, span, not name.isdigit(), structure, training))
        self.last = outputs[0]
        return self.last

    def call(self, name, level, *inputs, training=False):
        outputs = tuple(Value(value.tensor) for value in level.outputs)
        span = Span(SOURCE, len(self.steps) + 1, 1, 1, 2)
        self.steps.append(Call(name, level, inputs or (self.last,), outputs, span, True, training))
        self.last = outputs[0]
        return self.last

    def close(self, kind="block", title="", **outputs):
        outputs = outputs or {"output": self.last}
        return Level(
            kind,
            title,
            tuple(self.inputs.values()),
            tuple(self.inputs),
            tuple(self.steps),
            tuple(outputs.values()),
            tuple(outputs),
            Span(SOURCE, 1, 1, 1, 2),
        )


def table(body, name="net", doc="", sizes=None, **outputs):
    outputs = outputs or {"output": NetworkOutput(body.last)}
    level = body.close("network", "", **{key: output.value for key, output in outputs.items()})
    return ShapeTable(Graph(name, doc, level, body.inputs, outputs, sizes or {"N": 1}, (), (), {}, "", ""))


def downsample(shape, width, stride):
    body = Body(input=shape)
    body.op("0", "conv2d", out_channels=width, kernel_size=1, stride=stride, bias=False)
    body.op("1", "batch_norm2d")
    return body.close(title="downsample")


@cache
def residual_block(shape, width, stride=1):
    body = Body(input=shape)
    source = body.last
    body.op("conv1", "conv2d", out_channels=width, kernel_size=3, stride=stride, padding=1, bias=False)
    body.op("bn1", "batch_norm2d")
    body.op("2", "relu")
    body.op("conv2", "conv2d", out_channels=width, kernel_size=3, padding=1, bias=False)
    result = shortcut = body.op("bn2", "batch_norm2d")
    shortcut = source if result.shape == shape else body.call("downsample", downsample(shape, width, stride), source)
    body.op("add", "add", result, shortcut, structure="residual")
    body.op("5", "relu")
    return body.close(title="basic")


@cache
def resnet(depth=2):
    body = Body(image=(N, 3, H, W))
    body.op("conv1", "conv2d", out_channels=64, kernel_size=7, stride=2, padding=3, bias=False)
    body.op("bn1", "batch_norm2d")
    body.op("2", "relu")
    body.op("3", "max_pool2d", kernel_size=3, stride=2, padding=1)
    for i, width in enumerate((64, 128, 256, 512)):
        stage = Body(input=body.last.shape)
        for j in range(depth):
            stage.call(str(j), residual_block(stage.last.shape, width, 2 if i and not j else 1))
        body.call(f"layer{i + 1}", stage.close("repeat"))
    body.op("8", "adaptive_avg_pool2d", output_size=1)
    body.op("9", "flatten")
    body.op("fc", "linear", out_features=1000)
    doc = "Deep Residual Learning for Image Recognition, He et al. 2015 (arXiv:1512.03385)."
    return table(body, "resnet18", doc, {"N": 1, "H": 224, "W": 224}, logits=NetworkOutput(body.last))


def branch(shape, *kernels):
    body = Body(input=shape)
    for i, kernel in enumerate(kernels):
        body.op(f"conv{i}", "conv2d", out_channels=8, kernel_size=kernel, padding=kernel // 2)
    return body.close("branch")


@cache
def branches():
    """Parallel branches, one of them a single conv, and a head that runs in training only."""
    body = Body(x=(N, 16, 28, 28))
    source = body.last
    outputs = [
        body.call("branch1", branch(source.shape, 1), source),
        body.call("branch2", branch(source.shape, 1, 3), source),
        body.call("branch3", branch(source.shape, 1, 5, 3), source),
    ]
    joined = body.op("concat", "concat", *outputs, structure="parallel")
    head = Body(input=joined.shape)
    head.op("0", "flatten")
    head.op("fc", "linear", out_features=10)
    aux = body.call("aux", head.close(title="head"), training=True)
    logits = body.op("conv", "conv2d", joined, out_channels=10, kernel_size=1)
    return table(body, "branches", logits=NetworkOutput(logits), aux=NetworkOutput(aux, training=True))


def chain(count, width=64):
    body = Body(x=(N, 32))
    for i in range(count):
        body.op(str(i), "linear", out_features=width + i % 7)
    return table(body, "chain")


TABLES = {"resnet18": resnet, "branches": branches, "chain": lambda: chain(3)}


def body_lines(text):
    """The lines between the rules."""
    rules = [row for row, line in enumerate(text.split("\n")) if line.startswith("─")]
    return text.split("\n")[rules[0] + 1 : rules[1]]


def line_of(text, start):
    return next(line for line in body_lines(text) if line.lstrip("│├└ ").startswith(start))


def test_text_is_as_in_the_golden_file(snapshot):
    snapshot(GOLDEN / "table_branches_80.txt", branches().text() + "\n")


def test_text_is_80_columns_wide_by_default():
    assert str(resnet()) == resnet().text(80)


@pytest.mark.slow
@settings(deadline=None)
@given(name=st.sampled_from(sorted(TABLES)), width=st.integers(48, 160))
def test_text_is_never_wider_than_asked(name, width):
    assert max(map(len, TABLES[name]().text(width).split("\n"))) <= width


@settings(deadline=None, max_examples=25)
@given(width=st.integers(60, 160))
def test_long_names_and_shapes_are_shortened(width):
    body = Body(**{"a_very_long_name_for_an_input" * 3: (N, *[(H + 2 * i) * (W + i) for i in range(6)], 7)})
    body.op("a_very_long_name_for_a_layer" * 3, "linear", out_features=10**9)
    text = table(body, "a_very_long_name_for_a_network" * 6, sizes={"N": 1, "H": 10**6, "W": 10**6}).text(width)
    assert max(map(len, text.split("\n"))) <= width
    assert "…" in text


@pytest.mark.parametrize("name", TABLES)
def test_colour_changes_nothing_but_colour(name):
    made = TABLES[name]()
    coloured = made.text(100, colour=True)
    assert coloured != made.text(100)
    assert re.sub(r"\x1b\[\d+m", "", coloured) == made.text(100)


@pytest.mark.parametrize("name", TABLES)
def test_totals_are_the_sums_of_the_rows(name):
    made = TABLES[name]()
    assert made.params == sum(row.params for row in made)
    assert made.macs == sum(row.macs for row in made if not row.training)
    assert f"{made.params:,}" in str(made)
    assert f"{made.macs:,}" in str(made)
    assert f"{2 * made.macs:,} FLOPs" in str(made)


def test_totals_are_the_published_ones():
    assert resnet().params == 11_689_512  # torchvision
    assert resnet().macs == 1_814_073_344  # torch's FlopCounterMode, halved


def test_rows_are_the_nodes_in_running_order():
    made = resnet()
    nodes = [(path, step) for path, step, _ in walk(made.graph.body) if isinstance(step, Node)]
    assert [row.path for row in made] == [path for path, _ in nodes]
    assert len(made) == len(nodes) == len({row.path for row in made})
    row = next(row for row in made if row.path == "layer2.0.conv1")
    assert (row.op, row.detail, row.params, row.macs, row.line) == ("conv2d", "3×3, 128, /2", 73_728, 57_802_752, 1)
    assert [list(map(str, shape)) for shape in (*row.inputs, *row.outputs)] == [
        ["N", "64", "⌈H/4⌉", "⌈W/4⌉"],
        ["N", "128", "⌈H/8⌉", "⌈W/8⌉"],
    ]


@pytest.mark.parametrize("name", TABLES)
def test_json_gives_every_row_back(name):
    made = TABLES[name]()
    read = json.loads(made.to_json())
    keys = ["model", "sizes", "inputs", "outputs", "rows", "totals", "macs_formula", "tied", "memory", "needs"]
    assert list(read) == keys
    assert read["model"] == made.graph.name
    assert read["sizes"] == made.graph.sizes
    assert read["inputs"] == {name: plain_shape(value.shape) for name, value in made.graph.inputs.items()}
    assert read["outputs"] == {name: plain_shape(out.value.shape) for name, out in made.graph.outputs.items()}
    assert read["totals"] == {"params": made.params, "frozen": 0, "macs": made.macs}
    for found, row in zip(read["rows"], made, strict=True):
        found.pop("receptive_field", None)  # is tested below
        assert found == {
            "path": row.path,
            "op": row.op,
            "inputs": [plain_shape(shape) for shape in row.inputs],
            "outputs": [plain_shape(shape) for shape in row.outputs],
            "params": row.params,
            "macs": row.macs,
            "line": row.line,
            **({"training": True} if row.training else {}),
        }


def test_json_has_receptive_fields():
    rows = json.loads(ShapeTable(compile_spec("alexnet")).to_json())["rows"]
    fields = {row["path"]: row.get("receptive_field") for row in rows}
    # Araujo, Norris and Sim 2019, the table of AlexNet's, whose last pooling has 195
    assert [fields[path] for path in ("0", "2", "3", "5", "6", "8", "10", "12")] == [
        [size, size] for size in (11, 19, 51, 67, 99, 131, 163, 195)
    ]
    assert fields["14"] is None  # a linear map has no places
    assert {row["path"]: row for row in json.loads(resnet().to_json())["rows"]}["8"]["receptive_field"] == "all"


def test_json_writes_symbolic_sizes_as_text():
    rows = {row["path"]: row for row in json.loads(resnet().to_json())["rows"]}
    assert rows["conv1"]["outputs"] == [["N", 64, "ceil(H/2)", "ceil(W/2)"]]


def test_csv_has_a_line_for_each_row():
    read = list(csv.DictReader(io.StringIO(resnet().to_csv())))
    assert [row["path"] for row in read] == [row.path for row in resnet()]
    assert read[0] == {
        "path": "conv1",
        "op": "conv2d",
        "detail": "7×7, 64, /2",
        "inputs": "[N, 3, H, W]",
        "outputs": "[N, 64, ceil(H/2), ceil(W/2)]",
        "params": "9408",
        "macs": "118013952",
        "line": "1",
        "training": "false",
        "frozen": "false",
    }
    assert sum(int(row["params"]) for row in read) == resnet().params


def test_markdown_collapses_repeats_and_gives_the_totals():
    lines = resnet().to_markdown().splitlines()
    assert lines[:2] == ["| layer | op | output | params | MACs |", "| :-- | :-- | :-- | --: | --: |"]
    assert "| **layer1.0–1** ×2 | basic | N×64×⌈H/4⌉×⌈W/4⌉ | 73,984 | 231,211,008 |" in lines
    assert "| `layer1.0–1.conv1` | conv2d 3×3, 64 | N×64×⌈H/4⌉×⌈W/4⌉ | 36,864 | 115,605,504 |" in lines
    assert lines[-1] == "| **total** | | | 11,689,512 | 1,814,073,344 |"


def test_equal_blocks_in_a_row_share_a_line():
    text = resnet().text(100)
    assert line_of(text, "layer1.0–1 ×2").split()[2:6] == ["basic", "″", "73,984", "231M"]
    assert not any(line.lstrip("│├└ ").startswith("layer2.") for line in body_lines(text))
    assert "×N  N alike in a row" in text


def test_a_deeper_network_has_no_longer_table_once_its_blocks_repeat():
    tables = [str(resnet(depth)).partition("\nparameters")[0].count("\n") for depth in (3, 200)]
    assert tables[0] == tables[1]


def test_equal_blocks_that_are_not_chained_have_a_line_each():
    block = branch((N, 8, 9, 9), 3)
    body = Body(x=(N, 8, 9, 9))
    source = body.last
    body.op("add", "add", body.call("a0", block, source), body.call("a1", block, source))
    assert [line.split()[0] for line in body_lines(str(table(body)))] == ["x", "a0.conv0", "a1.conv0", "add"]


def test_equal_ops_in_a_row_share_a_line():
    body = Body(x=(N, 8))
    for i in range(5):
        body.op(str(i), "linear", out_features=8)
    assert line_of(str(table(body)), "0–4 ×5").split() == ["0–4", "×5", "linear", "8", "″", "72", "64"]


def test_a_residual_says_what_it_adds():
    text = resnet().text(100)
    assert sum("add input" in line for line in body_lines(text)) == 4
    assert sum("add downsample" in line for line in body_lines(text)) == 3
    assert "← input" in line_of(text, "downsample")


def test_branches_say_what_they_read():
    text = branches().text(100)
    assert "←" not in line_of(text, "branch1.conv0")
    assert "← x" in line_of(text, "branch2")
    assert "← branch1–3" in line_of(text, "concat")
    assert "← concat" in line_of(text, "conv ")


def test_two_inputs_are_told_apart():
    body = Body(x=(N, 8), y=(N, 8))
    x, y = body.inputs.values()
    body.op("add", "add", x, y)
    body.op("left", "linear", x, out_features=4)
    text = str(table(body))
    assert "add ← x, y" in text
    assert "linear 4 ← x" in text


def test_training_only_steps_are_marked_and_left_out_of_the_macs():
    made = branches()
    text = str(made)
    assert {row.path for row in made if row.training} == {"aux.0", "aux.fc"}
    assert all("†" in line_of(text, name) for name in ("aux", "fc"))
    assert "†" not in line_of(text, "concat")
    assert "†   in training only, left out of the MACs" in text
    assert "aux N×10 †" in text
    assert "188,170 in training only" in text


def test_unnamed_activations_are_folded_only_in_long_tables():
    assert "bn1             batch_norm2d · relu" in str(resnet())
    body = Body(x=(N, 8))
    body.op("0", "linear", out_features=8)
    body.op("1", "relu")
    assert line_of(str(table(body)), "1").split() == ["1", "relu", "″"]


def test_a_named_activation_or_one_that_others_read_past_is_not_folded():
    body = Body(x=(N, 8))
    before = body.op("0", "linear", out_features=8)
    after = body.op("1", "relu")
    body.op("2", "add", before, after)
    for i in range(3, 60, 2):
        body.op(str(i), "linear", out_features=8 + i)
        body.op(f"act{i}", "relu")
    names = [line.split()[0] for line in body_lines(str(table(body)))]
    assert names == ["x", "0", "1", "2", *(name for i in range(3, 60, 2) for name in (str(i), f"act{i}"))]


def test_a_long_table_puts_plain_blocks_on_one_line():
    body = Body(image=(N, 3, 64, 64))
    for i in range(120):
        body.call(f"block{i}", downsample(body.last.shape, 8 + i, 1))
    text = str(table(body))
    assert len(body_lines(text)) == 121
    assert "conv2d 1×1, 9 · batch_norm2d" in line_of(text, "block1 ")
    full = table(body).text(full=True)
    assert len(body_lines(full)) == 361
    assert line_of(full, "block1 ").split()[:3] == ["block1", "downsample", "N×9×64×64"]


def test_a_very_long_table_opens_one_block_of_a_kind():
    body = Body(image=(N, 8, 64, 64))
    for i in range(40):
        body.call(f"block{i}", residual_block(body.last.shape, 9 + i))
    text = str(table(body))
    assert line_of(text, "block0 ").split()[:2] == ["block0", "basic"]
    assert line_of(text, "block1 ").split()[:3] == ["block1", "basic", "…"]
    assert "…   built like the one opened above it" in text
    assert len(body_lines(text)) == 1 + 40 + 6
    assert "…" not in table(body).text(full=True)


def test_several_outputs_are_counted():
    inner = Body(x=(N, 8))
    inner.op("0", "linear", out_features=4)
    level = inner.close(title="pair", first=inner.last, second=inner.inputs["x"])
    body = Body(x=(N, 8))
    body.call("both", level)
    body.op("0", "linear", body.steps[0].outputs[1], out_features=2)
    text = str(table(body))
    assert "N×4 +1" in line_of(text, "both")
    assert "linear 2 ← both.second" in text


def test_a_network_without_parameters_or_symbols():
    body = Body(x=(1, 8))
    body.op("0", "relu")
    text = str(table(body, sizes={}))
    assert "parameters  0 · 0 bytes as float32" in text
    assert text.split("\n")[-1] == "in → out    x 1×8 → output 1×8"


@pytest.mark.timing
def test_ten_thousand_layers_take_little():
    body = Body(x=(N, 32))
    for count in range(10_000):
        body.op(str(count), "linear", out_features=32 + count % 7)
    made = table(body)
    with at_most(100):
        made.text()
        made.to_json()


@pytest.mark.timing
def test_a_thousand_layers_take_less():
    made = chain(1000)
    with at_most(10):
        made.text(120)


def test_the_depth_that_is_asked_for():
    lines = body_lines(resnet().text(view=View(depth=0)))
    assert not any(line.startswith(("├", "└")) for line in lines)
    opened = body_lines(resnet().text(view=View(depth=0, expand=("layer1.0–1",))))
    assert any(line.startswith("├ conv1") for line in opened)


def test_what_stands_around_an_expanded_level_opens_too():
    table = ShapeTable(compile_spec("gpt2"))
    closed, opened = (table.text(view=View(depth=0, expand=names)) for names in ((), ("mlp",)))
    assert "c_fc" not in closed
    assert "c_fc" in opened
    assert "c_attn" not in opened


def test_the_heaviest_first():
    table = ShapeTable(compile_spec("gpt2"))
    view = View(sort="params")
    assert body_lines(table.text(120, view=view))[0].startswith("transformer.wte")
    counts = [line.params * line.count for line in table_lines(table.graph, Costs(table.graph.sizes), view)]
    assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize("name", ["resnet18", "unet", "gpt2", "inception_v3"])
def test_ascii_is_ascii(name):
    text = ShapeTable(compile_spec(name)).text(100, ascii=True)
    doc = compile_spec(name).doc
    assert [each for each in text if ord(each) > 126 and each not in doc] == []
    assert max(map(len, text.split("\n"))) <= 104  # words for signs in the footer may be longer


def test_a_wide_terminal_shows_more():
    text = resnet().text(150)
    head = next(line for line in text.split("\n") if line.startswith("layer "))
    assert head.split() == ["layer", "op", "output", "params", "MACs", "share", "field", "kept", "line", "input"]
    assert head.split() == [each for each in COLUMNS if each not in TIMED]
    outer = [line for line in body_lines(text) if line[0] not in "│├└ " and "%" in line]
    shares = [float(line.split("%")[0].split()[-1]) for line in outer]
    assert 98 < sum(shares) + shares[1] < 103  # the second line stands for two


@pytest.mark.parametrize(
    ("name", "formula"),
    [("resnet18", "= 1.81G·N at H=224, W=224"), ("gpt2", "= 18.4k·N·T² + 124M·N·T"), ("lenet", "= 417k·N")],
)
def test_macs_as_a_formula(name, formula):
    assert formula in ShapeTable(compile_spec(name)).text()
