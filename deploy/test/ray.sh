#!/bin/bash
# predict --ray on a cluster of two nodes, one of which dies midway: every picture is predicted once.
# Needs: ray unshare/util-linux
. "$(dirname "$0")/lib.sh"
can_unshare --pid --fork --mount-proc
PATH=$ROOT/.venv/bin:$PATH
# A token in the home folder would make it a cluster that asks for one.
export RAY_USAGE_STATS_ENABLED=0 RAY_worker_niceness=0 RAY_AUTH_MODE=disabled
PICTURES=8000

draw "$SCRATCH/faces" 2
mkdir "$SCRATCH/many"
for number in $(seq "$PICTURES"); do ln "$SCRATCH/faces/cat.$((number % 2)).jpg" "$SCRATCH/many/$number.jpg"; done
cd "$SCRATCH"
port=$("$PYTHON" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
address=127.0.0.1:$port
tidy_more() { kill -9 "${STARTED[@]}" 2> /dev/null || true; } # a node does not end at SIGTERM
# A node is a namespace of processes, which end together.
node() { # node LOG OPTION…
  start "$1" unshare --pid --fork --kill-child --mount-proc ray start --block --num-cpus 1 \
    --object-store-memory 1000000000 "${@:2}"
}
node head.log --head --node-ip-address 127.0.0.1 --port "$port" --include-dashboard false \
  --temp-dir "$SCRATCH/ray"
alive() { ray status --address "$address" 2> /dev/null | grep -c '^ *1 node_'; }
both() { [ "$(alive)" = 2 ]; }
lines() { wc -l < predictions.jsonl 2> /dev/null || echo 0; }
some() { [ "$(lines)" -gt 500 ]; }

within 120 alive
node second.log --address "$address" --node-ip-address 127.0.0.1
second=${STARTED[-1]}
within 120 both
start predict.log "$PYTHON" "$ROOT/predict_alexnet.py" 2 many --run starter --out predictions.jsonl --ray "$address"
predict=${STARTED[-1]}
within 300 some
kill -9 "$second"
wait "$second" 2> /dev/null || true
echo "  a node has died after $(lines) of $PICTURES predictions"
begun=$SECONDS code=0
within 300 test ! -e "/proc/$predict"
wait "$predict" || code=$?
is "exit code" 0 "$code"
is "pictures in as many lines" "$PICTURES $PICTURES" \
  "$(lines) $("$PYTHON" -c 'import json; print(len({json.loads(line)["file"] for line in open("predictions.jsonl")}))')"
echo "  the other node has predicted the rest in $((SECONDS - begun)) s"
