"""Where the tests find the files of the project."""

from pathlib import Path

TESTS = Path(__file__).parent
ROOT = TESTS.parent
CASES = TESTS / "cases"
GOLDEN = TESTS / "golden"
EXAMPLES = ROOT / "examples"
DOCS = ROOT / "docs"
GUIDES = DOCS / "guides"
