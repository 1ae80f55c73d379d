"""The cost of a layer in networks of 100, 1,000 and 10,000 layers: time to compile and write it, and memory.

Four layers make a residual block (conv, batch norm, add, ReLU), written in three forms: a named repeat of a block,
whose equal blocks are one object; an unnamed repeat, which is written out into one level; and every step literally in
the file. The ratio is what a layer costs among 10,000 to what it costs among 1,000; anything quadratic nears 10. The
bar is 1.2 with Python's garbage collector paused, for caches grow no faster; and 1.4 with it at work, as it is for
users: it walks all live objects a few times while 10,000 layers come to be, and never while 1,000 do.
"""

from __future__ import annotations

import gc
import tempfile
import textwrap
import tracemalloc
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from pairs import Bar, alternate, collector_paused, fastest, finish, judge

from netspec.elaborate import Limits
from netspec.emit.source import emit_source
from netspec.emit.table import ShapeTable
from netspec.graph import Graph
from netspec.pipeline import compile_spec

PAUSED, AT_WORK, MEMORY = Bar(1.2), Bar(1.4), Bar(1.1)
SIZES = (100, 1_000, 10_000)
ROUNDS = 3
LIMITS = Limits(iterations=100_000, layers=100_000)
HEAD = """\
netspec: 1
name: deep
dims: {N: 1, H: 32, W: 32}
inputs: {image: [N, 16, H, W]}
"""
BLOCK = """\
- residual:
    body:
      - conv2d: {out_channels: 16, kernel_size: 3, padding: 1, bias: false}
      - batch_norm2d
- relu
"""


def indented(text: str, width: int) -> str:
    return textwrap.indent(text, " " * width)


def repeated_block(layers: int) -> str:
    body = f"blocks:\n  unit:\n    body:\n{indented(BLOCK, 6)}"
    return f"{HEAD}{body}network:\n  - repeat: {{name: units, count: {layers // 4}, body: [unit]}}\n"


def inline_repeat(layers: int) -> str:
    return f"{HEAD}network:\n  - repeat:\n      count: {layers // 4}\n      body:\n{indented(BLOCK, 8)}"


def literal_steps(layers: int) -> str:
    return f"{HEAD}network:\n{indented(BLOCK, 2) * (layers // 4)}"


FORMS = {"repeated block": repeated_block, "inline repeat": inline_repeat, "literal steps": literal_steps}


def compiled(path: Path) -> Graph:
    return compile_spec(path, limits=LIMITS)


def everything(path: Path) -> None:
    graph = compiled(path)
    str(ShapeTable(graph))
    emit_source(graph)


def held(path: Path) -> int:
    """The bytes of a compiled graph."""
    gc.collect()
    tracemalloc.start()
    graph = compiled(path)
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del graph
    return size


def measure(name: str, form: Callable[[int], str], folder: Path) -> list[bool]:
    paths = {size: folder / f"{size}.yaml" for size in SIZES}
    for size, path in paths.items():
        path.write_text(form(size), encoding="utf-8")
        everything(path)
    per_layer = {size: (lambda size=size: fastest(lambda: everything(paths[size]), 2) / size) for size in SIZES}
    results = []
    for at_work, bar in ((False, PAUSED), (True, AT_WORK)):
        with nullcontext() if at_work else collector_paused():
            pairs = alternate(per_layer[10_000], per_layer[1_000], ROUNDS)
        what = f"{name}, time{'' if at_work else ', collector paused'}"
        micro = "({:.1f} µs : {:.1f} µs)".format(*(min(each) * 1e6 for each in zip(*pairs)))
        results.append(judge(what, [many / few for many, few in pairs], bar, micro))
    print(f"{name}, a layer among 100: {per_layer[100]() * 1e6:.1f} µs")
    large, small = (held(paths[size]) / size for size in (10_000, 1_000))
    results.append(judge(f"{name}, memory", [large / small], MEMORY, f"({large:.0f} B : {small:.0f} B)"))
    return results


def main() -> None:
    print("a layer among 10,000 : among 1,000")
    with tempfile.TemporaryDirectory() as folder:
        finish([met for name, form in FORMS.items() for met in measure(name, form, Path(folder))])


if __name__ == "__main__":
    main()
