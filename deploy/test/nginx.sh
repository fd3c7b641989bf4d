#!/bin/bash
# deploy/nginx.conf as it stands, in a network namespace: TLS, a path, uploads, addresses, the page.
# Needs: nginx/nginx-light openssl curl unshare/util-linux ip/iproute2
. "$(dirname "$0")/lib.sh"
in_own_network "$@"
start_nginx "$ROOT/deploy/nginx.conf"
cd "$SCRATCH"
start "$SCRATCH/server.log" "$PYTHON" -m alexnet_tf serve starter --port 8080 --proxy 127.0.0.1 \
  --megabytes 65 --rate 5 --precision float32
draw photos 1
ask() { # ask OPTION…: the status of a request through nginx
  curl --silent --cacert cats.example.org.crt --resolve cats.example.org:443:127.0.0.1 \
    --resolve cats.example.org:80:127.0.0.1 --output said --write-out '%{http_code}' "$@"
}
site=https://cats.example.org/cats
within 240 curl --fail --silent http://127.0.0.1:8080/healthz

is "the page under /cats/" 200 "$(ask $site/)"
is "its script" 200 "$(ask $site/page/page.js)"
is "without the slash" 301 "$(ask $site)"
is "by http" 308 "$(ask http://cats.example.org/cats/)"
is "metrics from outside" 404 "$(ask $site/metrics)"
is "a prediction" 200 "$(ask -F pictures=@photos/cat.0.jpg $site/v1/predict)"
is "from a page of this site" 200 "$(ask -H 'Origin: https://cats.example.org' -F pictures=@photos/cat.0.jpg $site/v1/predict)"
is "from a page of another" 403 "$(ask -H 'Origin: https://dogs.example.org' -F pictures=@photos/cat.0.jpg $site/v1/predict)"
code=0
curl --silent --insecure --resolve other.example:443:127.0.0.1 https://other.example/cats/ || code=$?
is "curl's exit code for another name (the handshake is refused)" 35 "$code"

cp photos/cat.0.jpg large.jpg
truncate --size 64M large.jpg
is "a picture of 64 MiB" 200 "$(ask -F pictures=@large.jpg $site/v1/predict)"
truncate --size 66M large.jpg
is "a picture of 66 MiB" 413 "$(ask -F pictures=@large.jpg $site/v1/predict)"

# Each client is counted by its own address, whatever it claims to be.
flood() { # flood ADDRESS: 100 requests in quick succession, each of which claims another address
  local number
  for number in {1..100}; do
    printf '%s\n' next silent 'request = POST' "url = $site/v1/predict" "interface = $1" \
      'cacert = cats.example.org.crt' 'resolve = cats.example.org:443:127.0.0.1' 'output = said' \
      "header = \"X-Forwarded-For: 203.0.113.$number\"" 'write-out = "%{http_code}\n"'
  done > requests
  curl --config <(tail -n +2 requests) | sort -u | paste -sd' '
}
is "100 requests at once from 127.0.0.2" "415 429" "$(flood 127.0.0.2)"
is "a request from 127.0.0.3 meanwhile" 415 "$(ask --interface 127.0.0.3 -X POST $site/v1/predict)"

if command -v chromium > /dev/null && "$PYTHON" -c 'import playwright' 2> /dev/null; then
  "$PYTHON" - photos/dog.0.jpg << 'END' || fail "the page"
import sys
from playwright.sync_api import sync_playwright

rules = "--host-resolver-rules=MAP cats.example.org 127.0.0.1"
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(
        executable_path="/usr/bin/chromium", args=["--no-sandbox", rules]
    )
    page = browser.new_page(ignore_https_errors=True, locale="en")
    wrong = []
    page.on("response", lambda response: response.ok or wrong.append(response.url))
    page.goto("https://cats.example.org/cats/")
    page.locator("body[data-ready]").wait_for()
    page.locator("input[type=file]").first.set_input_files(sys.argv[1])
    page.get_by_text("%").first.wait_for(timeout=120_000)
    assert not wrong, wrong
    browser.close()
print("  the page predicts in Chromium")
END
fi
