"""DOT text to a picture: by Graphviz' ``dot`` where it is installed, else by the ``graphviz-pure`` wheel."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path

from netspec.diagnostics import EnvironmentFault, UsageError

FORMATS = (".svg", ".png", ".pdf", ".dot")
PIXELS_PER_INCH = 144
TIME_LIMIT = 300


class RendererMissing(EnvironmentFault):
    """There is nothing on this machine that draws the picture asked for."""


def render(dot: str, path: Path) -> None:
    """Write DOT text as the picture that the path's suffix asks for: .svg, .png, .pdf, or .dot as it is.

    The file appears whole or not at all. Raises ``UsageError`` for another suffix, ``RendererMissing`` where no
    renderer is installed, ``EnvironmentFault`` where it fails.
    """
    kind = path.suffix.lower()
    if kind not in FORMATS:
        raise UsageError(f"a diagram is written as {', '.join(FORMATS)}, but the file is called `{path.name}`")
    data = dot.encode() if kind == ".dot" else drawn(dot, kind[1:])
    try:
        _replace(path, data)
    except OSError as fault:
        raise EnvironmentFault(f"cannot write `{path}`: {fault.strerror}") from fault


def drawn(dot: str, kind: str) -> bytes:
    """The picture as bytes; ``kind`` is ``svg``, ``png`` or ``pdf``."""
    failed = ""
    for command in renderers(kind):
        text = dot if command.endswith("dot") or kind == "svg" else _with_ascii_brackets(dot)
        scale = [f"-Gdpi={PIXELS_PER_INCH}"] if kind == "png" else []
        try:
            done = subprocess.run(
                [command, f"-T{kind}", *scale], input=text.encode(), capture_output=True, timeout=TIME_LIMIT
            )
        except (OSError, subprocess.TimeoutExpired) as fault:
            failed = str(fault)
            continue
        if done.returncode == 0 and done.stdout:
            return _tidied(done.stdout.decode()).encode() if kind == "svg" else done.stdout
        failed = done.stderr.decode(errors="replace").strip().partition("\n")[0] or "it drew nothing"
    if failed:
        raise EnvironmentFault(f"the renderer failed: {failed}")
    raise RendererMissing(_how_to_get_one(kind))


def renderers(kind: str) -> list[str]:
    """The commands that can draw a kind of picture here, the preferred one first."""
    found = [shutil.which("dot")]
    if kind != "pdf":  # graphviz-pure has none
        here = sysconfig.get_path("scripts")
        found.append(shutil.which("graphviz-pure") or shutil.which("graphviz-pure", path=here))
    return [command for command in found if command is not None]


def _with_ascii_brackets(dot: str) -> str:
    """Floors and ceilings in letters: the fonts that graphviz-pure draws PNG with lack their brackets."""
    return dot.translate({ord("⌈"): "ceil(", ord("⌉"): ")", ord("⌊"): "floor(", ord("⌋"): ")"})


def _tidied(svg: str) -> str:
    """SVG that looks alike in every viewer: fonts to fall back on, tooltips as titles, no names of dot's own.

    dot escapes quotes and angle brackets in all text, so what looks like a tag or an attribute here is one.
    """
    for pattern, replacement in _TIDYING:
        svg = pattern.sub(replacement, svg)
    return svg


_TIDYING = [
    (re.compile(r"<!-- .*? -->\n", re.DOTALL), ""),
    (re.compile(r"<title>[^<]*</title>\n"), ""),
    (re.compile(r'<g id="a_[^"]*"><a xlink:title="([^"]*)"[^>]*>\n'), r"<title>\1</title>\n<g>\n"),
    (re.compile(r"</a>\n</g>\n"), "</g>\n"),
    (re.compile(r'<g id="[^"]*" class="edge">'), '<g class="edge">'),
    (re.compile(r' (fill|stroke)="transparent"'), r' \1="none"'),
    (re.compile(r'font-family="Arial"'), 'font-family="Arial,Helvetica,Liberation Sans,DejaVu Sans,sans-serif"'),
]


def _replace(path: Path, data: bytes) -> None:
    """Write a file whole: beside its place first, then into it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _how_to_get_one(kind: str) -> str:
    if kind == "pdf":
        return "PDF needs Graphviz (graphviz.org); .svg and .png also do with `pip install 'netspec[dot]'`"
    return (
        "there is nothing here to draw with: `pip install 'netspec[dot]'`, or install Graphviz (graphviz.org), "
        "or write the diagram as .dot"
    )
