"""The whole of ``nn.Transformer`` from the library's layers: its keys, its numbers."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

import netspec

SPEC = """\
netspec: 1
name: whole
inputs: {src: [N, S, 8], tgt: [N, T, 8]}
network:
  - sequential:
      name: encoder
      from: src
      body:
        - repeat: {name: layers, count: 2, body: [transformer_encoder_layer: {nhead: 2, dim_feedforward: 16}]}
        - layer_norm: {name: norm}
  - sequential:
      name: decoder
      from: tgt
      body:
        - repeat:
            name: layers
            count: 3
            body:
              - transformer_decoder_layer: {tgt: prev, memory: encoder, nhead: 2, dim_feedforward: 16}
        - layer_norm: {name: norm}
"""


def test_the_layers_make_torchs_transformer(tmp_path: Path) -> None:
    path = tmp_path / "whole.yaml"
    path.write_text(SPEC)
    ours = netspec.load(path).module().eval()
    theirs = nn.Transformer(8, 2, 2, 3, 16, batch_first=True).eval()
    ours.load_state_dict(theirs.state_dict())
    src, tgt = torch.randn(3, 5, 8), torch.randn(3, 4, 8)
    mask = nn.Transformer.generate_square_subsequent_mask(4)
    with torch.no_grad():
        torch.testing.assert_close(ours(src, tgt), theirs(src, tgt, tgt_mask=mask, tgt_is_causal=True))
