#!/bin/bash
# Prometheus scrapes a server, by deploy/prometheus.yml with another port; the alerts fire when they
# should; and each panel of the dashboard has something to show.
# Where grafana-foundation-sdk is installed, Grafana's own types read the dashboard and lose nothing of it.
# Needs: prometheus promtool/prometheus curl
. "$(dirname "$0")/lib.sh"
promtool check config "$ROOT/deploy/prometheus.yml" > "$SCRATCH/said" 2>&1 || fail "$(cat "$SCRATCH/said")"
promtool test rules "$ROOT/deploy/test/alerts.yml" > "$SCRATCH/said" 2>&1 || fail "$(cat "$SCRATCH/said")"
echo "  $(grep -c 'alert:' "$ROOT/deploy/alerts.yml") alerts fire when they should"

cp "$ROOT/deploy/alerts.yml" "$SCRATCH/"
cd "$SCRATCH"
draw photos 1
start server.log "$PYTHON" -m alexnet_tf serve starter --port 0 --precision float32
within 240 grep http server.log
server=$(grep -o 'http://[^/]*' server.log)
sed "s#127.0.0.1:8080#${server#http://}#; s#scrape_interval: 15s#scrape_interval: 1s#" \
  "$ROOT/deploy/prometheus.yml" > prometheus.yml
port=$("$PYTHON" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
start prometheus.log prometheus --config.file=prometheus.yml --storage.tsdb.path=tsdb \
  --web.listen-address="127.0.0.1:$port"
ask() { curl --silent --fail --get --data-urlencode "query=$1" "http://127.0.0.1:$port/api/v1/query"; }
scraped() { ask 'up{job="alexnet_tf"} == 1' | grep -q '"value"'; }
within 60 scraped
for _ in {1..5}; do
  curl --silent --fail -F pictures=@photos/cat.0.jpg "$server/v1/predict" > said || fail "$(cat server.log)"
  sleep 1.5
done
curl --silent --fail "$server/metrics" | promtool check metrics || fail "promtool check metrics"
echo "  promtool finds nothing in /metrics"
"$PYTHON" - "http://127.0.0.1:$port" "$ROOT/deploy/grafana.json" << 'END' || fail "the dashboard"
import json, sys
from urllib.parse import urlencode
from urllib.request import urlopen

address, path = sys.argv[1:]
dashboard = json.load(open(path))
panels = dashboard["panels"]
assert len({panel["id"] for panel in panels}) == len(panels)
names = {each["name"] for each in dashboard["templating"]["list"]}
assert names == {"source", "instance"}
for panel in panels:
    for target in panel["targets"]:
        query = target["expr"].replace("$instance", ".*").replace("$__rate_interval", "1m")
        answer = json.load(urlopen(f"{address}/api/v1/query?{urlencode({'query': query})}"))
        assert answer["data"]["result"], (panel["title"], query)
print(f"  each of the {len(panels)} panels of the dashboard has something to show")
END
"$PYTHON" - "$ROOT/deploy/grafana.json" << 'END' || fail "the dashboard's schema"
import json, sys
from importlib.util import find_spec

if find_spec("grafana_foundation_sdk"):
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    def lost(own, read):
        if isinstance(own, dict):
            return any(name not in read or lost(own[name], read[name]) for name in own)
        if isinstance(own, list):
            return len(own) != len(read) or any(map(lost, own, read))
        return own != read

    register_default_plugins()
    dashboard = json.load(open(sys.argv[1]))
    assert not lost(dashboard, json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard))))
    print("  Grafana's types lose nothing of the dashboard")
END
