#!/bin/sh
# Builds the page of `spikedaq scope` into host/spikedaq/scope/page. Without Node.js 20 it says so and goes on: everything
# but the page works.   build_page.sh [--check]: look at the types only
set -eu
cd "$(dirname "$0")/../host/spikedaq/scope/web"
missing() {
  echo "spikedaq: the page of \`spikedaq scope\` was not built: $1. Install it (Debian: sudo apt-get install nodejs npm), then: make page" >&2
  exit 0
}
command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || missing "Node.js 20 or newer, with npm, is not there"
node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' || missing "Node.js is $(node --version), 20 or newer is needed"
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  npm ci --loglevel=error --no-progress >/dev/null || { echo "spikedaq: npm ci failed in $(pwd)" >&2; exit 1; }
  touch node_modules/.package-lock.json
fi
if [ "${1:-}" = --check ]; then exec node_modules/.bin/tsc --noEmit; fi
node_modules/.bin/tsc --noEmit
node_modules/.bin/vite build --logLevel warn
