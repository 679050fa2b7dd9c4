#!/bin/sh
# Says which tool is missing and which command installs it; as root on Debian it installs the test packages itself.
set -u
debian() { [ -e /etc/debian_version ] && command -v apt-get >/dev/null 2>&1; }
fail() { printf '\nspikedaq: %s\n' "$1" >&2; exit 1; }
apt_install() { # packages, what they are for
  if debian && [ "$(id -u)" = 0 ]; then
    echo "installing from Debian: $1 ($2)"
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $1 >/dev/null 2>&1 ||
      { apt-get update >/dev/null 2>&1; DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $1 >/dev/null; } ||
      fail "apt-get could not install $1, which $2 needs"
  else
    fail "$2 is missing. Install it:  sudo apt-get install $1"
  fi
}
case "$1" in
python)
  command -v "$2" >/dev/null 2>&1 || fail "$2 is missing. Install it:  sudo apt-get install python3 python3-venv"
  "$2" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$2 is $("$2" --version 2>&1); spikedaq needs Python 3.11 or newer. Name another:  make PYTHON=python3.12 demo"
  "$2" -c 'import ensurepip' 2>/dev/null || {
    if debian && [ "$(id -u)" = 0 ]; then apt_install python3-venv "Python's venv module"
    else fail "Python's venv module is missing. Install it:  sudo apt-get install python3-venv"; fi
  } ;;
compiler)
  command -v c++ >/dev/null 2>&1 || command -v g++ >/dev/null 2>&1 || command -v clang++ >/dev/null 2>&1 ||
    fail "no C++ compiler was found. Install one:  sudo apt-get install g++" ;;
apt) # header packages...
  header=$2; shift 2
  echo "#include <$header>" | c++ -x c++ -E - >/dev/null 2>&1 || apt_install "$*" "the header $header" ;;
apt-command) # command packages...
  command=$2; shift 2
  command -v "$command" >/dev/null 2>&1 || apt_install "$*" "the command $command" ;;
packages) # packages...
  shift
  debian || { echo "no Debian: the make targets will say what is missing"; exit 0; }
  missing=""
  for package; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing="$missing $package"
  done
  [ -z "$missing" ] || apt_install "${missing# }" "a package that the tests need" ;;
*) fail "tools/need.sh: unknown check $1" ;;
esac
