"""Weights that libraries fetch and keep: torchvision's, and those of repositories on Hugging Face's hub."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import URLError

from netspec.diagnostics import EnvironmentFault, UsageError, clipped, did_you_mean
from netspec.runtime.vision import import_torchvision
from netspec.weights.files.index import FOLDER_FILES, INDEX, shard_names

REPOSITORY = re.compile(r"(?P<id>[\w.-]+(/[\w.-]+)?)(/(?P<file>[\w./-]+))?(@(?P<revision>[\w./-]+))?")
EXAMPLE = "`torchvision:ResNet50_Weights.IMAGENET1K_V2`"


class Fetched(NamedTuple):
    """A file that a library keeps: what it is called, and what a record says of it besides."""

    path: Path
    told: str
    facts: Mapping[str, Any]


def from_torchvision(name: str, network: str) -> Fetched:
    """Return torchvision's weights of a name: of the network's model, as ``IMAGENET1K_V2``, or ``ResNet50_Weights.…``.

    torchvision fetches them where it has not kept them yet. Raises ``UsageError`` where it has no such weights,
    ``EnvironmentFault`` where it cannot fetch them.
    """
    import_torchvision()
    models, hub = import_module("torchvision.models"), import_module("torch.hub")
    weights = _full_name(models, name) if "." in name else _of_model(models, name, network)
    path = Path(hub.get_dir()) / "checkpoints" / os.path.basename(weights.url)
    if not path.is_file():
        try:
            weights.get_state_dict(progress=False, check_hash=True, weights_only=True, map_location="cpu")
        except (URLError, OSError) as fault:
            raise EnvironmentFault(f"torchvision cannot fetch {weights.url}: {fault}") from None
        except RuntimeError as fault:  # the digest in its name is another
            raise EnvironmentFault(f"torchvision has fetched something else from {weights.url}: {fault}") from None
    return Fetched(path, str(weights), {"file": path.name})


def _full_name(models: Any, name: str) -> Any:
    try:
        return models.get_weight(name)
    except (ValueError, AttributeError, KeyError):
        raise UsageError(f"torchvision has no weights `{clipped(name)}`: they are named as {EXAMPLE}") from None


def _of_model(models: Any, name: str, network: str) -> Any:
    """The weights of a name of torchvision's model that is called as the network is."""
    model = network.removesuffix("_torchvision")
    known = models.list_models(module=models) + models.list_models(module=models.segmentation)
    known += models.list_models(module=models.video) + models.list_models(module=models.detection)
    if model not in known:
        raise UsageError(f"torchvision has no model `{clipped(network)}`: name the weights in full, as {EXAMPLE}")
    weights = models.get_model_weights(model)
    if name not in weights.__members__:
        hint = did_you_mean(name, weights.__members__) or "it has none"
        raise UsageError(f"torchvision has no weights `{clipped(name)}` of {model}: {hint}")
    return weights[name]


def from_hugging_face(name: str) -> Fetched:
    """Return the weights of a repository, ``owner/name[/FILE][@revision]``, in Hugging Face's cache.

    What it does not have yet is fetched. Raises ``UsageError`` where there is no such repository or file,
    ``EnvironmentFault`` where it cannot be reached.
    """
    parts = REPOSITORY.fullmatch(name)
    if parts is None:
        raise UsageError(f"`hf:{clipped(name)}` is not written as `hf:owner/name`, with `/FILE` or `@revision` behind")
    repository = Repository(parts["id"], parts["revision"])
    path = repository.first([parts["file"]] if parts["file"] else FOLDER_FILES)
    if path.name.endswith(INDEX):
        for shard in shard_names(path):
            repository.first([shard])
    snapshot = re.search(r"/snapshots/([0-9a-f]+)/", path.as_posix())
    return Fetched(path, f"hf:{name}", {"revision": snapshot[1]} if snapshot else {})


class Repository:
    """A repository on the hub, at a revision (default: its main one)."""

    def __init__(self, name: str, revision: str | None):
        self.name, self.revision = name, revision

    def first(self, files: Sequence[str]) -> Path:
        """Return the first of these files that it has, in the cache. Raises ``UsageError`` where it has none."""
        hub, errors = import_module("huggingface_hub"), import_module("huggingface_hub.errors")
        unreached = ""
        for file in files:
            try:
                return Path(hub.hf_hub_download(self.name, file, revision=self.revision))
            except errors.LocalEntryNotFoundError as fault:
                unreached = first_line(fault)
            except errors.EntryNotFoundError:
                continue
            except errors.RevisionNotFoundError:
                raise UsageError(f"the repository {self.name} has no revision `{self.revision}`") from None
            except errors.RepositoryNotFoundError as fault:
                raise UsageError(f"the hub has no repository {self.name} for you: {first_line(fault)}") from None
            except (errors.HfHubHTTPError, errors.HFValidationError, OSError) as fault:
                raise EnvironmentFault(f"{self.name} cannot be fetched: {first_line(fault)}") from None
        what = " or ".join(files if len(files) < 3 else [*files[:2], "the like"])
        if unreached:
            raise EnvironmentFault(f"{self.name} is not kept here with {what}, and the hub is not reached: {unreached}")
        raise UsageError(f"the repository {self.name} has no {what}")


def first_line(fault: BaseException) -> str:
    """Return the first line of a library's words."""
    return clipped(str(fault).strip().partition("\n")[0], 200)
