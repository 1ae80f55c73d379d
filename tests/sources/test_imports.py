"""Blocks from other files: where they may come from, and where a fault in them is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from netspec.checks.check import check_loaded
from netspec.diagnostics import Diagnostic, SpecError
from netspec.graph import Node, walk, walk_state
from netspec.pipeline import compile_spec, load_spec, show_spec
from netspec.sources.imports import MOST_DEEP

MAIN = "netspec: 1\nname: net\ninputs: {{image: [N, 3, 32, 32]}}\nimport: [{}]\nnetwork: [{}]\n"
LIBRARY = "netspec: 1\nblocks: {activation: {body: [relu]}}\n"


def found(path: Path) -> list[Diagnostic]:
    try:
        return list(check_loaded(load_spec(path)).diagnostics)
    except SpecError as fault:
        return fault.diagnostics


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_blocks_come_from_beside_below_and_above_inside_the_project(tmp_path: Path):
    write(tmp_path / "pyproject.toml", "")
    write(tmp_path / "shared/one.yaml", LIBRARY.replace("activation", "one"))
    write(tmp_path / "specs/two.yaml", LIBRARY.replace("activation", "two"))
    write(tmp_path / "specs/parts/three.yaml", LIBRARY.replace("activation", "three"))
    main = write(
        tmp_path / "specs/main.yaml", MAIN.format("../shared/one.yaml, two.yaml, parts/three.yaml", "one, two, three")
    )
    assert found(main) == []


def test_without_a_project_the_folder_of_the_spec_is_the_bound(tmp_path: Path):
    write(tmp_path / "one.yaml", LIBRARY)
    main = write(tmp_path / "specs/main.yaml", MAIN.format("../one.yaml", "activation"))
    assert [each.message for each in found(main)] == ["the path leads outside the project"]


def test_a_symbolic_link_leads_nowhere_else(tmp_path: Path):
    write(tmp_path / "secret.yaml", LIBRARY)
    main = write(tmp_path / "specs/main.yaml", MAIN.format("link.yaml", "activation"))
    (tmp_path / "specs/link.yaml").symlink_to(tmp_path / "secret.yaml")
    assert [each.message for each in found(main)] == ["a symbolic link leads outside the project"]
    (tmp_path / "specs/link.yaml").unlink()
    (tmp_path / "specs/inner.yaml").write_text(LIBRARY)
    (tmp_path / "specs/link.yaml").symlink_to("inner.yaml")
    assert found(main) == []


def test_a_folder_that_is_a_symbolic_link_leads_nowhere_else(tmp_path: Path):
    write(tmp_path / "elsewhere/one.yaml", LIBRARY)
    main = write(tmp_path / "specs/main.yaml", MAIN.format("parts/one.yaml", "activation"))
    (tmp_path / "specs/parts").symlink_to(tmp_path / "elsewhere")
    assert [each.id for each in found(main)] == ["bad-import"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_fifo_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.yaml")
    main = write(tmp_path / "main.yaml", MAIN.format("pipe.yaml", "activation"))
    assert [(each.id, each.primary.span.line) for each in found(main)] == [("bad-file", 4)]


def test_a_link_to_itself_is_no_file(tmp_path: Path):
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    main = write(tmp_path / "main.yaml", MAIN.format("loop.yaml", "activation"))
    assert [each.id for each in found(main)] == ["bad-import"]


def test_a_cycle_is_shown(tmp_path: Path):
    main = write(tmp_path / "main.yaml", MAIN.format("a.yaml", "relu"))
    write(tmp_path / "a.yaml", "netspec: 1\nimport: [b.yaml]\n")
    write(tmp_path / "b.yaml", "netspec: 1\nimport: [a.yaml]\n")
    (fault,) = found(main)
    assert fault.message == "the files import each other: a.yaml -> b.yaml -> a.yaml"


def test_a_file_that_imports_the_importer_is_a_cycle(tmp_path: Path):
    main = write(tmp_path / "main.yaml", MAIN.format("a.yaml", "relu"))
    write(tmp_path / "a.yaml", "netspec: 1\nimport: [main.yaml]\n")
    (fault,) = found(main)
    assert fault.message == "the files import each other: main.yaml -> a.yaml -> main.yaml"


def test_two_ways_to_one_file_read_it_once(tmp_path: Path):
    main = write(tmp_path / "main.yaml", MAIN.format("a.yaml, b.yaml", "activation"))
    write(tmp_path / "a.yaml", "netspec: 1\nimport: [c.yaml]\n")
    write(tmp_path / "b.yaml", "netspec: 1\nimport: [c.yaml]\n")
    write(tmp_path / "c.yaml", LIBRARY)
    loaded = load_spec(main)
    assert len(loaded.imported) == 3
    assert found(main) == []


def test_a_long_chain_is_bounded(tmp_path: Path):
    main = write(tmp_path / "main.yaml", MAIN.format("f0.yaml", "relu"))
    for number in range(MOST_DEEP + 5):
        write(tmp_path / f"f{number}.yaml", f"netspec: 1\nimport: [f{number + 1}.yaml]\n")
    (fault,) = found(main)
    assert fault.message == f"imports are nested more than {MOST_DEEP} levels deep"


def test_all_files_together_are_bounded(tmp_path: Path):
    names = [f"f{number}.yaml" for number in range(5)]
    main = write(tmp_path / "main.yaml", MAIN.format(", ".join(names), "relu"))
    for name in names:
        write(tmp_path / name, "netspec: 1\n" + ("#" + "x" * 999 + "\n") * 3_900)
    (fault,) = found(main)
    assert fault.message == "with this file, the imports are larger than 16,000,000 bytes"


def test_a_fault_in_an_imported_block_is_told_there_and_where_it_is_called(tmp_path: Path):
    main = write(tmp_path / "main.yaml", MAIN.format("blocks.yaml", "{wide: 0}"))
    write(tmp_path / "blocks.yaml", "netspec: 1\nblocks:\n  wide:\n    params: {w: int}\n    body: [{linear: w}]\n")
    (fault,) = found(main)
    assert (fault.primary.span.source.name, fault.primary.span.line) == (str(tmp_path / "blocks.yaml"), 5)
    assert [(label.span.line, label.text) for label in fault.secondary] == [(5, "here `w` is 0")]
    assert fault.trail == ("block wide, 0 (line 5)",)


def test_an_imported_block_sees_its_own_parameters_only(tmp_path: Path):
    text = MAIN.format("blocks.yaml", "wide").replace("network", "params: {w: 8}\nnetwork")
    main = write(tmp_path / "main.yaml", text)
    write(tmp_path / "blocks.yaml", "netspec: 1\nblocks: {wide: {body: [{linear: w}]}}\n")
    assert [each.message for each in found(main)] == ["unknown name `w`"]


def test_what_is_imported_is_part_of_the_digest(tmp_path: Path):
    main = write(tmp_path / "main.yaml", MAIN.format("a.yaml", "activation"))
    write(tmp_path / "a.yaml", LIBRARY)
    before = compile_spec(main).digest
    write(tmp_path / "a.yaml", LIBRARY.replace("relu", "sigmoid"))
    assert compile_spec(main).digest != before


LAYERS = """\
netspec: 1
import: {core: core.yaml}
blocks:
  conv: {params: {width: int, act: relu}, body: [{conv2d: {out_channels: width, kernel_size: 1}}, $act]}
  leaf: {body: [tanh]}
  twice:
    params: {block: conv}
    body: [{$block: {width: 8}}, {conv: {width: 8, act: leaf}}, core.end]
"""
PREFIXED = """\
netspec: 1
name: net
inputs: {image: [N, 3, 32, 32]}
import: {layers: layers.yaml}
blocks:
  conv: {params: {width: int}, body: [{linear: width}]}
network: [layers.twice, {layers.twice: {block: conv}}, {layers.twice: {block: layers.conv}}, layers.core.end]
"""


def prefixed(tmp_path: Path) -> Path:
    write(tmp_path / "core.yaml", "netspec: 1\nblocks: {end: {body: [inner]}, inner: {body: [sigmoid]}}\n")
    write(tmp_path / "layers.yaml", LAYERS)
    return write(tmp_path / "net.yaml", PREFIXED)


def test_blocks_under_a_prefix_call_those_of_their_own_file(tmp_path: Path):
    graph = compile_spec(prefixed(tmp_path))
    ops = [step.op.name for _, step, _ in walk(graph.body) if isinstance(step, Node)]
    conv = ["conv2d", "tanh", "sigmoid"]  # of `twice`, from its second step on
    assert ops == ["conv2d", "relu", *conv, "linear", *conv, "conv2d", "relu", *conv, "sigmoid"]


def test_a_spec_with_prefixes_is_shown_as_one_file(tmp_path: Path):
    path = prefixed(tmp_path)
    shown = write(tmp_path / "shown/net.yaml", show_spec(path))
    before, after = (compile_spec(each).body for each in (path, shown))
    assert [*walk_state(after)] == [*walk_state(before)]
    assert after.macs == before.macs


def test_a_file_under_many_prefixes_counts_each_time(tmp_path: Path):
    for number in range(8):
        twice = f"{{a: part{number + 1}.yaml, b: part{number + 1}.yaml}}"
        write(tmp_path / f"part{number}.yaml", f"netspec: 1\nimport: {twice}\n")
    write(tmp_path / "part8.yaml", LIBRARY)
    main = write(tmp_path / "main.yaml", MAIN.format("part0.yaml", "relu"))
    assert {each.message for each in found(main)} == {"more than 256 files are imported"}
