#!/bin/bash
# Run the scripts beside this one, or those named: deploy/test/run.sh [NAME…]. It installs nothing: a
# script whose programs are missing is left out, and its packages are named. Exit code 1: one failed.
set -euo pipefail
cd "$(dirname "$0")"
[ -x ../../.venv/bin/python ] || { echo "make setup first: these use .venv" >&2; exit 1; }
failed=() passed=() missing=()
for script in *.sh; do
  name=${script%.sh}
  case $name in run | lib) continue ;; esac
  if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then continue; fi
  lacking=$(sed -n 's/^# Needs: //p' "$script" | tr ' ' '\n' | while IFS=/ read -r program package; do
    command -v "$program" > /dev/null || [ -x "../../.venv/bin/$program" ] || echo "${package:-$program}"
  done)
  if [ -n "$lacking" ]; then
    missing+=("$name ($(echo "$lacking" | paste -sd' '))")
    continue
  fi
  echo "$name"
  begun=$SECONDS
  code=0
  "./$script" || code=$?
  case $code in 0) passed+=("$name") ;; 77) missing+=("$name") ;; *) failed+=("$name") ;; esac
  echo "  $((SECONDS - begun)) s"
done
for each in "${missing[@]}"; do echo "left out, for want of packages: $each"; done
echo "${#passed[@]} passed, ${#failed[@]} failed, ${#missing[@]} skipped"
[ ${#failed[@]} = 0 ] || { echo "failed: ${failed[*]}" >&2; exit 1; }
