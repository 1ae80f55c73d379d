#!/usr/bin/env bash
# The commands of README.md as one script: about half a minute on one core.
set -euo pipefail

COLUMNS=120 netspec shapes alexnet
netspec diagram alexnet -o alexnet.svg

netspec shapes alexnet_d2l
netspec diff alexnet alexnet_d2l

netspec train lenet --set train.epochs=4 -o runs/sigmoid
netspec train lenet_modern --set train.epochs=4 -o runs/relu

netspec compare lenet_modern --set train.epochs=2 \
  --over 'train.optimizer={sgd: 0.1},{sgd: {lr: 0.05, momentum: 0.9}},adam,{adam: 0.002}'

python draw.py
netspec predict runs/relu paint.png
netspec predict runs/relu seven.png
