#!/usr/bin/env bash
# The commands of README.md as one script: about half a minute on one core.
set -euo pipefail

python export.py
netspec train churn.yaml
netspec evaluate runs/churn/last

netspec predict runs/churn/last new.csv -o answers.csv --keep customer
sort -t, -k4,4 -rg answers.csv | head -4
