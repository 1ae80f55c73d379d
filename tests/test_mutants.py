"""A sample of the mutants that ``python tests/mutants.py`` makes; see there."""

from __future__ import annotations

import pytest
from mutants import verdicts


@pytest.mark.slow
def test_single_faults_give_one_diagnostic_at_their_line():
    found = list(verdicts(200, seed=7))
    assert not [verdict.crash for verdict in found if verdict.crash]
    bad = [(verdict.mutant.file, verdict.mutant.kind, verdict.mutant.lines) for verdict in found if not verdict.good]
    assert len(bad) <= 4, bad
