"""The mean of the weights of the last epochs, against torch's ``AveragedModel`` and ``update_bn``."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.optim.swa_utils import AveragedModel, update_bn
from train.small import SPEC, begin, graph, guard_resumes

from netspec.diagnostics import EnvironmentFault
from netspec.train.loop.last_epochs import FOLDER, remove_epochs
from netspec.train.run import Run
from netspec.train.store.folder import RunFolder

NORMED = SPEC.replace("  - relu\n", "  - batch_norm1d\n  - relu\n").replace("dropout: 0.2", "dropout: 0.0")


def averaged_by_torch(run: Run, first: int) -> AveragedModel:
    """Train a run that averages nothing, and average its weights from the end of an epoch on."""
    theirs = AveragedModel(run.setup.model, use_buffers=True)
    while not run.state.done:
        run.train_epoch()
        run.end_epoch()
        if run.state.epoch >= first:
            theirs.update_parameters(run.setup.model)
    return theirs


@pytest.mark.parametrize("batch_norm", [True, False])
def test_the_mean_and_its_statistics_are_torchs(tmp_path: Path, batch_norm: bool):
    keys = {"epochs": "5", "augment": "[{random_crop: 2}]"}
    average = f"{{epochs: 3, batch_norm: {str(batch_norm).lower()}}}"
    run = begin(graph(tmp_path, NORMED, average=average, **keys), tmp_path / "run")
    result = run.go()
    plain = begin(graph(tmp_path, NORMED, **keys), tmp_path / "plain")
    theirs = averaged_by_torch(plain, 3)
    if batch_norm:
        update_bn([batch.inputs[0] for batch in plain.setup.train.shuffled(5, 20)], theirs)
    best = load_file(tmp_path / "run" / "best.safetensors")
    for name, tensor in theirs.module.state_dict().items():
        if tensor.is_floating_point():
            torch.testing.assert_close(best[name], tensor, rtol=0, atol=1e-6, msg=name)
    plain.setup.model.load_state_dict(best)
    assert plain.setup.scores() == result.scores  # what is judged is what is kept
    assert result.state.best_epoch == 5


def test_a_run_goes_on_bit_for_bit(tmp_path: Path):
    guard_resumes(graph(tmp_path, NORMED, average="2", checkpoint="{steps: 1}"), tmp_path)


def test_a_run_that_is_cut_off_between_epochs_finds_those_before(tmp_path: Path):
    spec = graph(tmp_path, NORMED, average="3", epochs="4", checkpoint="{steps: 5}")
    whole = begin(spec, tmp_path / "whole")
    whole.go()
    cut = begin(spec, tmp_path / "cut")
    for _ in range(3):
        cut.train_epoch()
        cut.end_epoch()
    begin(spec, tmp_path / "cut").go()
    for name, tensor in load_file(tmp_path / "whole" / "best.safetensors").items():
        assert torch.equal(load_file(tmp_path / "cut" / "best.safetensors")[name], tensor)


def test_of_a_run_that_may_end_early_the_last_epochs_are_kept(tmp_path: Path):
    keys = {"average": "2", "epochs": "50", "early_stopping": "{patience: 1}", "optimizer": "{sgd: 3.0}"}
    run = begin(graph(tmp_path, NORMED, **keys), tmp_path / "run")
    run.go()
    last = run.state.epoch
    assert 2 <= last < 50
    files = sorted(each.name for each in (tmp_path / "run" / FOLDER).iterdir())
    assert files == sorted(f"epoch-{number}.safetensors" for number in (last - 1, last))
    (tmp_path / "run" / FOLDER / "of-mine").touch()
    remove_epochs(RunFolder(tmp_path / "run"))
    assert [each.name for each in (tmp_path / "run" / FOLDER).iterdir()] == ["of-mine"]


def test_weights_that_are_gone_are_told(tmp_path: Path):
    run = begin(graph(tmp_path, average="2", epochs="2"), tmp_path / "run")
    run.train_epoch()
    run.end_epoch()
    (tmp_path / "run" / FOLDER / "epoch-1.safetensors").unlink()
    with pytest.raises(EnvironmentFault, match=r"epoch-1\.safetensors is gone, whose weights are to be averaged"):
        run.go()


def test_batch_norms_that_stay_as_they_are_keep_their_statistics(tmp_path: Path):
    spec = graph(tmp_path, NORMED, average="2", epochs="2", batch_norm="{train: false}")
    run = begin(spec, tmp_path / "run")
    run.go()
    best = load_file(tmp_path / "run" / "best.safetensors")
    name = next(name for name in best if name.endswith("running_mean"))
    assert best[name].eq(0).all()
