"""An installation of netspec: its packages, the machine, and what keeps it from working."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, requires, version
from textwrap import wrap

from packaging.requirements import Requirement

from netspec.cli.commands.reference.doctor.trials import tried
from netspec.diagnostics import EnvironmentFault
from netspec.emit.diagram.render import renderers
from netspec.text.quantities import short_bytes
from netspec.version import __version__

PURPOSES = {
    "": "networks, source and ONNX",
    "train": "training",
    "data": "images, Parquet and data of Hugging Face",
    "dot": "pictures without Graphviz",
    "lsp": "the language server of editors",
    "generate": "texts that networks write",
    "openvino": "verification on OpenVINO",
    "tensorboard": "curves in TensorBoard",
    "wandb": "curves in Weights & Biases",
    "mlflow": "curves in MLflow",
}
"""The purpose of each extra of ``pyproject.toml``; none is what all need. Those for tests and docs are left out."""
PROGRAMS = ("graphviz-pure",)
"""Packages that bring a program, and no module."""
MODULES = {"pyyaml": "yaml", "pillow": "PIL", "onnxruntime-gpu": "onnxruntime"}
"""Modules that are not called as their packages."""


@dataclass(frozen=True)
class Package:
    """A package that netspec works with, of an ``extra``; ``found`` is its version, ``None`` if it is not installed."""

    name: str
    wanted: str
    extra: str
    found: str | None
    suits: bool


@dataclass(frozen=True)
class Installation:
    """The state of an installation. ``devices`` are the GPUs, ``runtimes`` the execution providers of onnxruntime;
    ``renderer`` draws pictures; ``broken`` are packages that are installed but do not load, with their reasons;
    ``limited`` those that load in part.
    """

    netspec: str
    python: str
    system: str
    cores: int
    free_memory: int | None
    packages: Sequence[Package]
    broken: dict[str, str]
    limited: dict[str, str]
    devices: Sequence[str]
    cuda: str | None
    runtimes: Sequence[str]
    renderer: str | None

    @classmethod
    def find(cls) -> Installation:
        """Look at this machine. Raises ``EnvironmentFault`` if netspec is not installed as a package."""
        packages = [*_packages()]
        modules = {module_of(each.name): each.name for each in packages if each.found and each.name not in PROGRAMS}
        trials = tried([*modules])
        seen = {name: value for trial in trials.values() for name, value in trial.seen.items()}
        return cls(
            __version__,
            platform.python_version(),
            f"{platform.system()} {platform.machine()}",
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
            seen.get("free_memory"),
            packages,
            {modules[name]: trial.fault for name, trial in trials.items() if trial.fault is not None},
            {name: seen[name] for name in ("torchvision",) if name in seen},
            seen.get("devices", []),
            seen.get("cuda"),
            seen.get("runtimes", []),
            next(iter(renderers("svg")), None),
        )

    @cached_property
    def faults(self) -> list[str]:
        """The faults that keep netspec from working, each with what mends it."""
        lacking = [each for each in self.packages if not each.extra and not each.suits]
        return [
            *(
                f"{each.name} {each.found or 'is missing'}: `pip install '{each.name}{each.wanted}'`"
                for each in lacking
            ),
            *(
                f"{each.name} is installed, but does not load: {self.broken[each.name]}"
                for each in self.packages
                if not each.extra and each.name in self.broken
            ),
        ]

    def to_json(self) -> str:
        """Return all of it as JSON."""
        return json.dumps({**asdict(self), "faults": self.faults}, indent=2)

    def text(self) -> str:
        """Return all of it as lines of at most 80 columns, the faults last."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        memory = "" if self.free_memory is None else f", {short_bytes(self.free_memory)} of memory free"
        cores = f"{self.cores} processor{'s' * (self.cores != 1)}"
        yield f"netspec {self.netspec}, Python {self.python}, {self.system}, {cores}{memory}"
        for extra, purpose in PURPOSES.items():
            packages = [each for each in self.packages if each.extra == extra]
            if not packages:
                continue
            yield ""
            missing = extra and not all(each.suits for each in packages)
            yield purpose + (f": `pip install 'netspec[{extra}]'`" if missing else "")
            for each in packages:
                state = "missing" if each.found is None else each.found
                yield f"  {each.name:<20} {state}" + ("" if each.suits else f", {each.wanted} is needed")
                if each.name in self.broken or each.name in self.limited:
                    told = f"does not load: {self.broken[each.name]}" if each.name in self.broken else None
                    yield from (f"{'':23}{line}" for line in wrap(told or self.limited[each.name], 57))
        yield ""
        yield f"{'GPU':<22} {self._gpus()}"
        yield f"{'onnxruntime built for':<22} {', '.join(self.runtimes) or 'nothing'}"
        yield f"{'pictures':<22} {self.renderer or 'none: Graphviz (graphviz.org), or the extra `dot`'}"
        yield ""
        yield from self.faults or ["netspec can work here."]

    def _gpus(self) -> str:
        if self.devices:
            return ", ".join(self.devices)
        if "torch" in self.broken:
            return "not known, as torch does not load"
        return "none; torch is built " + ("without CUDA" if self.cuda is None else f"for CUDA {self.cuda}")


def module_of(package: str) -> str:
    """Return the name that a package is imported by."""
    return MODULES.get(package, package.replace("-", "_"))


def _packages() -> Iterator[Package]:
    try:
        wanted = [Requirement(each) for each in requires("netspec") or ()]
    except PackageNotFoundError:
        raise EnvironmentFault("netspec is not installed as a package: `pip install -e .` in its folder") from None
    for extra in PURPOSES:
        for each in wanted:
            marked = "extra" in str(each.marker)
            if bool(extra) == marked and (each.marker is None or each.marker.evaluate({"extra": extra})):
                found = _version(each.name)
                suits = found is not None and each.specifier.contains(found, prereleases=True)
                yield Package(each.name, str(each.specifier), extra, found, suits)


def _version(name: str) -> str | None:
    """The version of a package; onnxruntime is one of several that bring the same."""
    for each in (name, "onnxruntime") if name == "onnxruntime-gpu" else (name,):
        try:
            return version(each)
        except PackageNotFoundError:
            continue
    return None
