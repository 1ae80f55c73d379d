"""Pictures: which renderer draws them, what the SVG holds, and what is said where nothing can be drawn."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sysconfig
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from netspec.diagnostics import EnvironmentFault, UsageError
from netspec.emit.diagram import render as rendering
from netspec.emit.diagram.dot import dot_text
from netspec.emit.diagram.labels import escaped, hinted, quoted
from netspec.emit.diagram.render import RendererMissing, render, renderers
from netspec.pipeline import compile_spec

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    "<b>x</b>",
    r"\N\G\L",
    'a"b',
    "]]>",
    "a:b",
    "&lt;i&gt;",
    "a\\",
    "{a|b}",
    "'>;}",
    'font-family="Arial"',
    "</a>",
]

# what draws here: Graphviz, the wheel, or nothing
PURE = shutil.which("graphviz-pure") or shutil.which("graphviz-pure", path=sysconfig.get_path("scripts"))
INSTALLED = [
    pytest.param(name, marks=pytest.mark.skipif(command is None, reason=f"{name} is not installed"), id=name)
    for name, command in {"dot": shutil.which("dot"), "graphviz-pure": PURE}.items()
]


@pytest.fixture
def only(monkeypatch):
    """Leaves one renderer."""

    def choose(name):
        command = {"dot": shutil.which("dot"), "graphviz-pure": PURE}[name]
        monkeypatch.setattr(rendering, "renderers", lambda kind: [command])

    return choose


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A machine without renderers, and a way to install one that runs a shell script."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(folder / "none"))

    def install(name, script):
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return str(path)

    return install


@pytest.mark.parametrize("name", INSTALLED)
def test_an_svg_holds_what_the_graph_holds(only, name, tmp_path):
    only(name)
    render(dot_text(compile_spec("resnet18")), tmp_path / "net.svg")
    root = ElementTree.parse(tmp_path / "net.svg").getroot()
    found = {group.get("id") for group in root.iter(f"{SVG}g")}
    assert {"layer1.0", "layer1.0.conv1", "layer2.0.downsample.0", "fc", "input:image", "output:logits"} <= found
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert "layer1.0.conv1\nconv2d 3×3, 64\nbatch_norm2d\nrelu\n" in "\n".join(titles)
    assert not any(re.fullmatch(r"n\d+|cluster.*", title) for title in titles)
    assert not list(root.iter(f"{SVG}a"))
    text = (tmp_path / "net.svg").read_text()
    assert "href" not in text
    assert "transparent" not in text
    assert str(Path.cwd()) not in text
    assert {node.get("font-family") for node in root.iter(f"{SVG}text")} == {
        "Arial,Helvetica,Liberation Sans,DejaVu Sans,sans-serif"
    }


@pytest.mark.parametrize("name", INSTALLED)
def test_ids_are_told_apart(only, name, tmp_path):
    only(name)
    render(dot_text(compile_spec("googlenet")), tmp_path / "net.svg")
    found = re.findall(r' id="([^"]*)"', (tmp_path / "net.svg").read_text())
    assert len(found) == len(set(found))


@pytest.mark.parametrize("name", INSTALLED)
@pytest.mark.parametrize("hostile", HOSTILE, ids=repr)
def test_hostile_text_stays_text(only, name, hostile, tmp_path):
    only(name)
    label = f"<<table><tr><td><b>{escaped(hostile)}</b></td></tr></table>>"
    hint = hinted(f"a\n{hostile}")
    dot = f"digraph network {{ n0 [shape=plain id={quoted(hostile)} tooltip={hint} label={label}]; }}"
    render(dot, tmp_path / "net.svg")
    (group,) = [
        group
        for group in ElementTree.parse(tmp_path / "net.svg").getroot().iter(f"{SVG}g")
        if group.get("class") == "node"
    ]
    assert group.get("id") == hostile
    assert [title.text for title in group.iter(f"{SVG}title")] == [f"a\n{hostile}"]
    assert [text.text for text in group.iter(f"{SVG}text")] == [hostile]
    assert {node.tag.removeprefix(SVG) for node in group.iter()} <= {"g", "title", "polygon", "text"}


@pytest.mark.parametrize("name", INSTALLED)
def test_the_same_text_gives_the_same_picture(only, name, tmp_path):
    only(name)
    dot = dot_text(compile_spec("lenet"))
    for file in ("a.svg", "b.svg"):
        render(dot, tmp_path / file)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


@pytest.mark.parametrize("name", INSTALLED)
def test_a_png_is_a_png(only, name, tmp_path):
    only(name)
    render(dot_text(compile_spec("lenet")), tmp_path / "net.PNG")
    assert (tmp_path / "net.PNG").read_bytes().startswith(b"\x89PNG\r\n")


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_a_pdf_is_a_pdf(tmp_path):
    render(dot_text(compile_spec("lenet")), tmp_path / "net.pdf")
    assert (tmp_path / "net.pdf").read_bytes().startswith(b"%PDF")


def test_dot_needs_no_renderer(bare, tmp_path):
    render("digraph { ⌈ }", tmp_path / "net.dot")
    assert (tmp_path / "net.dot").read_text(encoding="utf-8") == "digraph { ⌈ }"


def test_graphviz_comes_first_and_the_wheel_stands_in(bare):
    assert renderers("svg") == []
    pure = bare("graphviz-pure", "")
    assert renderers("svg") == [pure]
    assert renderers("pdf") == []
    dot = bare("dot", "")
    assert renderers("png") == [dot, pure]
    assert renderers("pdf") == [dot]


def test_the_wheel_is_found_where_its_environment_is_not_active(bare, monkeypatch, tmp_path):
    pure = bare("graphviz-pure", "")
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(Path(pure).parent))
    assert renderers("svg") == [pure]


def test_where_graphviz_fails_the_wheel_draws(bare, tmp_path):
    bare("dot", 'echo "Format: png not recognized" >&2; exit 1')
    bare("graphviz-pure", r"printf '\211PNG drawn %s' $1$2")
    render("digraph {}", tmp_path / "net.png")
    assert (tmp_path / "net.png").read_bytes() == b"\x89PNG drawn -Tpng"


@pytest.mark.parametrize("prints", ["echo no picture", r"printf '\377\376'", "kill -9 $$", "exit 3", "true"])
def test_what_is_no_picture_is_not_written(bare, tmp_path, prints):
    bare("dot", prints)
    for kind in ("svg", "png", "pdf"):
        with pytest.raises(
            EnvironmentFault, match=r"^(the renderer failed: it drew no|PDF needs|there is nothing here)"
        ):
            render("digraph {}", tmp_path / f"net.{kind}")
    assert not [*tmp_path.glob("net.*")]


def test_a_renderer_that_never_ends_is_ended(bare, tmp_path, monkeypatch):
    monkeypatch.setattr("netspec.emit.diagram.render.LEAST_TIME", 0.2)
    bare("dot", "exec /bin/sleep 1000")
    with pytest.raises(EnvironmentFault, match=r"^the renderer failed: it took more than 0 s"):
        render("digraph {}", tmp_path / "net.svg")


def test_without_a_renderer_it_says_how_to_get_one(bare, tmp_path):
    with pytest.raises(RendererMissing) as found:
        render("digraph {}", tmp_path / "net.svg")
    assert str(found.value) == (
        "no renderer is installed: `pip install 'netspec[dot]'`, or install Graphviz (graphviz.org), "
        "or write the diagram as .dot"
    )
    assert found.value.exit_code == 3
    bare("graphviz-pure", "")
    with pytest.raises(RendererMissing, match=r"^PDF needs Graphviz \(graphviz.org\); \.svg and \.png also do with"):
        render("digraph {}", tmp_path / "net.pdf")


def test_a_renderer_that_fails_is_quoted_and_the_old_file_stays(bare, tmp_path):
    (tmp_path / "net.svg").write_text("old")
    bare("dot", 'echo "Error: out of ink" >&2; exit 1')
    with pytest.raises(EnvironmentFault) as found:
        render("digraph {}", tmp_path / "net.svg")
    assert str(found.value) == "the renderer failed: Error: out of ink"
    assert (tmp_path / "net.svg").read_text() == "old"


@pytest.mark.parametrize("script", ["exit 1", "exit 0"])
def test_a_renderer_that_says_nothing_fails_too(bare, script, tmp_path):
    bare("dot", script)
    with pytest.raises(EnvironmentFault, match="the renderer failed: it drew nothing"):
        render("digraph {}", tmp_path / "net.svg")


def test_a_file_appears_whole_or_not_at_all(bare, monkeypatch, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()

    def full(*paths):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(EnvironmentFault, match="No space left on device"):
        render("digraph {}", folder / "net.dot")
    assert list(folder.iterdir()) == []


def test_a_folder_that_is_not_there_is_made(tmp_path):
    render("digraph {}", tmp_path / "none" / "net.dot")
    assert (tmp_path / "none" / "net.dot").exists()


def test_a_folder_that_cannot_be_made_is_no_traceback(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFault, match=r"^cannot write .*net\.dot: "):
        render("digraph {}", tmp_path / "file" / "net.dot")


def test_a_new_file_has_the_permissions_of_any_other(tmp_path):
    (tmp_path / "other").write_text("")
    render("digraph {}", tmp_path / "net.dot")
    assert stat.S_IMODE((tmp_path / "net.dot").stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(UsageError) as found:
        render("digraph {}", tmp_path / "net.jpeg")
    assert str(found.value) == "a diagram is written as .svg, .png, .pdf, .dot, .mmd, but the file is called `net.jpeg`"
