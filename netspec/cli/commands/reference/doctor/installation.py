"""An installation of netspec: its packages, the machine, and what keeps it from working."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, requires, version
from textwrap import wrap
from typing import Any

from packaging.requirements import Requirement

from netspec.cli.commands.reference.doctor.trials import Trials
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
    """The state of an installation. ``renderer`` draws pictures; ``trials`` are those of the packages' imports, which
    take their time: lines are given as these are known.
    """

    netspec: str
    python: str
    system: str
    cores: int
    packages: Sequence[Package]
    renderer: str | None
    trials: Trials

    @classmethod
    def find(cls) -> Installation:
        """Look at this machine. Raises ``EnvironmentFault`` if netspec is not installed as a package."""
        packages = [*_packages()]
        modules = dict.fromkeys(module_of(each.name) for each in packages if each.found and each.name not in PROGRAMS)
        return cls(
            __version__,
            platform.python_version(),
            f"{platform.system()} {platform.machine()}",
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
            packages,
            next(iter(renderers("svg")), None),
            Trials([*modules]),
        )

    def fault_of(self, package: Package) -> str | None:
        """Return the reason why a package that is installed does not load."""
        trial = self.trials.of(module_of(package.name)) if package.found else None
        return None if trial is None else trial.fault

    def limit_of(self, package: Package) -> str | None:
        """Return the reason why a package loads only in part."""
        return None if package.found is None else self._seen(module_of(package.name)).get(package.name)

    def _seen(self, module: str) -> Mapping[str, Any]:
        trial = self.trials.of(module)
        return {} if trial is None else trial.seen

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
                f"{each.name} is installed, but does not load: {fault}"
                for each in self.packages
                if not each.extra and (fault := self.fault_of(each))
            ),
        ]

    @cached_property
    def lacks(self) -> list[str]:
        """The purposes that what is installed does not serve in all, each with the packages that are wanting."""
        wanting: dict[str, list[str]] = {}
        for each in self.packages:
            if each.extra not in ("", "dot") and (not each.suits or self.fault_of(each)):
                wanting.setdefault(each.extra, []).append(each.name)
        purposes = [f"{PURPOSES[extra]} ({', '.join(names)})" for extra, names in wanting.items()]
        return purposes if self.renderer else ["pictures", *purposes]

    def to_json(self) -> str:
        """Return all of it as JSON."""
        faults = {each.name: fault for each in self.packages if (fault := self.fault_of(each))}
        record = {
            "netspec": self.netspec,
            "python": self.python,
            "system": self.system,
            "cores": self.cores,
            "free_memory": self._seen("torch").get("free_memory"),
            "packages": [asdict(each) for each in self.packages],
            "broken": faults,
            "limited": {each.name: limit for each in self.packages if (limit := self.limit_of(each))},
            "devices": self._seen("torch").get("devices", []),
            "cuda": self._seen("torch").get("cuda"),
            "runtimes": self._seen("onnxruntime").get("runtimes", []),
            "renderer": self.renderer,
            "faults": self.faults,
            "lacks": self.lacks,
        }
        return json.dumps(record, indent=2)

    def lines(self) -> Iterator[str]:
        """Give all of it as lines of at most 80 columns, each as soon as it is known; the faults last."""
        cores = f"{self.cores} processor{'s' * (self.cores != 1)}"
        yield f"netspec {self.netspec}, Python {self.python}, {self.system}, {cores}"
        for extra, purpose in PURPOSES.items():
            packages = [each for each in self.packages if each.extra == extra]
            if not packages:
                continue
            yield ""
            missing = extra and not all(each.suits for each in packages)
            yield purpose + (f": `pip install 'netspec[{extra}]'`" if missing else "")
            for each in packages:
                yield from self._told(each)
        yield ""
        yield from self._machine()
        yield ""
        yield from self._verdict()

    def _told(self, package: Package) -> Iterator[str]:
        fault, state = self.fault_of(package), "missing" if package.found is None else package.found
        yield f"  {package.name:<20} {state}" + ("" if package.suits else f", {package.wanted} is needed")
        told = f"does not load: {fault}" if fault else self.limit_of(package)
        yield from (f"{'':23}{line}" for line in wrap(told or "", 57))

    def _machine(self) -> Iterator[str]:
        memory = self._seen("torch").get("free_memory")
        if memory is not None:
            yield f"{'memory':<22} {short_bytes(memory)} free"
        yield f"{'GPU':<22} {self._gpus()}"
        runtimes = self._seen("onnxruntime").get("runtimes", [])
        yield f"{'onnxruntime built for':<22} {', '.join(runtimes) or 'nothing'}"
        yield f"{'pictures':<22} {self.renderer or 'none: Graphviz (graphviz.org), or the extra `dot`'}"

    def _verdict(self) -> Iterator[str]:
        if self.faults:
            yield from self.faults
        elif self.lacks:
            yield from wrap(f"netspec works here, but for: {'; '.join(self.lacks)}.", 80)
        else:
            yield "netspec works here."

    def _gpus(self) -> str:
        torch = self.trials.of("torch")
        if torch is None or torch.fault:
            return "not known, as torch " + ("is missing" if torch is None else "does not load")
        if torch.seen.get("devices"):
            return ", ".join(torch.seen["devices"])
        cuda = torch.seen.get("cuda")
        return "none; torch is built " + ("without CUDA" if cuda is None else f"for CUDA {cuda}")


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
