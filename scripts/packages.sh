# Debian packages: which are missing for a purpose, and their installation. Sourced by setup.sh.
#
# Nothing is installed for a command that is already there, wherever it came from. No service is started
# or left enabled by an installation here, and one that ran before is not touched.

# provided PACKAGE: does this machine already have what PACKAGE is wanted for?
provided() {
  case $1 in
    python3-venv) "$python" -c 'import ensurepip, venv' 2>/dev/null ;;
    postgresql) command -v psql >/dev/null && command -v pgbench >/dev/null ;;
    bubblewrap) command -v bwrap >/dev/null ;;
    pgbouncer) command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] ;;
    nodejs) command -v node >/dev/null ;;
    default-jdk-headless) command -v javac >/dev/null ;;
    libpostgresql-jdbc-java) [ -n "${CAUSEWAY_JDBC_JAR:-}" ] || [ -e /usr/share/java/postgresql.jar ] ;;
    gcc) command -v cc >/dev/null ;;
    libc6-dev) [ -e /usr/include/stdio.h ] ;;
    python3-dev) "$python" -c 'import sysconfig as s, os, sys; sys.exit(not os.path.exists(s.get_path("include") + "/Python.h"))' ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

# The packages a purpose needs. devstack brings PostgreSQL's programs for the demo; the client tests want the
# machine's own as well (pgbench is part of the server's package), the benchmark PgBouncer.
packages_for() {
  case $1 in
    lint) echo python3-venv ;;
    demo) echo python3-venv bubblewrap ;;
    bench) echo python3-venv bubblewrap postgresql pgbouncer gcc libc6-dev python3-dev ;;
    test | all)
      echo python3-venv bubblewrap postgresql pgbouncer gcc libc6-dev python3-dev \
        default-jdk-headless libpostgresql-jdbc-java nodejs npm
      ;;
  esac
}

# as_root COMMAND...: directly, or through sudo where that needs no password or can ask for one.
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# Runs apt with services kept down: invoke-rc.d asks policy-rc.d, postgresql-common asks its
# create_main_cluster setting. Both answers are withdrawn afterwards; files of the machine's owner stay.
apt_install() {
  local policy=/usr/sbin/policy-rc.d cluster=/etc/postgresql-common/createcluster.d/causeway-setup.conf
  local made_policy=0 had_pgbouncer=0 status=0
  ! dpkg-query -W pgbouncer >/dev/null 2>&1 || had_pgbouncer=1
  if [ ! -e "$policy" ]; then
    made_policy=1
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
  fi
  as_root mkdir -p "${cluster%/*}"
  echo 'create_main_cluster = false' | as_root tee "$cluster" >/dev/null
  as_root apt-get -q -o DPkg::Lock::Timeout=120 update &&
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 \
      --no-install-recommends install "$@" || status=$?
  as_root rm -f "$cluster"
  as_root rmdir --ignore-fail-on-non-empty "${cluster%/*}"
  [ "$made_policy" = 0 ] || as_root rm -f "$policy"
  # A freshly installed pgbouncer would start at the next boot.
  if [ "$had_pgbouncer" = 0 ] && dpkg-query -W pgbouncer >/dev/null 2>&1 && command -v systemctl >/dev/null; then
    as_root systemctl disable --quiet pgbouncer || true
  fi
  return "$status"
}

# ensure_packages PURPOSE
ensure_packages() {
  local package missing=()
  for package in $(packages_for "$1"); do provided "$package" || missing+=("$package"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  local command="apt-get update && apt-get install --no-install-recommends ${missing[*]}"
  command -v apt-get >/dev/null || fail "this machine lacks: ${missing[*]} (names of Debian packages)" \
    "It has no apt-get. Install what these packages contain by its own means, then run make again."
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
      fail "this machine lacks: ${missing[*]}" "As root, run: $command" "then run make again."
    fi
    sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v -p 'sudo password, to install packages: '; } ||
      fail "this machine lacks: ${missing[*]}" "Run: sudo sh -c '$command'" "then run make again."
  fi
  step "Debian packages: ${missing[*]}" "Run it by hand to see more: $command" apt_install "${missing[@]}"
  hash -r
  for package in "${missing[@]}"; do
    # Headers for another Python than Debian's come from elsewhere; the extension they serve is optional.
    [ "$package" != python3-dev ] || continue
    provided "$package" || fail "$package is installed, but what it is for is still not found" \
      "Check the PATH: $PATH"
  done
}
