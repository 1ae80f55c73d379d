"""``netspec diff`` as a user meets it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from netspec.cli import main
from netspec.emit.diagram.pair import diff_dot
from netspec.emit.diagram.palette import MARKS
from netspec.emit.diff import Diff
from netspec.pipeline import compile_spec

NET = """\
netspec: 1
name: tiny
params: {width: 4}
variants:
  wide: {width: 16}
  wider: {width: 32}
inputs: {image: [N, 3, H, W]}
network:
  - conv2d: {name: stem, out_channels: width, kernel_size: 3}
  - global_avg_pool
  - linear: {name: head, out_features: 2}
"""


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(NET)
    return "tiny.yaml"


def told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert main(["diff", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("arguments", "title", "width"),
    [
        (["tiny.yaml", "--variant", "wide"], "tiny → wide", "4 → 16"),
        (["tiny.yaml", "--variant", "wide", "--variant", "wider"], "wide → wider", "16 → 32"),
        (["tiny.yaml", "--set", "width=8"], "tiny → tiny", "4 → 8"),
        (["tiny.yaml", "--variant", "wide", "--set", "width=8"], "tiny → wide", "4 → 8"),
        (["tiny.yaml", "copy.yaml", "--variant", "wide", "--variant", "wider"], "wide → wider", "16 → 32"),
    ],
)
def test_which_networks_are_meant(tiny: str, arguments: list[str], title: str, width: str, capsys):
    Path("copy.yaml").write_text(NET)
    lines = told(arguments, capsys)
    assert lines[0] == title
    assert f"~ parameter width  {width}" in lines


def test_two_files_are_called_by_their_names(tiny: str, capsys: pytest.CaptureFixture[str]):
    Path("other.yaml").write_text(NET.replace("out_features: 2", "out_features: 3"))
    assert told([tiny, "other.yaml"], capsys)[0] == "tiny.yaml → other.yaml"
    assert told([tiny, "other.yaml", "--variant", "wide"], capsys)[0] == "tiny.yaml → other.yaml"
    assert told([tiny, tiny], capsys) == ["tiny → tiny: no difference"]


def test_exit_codes(tiny: str, capsys: pytest.CaptureFixture[str]):
    assert main(["diff", tiny, "--variant", "wide"]) == 0
    assert main(["diff", tiny, "--variant", "wide", "--exit-code"]) == 1
    assert main(["diff", tiny, tiny, "--exit-code"]) == 0
    assert main(["diff", tiny, "none.yaml"]) == 2
    assert main(["diff", tiny, "--variant", "a", "--variant", "b", "--variant", "c"]) == 2
    Path("bad.yaml").write_text(NET.replace("linear", "linnear"))
    capsys.readouterr()
    assert main(["diff", tiny, "bad.yaml"]) == 1
    assert "error[unknown-op]" in capsys.readouterr().err


def test_json(tiny: str, capsys: pytest.CaptureFixture[str]):
    record = json.loads("\n".join(told([tiny, "--variant", "wide", "--format", "json"], capsys)))
    assert record["parameters"] == [{"name": "width", "old": "4", "new": "16"}]
    stem, pool, head = record["rows"]["changed"]
    assert stem["changes"]["out_channels"] == [4, 16]
    assert stem["params"] == [3 * 9 * 4 + 4, 3 * 9 * 16 + 16]
    assert pool["follows"]
    assert head["follows"]
    assert record["keys"]["reshaped"]["head.weight"] == [[2, 4], [2, 16]]
    assert record["totals"]["params"] == [112 + 10, 448 + 34]


@pytest.mark.parametrize("name", ["resnet", "gpt2", "transformer", "unet", "llama", "bert", "googlenet"])
def test_everything_can_be_said_and_drawn(name: str):
    found = Diff(compile_spec("lenet"), compile_spec(name))
    json.loads(found.to_json())
    assert found.text()
    assert diff_dot(found).startswith("digraph")


def test_the_last_commit_against_the_file(tiny: str, monkeypatch, capsys: pytest.CaptureFixture[str]):
    who = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run(["git", *who, *arguments], check=True, capture_output=True)
    assert told([tiny], capsys) == ["tiny.yaml@HEAD → tiny.yaml: no difference"]
    Path(tiny).write_text(NET.replace("head", "classifier"))
    expected = told([tiny], capsys)
    assert expected[0] == "tiny.yaml@HEAD → tiny.yaml"
    assert "~ head.* → classifier.*  2 keys" in expected
    assert told([f"{tiny}@HEAD"], capsys) == expected
    assert told([f"{tiny}@HEAD", tiny], capsys) == expected
    assert told([f"{tiny}@HEAD", tiny, "--variant", "wide"], capsys)[0] == "tiny.yaml@HEAD → tiny.yaml"
    assert main(["diff", f"{tiny}@--help"]) == 2


def test_outside_of_a_repository_there_is_no_last_commit(tiny: str, capsys: pytest.CaptureFixture[str]):
    assert main(["diff", tiny]) == 2
    assert "in no git repository" in capsys.readouterr().err


def cards(dot: str) -> dict[str, str]:
    """The mark of each card, header and circle that has one, by its id."""
    colours = {colour: mark for mark, colours in MARKS.items() for colour in (colours.border, colours.bar)}
    found = {}
    for line in dot.splitlines():
        id = re.search(r'\[id="([^"]+)"', line)
        for colour in re.findall(r'color="(#[0-9A-F]{6})"', line) if id and "label=<" in line else ():
            if colour in colours and "diagram" not in id[1]:
                found.setdefault(id[1], colours[colour])
    return found


SKETCH = """\
netspec: 1
name: sketch
inputs: {image: [N, 3, 8, 8]}
network:
  - conv2d: {name: stem, out_channels: 4, kernel_size: 3, padding: 1}
  - sequential:
      name: body
      body:
        - conv2d: {name: one, out_channels: 4, kernel_size: 3, padding: 1}
        - max_pool2d: {name: two, kernel_size: 2}
  - linear: {name: head, out_features: 2}
"""


def test_the_picture_marks_what_differs(tmp_path: Path):
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(SKETCH)
    added = "  - layer_norm: {name: norm}\n  - conv2d: {name: last, out_channels: 4, kernel_size: 3}\n"
    text = SKETCH
    for part, instead in (
        ("one, out_channels: 4, kernel_size: 3, padding: 1", "one, out_channels: 5, kernel_size: 1"),
        ("        - max_pool2d: {name: two, kernel_size: 2}\n", ""),
        ("  - linear", f"{added}  - linear"),
    ):
        assert part in text
        text = text.replace(part, instead)
    new.write_text(text)
    dot = diff_dot(Diff(compile_spec(old), compile_spec(new)), depth=3)
    assert cards(dot) == {
        "old:body.one": "changed",
        "old:body.two": "removed",
        "old:output:output": "changed",
        "new:body.one": "changed",
        "new:norm": "added",
        "new:last": "added",
        "new:output:output": "changed",
    }


def test_a_repeat_that_is_longer_is_marked_at_its_header():
    found = cards(diff_dot(Diff(compile_spec("resnet18"), compile_spec("resnet34"))))
    assert set(found) == {
        "new:header:layer1.0",
        "old:header:layer1.0",
        "new:layer2.1",
        "old:layer3",
        "new:layer3",
        "old:layer4",
        "new:layer4",
    }
    assert set(found.values()) == {"changed"}


def test_nothing_is_marked_where_nothing_differs():
    assert cards(diff_dot(Diff(compile_spec("resnet18"), compile_spec("resnet18")))) == {}


def test_the_picture_is_drawn_and_its_ids_are_its_own(tiny: str, capsys: pytest.CaptureFixture[str]):
    lines = told([tiny, "--variant", "wide", "-o", "out/net.svg"], capsys)
    assert lines[0] == "tiny → wide"
    root = ElementTree.parse("out/net.svg").getroot()
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert {"old:stem", "new:stem"} <= set(ids)
    assert told([tiny, "--variant", "wide", "-o", "net.dot", "--depth", "1"], capsys)[:-1] == lines[:-1]
    assert Path("net.dot").read_text().startswith("digraph difference {")


def test_a_page_of_a_difference(tiny: str, capsys: pytest.CaptureFixture[str]):
    lines = told([tiny, "--variant", "wide", "-o", "out/diff.html"], capsys)
    assert lines[0] == "tiny → wide"
    assert lines[-1] == "wrote out/diff.html: open it in a browser"
    page = Path("out/diff.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    data = json.loads(page.partition('id="network">')[2].partition("</script>")[0])
    assert data["name"] == "tiny → wide"
    assert data["told"]["stem"]["notes"] == ["out_channels 4 → 16", "N×(4→16)×(H − 2)×(W − 2)"]
    assert data["told"]["stem"]["old"][0] == 4 * 3 * 9 + 4
    assert data["told"]["stem"]["new"][0] == 16 * 3 * 9 + 16


def test_a_page_of_two_revisions(tiny: str, capsys: pytest.CaptureFixture[str]):
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *command], check=True)
    Path(tiny).write_text(NET.replace("out_features: 2", "out_features: 3"))
    told([tiny, "-o", "diff.html", "--format", "json"], capsys)
    page = Path("diff.html").read_text(encoding="utf-8")
    data = json.loads(page.partition('id="network">')[2].partition("</script>")[0])
    assert data["differing"] == ["head", "output:output"]
    (pair,) = data["pairs"]
    assert [line[2].strip() for line in pair["lines"] if not (line[0] and line[1])] == [
        "- linear: {name: head, out_features: 2}",
        "- linear: {name: head, out_features: 3}",
    ]


def test_a_file_of_another_kind_is_refused_before_anything_is_printed(tiny: str, capsys: pytest.CaptureFixture[str]):
    assert main(["diff", tiny, "--variant", "wide", "-o", "out.txt"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "a difference is shown as .html, .svg, .png, .pdf, .dot, but the file is called `out.txt`" in said.err
