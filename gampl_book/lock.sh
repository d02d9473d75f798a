#!/usr/bin/env bash
# Renews constraints.txt: one set of versions for the lowest supported Python, for CPUs and GPUs alike.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v uv >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }

new=$(mktemp constraints.XXXXXX)
trap 'rm -f "$new"' EXIT
head -n 1 constraints.txt > "$new"  # the comment that says what this file is
uv pip compile pyproject.toml --all-extras --python-version 3.11 --quiet \
    --no-annotate --no-header --no-emit-find-links --no-emit-index-url \
  | sed -e 's/+cpu$//' -e '/^nvidia-/d' -e '/^cuda-/d' -e '/^triton/d' >> "$new"
chmod 644 "$new"
mv "$new" constraints.txt
echo "constraints.txt is renewed; see what changed: git diff constraints.txt"
