# shellcheck shell=bash
# What the scripts share: where the tree is, saying a step, and installing what is missing.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export ZENITH_ROOT=$root

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

missing_packages() {
  local package
  grep -v '^#' "$root/scripts/packages.txt" | while read -r package; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
      echo "$package"
  done
}

# Installs the missing packages as root or by sudo; otherwise says which they are and ends.
install_missing() {
  local missing as_root=()
  missing=$(missing_packages)
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      as_root=(sudo)
    else
      echo "These Debian packages are missing, and installing them needs root:" >&2
      echo "  apt-get install --no-install-recommends" $missing >&2
      exit 1
    fi
  fi
  say "installing:" $missing
  # Debian's server package starts a cluster of its own on installation; Zenith needs none.
  if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    "${as_root[@]}" mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" |
      "${as_root[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
  fi
  "${as_root[@]}" apt-get update -qq
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends \
    $missing >/dev/null
}

# Builds a preset; its output is shown where it fails.
build() {
  local preset=$1 log
  log=$(mktemp)
  if ! (cd "$root" && cmake --preset "$preset" && cmake --build --preset "$preset" -j "$(nproc)") \
    >"$log" 2>&1; then
    tail -n 60 "$log"
    rm -f "$log"
    echo "the build failed" >&2
    exit 1
  fi
  rm -f "$log"
}
