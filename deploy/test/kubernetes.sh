#!/bin/bash
# The manifests agree with Kubernetes's schema: pip install kubernetes-validate
# Needs: kubernetes-validate
. "$(dirname "$0")/lib.sh"
PATH=$PATH:$ROOT/.venv/bin
for manifest in "$ROOT"/deploy/kubernetes*.yaml; do
  kubernetes-validate --strict "$manifest" > "$SCRATCH/said" 2>&1 || fail "$(cat "$SCRATCH/said")"
  echo "  $(basename "$manifest"): $(grep -c '^kind:' "$manifest") objects"
done
