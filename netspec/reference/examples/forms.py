"""Examples of the keys of each form, and of the structures and the library's blocks. Together they show every key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netspec.spec import (
    BlockSpec,
    DimSpec,
    Expect,
    Form,
    InputSpec,
    OutputSpec,
    ParamSpec,
    Spec,
    TrainSpec,
    WeightsSpec,
)
from netspec.spec.steps import Structure

FORMS: Mapping[type[Form], Sequence[str]] = {
    Spec: (
        """\
netspec: 1
name: classifier
doc: an MLP of two layers
params: {width: 64}
let: {hidden: 2 * width}
require: [hidden < 1000]
variants: {wide: {width: 256}}
dims: {T: 128}
inputs: {x: [N, T, 16]}
blocks:
  hidden: {params: {width: int}, body: [linear: width, relu]}
network:
  - hidden: hidden
  - linear: {name: fc, out_features: 10}
outputs: {logits: fc}
init: {linear.weight: xavier_uniform, linear.bias: zeros}
expect: {params: {max: 10k}}""",
        """\
import: [blocks.yaml]
network: [hidden]""",
        """\
networks:
  encoder: {netspec: 1, name: encoder, inputs: {x: [N, D]}, network: [linear: 8, relu]}
network: [flatten, use: encoder, linear: 10]""",
        """\
netspec: 1
name: small_resnet
extends: resnet18
params: {classes: 10}
network:
  conv1: {kernel_size: 3, stride: 1, padding: 1}
  max_pool2d: []
  fc: {before: [dropout: 0.5]}""",
        """\
network: [flatten, linear: 10]
train: {data: digits, loss: cross_entropy, optimizer: adam, epochs: 10}""",
    ),
    TrainSpec: (
        """\
train:
  data: mnist
  prepare: {normalize: {mean: 0.13, std: 0.31}}
  augment: [random_crop: 2, random_erasing: 4]
  loss: {cross_entropy: {label_smoothing: 0.1}}
  metrics: [accuracy, f1]
  optimizer: {adamw: 0.001}
  weight_decay: {value: 0.01, skip: [bias, norm]}
  groups: {'*.bias': {lr: 0.0001, freeze: 2}}
  schedule: {one_cycle: {pct_start: 0.2}}
  epochs: 10
  batch: 128
  clip: 1.0
  ema: {decay: 0.999, warmup: true}
  early_stopping: {patience: 3, metric: accuracy}
  validation: 0.1
  seed: 1
  published: {accuracy: 0.99}""",
        """\
train:
  data: mnist
  inputs: {x: image}
  loss: cross_entropy
  optimizer: {sgd: {lr: 0.1, momentum: 0.9}}
  steps: 1000
  batch: 256
  accumulate: 4
  memory: 8GiB
  drop_last: true
  sample: balanced
  init: orthogonal
  precision: mixed
  compile: regional
  channels_last: true
  devices: cuda
  strategy: ddp
  workers: 2
  average: 5
  evaluate_train: true
  checkpoint: {minutes: 5, keep: 3}
  weights: {from: runs/base/last, skip: head}
  loggers: [tensorboard, mlflow]""",
        """\
train:
  data: digits
  loss: cross_entropy
  optimizer: adam
  epochs: 20
  folds: 5""",
        """\
train:
  data: {pairs: english_french.tsv}
  loss: cross_entropy
  optimizer: adam
  epochs: 5
  group_by_length: true""",
        """\
inputs: {image: [N, 1, 28, 28]}
network: [{conv2d: {out_channels: 8, kernel_size: 3}}, batch_norm2d, relu, flatten, linear: 10]
train:
  data: mnist
  loss: cross_entropy
  optimizer: adam
  epochs: 5
  batch_norm: {train: false}""",
        """\
network: [flatten, linear: 32, relu, linear: 10]
train:
  data: mnist
  loss: cross_entropy
  optimizer: adam
  epochs: 5
  layer_decay: 0.75""",
        """\
network: [flatten, linear: {name: fc1, out_features: 32}, relu, linear: {name: fc2, out_features: 10}]
train:
  data: mnist
  loss: cross_entropy
  optimizer: adam
  epochs: 5
  lora: {rank: 4, of: fc1}""",
    ),
    BlockSpec: (
        """\
blocks:
  gated:
    doc: the input, let through by a gate
    params: {reduction: int}
    let: {width: "shape[-1]"}
    inputs: [input, mask?]
    require: [width % reduction == 0]
    body:
      - linear: width // reduction
      - linear: {name: gate, out_features: width}
      - sigmoid
      - multiply: {name: out, from: [input, prev]}
    outputs: {gated: out}
network:
  - gated: 4""",
    ),
    ParamSpec: (
        """\
params:
  width: {default: 64, min: 8, max: 1024, doc: the width of the hidden layer}
  activation: {type: str, default: relu, choices: [relu, gelu]}
network:
  - linear: width""",
    ),
    InputSpec: (
        """\
inputs:
  tokens: {shape: [N, T], below: 1000, dtype: int64}
  weights: {shape: [N, T], range: [0, 1], optional: true}
network:
  - embedding: {from: tokens, num_embeddings: 1000, embedding_dim: 16}""",
    ),
    OutputSpec: (
        """\
params: {with_head: true}
network:
  - linear: {name: hidden, out_features: 32}
  - side: [linear: {name: early, out_features: 10, from: hidden}]
  - linear: {name: fc, out_features: 10, from: hidden}
outputs:
  logits: fc
  auxiliary: {from: early, when: training, if: with_head}""",
    ),
    DimSpec: (
        """\
dims: {T: {default: 128, min: 1, max: 512}}
inputs: {x: [N, T, 16]}
network: [linear: 8]""",
    ),
    WeightsSpec: (
        """\
train:
  data: digits
  loss: cross_entropy
  optimizer: adam
  epochs: 10
  weights: {from: trained.pth, prefix: "model.", rename: {'^body[.]': 'trunk.'}, skip: head.*}""",
        """\
network: [flatten, linear: {name: fc1, out_features: 32}, relu, linear: {name: fc2, out_features: 10}]
train:
  data: mnist
  loss: cross_entropy
  optimizer: adam
  epochs: 10
  lora: {rank: 4, of: fc1}
  weights: {from: trained.pth, adapter: runs/classifier/1/adapter}""",
    ),
    Expect: (
        """\
inputs: {image: [N, 1, 28, 28]}
network: [flatten, linear: 10]
expect: {params: 7_850, weights: {max: 40kB}, macs: 7_840, outputs: {output: [N, 10]}}""",
    ),
}
"""Specs by the form whose keys they show, but for the keys that every spec needs; a structure has its own."""


def form_examples(form: type[Form]) -> Sequence[str]:
    """Return the specs that show the keys of a form, but for the keys that every spec needs."""
    return form.usage if issubclass(form, Structure) else FORMS[form]


STEPS: Mapping[str, str] = {
    "name": """\
network:
  - linear: {name: fc, out_features: 10}""",
    "from": """\
network:
  - linear: {name: left, out_features: 8}
  - linear: {name: right, out_features: 8, from: x}
  - add: {from: [left, right]}""",
    "state_key": """\
inputs: {image: [N, 3, 32, 32]}
network:
  - conv2d: {name: stem, state_key: block1-0, out_channels: 8, kernel_size: 3}
  - relu
  - conv2d: {state_key: layers.0, out_channels: 8, kernel_size: 1}
  - add: {from: [stem, prev]}""",
    "freeze": """\
network:
  - linear: {out_features: 32, freeze: true}
  - linear: 10""",
    "recompute": """\
inputs: {x: [N, T, 64]}
network:
  - repeat: {name: h, count: 12, body: [transformer_encoder_layer: 4], recompute: true}""",
    "init": """\
network:
  - linear: {out_features: 10, init: {weight: {normal: 0.02}, bias: zeros}}""",
    "tie": """\
inputs: {tokens: {shape: [N, T], dtype: int64, below: 1000}}
network:
  - embedding: {name: wte, num_embeddings: 1000, embedding_dim: 64}
  - linear: {name: head, out_features: 1000, bias: false, tie: {weight: wte.weight}}""",
}
"""The same of the keys that every step takes."""

BLOCKS: Mapping[str, str] = {
    "additive_attention": """\
inputs: {q: [N, 16], k: [N, T, 16], v: [N, T, 8]}
network:
  - additive_attention: {query: q, key: k, value: v, hidden: 32}""",
    "aspp": """\
inputs: {x: [N, 16, H, W]}
network:
  - aspp: {out_channels: 32, rates: [2, 4]}""",
    "c2f": """\
inputs: {x: [N, 16, 32, 32]}
network:
  - c2f: {out_channels: 32, depth: 2, shortcut: true}""",
    "conv_bn_silu": """\
inputs: {x: [N, 3, 32, 32]}
network:
  - conv_bn_silu: {out_channels: 16, stride: 2}""",
    "conv_norm_activation": """\
inputs: {x: [N, 3, 32, 32]}
network:
  - conv_norm_activation: {out_channels: 16, stride: 2}""",
    "mixture_of_experts": """\
inputs: {x: [N, T, 64]}
network:
  - mixture_of_experts: {num_experts: 8, top_k: 2, hidden: 128}""",
    "convnext_block": """\
inputs: {x: [N, 16, 32, 32]}
network:
  - convnext_block: {drop_path: 0.1}""",
    "cross_attention": """\
inputs: {x: [N, T, 16], memory: [N, S, 16]}
network:
  - cross_attention: {query: x, key: memory, num_heads: 4}""",
    "dot_attention": """\
inputs: {q: [N, 16], k: [N, T, 16], v: [N, T, 8]}
network:
  - dot_attention: {query: q, key: k, value: v}""",
    "feed_forward": """\
inputs: {x: [N, T, 16]}
network:
  - feed_forward: 64""",
    "fused_mbconv": """\
inputs: {x: [N, 16, 32, 32]}
network:
  - fused_mbconv: {out_channels: 24, stride: 2}""",
    "grouped_query_attention": """\
inputs: {x: [N, T, 64]}
network:
  - grouped_query_attention: {num_heads: 8, num_kv_heads: 2}""",
    "inverted_residual": """\
inputs: {x: [N, 16, 32, 32]}
network:
  - inverted_residual: {out_channels: 24, stride: 2}""",
    "mbconv": """\
inputs: {x: [N, 16, 32, 32]}
network:
  - mbconv: {out_channels: 24, kernel_size: 5, stride: 2}""",
    "resnet_block": """\
inputs: {x: [N, 64, 32, 32], time: {shape: [N], dtype: int64, below: 1000}}
network:
  - time_embedding: {name: embedding, input: time, width: 64}
  - resnet_block: {input: x, embedding: embedding, out_channels: 128}""",
    "fpn": """\
inputs: {c3: [N, 64, 32, 32], c4: [N, 128, 16, 16], c5: [N, 256, 8, 8]}
network:
  - fpn: {name: neck, first: c3, second: c4, third: c5, out_channels: 64}
outputs: {p3: neck.first, p4: neck.second, p5: neck.third}""",
    "selective_scan": """\
inputs: {x: [N, T, 8], b: [N, T, 4], c: [N, T, 4]}
network:
  - parameter: {name: rates, shape: [8, 4]}
  - parameter: {name: skip, shape: [8]}
  - linear: {from: x, out_features: 8}
  - softplus: {name: delta}
  - selective_scan: {input: x, delta: delta, A: rates, B: b, C: c, D: skip}""",
    "self_attention": """\
inputs: {x: [N, T, 16]}
network:
  - self_attention: {num_heads: 4, causal: true}""",
    "shifted_window_attention": """\
inputs: {x: [N, 14, 14, 32]}
network:
  - shifted_window_attention: {num_heads: 4, shift_size: 3}""",
    "sppf": """\
inputs: {x: [N, 16, 32, 32]}
network:
  - sppf: 32""",
    "squeeze_excite": """\
inputs: {x: [N, 16, 32, 32]}
network:
  - squeeze_excite: 4""",
    "swin_block": """\
inputs: {x: [N, 14, 14, 32]}
network:
  - swin_block: {num_heads: 4, shift_size: 3}""",
    "swiglu": """\
inputs: {x: [N, T, 64]}
network:
  - swiglu: 128""",
    "time_embedding": """\
inputs: {time: {shape: [N], dtype: int64, below: 1000}}
network:
  - time_embedding: 64""",
    "transformer_decoder_layer": """\
inputs: {x: [N, T, 16], memory: [N, S, 16]}
network:
  - transformer_decoder_layer: {tgt: x, memory: memory, nhead: 4, dim_feedforward: 64}""",
    "transformer_encoder_layer": """\
inputs: {x: [N, T, 16]}
network:
  - transformer_encoder_layer: {nhead: 4, dim_feedforward: 64}""",
    "transposed_linear": """\
inputs: {x: [N, 16]}
network:
  - transposed_linear: 10""",
}
