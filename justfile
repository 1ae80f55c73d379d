# Everything that is done often; `just` lists it.
default:
    @just --list

# The tests, on two cores
test *ARGS:
    .venv/bin/pytest -n 2 {{ARGS}}

# Style, types, and the contracts of the imports
lint:
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .
    .venv/bin/mypy
    .venv/bin/lint-imports

# The JSON Schema, written anew
schema:
    .venv/bin/netspec schema > specs/netspec.schema.json

# What must pass before a change lands
all: lint test
