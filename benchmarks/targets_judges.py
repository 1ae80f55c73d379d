"""The runtimes and tools of `targets.py`: where they are installed, and the processes that run files on them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import SIGKILL
from tempfile import TemporaryDirectory
from threading import Timer
from typing import Any

OLD = ("1.15.1", "1.16.3", "1.17.3", "1.18.1", "1.19.2", "1.20.1", "1.21.1", "1.22.1", "1.23.2", "1.26.0", "1.32.0")
OLD_NUMPY = ("1.15", "1.16", "1.17", "1.18")
RUNTIMES: Mapping[str, str] = {
    **{f"onnxruntime {version}": f"onnxruntime=={version}" for version in OLD},
    "onnxruntime": "",
    "onnxruntime-web": "onnxruntime-web@1.30.0",
    "openvino": "openvino==2026.4.1",
    "reference": "",
}
"""The runtimes by the table's names, with what pip or npm installs; nothing for those of this environment."""
TOOLS: Mapping[str, str] = {
    "onnxslim": "onnxslim==0.1.98",
    "onnxsim": "onnxsim==0.8.1",
    "onnx2torch": "onnx2torch==1.5.15",
    "float16": "onnxconverter-common==1.16.0",
    "dynamic-int8": "",
    "static-int8": "",
    "opset-22": "",
}
"""The tools by the table's names, with what pip installs."""
OPSETS = {"1.15": 18, "1.16": 19, "1.17": 20, "1.18": 21, "1.19": 21, "1.20": 21, "1.21": 22, "1.22": 22}
"""The newest opsets that onnxruntimes say they have."""
SECONDS = {"reference": 30, "onnxruntime-web": 300}
"""The time that a runtime has for an entry, where it is not two minutes."""
IN_BROWSER = (
    "lenet",
    "resnet_cifar",
    "mobilenet_v3_small",
    "squeezenet",
    "yolov8",
    "lstm_lm",
    "llama",
    "gpt2",
    "vit",
    "unet",
)
"""The entries that run in a browser."""


def asked_of(entry: str, names: Sequence[str]) -> list[str]:
    """Return the runtimes that an entry is run on."""
    return [name for name in names if name != "onnxruntime-web" or entry in IN_BROWSER]


def installed(name: str, folder: Path) -> dict[str, str]:
    """Return the environment of a runtime, which is installed if it is not there."""
    wanted = {**RUNTIMES, **TOOLS}[name]
    if not wanted:
        return dict(os.environ)
    if "@" in wanted:
        place = folder / wanted.replace("@", "-")
        if not place.is_dir():
            place.mkdir(parents=True)
            subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--prefix", str(place), wanted], check=True)
        dist = place / "node_modules" / wanted.partition("@")[0] / "dist"
        return {**os.environ, "ONNXRUNTIME_WEB": str(dist)}
    place = folder / wanted.replace("==", "-")
    if not place.is_dir():
        old = any(f"onnxruntime=={each}" in wanted for each in OLD_NUMPY)
        beside = [] if name in TOOLS else ["numpy<2" if old else "numpy"]
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(place), wanted, *beside]
        subprocess.run(command, check=True)
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(place), os.environ.get("PYTHONPATH", "")))}


class Judge:
    """A process that runs files on a runtime; it is begun again where a file has ended it."""

    def __init__(self, name: str, environment: Mapping[str, str]):
        self.name, self.environment = name, environment
        self.process: subprocess.Popen[str] | None = None
        self.scratch = TemporaryDirectory()  # some tools leave files where they run

    def judge(self, folder: Path) -> dict[str, Any]:
        """Return the difference of a file's outputs from those expected, or why there is none."""
        if self.process is None or self.process.poll() is not None:
            command = [sys.executable, "-u", str(Path(__file__).resolve().with_name("judge.py")), self.name.split()[0]]
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            self.process = subprocess.Popen(
                command, env=dict(self.environment), cwd=self.scratch.name, text=True, **pipes
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        seconds = SECONDS.get(self.name, 120)
        timer = Timer(seconds, self.process.kill)
        timer.start()
        try:
            self.process.stdin.write(f"{folder}\n")
            self.process.stdin.flush()
            for line in self.process.stdout:
                if line.startswith("{"):
                    found: dict[str, Any] = json.loads(line)
                    return found
        finally:
            timer.cancel()
        ended = self.process.wait()
        return {"slow": seconds} if ended == -SIGKILL else {"error": f"the process ended with {ended}"}
