#!/bin/bash
# Mixed traffic on a server: how much it can, 80% of that for some minutes, more than twice what --rate
# allows; then two servers behind nginx, of which each is started anew under load.
# Needs: wrk nginx/nginx-light openssl curl unshare/util-linux ip/iproute2
#
# LOAD: how long the 80% take, 2m. RUN: what is served, the starter.
. "$(dirname "$0")/lib.sh"
in_own_network "$@"
start_nginx <(sed 's/# server/server/' "$ROOT/deploy/nginx.conf")
cd "$SCRATCH"
draw photos 10
LOAD=${LOAD:-2m} RUN=${RUN:-starter}

serve() { # serve PORT OPTION…
  start "server-$1.log" "$PYTHON" -m alexnet_tf serve "$RUN" --port "$1" --precision float32 \
    --proxy 127.0.0.1 --megabytes 65 "${@:2}"
  SERVER=${STARTED[-1]}
  within 240 curl --fail --silent "http://127.0.0.1:$1/healthz"
}
end() { # end PID: and wait until it has
  kill "$1"
  wait "$1" || true
}
load() { # load CONNECTIONS SECONDS MILLISECONDS URL: mixed requests, at that pace
  wrk --threads 1 --connections "$1" --duration "$2" --timeout 30 \
    --script "$ROOT/deploy/test/load.lua" "$4" -- "$3" photos/*.jpg | tee wrk.log | tail -1 > found
  grep -q '^seconds' found || fail "wrk says $(cat wrk.log)"
}
found() { # found NAME: what the last load has found of it, such as p99 or 200
  tr ' ' '\n' < found | sed -n "/^$1\$/{n;p}" | grep . || echo 0
}
rate() { awk "BEGIN {print int($(found "$1") / $(found seconds))}"; }
all_answered() {
  local requests
  requests=$(tr ' ' '\n' < found | awk 'NR > 8 && NR % 2 == 0 {all += $1} END {print all}')
  is "of $requests requests refused or lost ($(cut -d" " -f7- found))" 0 "$((requests - $(found 200) + $(found lost)))"
}
memory() { awk '/VmRSS/ {print int($2 / 1024)}' "/proc/$SERVER/status"; }
pause() { # pause CONNECTIONS RATE: so long each of them has to wait between two requests
  awk "BEGIN {ms = 1000 * $1 / $2 - ${3:-0}; print (ms > 0 ? int(ms) : 0)}"
}
said() { echo "  $1: $(rate 200) responses a second, p50 $(found p50) ms, p99 $(found p99) ms${2:-}"; }

serve 8080 --rate 1000000
server=http://127.0.0.1:8080/
load 16 20 0 "$server"
most=$(rate 200) latency=$(found p50)
said "as fast as it can, 16 connections"

load 8 30 "$(pause 8 "$((most * 8 / 10))" "$((latency / 2))")" "$server"
before=$(memory)
load 8 "$LOAD" "$(pause 8 "$((most * 8 / 10))" "$((latency / 2))")" "$server"
after=$(memory)
said "80% of that for $LOAD" ", memory $before MB before and $after MB after"
[ "$((after * 100))" -le "$((before * 105))" ] || fail "memory has grown by more than 5%"
all_answered
end "$SERVER"

allowed=$((most / 2))
serve 8080 --rate "$allowed"
(sleep 8; for _ in {1..50}; do
  curl --silent --output /dev/null --write-out '%{http_code} %{time_total}\n' -X POST "$server"v1/predict
  sleep 0.1
done > probes) &
load 32 20 "$(pause 32 "$((most * 3 / 2))")" "$server"
wait $!
said "more than twice what --rate $allowed allows" ", and $(rate 429) refusals a second (429)"
slowest=$(awk '$1 == 429 {print $2}' probes | sort -n | tail -1)
echo "  of 50 other requests meanwhile $(grep -c ^429 probes) are refused, the slowest after ${slowest:-no} s"
[ "$(rate 429)" -gt 0 ] && [ -n "$slowest" ] || fail "nothing is refused"
awk "BEGIN {exit !($slowest < 1)}" || fail "a refusal takes $slowest s"
[ "$(rate 200)" -ge "$((allowed / 4))" ] || fail "the others are answered no longer"
[ "$(found lost)" = 0 ] || fail "$(found lost) requests are lost"
end "$SERVER"

serve 8080 --rate 1000000
first=$SERVER
serve 8081 --rate 1000000
second=$SERVER
echo "127.0.0.1 localhost cats.example.org" > hosts
mount --bind hosts /etc/hosts
load 8 10m "$(pause 8 "$((most / 2))")" https://cats.example.org/cats/ &
loading=$!
sleep 5
for restarted in "8080 $first" "8081 $second"; do
  end "${restarted#* }"
  serve "${restarted% *}" --rate 1000000
  sleep 5
done
pkill -INT --parent "$loading" wrk
wait "$loading"
said "two servers behind nginx, restarted one after the other"
all_answered
