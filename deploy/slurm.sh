#!/bin/bash
# Train on four nodes: sbatch deploy/slurm.sh, from the folder of the program, which all nodes see.
# `make test-deploy OF=slurm` runs it as it stands on two nodes of one machine, under a real Slurm.
#
# A worker that dies takes the others along within --worker-timeout, and the job is queued again; so
# it is two minutes before its time is over, when all stop at the same step. It goes on from there.
#SBATCH --job-name=alexnet
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=16G
#SBATCH --time=12:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail

hosts=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed 's/.*/"&:2222"/' | paste -sd,)
export CLUSTER="{\"worker\": [$hosts]}"

# shellcheck disable=SC2016  # each worker has its own number
worker='
  task="{\"type\": \"worker\", \"index\": $SLURM_PROCID}"
  export TF_CONFIG="{\"cluster\": $CLUSTER, \"task\": $task}"
  exec .venv/bin/python train_alexnet.py "$@"
'
code=0
srun --kill-on-bad-exit=0 bash -c "$worker" worker \
  --data data/photos --run runs/big --log runs/big.log "$@" || code=$?
# 2 is bad input, which would be the same the next time.
if [ "$code" -ne 0 ] && [ "$code" -ne 2 ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
