"""The page on editors: its settings can be read, and its commands are there."""

from __future__ import annotations

import json
import re
import tomllib

from places import DOCS

from netspec.cli.parser import make_parser
from netspec.diagnostics import Report, Source
from netspec.syntax import parse

PAGE = (DOCS / "editors" / "index.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_settings_can_be_read():
    assert [list(json.loads(block)) for block in blocks("json")]
    assert [list(tomllib.loads(block)) for block in blocks("toml")]
    for block in blocks("yaml"):
        report = Report()
        assert parse(Source("page", block), report) is not None
        assert report.diagnostics == []


def test_the_commands_are_there():
    commands = re.findall(r"^\$ netspec (.*)$", "\n".join(blocks("console")), re.MULTILINE)
    assert commands
    for command in commands:
        if not command.endswith("--help"):
            make_parser(command.split()).parse_args(command.split())
    for block in blocks("lua"):
        assert "cmd = { 'netspec', 'lsp' }" in block
        assert block.count("{") == block.count("}")
        assert block.count("(") == block.count(")")
