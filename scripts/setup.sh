#!/usr/bin/env bash
# Prepares this checkout for a purpose: scripts/setup.sh demo | lint | test | bench | all
#
# Everything large goes to $XDG_CACHE_HOME/causeway (default ~/.cache/causeway) and is reused; each part carries
# a stamp of what it was made from, so that a run with nothing to do takes well under a second.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
. "$top/scripts/packages.sh"

purpose=${1:-all}
case $purpose in
  demo | lint | test | bench | all) ;;
  *) fail "unknown purpose '$purpose'" "One of: demo, lint, test, bench, all." ;;
esac
cd "$top"

# Two makes at once in one home directory: the second waits for the first.
exec 9>"$cache/setup.lock"
flock -n 9 || { say "another set-up is running; waiting for it"; flock 9; }

# The Python to build with: $PYTHON, or the first one found that is new enough.
find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  fail "no Python 3.11 or later found" "Debian 12 and later: apt-get install python3. Elsewhere: make PYTHON=/path/to/python3.11 …"
}

# Sets `venv` and makes .venv point to it. The checkout is part of the name, because the project itself is installed
# there in editable form.
ensure_venv() {
  local version
  version=$("$python" -c 'import sys; print(sys.version, sys.prefix)')
  venv="$cache/venv-$(fingerprint "$(contents pyproject.toml setup.py)" "$version" "$top")"
  if [ ! -e "$venv/made" ]; then
    rm -rf "$venv"
    step "Python environment" "Is there space left in $cache?" "$python" -m venv "$venv"
    echo "$top" >"$venv/made"
    local old
    for old in "$cache"/venv-*/made; do
      [ "$old" = "$venv/made" ] || [ "$(cat "$old")" != "$top" ] || rm -rf "${old%/made}"
    done
  fi
  if [ "$(readlink .venv 2>/dev/null || true)" != "$venv" ]; then
    [ -L .venv ] || [ ! -e .venv ] || fail "$top/.venv exists and is not a link" "Move it away, then run make again."
    ln -sfn "$venv" .venv
  fi
}

# ensure_project LEVEL: the project, in editable form, with what it depends on and the extras of pyproject.toml
# that LEVEL (demo or dev) needs. dev has all that demo has.
ensure_project() {
  local extras=demo
  [ ! -e "$venv/installed-dev" ] || return 0
  if [ "$1" = dev ]; then extras=demo,dev,clients; elif [ -e "$venv/installed-demo" ]; then return 0; fi
  step "Python packages ($1)" "Is a package index reachable? Try: $venv/bin/python -m pip download --no-deps -d /tmp pydantic" \
    env CAUSEWAY_PURE_PYTHON=1 "$venv/bin/python" -m pip install --disable-pip-version-check --editable ".[$extras]"
  touch "$venv/installed-$1"
  extension_stamp >"$venv/extension"
}

# What the extensions in C were made from, and whether there are all.
extension_stamp() {
  local built=pure
  ! { compgen -G 'proxy/wire/_framing.*.so' && compgen -G 'proxy/session/_relay.*.so' &&
    compgen -G 'proxy/documents/_rows.*.so'; } >/dev/null || built=compiled
  command -v "${CC:-cc}" >/dev/null || [ "$built" = compiled ] || built=no-compiler
  echo "$(contents setup.py proxy/*/*.[ch]) $built"
}

# The optional extensions in C, in place: anew when a source changed, was cleaned away, or a compiler has come.
ensure_extension() {
  [ "$(extension_stamp)" != "$(cat "$venv/extension" 2>/dev/null)" ] || return 0
  rm -f proxy/wire/_framing.*.so proxy/session/_relay.*.so proxy/documents/_rows.*.so
  step "extensions in C (optional)" "The pure Python version is used without it: make CC=false" \
    env CAUSEWAY_PURE_PYTHON=1 "$venv/bin/python" -m pip install --disable-pip-version-check --no-deps --editable .
  extension_stamp >"$venv/extension"
}

# Capture compiled by mypyc, in place (see setup.py): anew when a source that it rests on has changed, which takes a
# minute. Where it cannot be made the sources are used, and it is tried again once they, or the compiler, are others.
ensure_compiled() {
  [ "${CAUSEWAY_PURE_PYTHON:-}" != 1 ] && command -v "${CC:-cc}" >/dev/null || return 0
  "$venv/bin/python" -c 'import sys, proxy; sys.exit(not proxy.COMPILED)' && return 0
  local tried
  tried="$(contents setup.py proxy/*.py proxy/*/*.py) $(command -v "${CC:-cc}")"
  [ "$tried" != "$(cat "$venv/compiled" 2>/dev/null)" ] || return 0
  step "compiled capture (optional)" "The pure Python version is used without it: make CAUSEWAY_PURE_PYTHON=1" \
    "$venv/bin/python" setup.py build_ext --inplace
  echo "$tried" >"$venv/compiled"
}

# once NAME "FILE..." TITLE HINT COMMAND...: COMMAND fills the cache from FILES. It runs again when one of them changes.
once() {
  local files stamp
  read -ra files <<<"$2"
  stamp="$cache/stamps/$1-$(contents "${files[@]}")"
  [ ! -e "$stamp" ] || return 0
  shift 2
  step "$@"
  mkdir -p "${stamp%/*}"
  touch "$stamp"
}

python=$(find_python)
ensure_packages "$purpose"
ensure_venv
case $purpose in demo) ensure_project demo ;; *) ensure_project dev ;; esac
ensure_extension
case $purpose in test | bench | all) ensure_compiled ;; esac
[ "$purpose" = lint ] || once databases "devstack/rootfs.py devstack/cli.py" \
  "local databases (PostgreSQL, DocumentDB; the first time about 200 MB to download)" \
  "Databases of your own can be used instead: set CAUSEWAY_POSTGRES and CAUSEWAY_STORE." \
  "$venv/bin/python" -m devstack prepare
case $purpose in
  test | all)
    once versions "devstack/prebuilt.py devstack/rootfs.py" \
      "PostgreSQL servers of the other versions (the first time about 92 MB to download)" \
      "Is a registry of Node.js packages reachable? Try: npm ping" "$venv/bin/python" -m devstack versions
    once node "tests/clients/node/package.json tests/clients/node/package-lock.json" \
      "Node.js clients" "Is a registry of Node.js packages reachable? Try: npm ping" tests/clients/node/install.sh
    ;;
esac
