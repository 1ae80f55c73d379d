"""The ONNX files that ``imports.py`` imports: of torchvision's networks by both exporters of torch, and of Keras's."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

from imports_models import torchvision_model

NETWORKS = (
    "alexnet",
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "efficientnet_v2_s",
    "fcn_resnet50",
    "googlenet",
    "inception_v3",
    "lraspp_mobilenet_v3_large",
    "maxvit_t",
    "mnasnet0_5",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "regnet_y_400mf",
    "resnet18",
    "resnet50",
    "shufflenet_v2_x0_5",
    "squeezenet1_1",
    "swin_t",
    "vgg11_bn",
    "vit_b_16",
)
"""torchvision's networks whose files are written: one of nearly every family for images."""
KERAS = {
    "ConvNeXtTiny": 64,
    "DenseNet121": 64,
    "EfficientNetB0": 64,
    "EfficientNetV2B0": 64,
    "InceptionV3": 96,
    "MobileNet": 64,
    "MobileNetV2": 64,
    "MobileNetV3Small": 64,
    "NASNetMobile": 64,
    "ResNet50": 64,
    "ResNet50V2": 64,
    "VGG16": 64,
    "Xception": 96,
}
"""Keras's applications, and the height and width of their images."""
WRITES_KERAS = """
import sys
import keras, numpy

name, side, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
keras.utils.set_random_seed(0)
model = getattr(keras.applications, name)(
    weights=None, input_shape=(side, side, 3), classes=100, classifier_activation=None
)
for each in model.weights:  # scales, shifts and statistics that are all 1 or 0 would tell nothing
    if len(each.shape) == 1:
        each.assign(each + 0.2 * numpy.random.rand(*each.shape).astype("float32"))
model(numpy.zeros((1, side, side, 3), "float32"))
model.export(path, format="onnx", verbose=False)
"""


def networks(every: bool) -> list[str]:
    """The networks of torchvision whose files are written."""
    return list(NETWORKS)


def applications(every: bool) -> list[str]:
    """The applications of Keras whose files are written."""
    return list(KERAS)


def file_of_dynamo(name: str, path: Path) -> None:
    """Write a network's file by ``torch.onnx.export``."""
    _file_of_torch(name, path, dynamo=True)


def file_of_torchscript(name: str, path: Path) -> None:
    """Write a network's file by the exporter that torch had before, with ``dynamo=False``."""
    _file_of_torch(name, path, dynamo=False)


def file_of_keras(name: str, path: Path) -> None:
    """Write an application's file by Keras, in the environment that ``NETSPEC_KERAS`` names by its interpreter."""
    interpreter = os.environ.get("NETSPEC_KERAS", sys.executable)
    command = [interpreter, "-c", WRITES_KERAS, name, str(KERAS[name]), str(path)]
    quiet = {**os.environ, "PYTHONPATH": "", "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, env=quiet, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError("Keras: " + (done.stderr.strip().splitlines() or ["no file"])[-1])


def _file_of_torch(name: str, path: Path, dynamo: bool) -> None:
    """Write a network of torchvision with a symbolic batch."""
    import torch

    module, inputs, _ = torchvision_model(name)
    first = next(iter(inputs))
    module.eval()
    shapes = {"dynamic_shapes": ({0: torch.export.Dim.DYNAMIC},)} if dynamo else {"dynamic_axes": {first: {0: "N"}}}
    with redirect_stdout(io.StringIO()):
        torch.onnx.export(module, (inputs[first],), path, dynamo=dynamo, verbose=False, input_names=[first], **shapes)
