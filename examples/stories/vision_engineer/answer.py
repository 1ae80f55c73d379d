"""Print what photos.onnx says of images: python answer.py one.png two.png."""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession("photos.onnx")
names = json.loads(session.get_modelmeta().custom_metadata_map["netspec.raw"])["answers"]["label"]["classes"]
for path in sys.argv[1:]:
    (label,), (shares,) = session.run(None, {"image": np.array(Image.open(path).convert("RGB"))[None]})
    print(f"{path}: {names[label]} {shares[label]:.1%}")
