"""The training of a network, as it is written: its values wait for the parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from netspec.diagnostics import Span
from netspec.recipes.weights import WeightsSource
from netspec.spec.reading import EMPTY, Form, Value, Written, named_by, read_text, reader
from netspec.spec.weights import read_weights

COLUMNS = "a mapping from inputs to columns of the data"


class TrainSpec(Form):
    """The training of the network. Its values wait for the parameters: ``elaborate`` reads them."""

    examples: ClassVar[Mapping[str, str]] = {
        "data": "write `data: mnist`, or your own, as `data: {csv: {path: table.csv, target: price}}`",
        "loss": "write `loss: cross_entropy` for classes, or `loss: mse` for numbers (`netspec help loss`)",
        "optimizer": "write `optimizer: {adam: 0.001}` (`netspec help optimizer`)",
    }

    span: Span
    data: Value
    """the data set: one of netspec's, or files of your own"""
    inputs: Annotated[Mapping[str, str], named_by(lambda key, node, report: read_text(node, report), COLUMNS)] = EMPTY
    """the column of the data that each input reads, where the names do not say so"""
    prepare: Value | None = None
    """transforms of every row"""
    augment: Value | None = None
    """transforms that vary the training rows at random"""
    loss: Value
    """the loss, or one for each output"""
    metrics: Value | None = None
    """the measures of the held-back rows; default: those that suit the loss"""
    optimizer: Value
    """the optimizer: `adam: 0.001`"""
    schedule: Value | None = None
    """the course of the learning rate: `cosine`; default: it stays as it is"""
    epochs: Value | None = None
    """how often the network sees all rows"""
    steps: Value | None = None
    """how many steps the optimizer takes, instead of `epochs`"""
    batch: Value | None = None
    """rows a step, over all devices; null for all rows"""
    validation: Value | None = None
    """the share of the training rows held back to judge by, where the data have no such part: of each class as much"""
    folds: Value | None = None
    """K of K-fold cross-validation"""
    early_stopping: Value | None = None
    """an end when nothing gets better: `{patience, metric}`"""
    weight_decay: Value | None = None
    """how strongly weights are drawn to zero: `{value, skip}`"""
    clip: Value | None = None
    """the largest norm of the gradients (gradient clipping); default: no limit"""
    seed: Value | None = None
    """the seed of the weights, the order and every other chance"""
    precision: Value | None = None
    """the numbers to compute with: `mixed` is bfloat16 by autocast over float32 weights, `float16` the same in float16,
    with a scaled loss; `bfloat16` has the weights in it too"""
    groups: Value | None = None
    """parameters, by patterns of their keys, with what is theirs: `{trunk.*: {lr: 0.001, freeze: 2}}`"""
    layer_decay: Value | None = None
    """the factor by which learning rates fall from each layer to the one before it: `0.75`"""
    batch_norm: Value | None = None
    """batch norms that run as in evaluation meanwhile: `{train: false, of: layer1}`"""
    lora: Value | None = None
    """changes of low rank that are learned in place of the weights: `{rank: 8, of: "*.qkv"}`"""
    drop_last: Value | None = None
    """leave out the rows at the end of an epoch that make no full batch"""
    sample: Value | None = None
    """the share of each class in an epoch: `balanced`, as many rows of each, or a number for each class"""
    group_by_length: Value | None = None
    """put sequences of about equal length into one batch, and leave out the padding that all of them have"""
    accumulate: Value | None = None
    """the number of parts that a batch is worked through in, to save memory (gradient accumulation)"""
    memory: Value | None = None
    """the bytes that a step may take, `8GiB`: they choose `accumulate` and the levels that are recomputed"""
    ema: Value | None = None
    """a moving average of the weights that is judged and kept in their place: `0.999`"""
    average: Value | None = None
    """the number of last epochs whose weights are averaged in the end, and kept in place of the best: `5`"""
    evaluate_train: Value | None = None
    """judge the training rows too, each epoch"""
    init: Value | None = None
    """the initialisation of all weight matrices, or rules as under the spec's `init`"""
    weights: Annotated[WeightsSource | None, reader(read_weights, "weights")] = None
    """the weights to start from: a file, the folder of a run, `torchvision:NAME`, `hf:owner/name`; or `{from, skip,
    rename, prefix, adapter}`"""
    compile: Value | None = None
    """torch.compile: of each repeated block (`regional`), or of the `whole`"""
    channels_last: Value | None = None
    """keep the weights of convolutions with their channels last: fast in bfloat16"""
    devices: Value | None = None
    """`cuda`, `cpu`, what there is (`auto`), or the number of processes on each machine, one a GPU if there are"""
    strategy: Value | None = None
    """the part that each of several devices has: the whole network (`ddp`), or a share of every block (`fsdp`)"""
    workers: Value | None = None
    """the number of processes that read ahead what lies on disk"""
    checkpoint: Value | None = None
    """how often the run is saved: `{minutes, steps, keep}`"""
    loggers: Value | None = None
    """other programs that the scores of each epoch are reported to: `tensorboard`, `wandb`, `mlflow`, or several"""
    published: Annotated[
        Mapping[str, Written], named_by(lambda key, node, report: node, "a mapping from metrics to numbers")
    ] = EMPTY
    """numbers of a paper to be held against: `{accuracy: 0.99}`"""
