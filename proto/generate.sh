#!/usr/bin/env bash
# Generates the Python contract from the .proto files into proto/python (or the folder given), with stubs.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-proto/python}
bin=$PWD/.venv/bin
rm -rf "$out/ascolto" && mkdir -p "$out"
mapfile -t files < <(cd proto && find ascolto -name '*.proto' | sort)
PATH=$bin:$PATH "$bin/python" -m grpc_tools.protoc -Iproto --python_out="$out" --grpc_python_out="$out" \
  --mypy_out=quiet:"$out" --mypy_grpc_out=quiet:"$out" "${files[@]}"
find "$out/ascolto" -type d -exec touch {}/__init__.py \;
touch "$out/ascolto/py.typed"
