# Everything that is done often; `just` lists it.
default:
    @just --list

# The tests, on two cores
test *ARGS:
    .venv/bin/pytest -n 2 {{ARGS}}

# The loop while one works: all tests but those that take seconds
quick *ARGS:
    .venv/bin/pytest -n 2 -m "not slow and not timing" {{ARGS}}

# Style, types, and the contracts of the imports
lint:
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .
    .venv/bin/mypy
    .venv/bin/lint-imports

# The golden files and the JSON Schema, written anew
snapshots:
    .venv/bin/pytest -n 2 tests/emit tests/test_schema.py --snapshot-update

# The documentation site, into build/site; `just docs --serve` shows it
docs *ARGS:
    .venv/bin/python docs/build.py {{ARGS}}

# What must pass before a change lands
all: lint test
