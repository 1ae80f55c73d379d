"""Hugging Face's transformers as an oracle: its networks with random weights, without a network connection."""

from __future__ import annotations

import os
import warnings
from typing import Any

from torch import nn
from zoo import vision  # before transformers, which imports torchvision

os.environ["HF_HUB_OFFLINE"] = "1"


def _import() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import transformers

        for name in ("GPT2LMHeadModel", "BertModel", "LlamaForCausalLM"):  # loaded when first asked for
            getattr(transformers, name)
    transformers.logging.set_verbosity_error()
    return transformers


transformers = _import()


def gpt2(**options: Any) -> nn.Module:
    """GPT-2 with its language-modelling head."""
    ends = {"bos_token_id": 0, "eos_token_id": 0}
    return _made(transformers.GPT2LMHeadModel, transformers.GPT2Config(**ends, **options))


def bert(**options: Any) -> nn.Module:
    """BERT with its pooler."""
    return _made(transformers.BertModel, transformers.BertConfig(**options))


def llama(**options: Any) -> nn.Module:
    """Llama with its language-modelling head, rotating as Llama 3 does."""
    rope = {"rope_theta": 500000.0, "rope_type": "default"}
    chosen: dict[str, Any] = {"rms_norm_eps": 1e-5, "rope_parameters": rope, "bos_token_id": 0, "eos_token_id": 0}
    return _made(transformers.LlamaForCausalLM, transformers.LlamaConfig(**chosen, **options))


def _made(kind: Any, config: Any) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made: nn.Module = kind(config)
    return made.eval()


def randomised(module: nn.Module) -> nn.Module:
    """Gives parameters values that are telling; buffers hold numbers of positions, and speeds."""
    return vision.randomised(module, buffers=False)
