"""The words of a run as a tokenizer of Hugging Face's, for the folder that its network is exported to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from netspec.files import write_text
from netspec.train.data.meaning import UNKNOWN, by_character
from netspec.train.predict.answers import END

LETTER, WORD = r"[\s\S]", r"\w+|[^\w\s]"
"""The parts of a text: each of its characters, or its words and punctuation marks."""


def write_own_tokenizer(words: Sequence[str], folder: Path) -> tuple[Path, ...]:
    """Write ``tokenizer.json`` and ``tokenizer_config.json``, which divide a text as the run's data set does.

    Returns the files; none where the package ``tokenizers`` is not installed.
    """
    try:
        from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
    except ModuleNotFoundError:
        return ()
    letters = by_character(words)
    known = {"unk_token": UNKNOWN} if UNKNOWN in words else {}
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, **known))
    if not any(word != word.lower() for word in words):
        made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Split(Regex(LETTER if letters else WORD), "removed", invert=True)
    if letters:
        made.decoder = decoders.Fuse()
    ends = {"eos_token": END} if END in words else {}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False, **known, **ends}
    files = folder / "tokenizer.json", folder / "tokenizer_config.json"
    write_text(files[0], made.to_str(pretty=True) + "\n")
    write_text(files[1], json.dumps(settings, indent=2) + "\n")
    return files
