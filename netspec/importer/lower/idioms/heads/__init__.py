"""Idioms of attention and its heads: scores, masks, rotary embeddings, torch's module of several heads."""
