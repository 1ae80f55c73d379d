"""DOT text to a picture: by Graphviz' ``dot`` where it is installed, else by the ``graphviz-pure`` wheel."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

from netspec.diagnostics import EnvironmentFault, UsageError
from netspec.files import replacing

FORMATS = (".svg", ".png", ".pdf", ".dot")
MERMAID = ".mmd"  # written from the graph itself
PIXELS_PER_INCH = 144
LEAST_TIME, TIME_PER_LETTER = 20.0, 0.0005
SIGNS = {"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF"}
LONGEST_HEAD = 2000
"""Bytes within which a picture says what it is."""


class RendererMissing(EnvironmentFault):
    """There is nothing on this machine that draws the picture asked for."""


def render(dot: str, path: Path) -> None:
    """Write DOT text as the picture that the path's suffix asks for: .svg, .png, .pdf, or .dot as it is.

    The file appears whole or not at all. Raises ``UsageError`` for another suffix, ``RendererMissing`` where no
    renderer is installed, ``EnvironmentFault`` where it fails.
    """
    kind = path.suffix.lower()
    if kind not in FORMATS:
        raise UsageError(
            f"a diagram is written as {', '.join((*FORMATS, MERMAID))}, but the file is called `{path.name}`"
        )
    data = dot.encode() if kind == ".dot" else drawn(dot, kind[1:])
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def drawn(dot: str, kind: str) -> bytes:
    """The picture as bytes; ``kind`` is ``svg``, ``png`` or ``pdf``."""
    if kind == "png":
        dot = dot.replace("{", f"{{ graph [dpi={PIXELS_PER_INCH}];", 1)
    failed = ""
    for command in renderers(kind):
        try:
            picture = _run(command, dot, kind)
        except subprocess.CalledProcessError as fault:
            failed = (fault.stderr or b"").decode(errors="replace").strip().partition("\n")[0] or "it drew nothing"
        except subprocess.TimeoutExpired:
            failed = f"it took more than {_time_limit(dot):.0f} s"
        except (OSError, RuntimeError) as fault:  # the latter where `dot` has gone
            failed = getattr(fault, "strerror", None) or str(fault)
        else:
            if SIGNS[kind] in picture[:LONGEST_HEAD]:
                text = picture.decode(errors="replace") if kind == "svg" else ""
                return tidied(text).encode() if text else picture
            failed = "it drew no picture" if picture else "it drew nothing"
    if failed:
        raise EnvironmentFault(f"the renderer failed: {failed}")
    raise RendererMissing(_how_to_get_one(kind))


def _run(command: str, dot: str, kind: str) -> bytes:
    if Path(command).stem == "dot":
        return _by_graphviz(dot, kind)
    text = dot if kind == "svg" else _with_ascii_brackets(dot)
    return subprocess.run(
        [command, f"-T{kind}"], input=text.encode(), capture_output=True, timeout=_time_limit(dot), check=True
    ).stdout


def _by_graphviz(dot: str, kind: str) -> bytes:
    """Draw with Graphviz' own program. The package's ``pipe`` would wait for ever for one that hangs."""
    from graphviz.backend import dot_command, execute

    words = dot_command.command("dot", kind)
    limit = _time_limit(dot)
    done = execute.run_check(words, input=dot.encode(), capture_output=True, quiet=True, timeout=limit)
    picture: bytes = done.stdout
    return picture


def _time_limit(dot: str) -> float:
    """Seconds that drawing may take: more than the largest of the zoo's takes, by far."""
    return LEAST_TIME + len(dot) * TIME_PER_LETTER


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


def tidied(svg: str) -> str:
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
    (re.compile(r'<g id="diagram_clust\d+" class="cluster">\n(<title>[^<]*</title>\n)?(<g>\n</g>\n)?</g>\n'), ""),
    (re.compile(r'<g id="[^"]*" class="edge">'), '<g class="edge">'),
    (re.compile(r'<g id="[^"]*" class="node shape">'), '<g class="shape">'),
    (re.compile(r' (fill|stroke)="transparent"'), r' \1="none"'),
    (re.compile(r'font-family="Arial"'), 'font-family="Arial,Helvetica,Liberation Sans,DejaVu Sans,sans-serif"'),
]


def _how_to_get_one(kind: str) -> str:
    if kind == "pdf":
        return "PDF needs Graphviz (graphviz.org); .svg and .png also do with `pip install 'netspec[dot]'`"
    return (
        "no renderer is installed: `pip install 'netspec[dot]'`, or install Graphviz (graphviz.org), "
        "or write the diagram as .dot"
    )
