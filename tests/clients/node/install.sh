#!/usr/bin/env bash
# Installs the Node.js clients of package-lock.json outside the checkout, once per lock file, and prints their
# node_modules directory: NODE_PATH=$(tests/clients/node/install.sh) node ...
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/causeway
name=node-$(cat "$here/package.json" "$here/package-lock.json" | sha256sum | cut -c1-16)
target=$cache/$name

if [ ! -e "$target/made" ]; then
  mkdir -p "$cache"
  exec 9>"$cache/node.lock"
  flock 9
fi
if [ ! -e "$target/made" ]; then
  staging=$(mktemp -d "$cache/$name.XXXXXX")
  trap 'rm -rf "$staging"' EXIT
  cp "$here/package.json" "$here/package-lock.json" "$staging/"
  echo "installing the Node.js clients into $target" >&2
  if ! (cd "$staging" && npm ci --no-audit --no-fund --ignore-scripts --omit=dev >"$staging/log" 2>&1); then
    cat "$staging/log" >&2
    echo "npm ci failed. Is a package registry reachable (npm ping)? See the output above." >&2
    exit 1
  fi
  touch "$staging/made"
  rm -rf "$target"
  mv "$staging" "$target"
  trap - EXIT
fi
echo "$target/node_modules"
