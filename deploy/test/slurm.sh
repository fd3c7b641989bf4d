#!/bin/bash
# deploy/slurm.sh as it stands on two nodes of this machine, which are network namespaces on a bridge:
# it trains; goes on after a worker was killed, a node died and its time was over, and the network is then
# that of an undisturbed training, bit for bit; an array predicts every picture once.
# Needs: slurmctld/slurm-wlm slurmd/slurm-wlm sbatch/slurm-wlm munged/munge ip/iproute2 nsenter/util-linux
. "$(dirname "$0")/lib.sh"
if [ "${1:-}" != inside ]; then
  can_unshare --net --uts
  # Names of hosts and network namespaces of its own; processes end with it.
  exec unshare --net --uts --mount --propagation private "$0" inside
fi
export SLURM_CONF=$SCRATCH/slurm.conf
NODES=(n0 n1)

tidy_more() {
  if [ -n "${KEEP_LOGS:-}" ]; then mkdir -p "$KEEP_LOGS"; cp "$SCRATCH"/*.log "$SCRATCH"/here/slurm-*.out "$KEEP_LOGS" || true; fi
  for node in "${NODES[@]}"; do
    for pid in $(ip netns pids "$node" 2> /dev/null || true); do kill -9 "$pid" 2> /dev/null || true; done
  done
}

hostname ctl
ip link set lo up
mount -t tmpfs tmpfs /run # of ip netns and of munge
mkdir -p /run/netns
ip link add bridge type bridge
ip address add 10.77.0.1/24 dev bridge
ip link set bridge up
cp /etc/hosts "$SCRATCH/hosts"
echo "10.77.0.1 ctl" >> "$SCRATCH/hosts"
for number in 0 1; do
  node=${NODES[number]}
  ip netns add "$node"
  ip link add "to-$node" type veth peer name eth0 netns "$node"
  ip link set "to-$node" master bridge up
  ip -n "$node" address add "10.77.0.1$number/24" dev eth0
  ip -n "$node" link set eth0 up
  ip -n "$node" link set lo up
  echo "10.77.0.1$number $node" >> "$SCRATCH/hosts"
done
mount --bind "$SCRATCH/hosts" /etc/hosts

mkdir -p /run/munge "$SCRATCH/state" "$SCRATCH/spool-n0" "$SCRATCH/spool-n1"
chmod 755 "$SCRATCH" /run/munge
dd if=/dev/urandom of="$SCRATCH/munge.key" bs=1024 count=1 status=none
chmod 400 "$SCRATCH/munge.key"
start "$SCRATCH/munged.log" munged --foreground --force --key-file "$SCRATCH/munge.key" \
  --seed-file "$SCRATCH/munge.seed" --log-file "$SCRATCH/munge.log" --pid-file "$SCRATCH/munge.pid"
cat > "$SLURM_CONF" << END
ClusterName=test
SlurmctldHost=ctl
SlurmUser=root
StateSaveLocation=$SCRATCH/state
SlurmdSpoolDir=$SCRATCH/spool-%n
SlurmctldPidFile=$SCRATCH/slurmctld.pid
SlurmdPidFile=$SCRATCH/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/linear
SchedulerType=sched/builtin
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MailProg=/bin/true
# So long a job that is queued again waits.
AuthInfo=cred_expire=15
ReturnToService=2
SlurmdTimeout=20
KillWait=5
NodeName=n0 NodeAddr=10.77.0.10 CPUs=2 RealMemory=2000
NodeName=n1 NodeAddr=10.77.0.11 CPUs=2 RealMemory=2000
PartitionName=all Nodes=ALL Default=YES State=UP
END
within 20 test -S /run/munge/munge.socket.2
start "$SCRATCH/slurmctld.log" slurmctld -D -i
slurmd_on() { start "$SCRATCH/slurmd-$1.log" nsenter "--net=/run/netns/$1" slurmd -D -N "$1"; }
slurmd_on n0
slurmd_on n1
ready() { [ "$(sinfo --noheader --states idle --format %D)" = 2 ]; }
within 60 ready
echo "  two nodes are idle"

# The program's folder, which both nodes see.
mkdir "$SCRATCH/here" && cd "$SCRATCH/here"
cp "$ROOT/train_alexnet.py" "$ROOT/predict_alexnet.py" .
ln -s "$ROOT/.venv" .venv
draw data/photos 12
# Options of the command line come before those in the script.
submit() { sbatch --parsable --nodes=2 --cpus-per-task=2 --mem=1000 "$@"; }
state() { scontrol --oneliner show job "$1" | grep -o 'JobState=[A-Z]*' | cut -d= -f2; }
ended() { [[ "$(state "$1")" =~ ^(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL)$ ]]; }
train_options=(--train all --weights none --variant cifar96 --width 0.05 --precision float32 --batch-size 4
  --schedule constant --stop-early 0 --worker-timeout 10 --no-report)
result() { # result RUN: a digest of the arrays of the last checkpoint
  "$PYTHON" -c 'import hashlib, sys
from pathlib import Path
from alexnet_tf.runs.checkpoints import load_checkpoint
arrays, history = load_checkpoint(max(Path(sys.argv[1], "checkpoints").glob("epoch-????.npz")))
own = hashlib.sha256()
for name in sorted(arrays):
    own.update(name.encode() + arrays[name].tobytes())
print(len(history), "epochs,", own.hexdigest()[:16])' "$1"
}

# One training that all of it happens to. After each it is queued again and goes on.
# It has no end of its own: how far it gets before Slurm looks at the time depends on the machine.
job=$(submit "$ROOT/deploy/slurm.sh" "${train_options[@]}" --epochs 1000000 --run runs/disturbed)
field() { scontrol --oneliner show job "$job" | grep -o "$1=[^ ]*" | cut -d= -f2; }
epochs() { find runs/disturbed/checkpoints -name 'epoch-????.npz' 2> /dev/null | sort | tail -1; }
begun() { [ "$(state "$job")" = RUNNING ] && [ "$(epochs)" \> "$1" ]; }
queued_again() { [ "$(field Restarts)" = "$1" ] && [ "$(state "$job")" != COMPLETING ]; }
within 600 begun ""
worker=$(ip netns pids n1 | while read -r each; do
  if tr '\0' ' ' < "/proc/$each/cmdline" | grep -q '^\S*python train_alexnet.py'; then echo "$each"; fi
done | head -1)
kill -9 "$worker"
within 120 queued_again 1
last=$(epochs)
echo "  a worker was killed after $(basename "$last"): queued again"

within 600 begun "$last"
slurmd=$(pgrep --parent $$ --full '^slurmd.* n1')
ip netns pids n1 | xargs kill -9
wait "$slurmd" 2> /dev/null || true
within 120 queued_again 2
last=$(epochs)
slurmd_on n1
echo "  a node died, its slurmd and its worker, after $(basename "$last"): queued again"

within 600 begun "$last"
# One to two minutes from now, of which the script wants to be told two before: at Slurm's next check.
minutes=$(squeue --noheader --jobs "$job" --format %M | cut -d: -f1)
scontrol update "JobId=$job" "TimeLimit=$((minutes + 2))"
within 120 queued_again 3
scontrol update "JobId=$job" TimeLimit=60
grep 'stopped after' "slurm-$job.out" | sort | uniq -c > "$SCRATCH/stopped"
is "nodes that the time limit stopped after the same step" 2 "$(awk '{print $1}' "$SCRATCH/stopped" | paste -sd' ')"
echo "  $(sed 's/^ *[0-9]* //' "$SCRATCH/stopped")"

last=$(epochs)
within 600 begun "$last"
scancel "$job"
within 120 ended "$job"

finished=$(basename "$(epochs)" .npz)
job=$(submit "$ROOT/deploy/slurm.sh" "${train_options[@]}" --epochs "$((10#${finished#epoch-}))" --run runs/whole)
within 600 ended "$job"
is "two nodes train undisturbed to the same epoch" COMPLETED "$(state "$job")"
is "the network is that of the disturbed training" "$(result runs/disturbed)" "$(result runs/whole)"

job=$(sbatch --parsable --array=1-4 --nodes=1 --cpus-per-task=1 --mem=500 --wrap \
  ".venv/bin/python predict_alexnet.py 2 data/photos --run runs/whole --shard \$SLURM_ARRAY_TASK_ID/4 --out shard-\$SLURM_ARRAY_TASK_ID.csv")
all_ended() { [ -z "$(squeue --noheader --jobs "$job" 2> /dev/null)" ]; }
within 600 all_ended
is "pictures that an array of four predicts" 24 "$(tail --quiet --lines +2 shard-?.csv | cut -d, -f1 | sort -u | wc -l)"
is "rows" 24 "$(tail --quiet --lines +2 shard-?.csv | wc -l)"
