"""The page on editors: its settings can be read, and its commands are there."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

from jsonschema import Draft7Validator
from places import DOCS, ROOT

from netspec.cli.parser import make_parser
from netspec.diagnostics import Report, Source
from netspec.syntax import parse

ANNOTATIONS = {"$schema", "$id", "title", "description", "default", "definitions", "else", "then"}
NAMED = {"properties", "patternProperties", "definitions"}
"""The keywords whose keys are names."""

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


def catalogue_entry() -> dict[str, Any]:
    (entry,) = (found for block in blocks("json") if "fileMatch" in (found := json.loads(block)))
    return entry


def test_the_catalogues_files_are_those_of_the_extension():
    manifest = json.loads((ROOT / "editors/vscode/package.json").read_text(encoding="utf-8"))
    (language,) = manifest["contributes"]["languages"]
    assert catalogue_entry()["fileMatch"] == [f"*{suffix}" for suffix in language["extensions"]]


def test_the_schema_is_one_of_draft_7_but_for_the_name_of_its_definitions():
    """As the page says how to make it one, and JSON Schema's own schema of that draft judges it."""
    text = (ROOT / "specs/netspec.schema.json").read_text(encoding="utf-8")
    schema = json.loads(text.replace("#/$defs/", "#/definitions/"))
    schema["definitions"] = schema.pop("$defs")
    schema |= {"$schema": "http://json-schema.org/draft-07/schema#", "$id": catalogue_entry()["url"]}
    Draft7Validator.check_schema(schema)
    assert words_of(schema) <= {*Draft7Validator.VALIDATORS, *ANNOTATIONS}
    spec = {"netspec": 1, "name": "it", "inputs": {"x": ["N", 4]}, "network": ["relu"]}
    assert Draft7Validator(schema).is_valid(spec)
    assert not Draft7Validator(schema).is_valid(spec | {"network": 3})


def words_of(schema: Any, are_names: bool = False) -> set[str]:
    """Return the keywords that a schema uses, at any depth."""
    if isinstance(schema, list):
        return {word for each in schema for word in words_of(each)}
    if not isinstance(schema, dict):
        return set()
    below = {word for key, each in schema.items() for word in words_of(each, key in NAMED and not are_names)}
    return below if are_names else below | {*schema}
