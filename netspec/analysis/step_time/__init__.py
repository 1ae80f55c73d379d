"""Step time, foretold from the graph and from what a device was measured to take."""

from netspec.analysis.step_time.device import KINDS, OPTIMIZER_KINDS, DeviceRecord, Seconds, WorkTable, read_device
from netspec.analysis.step_time.times import StepSeconds, StepTime, optimizer_kind

__all__ = [
    "KINDS",
    "OPTIMIZER_KINDS",
    "DeviceRecord",
    "Seconds",
    "StepSeconds",
    "StepTime",
    "WorkTable",
    "optimizer_kind",
    "read_device",
]
