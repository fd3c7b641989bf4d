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

can_unshare() { # can_unshare OPTION…: else the script is left out
  unshare --mount "$@" true 2> /dev/null || skip "root that may make namespaces"
}

skip() { # skip WHAT: left out, for want of it
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

# in_own_network "$@": the script goes on as root in a network namespace, where every port is free,
# and what it mounts only it sees.
in_own_network() {
  if [ "${1:-}" != inside ]; then
    can_unshare --net
    exec unshare --net --mount --propagation private "$0" inside
  fi
  ip link set lo up
}

# start_nginx FILE: nginx with that file in conf.d, and a certificate for cats.example.org.
start_nginx() {
  mkdir "$SCRATCH/conf.d"
  cp "$1" "$SCRATCH/conf.d/cats.conf"
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=cats.example.org \
    -addext subjectAltName=DNS:cats.example.org -keyout "$SCRATCH/cats.example.org.key" \
    -out "$SCRATCH/cats.example.org.crt" 2> /dev/null
  cat > "$SCRATCH/nginx.conf" << END
daemon off;
error_log $SCRATCH/error.log;
pid $SCRATCH/nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path $SCRATCH/body;
    proxy_temp_path $SCRATCH/proxy;
    include $SCRATCH/conf.d/*.conf;
}
END
  nginx -q -t -c "$SCRATCH/nginx.conf" 2> "$SCRATCH/checked" || fail "$(cat "$SCRATCH/checked")"
  chmod 755 "$SCRATCH"
  start "$SCRATCH/nginx.log" nginx -c "$SCRATCH/nginx.conf"
}
