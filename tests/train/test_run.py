"""The loop: that it learns, that it equals a loop written by hand, and that a stopped run goes on bit for bit."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from train import small

from netspec.diagnostics import EnvironmentFault, SpecError, TrainingFault, UsageError
from netspec.pipeline import compile_spec, read_value
from netspec.recipes import ingredients
from netspec.runtime.module import build_module
from netspec.runtime.onnx.verify import export_verified
from netspec.train.reading import read_data
from netspec.train.run import Run
from netspec.train.setup import Setup
from netspec.weights.files.safetensors import read_weights


def test_it_learns(tmp_path: Path):
    result = small.begin(small.graph(tmp_path, epochs="8"), tmp_path / "run").go()
    assert result.state.step == 8 * 5
    assert result.scores["test"]["accuracy"] > 0.8
    assert set(result.scores) == {"train", "validation", "test"}


@pytest.mark.parametrize(
    "optimizer", ["sgd: {lr: 0.1, momentum: 0.9, nesterov: true}", "adam: 0.01", "rmsprop: {}", "adadelta: {}"]
)
def test_a_step_equals_a_loop_by_hand(tmp_path: Path, optimizer: str):
    graph = small.graph(tmp_path, small.SPEC.replace("dropout: 0.2", "dropout: 0.0"), optimizer=f"{{{optimizer}}}")
    run = small.begin(graph, tmp_path / "run")
    by_hand = build_module(graph)
    kind, arguments = type(run.optimizer), dict(run.optimizer.defaults)
    moved = kind(
        by_hand.parameters(),
        **{
            key: value
            for key, value in arguments.items()
            if key in ("lr", "momentum", "nesterov", "betas", "alpha", "rho", "eps")
        },
    )
    expected = []
    for epoch in range(3):
        for batch in run.setup.train.shuffled(epoch, 20):
            loss = F.cross_entropy(by_hand(*batch.inputs), batch.targets["output"])
            moved.zero_grad()
            loss.backward()
            moved.step()
            expected.append(loss.item())
    run.go()
    assert [loss for _, loss in small.losses(tmp_path / "run")] == pytest.approx(expected, rel=1e-4)


def test_parts_of_a_batch_add_up(tmp_path: Path):
    text = small.SPEC.replace("dropout: 0.2", "dropout: 0.0")
    small.begin(small.graph(tmp_path, text), tmp_path / "whole").go()
    small.begin(small.graph(tmp_path, text, accumulate="4"), tmp_path / "parts").go()
    whole, parts = (small.losses(tmp_path / name) for name in ("whole", "parts"))
    assert [loss for _, loss in parts] == pytest.approx([loss for _, loss in whole], rel=1e-3)


KILLS = int(os.environ.get("NETSPEC_KILLS", "3"))
AUGMENTED = {"augment": "[{random_crop: 2}]", "schedule": "cosine", "checkpoint": "{steps: 1, keep: 2}", "epochs": "16"}


def _train(folder: Path) -> None:
    torch.set_num_threads(1)
    small.begin(small.graph(folder, **AUGMENTED), folder / "run").go()


@pytest.mark.slow
def test_killed_at_random_steps_it_goes_on_bit_for_bit(tmp_path: Path):
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    _train(tmp_path / "whole")
    context = multiprocessing.get_context("spawn")
    kills = 0
    while kills < KILLS:
        process = context.Process(target=_train, args=(tmp_path / "killed",))
        process.start()
        index, before = tmp_path / "killed/run/checkpoints/index.json", kills
        last = _step(index)
        while process.is_alive():
            if _step(index) > last + 1 + kills % 3:
                os.kill(process.pid or 0, signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.002)
        process.join()
        if kills == before:
            break
    else:
        _train(tmp_path / "killed")
    assert kills == KILLS
    assert small.losses(tmp_path / "killed/run") == small.losses(tmp_path / "whole/run")
    assert len(small.losses(tmp_path / "whole/run")) == 16 * 5


def _step(index: Path) -> int:
    try:
        return int(json.loads(index.read_text())[-1]["step"])
    except (OSError, ValueError, IndexError):
        return 0


def stop_after(run: Run, steps: int) -> None:
    """As Ctrl-C would, at the end of that step."""

    def ask(*_: object) -> None:
        run.requests.asked_to_stop |= run.state.step >= steps

    run.optimizer.register_step_post_hook(ask)


def test_stopped_in_the_middle_of_an_epoch_it_goes_on(tmp_path: Path):
    graph = small.graph(tmp_path)
    small.begin(graph, tmp_path / "whole").go()
    run = small.begin(graph, tmp_path / "stopped")
    stop_after(run, 7)
    assert run.go().interrupted
    result = small.begin(graph, tmp_path / "stopped").go()
    assert not result.interrupted
    assert small.losses(tmp_path / "stopped") == small.losses(tmp_path / "whole")
    lines = [(tmp_path / name / "metrics.jsonl").read_text().splitlines() for name in ("whole", "stopped")]
    epochs = [[{**json.loads(line), "seconds": 0} for line in each if "epoch" in line] for each in lines]
    assert epochs[0] == epochs[1]


@pytest.mark.parametrize("noise", ["std: 0.5, when: training", "distribution: bernoulli, p: 0.9"])
def test_noise_goes_on_bit_for_bit(tmp_path: Path, noise: str):
    text = small.SPEC.replace(
        "  - dropout: dropout\n", f"  - noise: {{{noise}}}\n  - multiply: {{from: [bent, prev]}}\n"
    )
    text = text.replace("  - relu\n", "  - relu: {name: bent}\n").replace(", dropout: 0.2", "")
    graph = small.graph(tmp_path, text, epochs="2")
    small.begin(graph, tmp_path / "whole").go()
    run = small.begin(graph, tmp_path / "stopped")
    stop_after(run, 3)
    assert run.go().interrupted
    small.begin(graph, tmp_path / "stopped").go()
    assert small.losses(tmp_path / "stopped") == small.losses(tmp_path / "whole")


@pytest.mark.parametrize("optimizer", [name for name in ingredients("optimizer") if name != "newton"])
def test_every_optimizer_goes_on_bit_for_bit(tmp_path: Path, optimizer: str):
    batch = "null" if optimizer == "lbfgs" else "20"
    graph = small.graph(tmp_path, optimizer=optimizer, batch=batch, epochs="null", steps="8")
    small.begin(graph, tmp_path / "whole").go()
    run = small.begin(graph, tmp_path / "stopped")
    stop_after(run, 3)
    assert run.go().interrupted
    small.begin(graph, tmp_path / "stopped").go()
    assert small.losses(tmp_path / "stopped") == small.losses(tmp_path / "whole")


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    graph = small.graph(tmp_path, checkpoint="{steps: 3}")
    run = small.begin(graph, tmp_path / "run")
    stop_after(run, 7)
    run.go()
    newest = tmp_path / "run/checkpoints/step-00000007.pt"
    newest.write_bytes(newest.read_bytes()[:-20] + bytes(20))
    small.begin(graph, tmp_path / "run").go()
    assert f"{newest} is damaged: its digest is another than when it was written" in capsys.readouterr().out
    small.begin(graph, tmp_path / "whole").go()
    assert small.losses(tmp_path / "run") == small.losses(tmp_path / "whole")


@pytest.mark.parametrize("damage", ["cut", "another name", "no digests"])
def test_with_a_damaged_index_the_checkpoints_beside_it_are_used(
    tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
):
    graph = small.graph(tmp_path, checkpoint="{steps: 3}")
    run = small.begin(graph, tmp_path / "run")
    stop_after(run, 7)
    run.go()
    index = tmp_path / "run/checkpoints/index.json"
    text = index.read_text()
    damaged = {"cut": text[:40], "another name": text.replace('"name"', '"nama"'), "no digests": '[{"name": 1}]'}
    index.write_text(damaged[damage])
    newest = tmp_path / "run/checkpoints/step-00000007.pt"
    newest.write_bytes(newest.read_bytes()[:-2000] + bytes(1000) + newest.read_bytes()[-1000:])  # and the last of them
    small.begin(graph, tmp_path / "run").go()
    told = capsys.readouterr().out
    assert f"{index} is damaged: the checkpoints beside it are looked through" in told
    assert "going on after step 6" in told
    small.begin(graph, tmp_path / "whole").go()
    assert small.losses(tmp_path / "run") == small.losses(tmp_path / "whole")


def test_damaged_lines_are_left_out_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    graph = small.graph(tmp_path)
    run = small.begin(graph, tmp_path / "run")
    stop_after(run, 7)
    run.go()
    metrics = tmp_path / "run/metrics.jsonl"
    whole = metrics.read_bytes()
    lines = whole.splitlines(keepends=True)
    metrics.write_bytes(b"".join([lines[0], b'{"st\xffp": 2}\n', b"[1, 2]\n", *lines[3:], b'{"step": 8, "lo']))
    small.begin(graph, tmp_path / "run").go()
    assert f"{metrics} is damaged: 2 of its lines are left out" in capsys.readouterr().out
    assert [step for step, _ in small.losses(tmp_path / "run")] == [1, *range(4, 16)]


def test_other_numbers_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    graph = small.graph(tmp_path)
    run = small.begin(graph, tmp_path / "run")
    stop_after(run, 7)
    run.go()
    metrics = tmp_path / "run/metrics.jsonl"
    metrics.write_text(metrics.read_text().replace('"loss": 2.', '"loss": 3.', 1))
    small.begin(graph, tmp_path / "run").go()
    assert f"{metrics} is damaged: it has other numbers than when the run wrote it" in capsys.readouterr().out


def test_only_checkpoints_of_a_run_are_removed(tmp_path: Path):
    """Neither files that are called like them, nor what lies where a link leads."""
    checkpoints = tmp_path / "run/checkpoints"
    checkpoints.mkdir(parents=True)
    (tmp_path / "own").mkdir()
    (tmp_path / "own/file").write_text("")
    (checkpoints / "step-00000002").symlink_to(tmp_path / "own")
    others = [".bashrc", "step-00000001.pt.bak", "step-by-step.md"]
    for name in others:
        (checkpoints / name).write_text("")
    small.begin(small.graph(tmp_path, checkpoint="{steps: 3}"), tmp_path / "run").go()
    kept = {path.name for path in checkpoints.iterdir()}
    assert kept == {"index.json", "step-00000012.pt", "step-00000015.pt", "step-00000002", *others}
    assert (tmp_path / "own/file").is_file()


def test_checkpoints_that_lead_out_of_the_run_are_refused(tmp_path: Path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/checkpoints").symlink_to("..")
    with pytest.raises(UsageError) as found:
        small.begin(small.graph(tmp_path), tmp_path / "run")
    assert str(found.value) == (
        f"{tmp_path}/run/checkpoints is a link that leads out of the run: a run writes into its own folder alone"
    )


def test_a_run_at_its_end_is_judged_again_and_written_no_more(tmp_path: Path):
    graph = small.graph(tmp_path)
    scores = small.begin(graph, tmp_path / "run").go().scores
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run/checkpoints").iterdir()}
    assert small.begin(graph, tmp_path / "run").go().scores == scores
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run/checkpoints").iterdir()} == before


def test_a_checkpoint_without_a_name_is_removed_with_those_that_are_too_old(tmp_path: Path):
    """As of one that was killed before the index named it."""
    lost = tmp_path / "run/checkpoints/step-00000001"
    lost.mkdir(parents=True)
    small.begin(small.graph(tmp_path, checkpoint="{steps: 3}"), tmp_path / "run").go()
    kept = {path.name for path in lost.parent.iterdir()}
    assert kept == {"index.json", "step-00000012.pt", "step-00000015.pt"}


def test_a_batch_norm_that_has_one_row_is_told(tmp_path: Path):
    text = small.SPEC.replace("  - relu\n", "  - batch_norm1d\n  - relu\n")
    with pytest.raises(TrainingFault) as found:
        small.begin(small.graph(tmp_path, text, batch="30", validation="0.09"), tmp_path / "run").go()
    assert str(found.value) == (
        "a batch norm cannot learn from a single row, which is what a step has for it: choose another `batch`, as the "
        "last one of an epoch has what is left, or fewer devices or parts (`accumulate`)"
    )


def test_another_recipe_does_not_go_on(tmp_path: Path):
    run = small.begin(small.graph(tmp_path), tmp_path / "run")
    stop_after(run, 2)
    run.go()
    with pytest.raises(TrainingFault) as found:
        small.begin(small.graph(tmp_path, seed="1"), tmp_path / "run").go()
    assert str(found.value) == f"{tmp_path / 'run'} was trained with another spec or recipe: start a new run"


def test_what_does_not_change_what_is_learned_may_be_another(tmp_path: Path):
    overrides = {"train.devices": read_value("train.devices", "cpu")}
    same = small.begin(compile_spec("lenet", overrides=overrides), tmp_path / "lenet", read_data(compile_spec("lenet")))
    plain = small.begin(compile_spec("lenet"), tmp_path / "plain", read_data(compile_spec("lenet")))
    assert same.setup.fingerprint() == plain.setup.fingerprint()


def test_a_loss_that_is_no_number_names_the_layer(tmp_path: Path):
    run = small.begin(small.graph(tmp_path), tmp_path / "run")
    with torch.no_grad():
        run.setup.model.head.weight[0, 0] = float("inf")
    with pytest.raises(
        TrainingFault, match=r"the loss is nan at step 1: the parameter `head\.weight` is no longer finite"
    ):
        run.go()


def test_a_full_disk_keeps_the_last_good_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    graph = small.graph(tmp_path, checkpoint="{steps: 3}")
    run = small.begin(graph, tmp_path / "run")
    real, written = Path.write_bytes, []

    def write(path: Path, content: bytes) -> int:
        if written:
            raise OSError(28, "No space left on device")
        written.append(path)
        return real(path, content)

    monkeypatch.setattr(Path, "write_bytes", write)
    with pytest.raises(EnvironmentFault, match="No space left on device"):
        run.go()
    monkeypatch.undo()
    snapshot, faults = run.checkpoints.load(lambda sizes: {})
    assert snapshot is not None
    assert snapshot.rest["state"]["step"] == 3
    assert not faults
    small.begin(graph, tmp_path / "run").go()
    small.begin(graph, tmp_path / "whole").go()
    assert small.losses(tmp_path / "run") == small.losses(tmp_path / "whole")


def test_early_stopping(tmp_path: Path):
    graph = small.graph(tmp_path, early_stopping="{target: 0.5, metric: accuracy}", epochs="50")
    assert small.begin(graph, tmp_path / "target").go().state.epoch < 10
    graph = small.graph(tmp_path, early_stopping="{patience: 2, min_delta: 10.0}", epochs="50")
    assert small.begin(graph, tmp_path / "patience").go().state.epoch == 3


def test_of_epochs_that_are_as_good_the_lower_loss_is_the_better(tmp_path: Path):
    """It is nothing that ``patience`` would wait for: that counts from the first of them."""
    result = small.begin(small.graph(tmp_path, epochs="15"), tmp_path / "run").go()
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    epochs = [line for line in lines if "epoch" in line]
    highest = max(each["validation"]["accuracy"] for each in epochs)
    equal = [each for each in epochs if each["validation"]["accuracy"] == highest]
    best = min(equal, key=lambda each: each["validation"]["loss"])
    assert best is not equal[0]
    assert result.state.best_epoch == best["epoch"]
    assert result.scores["validation"] == pytest.approx(best["validation"])
    graph = small.graph(tmp_path, early_stopping="{patience: 3, metric: accuracy}", epochs="50")
    stopped = small.begin(graph, tmp_path / "stopped").go().state
    assert stopped.epoch == equal[0]["epoch"] + 3
    assert stopped.best_epoch > equal[0]["epoch"]


def test_too_little_memory_says_what_to_do(tmp_path: Path):
    run = small.begin(small.graph(tmp_path), tmp_path / "run")

    def fail(*inputs: object) -> object:
        raise torch.OutOfMemoryError("CUDA out of memory")

    run.setup.model.forward = fail  # type: ignore[method-assign]
    with pytest.raises(TrainingFault) as found:
        run.go()
    assert str(found.value) == (
        "a step with 20 rows does not fit in memory: `--set train.accumulate=2` takes half of it and gives the same; "
        "`--set train.batch=10` trains with smaller batches"
    )


def test_a_word_beyond_the_embedding_is_refused(tmp_path: Path):
    graph = compile_spec("lstm_lm", overrides={"vocab": 27})
    rows = read_data(graph)
    rows.train.tensors["tokens"][0, 0] = 27  # type: ignore[attr-defined]
    with pytest.raises(SpecError) as found:
        Setup(graph, rows, torch.device("cpu"))
    assert "the column `tokens` holds 27, but the input `tokens` takes 0 to 26" in str(found.value)


def test_another_start(tmp_path: Path):
    run = small.begin(small.graph(tmp_path, init="{constant: 0.5}"), tmp_path / "run")
    state = run.setup.model.state_dict()
    assert {float(state[f"{layer}.weight"].mean()) for layer in ("first", "head")} == {0.5}
    assert float(state["first.bias"].abs().max()) < 0.1


CONVOLUTIONS = small.SPEC.replace(
    "  - flatten\n", "  - conv2d: {name: conv, out_channels: 4, kernel_size: 3, stride: 2}\n  - relu\n  - flatten\n"
)


def test_channels_last_learn_the_same_and_go_on(tmp_path: Path):
    small.begin(small.graph(tmp_path, CONVOLUTIONS), tmp_path / "first").go()
    graph = small.graph(tmp_path, CONVOLUTIONS, channels_last="true")
    run = small.begin(graph, tmp_path / "last")
    assert run.setup.model.get_parameter("conv.weight").is_contiguous(memory_format=torch.channels_last)
    run.go()
    first, last = (dict(small.losses(tmp_path / name)) for name in ("first", "last"))
    assert last == pytest.approx(first, rel=1e-3)
    stopped = small.begin(graph, tmp_path / "stopped")
    stop_after(stopped, 7)
    assert stopped.go().interrupted
    small.begin(graph, tmp_path / "stopped").go()
    assert dict(small.losses(tmp_path / "stopped")) == last


def test_what_a_run_with_channels_last_leaves_is_like_any_other(tmp_path: Path):
    graph = small.graph(tmp_path, CONVOLUTIONS, channels_last="true")
    run = small.begin(graph, tmp_path / "run")
    run.go()
    weight = read_weights(run.folder.best)["conv.weight"]
    assert weight.is_contiguous()
    assert weight.equal(run.setup.model.get_parameter("conv.weight"))
    assert export_verified(graph, run.setup.model, tmp_path / "model.onnx")[1].agrees


def test_a_network_in_bfloat16_reads_real_numbers(tmp_path: Path):
    run = small.begin(small.graph(tmp_path, precision="bfloat16"), tmp_path / "run")
    assert {each.dtype for each in run.setup.model.parameters()} == {torch.bfloat16}
    run.go()
    losses = [loss for _, loss in small.losses(tmp_path / "run")]
    assert losses[-1] < 0.5 * losses[0]
