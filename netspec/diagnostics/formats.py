"""Diagnostics for programs: JSON, SARIF 2.1.0, and the workflow commands of GitHub Actions.

SARIF: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html. GitHub:
https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from netspec.diagnostics.base import Diagnostic, Label, Span, Unchecked, counted
from netspec.diagnostics.text import escaped, render_all
from netspec.text.quoting import github, github_property

FORMATS = ("text", "json", "sarif", "github")


SOURCE_ROOT = "%SRCROOT%"
"""The name by which SARIF calls the folder that paths start at."""


def render_as(
    format: str,
    diagnostics: Sequence[Diagnostic],
    more: int = 0,
    version: str = "0",
    failures: Sequence[Unchecked] = (),
) -> str:
    """Every diagnostic in one of ``FORMATS``, and every failure; ``more`` counts those that were left out."""
    match format:
        case "json":
            records = [*map(_record, diagnostics), *map(_failure_record, failures)]
            return json.dumps([*records, *([_left_out(more)] if more else [])], indent=2, ensure_ascii=True)
        case "sarif":
            return json.dumps(_sarif(diagnostics, more, version, failures), indent=2, ensure_ascii=True)
        case "github":
            lines = [*map(_command, diagnostics), *map(_failure_command, failures)]
            return "\n".join([*lines, *([f"::error title=netspec::and {counted(more, more)} more"] if more else [])])
    return render_all(diagnostics, more)


def _region(span: Span) -> dict[str, int]:
    return {
        "line": span.line,
        "column": span.column,
        "endLine": span.end_line,
        "endColumn": max(span.end_column, span.column + 1) if span.end_line == span.line else span.end_column,
    }


def _record(found: Diagnostic) -> dict[str, Any]:
    """A diagnostic as JSON. Lines and columns count from 1, ends are exclusive."""
    return {
        "id": found.id,
        "severity": found.severity,
        "message": found.message,
        "file": found.primary.span.source.name,
        **_region(found.primary.span),
        "labels": [_label(found.primary, True), *(_label(label, False) for label in found.secondary)],
        "trail": list(found.trail),
        "notes": list(found.notes),
        "help": found.help,
    }


def _left_out(more: int) -> dict[str, Any]:
    """Return the last record, which tells how many faults were left out, as ``more``; it has no id and no place."""
    return _without_place("note", f"and {counted(more, more)} more", None) | {"more": more}


def _failure_record(found: Unchecked) -> dict[str, Any]:
    return _without_place("error", found.message, found.file)


def _without_place(severity: str, message: str, file: str | None) -> dict[str, Any]:
    """Return a record with the keys of all others."""
    region = dict.fromkeys(("line", "column", "endLine", "endColumn"))
    rest: dict[str, Any] = {"labels": [], "trail": [], "notes": [], "help": None}
    return {"id": None, "severity": severity, "message": message, "file": file, **region, **rest}


def _failure_command(found: Unchecked) -> str:
    file = "" if found.file is None else f"file={github_property(found.file)},"
    return f"::error {file}title=netspec::{github(found.message)}"


def _label(label: Label, primary: bool) -> dict[str, Any]:
    return {
        "file": label.span.source.name,
        **_region(label.span),
        "text": label.text,
        "primary": primary,
    }


def _sarif(diagnostics: Sequence[Diagnostic], more: int, version: str, failures: Sequence[Unchecked]) -> dict[str, Any]:
    """A log of one run, whose paths are relative to the folder that GitHub knows: the repository's, if there is one."""
    from netspec.diagnostics.catalogue import CATALOGUE

    ids = sorted({found.id for found in diagnostics})
    rules = [_rule(id, CATALOGUE[id].what, CATALOGUE[id].why) for id in ids]
    driver = {
        "name": "netspec",
        "version": version,
        "rules": rules,
    }
    left_out = {"level": "note", "message": {"text": f"and {counted(more, more)} more"}}
    told = [{"level": "error", "message": {"text": each.message}} for each in failures if each.file is None]
    told += [left_out] if more else []
    invocation = {"executionSuccessful": not failures, "toolExecutionNotifications": told}
    root = source_root()
    results = [_result(found, ids.index(found.id), root) for found in diagnostics]
    results += [_failure_result(each.message, each.file, root) for each in failures if each.file is not None]
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "invocations": [invocation],
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {SOURCE_ROOT: {"uri": f"{root.as_uri().rstrip('/')}/"}},
                "results": results,
            }
        ],
    }


def source_root() -> Path:
    """Return the folder that paths in a log start at: that of the repository, or else the working folder."""
    here = Path.cwd()
    return next((each for each in (here, *here.parents) if (each / ".git").exists()), here)


def _rule(id: str, what: str, why: str) -> dict[str, Any]:
    return {"id": id, "shortDescription": {"text": what}, "fullDescription": {"text": why}}


def _failure_result(message: str, file: str, root: Path) -> dict[str, Any]:
    location = {"physicalLocation": {"artifactLocation": _artifact(file, root)}}
    return {"level": "error", "message": {"text": message}, "locations": [location]}


def _result(found: Diagnostic, rule: int, root: Path) -> dict[str, Any]:
    text = found.message + (f" (help: {found.help})" if found.help else "")
    result: dict[str, Any] = {
        "ruleId": found.id,
        "ruleIndex": rule,
        "level": "warning" if found.severity == "warning" else "error",
        "message": {"text": text},
        "locations": [_location(found.primary, root)],
    }
    if found.secondary:
        result["relatedLocations"] = [
            {"id": number, **_location(label, root)} for number, label in enumerate(found.secondary)
        ]
    return result


def _artifact(name: str, root: Path) -> dict[str, str]:
    """Return a file's place: below the root, or by itself where it is outside."""
    path = Path(os.path.abspath(name))
    if not path.is_relative_to(root):
        return {"uri": path.as_uri()}
    return {"uri": quote(path.relative_to(root).as_posix(), errors="surrogateescape"), "uriBaseId": SOURCE_ROOT}


def _location(label: Label, root: Path) -> dict[str, Any]:
    region = _region(label.span)
    made: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": _artifact(label.span.source.name, root),
            "region": {
                "startLine": region["line"],
                "startColumn": region["column"],
                "endLine": region["endLine"],
                "endColumn": region["endColumn"],
            },
        }
    }
    if label.text:
        made["message"] = {"text": label.text}
    return made


def _command(found: Diagnostic) -> str:
    """Return ``::error file=…,line=…::message``; GitHub unescapes per cent signs, line ends, colons and commas."""
    region = _region(found.primary.span)
    properties = {
        "file": found.primary.span.source.name,
        "line": region["line"],
        "endLine": region["endLine"],
        "col": region["column"],
        "endColumn": region["endColumn"] - 1,  # GitHub's end is the last column
        "title": f"netspec {found.id}",
    }
    if region["endLine"] != region["line"]:
        del properties["col"], properties["endColumn"]  # columns are for one line
    told = [found.message, *found.notes, *([f"in: {', '.join(found.trail)}"] if found.trail else [])]
    told += [f"help: {found.help}"] if found.help else []
    written = ",".join(f"{key}={github_property(str(value))}" for key, value in properties.items())
    return (
        f"::{'warning' if found.severity == 'warning' else 'error'} {written}::{github('; '.join(map(escaped, told)))}"
    )
