"""Tiny configurations of Hugging Face's architectures: the class, the sizes, and what the model reads."""

from __future__ import annotations

from typing import Any

SIZES = dict(
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=64,
    vocab_size=99,
    max_position_embeddings=64,
    pad_token_id=0,
    bos_token_id=1,
    eos_token_id=2,
)
GROUPED = dict(SIZES, num_key_value_heads=2, head_dim=8)
SEQ = dict(
    d_model=32,
    encoder_layers=2,
    decoder_layers=2,
    encoder_attention_heads=4,
    decoder_attention_heads=4,
    encoder_ffn_dim=64,
    decoder_ffn_dim=64,
    vocab_size=99,
    max_position_embeddings=64,
    pad_token_id=0,
    bos_token_id=1,
    eos_token_id=2,
)
VISION = dict(SIZES, image_size=32, patch_size=8, num_channels=3)
TRANSFORMERS: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "bert": ("BertConfig", "BertForMaskedLM", SIZES, "text"),
    "roberta": ("RobertaConfig", "RobertaForMaskedLM", SIZES, "text"),
    "distilbert": (
        "DistilBertConfig",
        "DistilBertForMaskedLM",
        dict(dim=32, n_layers=2, n_heads=4, hidden_dim=64, vocab_size=99),
        "text",
    ),
    "albert": ("AlbertConfig", "AlbertForMaskedLM", dict(SIZES, embedding_size=16), "text"),
    "electra": ("ElectraConfig", "ElectraForPreTraining", dict(SIZES, embedding_size=16), "text"),
    "deberta_v2": ("DebertaV2Config", "DebertaV2ForMaskedLM", SIZES, "text"),
    "gpt2": (
        "GPT2Config",
        "GPT2LMHeadModel",
        dict(n_embd=32, n_layer=2, n_head=4, vocab_size=99, n_positions=64),
        "text",
    ),
    "gpt_neo": (
        "GPTNeoConfig",
        "GPTNeoForCausalLM",
        dict(
            hidden_size=32,
            num_layers=2,
            num_heads=4,
            vocab_size=99,
            max_position_embeddings=64,
            attention_types=[[["global", "local"], 1]],
        ),
        "text",
    ),
    "gpt_neox": ("GPTNeoXConfig", "GPTNeoXForCausalLM", SIZES, "text"),
    "opt": ("OPTConfig", "OPTForCausalLM", dict(SIZES, ffn_dim=64, word_embed_proj_dim=32), "text"),
    "bloom": ("BloomConfig", "BloomForCausalLM", dict(hidden_size=32, n_layer=2, n_head=4, vocab_size=99), "text"),
    "llama": ("LlamaConfig", "LlamaForCausalLM", GROUPED, "text"),
    "mistral": ("MistralConfig", "MistralForCausalLM", GROUPED, "text"),
    "qwen2": ("Qwen2Config", "Qwen2ForCausalLM", GROUPED, "text"),
    "qwen3": ("Qwen3Config", "Qwen3ForCausalLM", GROUPED, "text"),
    "gemma": ("GemmaConfig", "GemmaForCausalLM", GROUPED, "text"),
    "phi": ("PhiConfig", "PhiForCausalLM", SIZES, "text"),
    "mixtral": ("MixtralConfig", "MixtralForCausalLM", dict(GROUPED, num_local_experts=4), "text"),
    "mamba": (
        "MambaConfig",
        "MambaForCausalLM",
        dict(hidden_size=32, num_hidden_layers=2, vocab_size=99, state_size=4),
        "text",
    ),
    "t5": (
        "T5Config",
        "T5ForConditionalGeneration",
        dict(d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, vocab_size=99),
        "pairs",
    ),
    "bart": ("BartConfig", "BartForConditionalGeneration", SEQ, "pairs"),
    "pegasus": ("PegasusConfig", "PegasusForConditionalGeneration", SEQ, "pairs"),
    "whisper": (
        "WhisperConfig",
        "WhisperForConditionalGeneration",
        dict(SEQ, num_mel_bins=16, max_source_positions=20, max_target_positions=20, decoder_start_token_id=1),
        "speech",
    ),
    "wav2vec2": (
        "Wav2Vec2Config",
        "Wav2Vec2ForCTC",
        dict(
            SIZES,
            conv_dim=(16, 16),
            conv_stride=(5, 2),
            conv_kernel=(10, 3),
            num_conv_pos_embeddings=16,
            num_conv_pos_embedding_groups=4,
        ),
        "wave",
    ),
    "vit": ("ViTConfig", "ViTForImageClassification", VISION, "image"),
    "deit": ("DeiTConfig", "DeiTForImageClassification", VISION, "image"),
    "dinov2": ("Dinov2Config", "Dinov2ForImageClassification", VISION, "image"),
    "beit": ("BeitConfig", "BeitForImageClassification", VISION, "image"),
    "swin": (
        "SwinConfig",
        "SwinForImageClassification",
        dict(image_size=32, patch_size=2, embed_dim=16, depths=[2, 2], num_heads=[2, 4], window_size=4),
        "image",
    ),
    "convnext": (
        "ConvNextConfig",
        "ConvNextForImageClassification",
        dict(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 2, 1]),
        "image",
    ),
    "resnet": (
        "ResNetConfig",
        "ResNetForImageClassification",
        dict(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 2]),
        "image",
    ),
    "segformer": (
        "SegformerConfig",
        "SegformerForSemanticSegmentation",
        dict(
            hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], num_attention_heads=[1, 2, 4, 8], decoder_hidden_size=16
        ),
        "image",
    ),
    "mobilevit": (
        "MobileViTConfig",
        "MobileViTForImageClassification",
        dict(image_size=32, hidden_sizes=[16, 24, 32], neck_hidden_sizes=[4, 8, 12, 16, 20, 24, 32]),
        "image",
    ),
    "clip": ("CLIPVisionConfig", "CLIPVisionModel", VISION, "image"),
}
"""The configurations: class of the configuration, class of the model, sizes, and what it reads."""
