#!/usr/bin/env bash
# The commands of README.md as one script: about two minutes on one core.
set -euo pipefail

netspec check writer.yaml
netspec diff writer.yaml --variant published --variant writer

netspec compare writer.yaml --over variant=published,ungrouped,writer --set train.epochs=3

netspec train writer.yaml --set train.epochs=3 --set train.checkpoint.steps=20 &
until [ -e runs/writer/1/checkpoints/index.json ]; do kill -0 $! && sleep 0.2; done
kill -9 $!
wait $! || true

netspec train --resume last

netspec train --resume last --set train.epochs=5 --stretch-schedule
netspec compare runs/compare/1/3-writer runs/writer/1

netspec generate last --prompt "alice " --temperature 0.7 --max 58
