#!/usr/bin/env bash
# The commands of README.md as one script: about half a minute on one core.
set -euo pipefail

(cd /proc && env -u HOME netspec train xor -o "$OLDPWD/run") | head -1
netspec evaluate run
python threads.py

python -m pip wheel -q --no-deps -w dist "$SOURCE"
python -m venv ci
ci/bin/pip install -q -c "$SOURCE/constraints.txt" pydantic pyyaml
ci/bin/pip install -q --no-deps dist/netspec-*.whl
export PATH="$PWD/ci/bin:$PATH"
(cd /proc && env -i PATH="$PATH" netspec check "$OLDPWD"/specs/*.yaml)

code() { local code=0; "$@" >out.txt 2>err.txt || code=$?; echo "$code  $*"; }

code netspec check specs/geräte.yaml
code netspec check broken.yaml
code netspec check missing.yaml
code netspec shapes specs/geräte.yaml --widht 3
code netspec train specs/geräte.yaml
cat err.txt

netspec check broken.yaml --error-format sarif >broken.sarif || true
netspec check broken.yaml --error-format github || true

sed 's/^expect.*//' specs/geräte.yaml | netspec shapes - --set hidden=16
netspec shapes resnet152 --full | head -1
code bash -c 'netspec list >/dev/full'
cat err.txt
PYTHONIOENCODING=ascii netspec shapes specs/geräte.yaml
PYTHONIOENCODING=latin-1 netspec shapes specs/geräte.yaml >latin.txt
LC_ALL=C PYTHONCOERCECLOCALE=0 PYTHONUTF8=0 netspec check specs/*.yaml
