"""The networks of the zoo that train do, on the data that their specs name, to the results that are promised.

The promises stand in ``examples/trains.py``, which trains the long ones to their end; here they have fewer epochs, and
bands of their own.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import trains
from trains import PROMISES, Band, Promise, train

pytestmark = pytest.mark.slow

EVERY = [each.shortened() for several in PROMISES.values() for each in several]


@pytest.mark.parametrize("promise", EVERY, ids=lambda each: each.label.replace(" ", "-"))
def test_what_is_promised_is_reached(promise: Promise, tmp_path: Path):
    outcome = train(promise, tmp_path)
    reached = {band.promise(): outcome.of(band.measure) for band in promise.bands if band.measure != "seconds"}
    assert [text for band, (text, value) in zip(promise.bands, reached.items()) if not band.holds(value)] == [], reached


def test_folds_do_not_choose_the_epoch_that_they_judge(tmp_path: Path):
    (promise,) = (each for each in EVERY if each.network == "breast_cancer")
    assert train(promise, tmp_path).best_epochs == (30,) * 5


def test_the_command_tells_what_is_reached(capsys: pytest.CaptureFixture[str]):
    assert trains.main(["xor", "--quick"]) == 0
    told = capsys.readouterr().out
    assert "xor                   logic         train accuracy ≥ 100 %         100 %" in told
    assert "every promise is kept" in told
    assert "lenet" not in told


def test_the_command_fails_where_a_promise_is_not_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    (xor,) = (each for each in EVERY if each.network == "xor")
    never = replace(xor, bands=(Band("train accuracy", most=0.5),))
    monkeypatch.setattr(trains, "PROMISES", {"Impossible": (never,)})
    assert trains.main([]) == 1
    told = capsys.readouterr().out
    assert "train accuracy ≤ 50 %          100 %" in told
    assert "missed" in told
    assert "1 promise is not kept" in told


def test_the_command_knows_what_is_promised(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        trains.main(["alexnet"])
    assert "nothing is promised of alexnet; but of edge_detector, lenet, " in capsys.readouterr().err
