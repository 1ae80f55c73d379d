"""``netspec diff``: compare two networks."""

from __future__ import annotations

import os
import re
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netspec import zoo
from netspec.diagnostics import UsageError
from netspec.elaborate import Limits
from netspec.graph import Graph
from netspec.pipeline import Loaded, compile_loaded, find_spec, load_revision, load_spec

AT = re.compile(r"(.+?\.ya?ml|\w+)@(.+)", re.DOTALL)  # a file, or a name of the zoo


def compared(options: Namespace, overrides: Mapping[str, Any], sizes: Mapping[str, int], limits: Limits) -> list[Graph]:
    """The old and the new network.

    Of one spec: its defaults against ``--variant`` or ``--set``, two variants against each other, a revision against
    the file as it is, or the file's last commit against it.
    """
    variants = options.variant
    if len(variants) > 2:
        raise UsageError("only two networks are compared: give --variant at most twice")
    old, new = options.old, options.new
    sets: list[Mapping[str, Any]] = [overrides, overrides]
    first, second = (variants * 2)[:2] if variants else (None, None)
    if new is None:
        if old == "-" and not (variants or overrides):
            raise UsageError("the standard input has no revisions: name another spec to compare it with")
        if os.path.isdir(old):
            old = str(find_spec(old)[0])
        new = old
        path = revision_of(old)
        if len(variants) < 2 and (variants or overrides):
            first, sets[0] = None, {}
        elif not variants:
            old, new = (old, path[0]) if path else (f"{old}@HEAD", old)
    loaded = [_load(old, limits)]
    loaded.append(loaded[0] if new == old else _load(new, limits))
    return [
        compile_loaded(each, variant=variant, overrides=given, sizes=sizes, limits=limits)
        for each, variant, given in zip(loaded, (first, second), sets)
    ]


def _load(target: str, limits: Limits) -> Loaded:
    revision = revision_of(target)
    return load_spec(target, limits.file) if revision is None else load_revision(*revision, limits.file)


def revision_of(target: str) -> tuple[str, str] | None:
    """The spec and the revision of ``net.yaml@HEAD~1``; ``None`` for what names no revision."""
    if "@" not in target or Path(target).is_file() or zoo.find(target) is not None:
        return None
    match = AT.fullmatch(target)
    if match is None or ("." not in match[1] and zoo.find(match[1]) is None):
        return None
    return match[1], match[2]
