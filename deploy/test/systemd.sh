#!/bin/bash
# deploy/alexnet_tf.service: systemd finds no fault with it, and little that it exposes.
# Needs: systemd-analyze/systemd
. "$(dirname "$0")/lib.sh"
# Verified where the program is not installed under /opt.
sed "s#/opt/alexnet_tf/.venv/bin/python#$PYTHON#" "$ROOT/deploy/alexnet_tf.service" > "$SCRATCH/alexnet_tf.service"
systemd-analyze verify "$SCRATCH/alexnet_tf.service" > "$SCRATCH/said" 2>&1 || fail "$(cat "$SCRATCH/said")"
if grep -q alexnet_tf "$SCRATCH/said"; then fail "$(cat "$SCRATCH/said")"; fi
# 0 is the least exposed, 10 the most.
systemd-analyze security --offline=true --threshold=20 "$SCRATCH/alexnet_tf.service" > "$SCRATCH/exposed" 2>&1 ||
  fail "exposes too much: $(cat "$SCRATCH/exposed")"
echo "  $(grep -o 'Overall exposure level.*' "$SCRATCH/exposed")"
