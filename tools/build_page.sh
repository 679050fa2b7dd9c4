#!/bin/sh
# Builds the page of `spikedaq scope` into host/spikedaq/scope/page.
#   build_page.sh                 or say why not, and fail
#   build_page.sh --if-possible   or say why not, and go on: everything but the page works
#   build_page.sh --check         look at the types only; without Node.js nothing
#   build_page.sh --test          test what the page computes, without a browser
set -eu
mode=${1:-}
cd "$(dirname "$0")/../host/spikedaq/scope/web"
fail() {
  echo "spikedaq: the page of \`spikedaq scope\` was not built: $1, then: make page" >&2
  case $mode in --if-possible | --check) exit 0 ;; esac
  exit 1
}
missing() { fail "$1. Install it (Debian: sudo apt-get install nodejs npm)"; }
command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || missing "Node.js 20 or newer, with npm, is not there"
node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' || missing "Node.js is $(node --version), 20 or newer is needed"
# Two at once, as `make -j` may have it, would take the packages from under one another.
exec 9<.
if command -v flock >/dev/null 2>&1; then flock 9; fi
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  npm ci --loglevel=error --no-progress >/dev/null || fail "npm could not install what it is built with. See above, or go online"
  touch node_modules/.package-lock.json
fi
if [ "$mode" = --test ]; then exec npm test --silent; fi
if [ "$mode" = --check ]; then exec node_modules/.bin/tsc --noEmit; fi
node_modules/.bin/tsc --noEmit
node_modules/.bin/vite build --logLevel warn
