# What the scripts beside it share: . "$(dirname "$0")/lib.sh"
# shellcheck shell=bash
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PYTHON=$ROOT/.venv/bin/python
export PYTHONPATH=$ROOT
SCRATCH=$(mktemp -d)
STARTED=()
trap tidy EXIT

# End what `start` started, and remove the scratch folder.
tidy() {
  for pid in "${STARTED[@]}"; do kill "$pid" 2> /dev/null || true; done
  if type tidy_more > /dev/null 2>&1; then tidy_more; fi
  rm -rf "$SCRATCH"
}

# start LOG COMMAND…: run a command in the background, until the script ends.
start() {
  "${@:2}" > "$1" 2>&1 &
  STARTED+=($!)
}

# within SECONDS COMMAND…: repeat a command until it succeeds.
within() {
  local end=$((SECONDS + $1))
  until "${@:2}" > "$SCRATCH/within" 2>&1; do
    if [ "$SECONDS" -ge "$end" ]; then
      cat "$SCRATCH/within" >&2
      fail "not within $1 seconds: ${*:2}"
    fi
    sleep 0.5
  done
}

skip() { # skip PACKAGE: left out, for want of it
  echo "  needs $1"
  exit 77
}

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# is WHAT EXPECTED FOUND
is() {
  [ "$2" = "$3" ] || fail "$1: expected $2, found $3"
  echo "  $1: $3"
}

draw() { # draw FOLDER COUNT: faces of so many cats, and as many dogs
  "$PYTHON" -c "import sys; from pathlib import Path; from alexnet_tf.data.drawings import draw_faces; \
    draw_faces(Path(sys.argv[1]), per_class=int(sys.argv[2]))" "$@"
}
