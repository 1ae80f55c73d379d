#!/usr/bin/env bash
# The commands of README.md as one script: about a minute on one core.
set -euo pipefail

python collect.py
netspec train small.yaml -o runs/base

netspec weights photos.yaml '{from: runs/base/best.safetensors, skip: fc.*}'

netspec train photos.yaml -o runs/tuned
netspec train photos.yaml -o runs/scratch --set train.weights=null
netspec evaluate runs/tuned

netspec export runs/tuned --with-prepare -o photos.onnx
python answer.py photos/test/five/0[0-4].png photos/test/six/0[0-4].png
netspec predict runs/tuned photos/test/five/0[0-4].png photos/test/six/0[0-4].png
