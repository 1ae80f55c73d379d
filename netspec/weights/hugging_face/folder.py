"""The files of a folder in Hugging Face's layout."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from torch import nn

from netspec.diagnostics import UsageError
from netspec.emit.hugging_face.standing import HuggingFaceForm
from netspec.files import replacing, write_text
from netspec.runtime.decoding.tokenizer import WORDS, word_settings
from netspec.text.quoting import json_text
from netspec.weights.files.index import FOLDER_FILES
from netspec.weights.files.safetensors import SEAL, TIED, SafetensorsFile, write_tensors

CONFIG, WEIGHTS, GENERATION = "config.json", "model.safetensors", "generation_config.json"
TOKENIZER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "tokenizer.model",
    "spiece.model",
    "chat_template.jinja",
)
"""The files of tokenizers, in any of the forms that Hugging Face gives them."""


def write_folder(
    form: HuggingFaceForm, module: nn.Module, folder: Path, origin: Path | None = None
) -> tuple[Path, ...]:
    """Write a network's settings and weights, float32, into a folder; return the files.

    ``origin`` is a folder of Hugging Face's that the weights come from: the files of its tokenizer, and the numbers of
    the words that begin and end a text, are taken over. Raises ``EnvironmentFault`` where a file cannot be written.
    """
    guard_own(folder)
    words = {} if origin is None else word_settings(origin)
    files = [folder / CONFIG]
    config = {**form.config, **dict.fromkeys(WORDS[:2]), **words} if form.writes else {**form.config, **words}
    write_text(files[0], json_text({**config, "dtype": "float32"}, indent=2) + "\n")
    state = module.state_dict()
    renamed = {own: key for own, key in form.keys.items() if own != key}
    texts = {TIED: json.dumps(renamed)} if renamed else {}
    write_tensors({key: state[own].float() for own, key in form.keys.items()}, folder / WEIGHTS, texts)
    files.append(folder / WEIGHTS)
    if form.writes:
        files.append(folder / GENERATION)
        write_text(files[-1], json_text({name: config.get(name) for name in WORDS[:3]}, indent=2) + "\n")
    for name in TOKENIZER if origin is not None else ():
        assert origin is not None
        if (origin / name).is_file():
            with replacing(folder / name) as temporary:
                shutil.copyfile(origin / name, temporary)
            files.append(folder / name)
    return tuple(files)


def guard_own(folder: Path) -> None:
    """Guard: no settings or weights in the folder are another's. Raises ``UsageError``."""
    own = folder / WEIGHTS
    if own.is_file() and SEAL in SafetensorsFile(own).texts:
        return
    there = [name for name in (CONFIG, *FOLDER_FILES) if (folder / name).exists()]
    if there:
        raise UsageError(f"{folder / there[0]} was not written by netspec, and is left alone: choose another folder")
