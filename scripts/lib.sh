# Shell functions shared by the set-up scripts: where the cache is, how a step is shown, how one fails.
# Sourced, never run. Needs bash and the Debian essentials.

set -euo pipefail

top=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/causeway
mkdir -p "$cache/logs"

if [ -t 1 ] && [ -z "${CI:-}" ]; then live=1; else live=0; fi

say() { printf '%s\n' "$*"; }

# fail MESSAGE [WHAT TO DO...]: one line each, then exit 1.
fail() {
  printf 'error: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
  exit 1
}

# fingerprint WORD...: the first 12 hex digits of the SHA-256 of the words.
fingerprint() { printf '%s\n' "$@" | sha256sum | cut -c1-12; }

# contents FILE...: one digest over the files that exist, in the order given.
contents() {
  local file
  for file in "$@"; do [ ! -f "$file" ] || sha256sum <"$file"; done | sha256sum | cut -c1-12
}

# Shows that a step still runs: a counter on a terminal, one line every 15 s elsewhere.
ticker() {
  local name=$1 start=$SECONDS
  trap 'kill "$!" 2>/dev/null; exit 0' TERM
  while :; do
    if [ "$live" = 1 ]; then
      printf '\r  … %s (%d s)' "$name" $((SECONDS - start))
      sleep 1 & wait $!
    else
      sleep 15 & wait $!
      printf '  … %s (%d s)\n' "$name" $((SECONDS - start))
    fi
  done
}

# Descriptor 9, where set-up holds its lock, is kept from everything started here.
#
# step NAME HINT COMMAND...: runs COMMAND with its output in a log file and shows NAME with the time it took.
# When COMMAND fails: the end of the log, where the whole of it is, and HINT (what to do).
step() {
  local name=$1 hint=$2 started=${EPOCHREALTIME/[.,]/} log status=0 tick
  shift 2
  log="$cache/logs/$(printf '%s' "$name" | tr -cs 'A-Za-z0-9' '-').log"
  [ "$live" = 1 ] || printf '  … %s\n' "$name"
  ticker "$name" 9>&- &
  tick=$!
  "$@" >"$log" 2>&1 </dev/null 9>&- || status=$?
  kill "$tick" 2>/dev/null || true
  wait "$tick" 2>/dev/null || true
  local tenths=$(((${EPOCHREALTIME/[.,]/} - started) / 100000))
  local took="$((tenths / 10)).$((tenths % 10)) s"
  [ "$live" = 0 ] || printf '\r\033[K'
  if [ "$status" -ne 0 ]; then
    printf '  ✘ %s (failed after %s, exit code %d)\n' "$name" "$took" "$status" >&2
    tail -n 25 "$log" | sed 's/^/    | /' >&2
    fail "$name failed" "$hint" "The whole log: $log"
  fi
  printf '  ✔ %s (%s)\n' "$name" "$took"
}
