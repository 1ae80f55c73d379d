"""In which modules' calls a node stands, by what exporters write of it: names, and torch's metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from netspec.importer.program import ModuleCall

SCOPES, KINDS = "pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy"
LONGEST = 10_000
"""Characters of a name or of metadata that are read."""
NAME = re.compile(r"[A-Za-z_]\w*(\.\w+)*")
MADE_UP = re.compile(r"(_?(val|arg|const|initializer|node|tmp|onnx|getitem|Constant|p|c|b|n|t|v|x)_?)?\d*(_\d+)*")
"""The names that an exporter made, of what has none of its own."""

PORT = re.compile(r"(keras_tensor|args?)?[._]?\d*([._]\d+)*|(input|output)[._]\d+([._]\d+)*")
"""The names that exporters make of inputs and outputs."""


def node_scopes(name: str, kind: str, metadata: Mapping[str, str], dotted: bool) -> tuple[ModuleCall, ...]:
    """Return the calls of modules around a node of this name and kind, the outermost first.

    ``dotted`` says that names are paths of modules, as in netspec's own files.
    """
    if SCOPES in metadata:
        return _by_metadata(metadata)
    if len(name) > LONGEST:
        return ()
    if dotted:
        return calls_of(name.partition("/")[0])
    if "/" in name:
        return calls_of(_path(name.split("/")[:-1]))
    return ()


def key_of(name: str) -> str:
    """Return the key in a ``state_dict`` that a tensor's name is; nothing where it is a name that an exporter made."""
    if len(name) > LONGEST or not NAME.fullmatch(name) or MADE_UP.fullmatch(name):
        return ""
    owner, _, own = name.rpartition(".")
    return f"{owner}.bias" if own == "weight_bias" else name


def port_names(names: Sequence[str], wish: str) -> list[str]:
    """Return names for a network's inputs or outputs: those of the file; for one that an exporter made, a plain one."""
    made: list[str] = []
    for name in names:
        plain = base = wish if PORT.fullmatch(name) else identifier(re.sub(r"\.\d+$", "", name))
        count = 1
        while plain in made:
            count += 1
            plain = f"{base}_{count}"
        made.append(plain)
    return made


def identifier(name: str) -> str:
    """Return a name as a spec can have it."""
    made = re.sub(r"\W+", "_", name[:60], flags=re.ASCII).strip("_")
    return made if made.isidentifier() else f"value_{made}"


def calls_of(path: str, kinds: Sequence[str] = ()) -> tuple[ModuleCall, ...]:
    """Return a call for each part of a path of modules."""
    parts = path.split(".") if path else []
    return tuple(
        ModuleCall(".".join(parts[: at + 1]), kinds[at] if at < len(kinds) else "") for at in range(len(parts))
    )


def _by_metadata(metadata: Mapping[str, str]) -> tuple[ModuleCall, ...]:
    """The calls as torch's exporter lists them, the whole network's first and the node's own name last."""
    paths, kinds = (_texts(metadata.get(each, "")) for each in (SCOPES, KINDS))
    calls = []
    for path, kind in zip(paths[:-1], [*kinds, *[""] * len(paths)]):
        path = path.partition("@")[0]
        if path:
            calls.append(ModuleCall(path, kind))
    return tuple(calls)


def _texts(listed: str) -> list[str]:
    """The texts of a list as Python prints it."""
    return re.findall(r"'([^']*)'", listed[:LONGEST])


def _path(parts: Sequence[str]) -> str:
    """The path of modules in a name's parts, of which each may begin with the one before: ``layer1/layer1.0``."""
    path: list[str] = []
    before = ""
    for part in parts:
        if not part:
            continue
        own = part[len(before) + 1 :] if before and part.startswith(f"{before}.") else part
        path += [re.sub(r"\W", "_", each) for each in own.split(".") if each]
        before = part
    return ".".join(path)
