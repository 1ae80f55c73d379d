"""Every metric against its definition in numpy, for each task that it judges."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from recipes.judged import Case, Cases
from train.optimize.test_metrics import ROWS, Sums, evaluator, rows

from netspec.recipes.metrics import Metric
from netspec.train.names import resolve

METRICS = Cases("metric")
Array = np.ndarray


def softmax(scores: Array) -> Array:
    return np.exp(scores) / np.exp(scores).sum(1, keepdims=True)


def pairs_in_order(scores: Array, wanted: Array) -> float:
    """The share of pairs of a yes and a no in which the yes has the higher score."""
    yes, no = scores[wanted][:, None], scores[~wanted][None]
    return float(((yes > no) + 0.5 * (yes == no)).mean())


def f_score(found: Array, wanted: Array) -> float:
    return float(2 * (found & wanted).sum() / (found.sum() + wanted.sum()))


@METRICS.add("accuracy")
def accuracy(task: str, scores: Array, wanted: Array) -> float:
    found = scores.argmax(1) if task == "classes" else scores > 0
    return float((found == wanted).mean())


@METRICS.add("accuracy", top_k=2)
def accuracy_of_two(task: str, scores: Array, wanted: Array) -> float:
    if task == "binary":
        return accuracy(task, scores, wanted)
    return float((np.argsort(-scores, 1)[:, :2] == wanted[:, None]).any(1).mean())


@METRICS.add("f1")
def f1(task: str, scores: Array, wanted: Array) -> float:
    if task == "binary":
        return float(np.mean([f_score(column > 0, truth.astype(bool)) for column, truth in zip(scores.T, wanted.T)]))
    found = scores.argmax(1)
    return float(np.mean([f_score(found == each, wanted == each) for each in range(scores.shape[1])]))


@METRICS.add("auroc")
def auroc(task: str, scores: Array, wanted: Array) -> float:
    if task == "binary":
        columns = zip(scores.T, wanted.astype(bool).T)
        return float(np.mean([pairs_in_order(*each) for each in columns]))
    chances = softmax(scores)
    return float(np.mean([pairs_in_order(chances[:, each], wanted == each) for each in range(scores.shape[1])]))


@METRICS.add("mse")
def mean_squared_error(task: str, output: Array, wanted: Array) -> float:
    return float(((output - wanted) ** 2).mean())


@METRICS.add("mae")
def mean_absolute_error(task: str, output: Array, wanted: Array) -> float:
    return float(np.abs(output - wanted).mean())


@METRICS.add("r2")
def explained_variance(task: str, output: Array, wanted: Array) -> float:
    missed, spread = ((output - wanted) ** 2).sum(0), ((wanted - wanted.mean(0)) ** 2).sum(0)
    return float((1 - missed / spread).mean())


@METRICS.add("perplexity")
def perplexity(task: str, scores: Array, wanted: Array) -> float:
    return float(np.exp(-np.log(softmax(scores)[np.arange(len(wanted)), wanted]).mean()))


@METRICS.add("exact_match")
def exact_match(task: str, scores: Array, wanted: Array) -> float:
    return float(((scores == wanted) | (wanted == 0)).all(1).mean())


def example(task: str, chance: np.random.Generator) -> tuple[Array, Array]:
    """Outputs of forty rows, [40, 3], and what they are compared with."""
    output = chance.normal(size=(40, 3))
    if task == "classes":
        return output, chance.integers(0, 3, 40)
    return output, chance.integers(0, 2, (40, 3)) if task == "binary" else output + chance.normal(size=(40, 3))


@METRICS.parameters()
def test_it_is_its_definition(case: Case):
    metric = case.ingredient
    assert isinstance(metric, Metric)
    if metric.decodes:
        return the_words_that_a_network_writes_are_counted(case)
    for task, name in metric.tasks.items():
        output, wanted = example(task, np.random.default_rng(0))
        meter = resolve(name)(**metric.keywords(task, 3))
        wanted = wanted.astype(bool) if task == "binary" else wanted
        for part in np.split(np.arange(40), [7, 29]):
            meter.update(torch.tensor(output[part]).float(), torch.tensor(wanted[part]))
        assert float(meter.compute()) == pytest.approx(case.oracle(task, output, wanted), rel=1e-5)
    return None


def the_words_that_a_network_writes_are_counted(case: Case) -> None:
    """A network whose next word is a sum of those before it; it gets 13 rows right, told by a loop in numpy."""
    batches, judge = rows(right=13), evaluator()
    (batch,) = batches.in_order(ROWS)
    source, wanted = batch.inputs[0].numpy()[:, 0], batch.targets["output"].numpy()
    written, total = np.zeros_like(wanted), source + 1
    for place in range(wanted.shape[1]):
        written[:, place] = total % 6 + 1
        total = total + written[:, place]
    expected = case.oracle("classes", written, wanted)
    assert expected == 13 / ROWS
    found = judge.evaluate(Sums(), batches, None, nullcontext())
    assert float(found[case.ingredient.name]) == pytest.approx(expected)


def test_every_metric_has_a_judged_case():
    assert METRICS.missing() == []
