"""Answers of a network for images, by onnxruntime alone: `python answers_of_images.py digits.onnx one.png two.png`.

The file is written by `netspec export runs/digits/last --with-prepare -o digits.onnx`.
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image

if len(sys.argv) < 3:
    sys.exit("usage: python answers_of_images.py FILE.onnx IMAGE...")
session = onnxruntime.InferenceSession(sys.argv[1])
said = session.get_modelmeta().custom_metadata_map
answers, (image,) = json.loads(said["netspec.raw"])["answers"], session.get_inputs()
names = answers["label"]["classes"]
for path in sys.argv[2:]:
    pixels = Image.open(path).convert("RGB" if len(image.shape) == 4 else "L")
    (label,), (shares,) = session.run(["label", "probabilities"], {image.name: np.array(pixels)[None]})
    print(f"{path}: {names[label] if names else label} {shares[label]:.1%}")
