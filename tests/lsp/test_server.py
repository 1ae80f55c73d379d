"""The language server, asked by a client that speaks the protocol over its stdin and stdout."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from lsp.client import URI, Client

pytest.importorskip("pygls")

SPEC = """\
netspec: 1
name: small
doc: a net with a 🦙 in its documentation
params:
  width: 8
  block: part
dims: {N: 1}
inputs: {image: [N, 3, 16, 16]}
blocks:
  part:
    doc: a convolution and its activation
    params: {out: int, stride: 1}
    body:
      - conv2d: {out_channels: out, kernel_size: 3, padding: 1, stride: stride, bias: false}
      - relu
network:
  - part: {name: stem, out: width}
  - $block: {out: 2 * width, stride: 2}
  - residual:
      - part: {out: 2 * width}
  - flatten
  - linear: {name: head, from: prev, out_features: 10}
outputs: {scores: head}
"""
LINES = SPEC.split("\n")


def line_of(text: str) -> int:
    """The number, from 0, of the only line that holds a text."""
    (found,) = (number for number, line in enumerate(LINES) if text in line)
    return found


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    made = Client(textDocument={"completion": {"completionItem": {"snippetSupport": True}}})
    yield made
    assert made.close() == 0


def offered(client: Client, before: str, after: str = "", uri: str = "file:///nets/typed.yaml") -> dict[str, dict]:  # type: ignore[type-arg]
    """What is offered between two pieces of a text, by its label."""
    client.open(before + after, uri)
    lines = before.split("\n")
    found = client.at("completion", len(lines) - 1, len(lines[-1]), uri)
    client.tell("textDocument/didClose", {"textDocument": {"uri": uri}})
    return {item["label"]: item for item in found["items"]}


def test_what_the_server_offers(client):
    offers = client.capabilities
    assert {"completionProvider", "hoverProvider", "definitionProvider", "inlayHintProvider"} <= offers.keys()


def test_a_sound_document_has_no_diagnostics(client):
    assert client.open(SPEC) == []


def test_a_fault_is_shown_where_it_is_and_goes_when_it_is_mended(client):
    client.open(SPEC)
    (found,) = client.edit(SPEC.replace("- flatten", "- flaten"))
    line = line_of("- flatten")
    assert found["code"] == "unknown-op"
    assert found["source"] == "netspec"
    assert found["severity"] == 1
    assert found["range"] == {"start": {"line": line, "character": 4}, "end": {"line": line, "character": 10}}
    assert "flatten" in found["message"]
    assert client.edit(SPEC) == []


def test_all_faults_of_all_variants_are_shown_at_once(client):
    text = SPEC.replace("- flatten", "- flaten").replace("kernel_size: 3,", "kernel_size: 3, paddin: 1,")
    codes = [found["code"] for found in client.open(text)]
    assert sorted(codes) == ["unknown-argument", "unknown-op"]


def test_a_burst_of_changes_is_checked_once(client):
    client.open(SPEC)
    before = len(client.notes)
    for length in range(1, 8):
        client.change(SPEC.replace("- flatten", "- " + "flatten"[:length]))
    assert client.diagnostics() == []
    published = [note for note in client.notes[before:] if note["method"] == "textDocument/publishDiagnostics"]
    assert len(published) == 1


def test_broken_yaml_is_one_diagnostic_and_hints_stay(client):
    client.open(SPEC)
    whole = client.hints()
    found = client.edit(SPEC.replace("- flatten", "- flatten: {"))
    assert found
    assert all(each["code"].startswith("yaml") for each in found)
    left = client.hints()
    assert left.keys() == whole.keys() - {line_of("- flatten")}


def test_hints_move_with_their_lines(client):
    client.open(SPEC)
    whole = client.hints()
    client.edit(SPEC.replace("network:", "# one\n# two\nnetwork:\n  - nonsense"))
    moved = client.hints()
    head = line_of("name: head")
    assert moved[head + 3] == whole[head]


def test_hints_show_the_inferred_shape(client):
    client.open(SPEC)
    assert client.hints() == {
        line_of("- conv2d"): "→ [N, 8, 16, 16] …",
        line_of("- relu"): "→ [N, 8, 16, 16] …",
        line_of("name: stem"): "→ [N, 8, 16, 16]",
        line_of("$block"): "→ [N, 16, 8, 8]",
        line_of("- residual"): "→ [N, 16, 8, 8]",
        line_of("- part: {out: 2"): "→ [N, 16, 8, 8]",
        line_of("- flatten"): "→ [N, 1024]",
        line_of("name: head"): "→ [N, 10]",
    }
    assert client.hints(line_of("- flatten"), line_of("- flatten")).keys() == {line_of("- flatten")}


def test_hover_on_an_op_tells_its_shapes_and_costs(client):
    client.open(SPEC)
    text = client.at("hover", line_of("- conv2d"), 10)["contents"]["value"]
    for part in (
        "torch.nn.Conv2d",
        "`kernel_size` (required): the size of the window",
        "`[N, 3, 16, 16]` → `[N, 8, 16, 16]`",
        "216 parameters · 55,296 MACs at N = 1",
        "`stem.0`, the first of 3",
    ):
        assert part in text


def test_hover_on_a_block_an_argument_a_parameter_and_a_reference(client):
    client.open(SPEC)

    def hover(text: str, word: str) -> str:
        line = line_of(text)
        found = client.at("hover", line, LINES[line].index(word) + 1)
        return found["contents"]["value"]

    assert "a convolution and its activation" in hover("name: stem", "part")
    assert "`[N, 3, 16, 16]` → `[N, 8, 16, 16]`" in hover("name: stem", "part")
    assert "elements added at both sides" in hover("- conv2d", "padding")
    assert "a parameter of the spec: `8`; here `8`" in hover("name: stem", "width")
    assert "a parameter of `part`" in hover("name: stem", "out")
    assert "5,130" not in hover("name: head", "prev")
    assert "10,250 parameters" in hover("outputs: {scores", "head")
    assert "at which costs are quoted" in hover("dims:", "dims")


def test_hover_on_the_rest_of_a_line_is_about_its_step(client):
    client.open(SPEC)
    assert "`[N, 1024]`" in client.at("hover", line_of("- flatten"), 2)["contents"]["value"]
    assert client.at("hover", 2, 2)["contents"]["value"].startswith("`doc`")
    assert client.at("hover", len(LINES) + 5, 0) is None


def test_definitions(client):
    client.open(SPEC)

    def go(text: str, word: str) -> tuple[int, int]:
        line = line_of(text)
        found = client.at("definition", line, LINES[line].index(word) + 1)
        assert found["uri"] == URI
        return found["range"]["start"]["line"], found["range"]["start"]["character"]

    assert go("name: stem", "part") == (line_of("  part:"), 2)
    assert go("name: stem", "width") == (line_of("width: 8"), 2)
    assert go("- $block", "$block") == (line_of("block: part"), 2)
    assert go("block: part", "part") == (line_of("  part:"), 2)
    assert go("name: stem", "out:") == (line_of("params: {out"), LINES[line_of("params: {out")].index("out"))
    assert go("- conv2d", "out,") == (line_of("params: {out"), LINES[line_of("params: {out")].index("out"))
    assert go("outputs: {scores", "head") == (line_of("name: head"), LINES[line_of("name: head")].index("head"))
    assert client.at("definition", line_of("- flatten"), 5) is None


HEAD = SPEC[: SPEC.index("  - flatten")]


def test_completion_of_steps(client):
    found = offered(client, HEAD + "  - ")
    assert {"part", "conv2d", "residual", "$block", "relu"} <= found.keys()
    assert found["linear"]["textEdit"]["newText"] == "linear: $0"
    assert found["conv2d"]["textEdit"]["newText"] == "conv2d: {out_channels: $1, kernel_size: $2\\}$0"
    assert found["part"]["textEdit"]["newText"] == "part: {out: $1\\}$0"
    assert found["concat"]["textEdit"]["newText"] == "concat: {from: $1\\}$0"
    assert "torch.nn.Conv2d" in found["conv2d"]["documentation"]["value"]


def test_completion_replaces_what_is_typed(client):
    found = offered(client, HEAD + "  - $bl", "\noutputs: {scores: head}\n")
    line = HEAD.count("\n")
    start, end = {"line": line, "character": 4}, {"line": line, "character": 7}
    assert found["$block"]["textEdit"] == {"range": {"start": start, "end": end}, "newText": "\\$block"}


@pytest.mark.parametrize(
    ("typed", "wanted", "unwanted"),
    [
        ("  - conv2d: {", {"out_channels", "kernel_size", "name", "from"}, {"relu", "width"}),
        ("  - conv2d: {kernel_size: 3, ", {"out_channels", "stride"}, {"kernel_size"}),
        ("  - conv2d:\n      ", {"out_channels", "kernel_size"}, {"relu"}),
        ("  - conv2d:\n      kernel_size: 3\n      pad", {"padding", "out_channels"}, {"kernel_size"}),
        ("  - part: {", {"out", "stride", "name"}, {"kernel_size"}),
        ("  - part: {out: ", {"width", "block", "shape", "min"}, {"relu", "stem"}),
        ("  - part: {out: 2 * wi", {"width"}, {"relu"}),
        ("  - linear: {from: ", {"prev", "stem", "image"}, {"relu", "width"}),
        ("  - add: {from: [stem, ", {"prev", "stem", "image"}, {"relu"}),
        ("  - conv2d: {padding_mode: ", {"zeros", "reflect"}, set()),
        ("  - conv2d: {bias: ", {"true", "false", "width"}, set()),
        ("  - matmul: {", {"input", "other"}, set()),
        ("  - parallel: {merge: ", {"concat", "add", "none"}, {"width"}),
        ("  - parallel: {", {"branches", "merge", "dim"}, {"count"}),
        ("  - repeat: {count: 2, index: i, body: [part: {out: ", {"i", "width"}, set()),
        ("  - repeat:\n      ", {"count", "body", "index", "name"}, {"relu"}),
        ("out", {"outputs"}, {"name", "netspec", "relu"}),
        ("variants:\n  wide: {", {"width", "block"}, {"relu"}),
        ("variants:\n  wide: {block: ", {"part"}, {"stem"}),
        ("outputs: {y: ", {"stem", "prev"}, {"relu"}),
    ],
)
def test_completion(client, typed, wanted, unwanted):
    found = offered(client, HEAD + typed)
    assert wanted <= found.keys()
    assert not unwanted & found.keys()


def test_completion_below_a_line_that_cannot_be_read(client):
    found = offered(client, HEAD + "  - linear: {out: ]\n  - conv2d: {")
    assert "kernel_size" in found


def test_completion_in_the_middle_of_a_document(client):
    before, after = SPEC.split("stride: stride, ")
    assert {"stride", "dilation"} <= offered(client, before, after).keys()


def test_an_empty_document(client):
    found = offered(client, "")
    assert {"netspec", "name", "network"} <= found.keys()


def test_blocks_of_imported_files(client, tmp_path):
    other = tmp_path / "parts.yaml"
    other.write_text(
        "netspec: 1\nblocks:\n  squash:\n    doc: smaller\n    params: {by: 2}\n    body: [max_pool2d: by]\n"
    )
    text = HEAD.replace("name: small", "name: small\nimport: [parts.yaml]") + "  - squash: 2\n  - flatten\n"
    uri = (tmp_path / "main.yaml").as_uri()
    assert client.open(text, uri) == []
    line = text.split("\n").index("  - squash: 2")
    found = client.at("definition", line, 6, uri)
    assert (found["uri"], found["range"]["start"]) == (other.as_uri(), {"line": 2, "character": 2})
    assert "smaller" in client.at("hover", line, 6, uri)["contents"]["value"]
    client.change(text + "  - ", uri)
    offers = client.at("completion", text.count("\n"), 4, uri)
    assert "squash" in [item["label"] for item in offers["items"]]


LLAMA = SPEC.replace("- part: {name: stem, out: width}", "- part: {name: stem, out: width} # 🦙").replace(
    "outputs: {scores: head}", 'outputs: {scores: "🦙", b: head, c: heat}'
)


@pytest.mark.slow
@pytest.mark.parametrize(("encoding", "extra"), [("utf-16", 1), ("utf-8", 3), ("utf-32", 0)])
def test_positions_count_in_the_units_of_the_client(encoding, extra):
    client = Client(general={"positionEncodings": [encoding]})
    found = client.open(LLAMA)
    last = {each["message"].split("\n")[0]: each["range"] for each in found}
    line = LLAMA.split("\n").index('outputs: {scores: "🦙", b: head, c: heat}')
    wrong = next(span for message, span in last.items() if "heat" in message)
    assert wrong == {
        "start": {"line": line, "character": 35 + extra},
        "end": {"line": line, "character": 39 + extra},
    }
    there = client.at("definition", line, 26 + extra)
    assert there["range"]["start"]["line"] == line_of("name: head")
    assert client.close() == 0


def test_the_hint_stands_after_characters_beyond_the_basic_plane(client):
    text = LLAMA.replace('scores: "🦙", b: head, c: heat', "b: head")
    assert client.open(text, "file:///nets/llama.yaml") == []
    asked = {"start": {"line": 0, "character": 0}, "end": {"line": 99, "character": 0}}
    found = client.ask("textDocument/inlayHint", {"textDocument": {"uri": "file:///nets/llama.yaml"}, "range": asked})
    line = line_of("name: stem")
    (hint,) = (hint for hint in found if hint["position"]["line"] == line)
    assert hint["position"]["character"] == len(text.split("\n")[line]) + 1


def test_closing_clears_the_diagnostics(client):
    uri = "file:///nets/gone.yaml"
    assert client.open("netspec: 2\n", uri)
    client.tell("textDocument/didClose", {"textDocument": {"uri": uri}})
    client.open(SPEC)
    cleared = [note["params"] for note in client.notes if note["method"] == "textDocument/publishDiagnostics"]
    assert [note["diagnostics"] for note in cleared if note["uri"] == uri][-1] == []


def test_without_pygls_it_says_what_to_install():
    code = "import sys; sys.modules['pygls'] = None\nfrom netspec.cli import main\nsys.exit(main(['lsp']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert "pip install 'netspec[lsp]'" in done.stderr
