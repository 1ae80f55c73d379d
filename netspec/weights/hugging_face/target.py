"""A folder that ``transformers`` loads as a target."""

from __future__ import annotations

from pathlib import Path

from netspec.graph import Graph
from netspec.targets import Target, WriteOptions, Written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from torch import nn

FILES = ("config.json", "model.safetensors", "generation_config.json")
UNCOMPARED = "not verified: `--verify none` leaves out the comparison with transformers"
MISSING = "not verified: transformers is not installed, with which the folder would be loaded and compared"


def write(graph: Graph, folder: Path, options: WriteOptions) -> Written:
    """Write the network, as initialised or filled, as one of Hugging Face's. Raises ``UsageError`` where it is none."""
    from netspec.emit.hugging_face.standing import hugging_face_form
    from netspec.runtime.module import build_module, merged

    hugging_face_form(graph.unchanged or graph)
    module = build_module(graph, options.device)
    if options.fill is not None:
        options.fill(module)
    graph, module = merged(graph, module)
    return write_module(graph, module, folder, options)


def write_module(graph: Graph, module: nn.Module, folder: Path, options: WriteOptions) -> Written:
    """Write the network of a module, and compare it with what transformers load, unless nothing is verified.

    Raises ``UsageError`` where it is none of Hugging Face's, and for a folder with files of another's.
    """
    from netspec.emit.hugging_face.standing import hugging_face_form
    from netspec.runtime.onnx.verify import sizes_to_try
    from netspec.weights.hugging_face.comparison import compare_folder
    from netspec.weights.hugging_face.folder import write_folder

    form = hugging_face_form(graph)
    origin = Path(options.origin).expanduser() if options.origin else None
    files = write_folder(form, module, folder, origin if origin is not None and origin.is_dir() else None)
    facts: dict[str, object] = {"architecture": form.architecture}
    if options.verify == "none":
        return Written(files, {"hugging_face": facts}, notes=(UNCOMPARED,))
    found = compare_folder(form, graph, module, folder, sizes_to_try(graph, options.verify))
    if found is None:
        return Written(files, {"hugging_face": facts}, notes=(MISSING,))
    checks = {"hugging_face": {**facts, "agrees": found.agrees, "difference": found.difference}}
    told = found.told(form)
    return Written(files, checks, notes=(told,)) if found.agrees else Written(files, checks, failure=told)


hf = Target("hf", "a folder that transformers load: GPT-2, Llama, BERT", FILES, write, needs_torch=True)
