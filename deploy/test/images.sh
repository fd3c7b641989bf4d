#!/bin/bash
# Build the three images and use them as docs/serve.md and docs/scale.md say.
# Needs: buildah chroot/coreutils curl
#
# BASE: an image with Python; without it one is made of Debian's packages by mmdebstrap. BUILD_OPTIONS:
# more options of `buildah bud`, such as -v /etc/pip.conf:/etc/pip.conf:ro. PATIENCE: seconds in which
# SIGTERM ends a container, 10, as Docker has it; on a machine that does much else they are not enough.
. "$(dirname "$0")/lib.sh"
export STORAGE_DRIVER=${STORAGE_DRIVER:-vfs}
if [ -z "${BASE:-}" ]; then
  command -v mmdebstrap > /dev/null || fail "name an image with Python in BASE, or install mmdebstrap"
  BASE=localhost/alexnet_tf-test-base
  mmdebstrap --quiet --variant=minbase --include=python3,python3-venv,ca-certificates bookworm \
    "$SCRATCH/base.tar"
  container=$(buildah from scratch)
  buildah add --quiet "$container" "$SCRATCH/base.tar" / > /dev/null
  buildah commit --quiet --rm "$container" "$BASE" > /dev/null
  rm "$SCRATCH/base.tar"
fi

tidy_more() {
  for container in $(buildah containers --format '{{.ContainerName}}' | grep -- "-$$\$" || true); do
    buildah rm "$container" > /dev/null || true
  done
}

build() { # build NAME OPTION…, and set SIZE
  local begun=$SECONDS image=localhost/alexnet_tf-test-$1
  # shellcheck disable=SC2086  # several options
  buildah bud --layers --isolation chroot --network host ${BUILD_OPTIONS:-} --build-arg "BASE=$BASE" \
    --tag "$image" "${@:2}" "$ROOT" > "$SCRATCH/build-$1" 2>&1 ||
    { tail -30 "$SCRATCH/build-$1" >&2; fail "building $1"; }
  SIZE=$(buildah images --format '{{.Size}}' "$image")
  echo "  $1: $SIZE, built in $((SECONDS - begun)) s"
}

# inside IMAGE DATA COMMAND…: run a command as the image's user, with the image's variables, working
# directory, which is DATA, and entry point. The root is read-only, /tmp is new. It replaces this shell.
inside() {
  local config
  config=$(buildah inspect --type image "localhost/alexnet_tf-test-$1")
  mapfile -t told < <("$PYTHON" -c '
import json, sys
found = json.load(sys.stdin)["OCIv1"]["config"]
print(found["User"], found["WorkingDir"], *(found.get("Entrypoint") or []), sep="\n")
print("--", *found["Env"], sep="\n")' <<< "$config")
  # shellcheck disable=SC2016  # the inner shell's
  exec unshare --mount --propagation private bash -euc '
    root=$1 data=$2 user=$3 place=$4
    shift 4
    entry=()
    while [ "$1" != -- ]; do entry+=("$1"); shift; done
    shift
    mount --bind "$root" "$root"
    mount --rbind /proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    mount --bind "$data" "$root$place"
    mount -o remount,bind,ro "$root"
    variables=()
    while [ "$1" != -- ]; do variables+=("$1"); shift; done
    shift
    exec setpriv --no-new-privs chroot --userspec="$user:$user" "$root" \
      env -i -C "$place" "${variables[@]}" "${entry[@]}" "$@"
  ' inside "${ROOTS[$1]}" "$2" "${told[@]}" -- "${@:3}"
}

declare -A ROOTS
open_image() {
  container=$(buildah from --name "alexnet_tf-test-$1-$$" "localhost/alexnet_tf-test-$1")
  ROOTS[$1]=$(buildah mount "$container")
}

ends_soon() { # ends_soon PID: SIGTERM ends it
  local begun=$SECONDS
  kill "$1"
  while kill -0 "$1" 2> /dev/null; do
    [ $((SECONDS - begun)) -lt "${PATIENCE:-10}" ] || fail "SIGTERM did not end it within ${PATIENCE:-10} s"
    sleep 0.2
  done
  echo "  ended $((SECONDS - begun)) s after SIGTERM"
}

status() { curl --silent --output "$SCRATCH/said" --write-out '%{http_code}' "$@"; }

mkdir "$SCRATCH/data"
draw "$SCRATCH/data/photos" 20
chown -R 10001 "$SCRATCH/data"
chmod 755 "$SCRATCH"

build train -f "$ROOT/deploy/Dockerfile"
open_image train
(inside train "$SCRATCH/data" train --data photos --run run --epochs 2 > "$SCRATCH/train" 2>&1) ||
  { tail -5 "$SCRATCH/train"; fail "training"; }
[ -s "$SCRATCH/data/run/model.tflite" ] || fail "there is no model.tflite"
label=$(inside train "$SCRATCH/data" predict 2 photos/cat.0.jpg --run run 2> /dev/null)
echo "  trained; photos/cat.0.jpg is a $label"
(inside train "$SCRATCH/data" train --data photos --run long --epochs 500 --stop-early 0 > "$SCRATCH/long" 2>&1) &
STARTED+=($!)
within 300 grep 'epoch 1/' "$SCRATCH/long"
ends_soon "${STARTED[-1]}"

for image in serve small; do
  if [ "$image" = small ]; then
    build small --target small
    [[ $SIZE =~ ^([0-9]+)(\.[0-9]+)?\ MB$ && ${BASH_REMATCH[1]} -lt 500 ]] || fail "should be below 500 MB"
  else
    build serve
  fi
  open_image "$image"
  (inside "$image" "$SCRATCH/data" /srv/run --port 18080 > "$SCRATCH/$image" 2>&1) &
  STARTED+=($!)
  within 120 curl --fail --silent http://127.0.0.1:18080/healthz
  is "a prediction's status" 200 "$(status -F pictures=@"$SCRATCH/data/photos/cat.0.jpg" http://127.0.0.1:18080/v1/predict)"
  grep -q "\"label\":\"$label\"" "$SCRATCH/said" || fail "the server says $(cat "$SCRATCH/said")"
  expected=200
  if [ "$image" = small ]; then expected=501; fi
  is "a heat map's status" "$expected" "$(status -F pictures=@"$SCRATCH/data/photos/cat.0.jpg" http://127.0.0.1:18080/v1/explain)"
  ends_soon "${STARTED[-1]}"
done
