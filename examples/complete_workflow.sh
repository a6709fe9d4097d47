#!/bin/sh
# The life of one machine by hand: create, train, look, stop, start, go on from the checkpoint, terminate.
#   eval "$(runctl sim env)" && sh examples/complete_workflow.sh     # free, on this computer
#   sh examples/complete_workflow.sh                                 # on AWS: needs what docs/aws-setup.md describes
# The bucket is optional: without [aws] s3_bucket in .runctl.toml a small project goes through SSM itself.
set -eu

SCRIPT=${SCRIPT:-training/train_mnist_e2e.py}
TYPE=${TYPE:-t3.micro}
PROFILE=${PROFILE:-runctl-ssm-profile}

command -v runctl >/dev/null || { echo 'runctl is not on PATH: "npm install -g ." in its checkout' >&2; exit 3; }
runctl doctor --iam-instance-profile "$PROFILE" >&2 || {
  echo 'Put right what FAILs above, or use the built-in cloud: eval "$(runctl sim env)"' >&2
  exit 3
}

say() { printf '\n== %s\n' "$*"; }

# Whatever happens from here on, the machine does not go on billing.
ID=''
finish() {
  [ -z "$ID" ] || { say "terminate $ID"; runctl aws terminate "$ID" --wait; }
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

say "create $TYPE"
ID=$(runctl aws create "$TYPE" --iam-instance-profile "$PROFILE" --wait --output instance-id)
runctl aws status "$ID"

say 'train two epochs'
FIRST=$(runctl aws train "$ID" "$SCRIPT" --sync-code --wait --output run-id -- --epochs 2)
runctl aws training-status "$ID"

# Absolute path on the machine, of the newest file that the script saved in $RUNCTL_CHECKPOINT_DIR.
CHECKPOINT=$(runctl aws training-status "$ID" --output checkpoint)

say 'stop: no compute is billed, the disk stays'
runctl aws stop "$ID" --wait

say 'start, and go on from the checkpoint'
runctl aws start "$ID" --wait
runctl aws train "$ID" "$SCRIPT" --wait -- --epochs 4 --resume-from "$CHECKPOINT"

say 'the log of the first run is still there'
runctl aws monitor "$ID" --run "$FIRST"

say 'what was done'
runctl runs list --limit 5
