"""Memory that is not there: told before anything is tried, with what is needed and what is free."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from netspec.diagnostics import EnvironmentFault, Source
from netspec.graph import Graph
from netspec.pipeline import compile_loaded, load_source
from netspec.runtime import machine, module
from netspec.runtime.onnx import verify

WIDE = """\
netspec: 1
name: wide
inputs: {x: [N, 3, H, W]}
network:
  - conv2d: {out_channels: 8, kernel_size: 3}
"""


def compiled(text: str, **sizes: int) -> Graph:
    return compile_loaded(load_source(Source("wide.yaml", text)), sizes=sizes)


@pytest.fixture
def ten_megabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (machine, verify):
        monkeypatch.setattr(place, "free_memory", lambda device=None: 10_000_000)


@pytest.mark.usefixtures("ten_megabytes")
def test_weights_that_do_not_fit_are_told_before_they_are_made() -> None:
    graph = compiled("netspec: 1\nname: big\ninputs: {x: [N, 3000]}\nnetwork: [linear: 3000]\n")
    with pytest.raises(EnvironmentFault) as found:
        module.build_module(graph)
    assert str(found.value) == (
        "making big with its 9,003,000 parameters takes about 36 MB, and 10 MB are free here; "
        "use a smaller network, or a machine with more memory"
    )


@pytest.mark.usefixtures("ten_megabytes")
def test_what_is_too_large_to_run_is_verified_at_smaller_sizes(tmp_path: Path) -> None:
    graph = compiled(WIDE, H=100_000, W=100_000)
    path, parity = verify.export_verified(graph, module.build_module(graph), tmp_path / "wide.onnx")
    assert parity.agrees
    assert path.name == "wide.onnx"
    assert all(each.sizes["H"] <= 64 for each in parity.comparisons)


@pytest.mark.usefixtures("ten_megabytes")
def test_what_can_be_run_at_no_size_leaves_no_file(tmp_path: Path) -> None:
    graph = compiled(WIDE.replace("H, W", "2000, 2000"))
    with pytest.raises(EnvironmentFault, match=r"running wide to verify it takes about \d+ MB, and 10 MB are free"):
        verify.export_verified(graph, module.build_module(graph), tmp_path / "wide.onnx")
    assert not [*tmp_path.iterdir()]


def test_what_a_control_group_and_those_around_it_leave(tmp_path: Path) -> None:
    inner = tmp_path / "box" / "job"
    inner.mkdir(parents=True)
    for folder, most, used in ((inner, "max", "100"), (inner.parent, "5000", "2000"), (tmp_path, "9000", "3000")):
        (folder / "memory.max").write_text(most + "\n")
        (folder / "memory.current").write_text(used + "\n")
    (inner.parent / "memory.stat").write_text("anon 1500\ninactive_file 400\n")
    left = machine.left_of_group(tmp_path, "/box/job", "memory.max", "memory.current", "inactive_file")
    assert [*left] == [5000 - 2000 + 400, 9000 - 3000]


@pytest.mark.slow
def test_the_limit_of_a_process_counts() -> None:
    code = (
        "import resource; from netspec.runtime.machine import free_memory\n"
        "used = int(next(l for l in open('/proc/self/status') if l.startswith('VmSize')).split()[1]) * 1024\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 50_000_000,) * 2)\n"
        "assert 0 < free_memory() <= 50_000_000, free_memory()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
