#!/bin/sh
# The life of one machine by hand: create, train, look, stop, start, go on from the checkpoint, terminate.
#   eval "$(runctl sim env)" && sh examples/complete_workflow.sh     # free, on this computer
#   sh examples/complete_workflow.sh                                 # on AWS: needs what docs/aws-setup.md describes
# The bucket is optional: without [aws] s3_bucket in .runctl.toml a small project goes through SSM itself.
# SCRIPT may be any script that takes --epochs and --resume-from.
set -eu

SCRIPT=${SCRIPT:-training/train_mnist_e2e.py}
TYPE=${TYPE:-t3.micro}
PROFILE=${PROFILE:-runctl-ssm-profile}

# Everything that can be known beforehand: credentials, region, type, quota, profile, and the bucket when one is set.
command -v runctl >/dev/null || { echo 'runctl is not on PATH: "npm install -g ." in its checkout' >&2; exit 3; }
runctl doctor --instance-type "$TYPE" --iam-instance-profile "$PROFILE" >&2 || {
  # shellcheck disable=SC2016 # a line to paste
  echo 'Put right what FAILs above ("runctl doctor --fix" can do much of it), or use the built-in cloud: eval "$(runctl sim env)"' >&2
  exit 3
}

say() { printf '\n== %s\n' "$*"; }

# Whatever happens from here on, the machine does not go on billing. --yes: a job that still runs may be ended; it gets time to save.
ID=''
finish() {
  code=$?
  trap - EXIT
  if [ -n "$ID" ]; then
    say "terminate $ID: results that are not here yet are fetched first"
    runctl aws terminate "$ID" --wait --yes || echo "$ID may still cost: runctl aws terminate $ID --wait --yes" >&2
  fi
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

say "create $TYPE"
# Not "create --wait": the id is known before there is anything to wait for, so the trap can do its work.
ID=$(runctl aws create "$TYPE" --iam-instance-profile "$PROFILE" --output instance-id)
runctl aws wait "$ID"
runctl aws status "$ID"

say 'start a job, and look at the machine while it runs'
FIRST=$(runctl aws train "$ID" "$SCRIPT" --sync-code --output run-id -- --epochs 2)
runctl aws processes "$ID"
runctl aws exec "$ID" -- ls checkpoints

say 'its log, until it ends; exit code 4 would end this script'
runctl aws monitor "$ID" --follow
runctl aws training-status "$ID"

# Absolute path on the machine, of the newest file that the script saved in $RUNCTL_CHECKPOINT_DIR.
CHECKPOINT=$(runctl aws training-status "$ID" --output checkpoint)

say 'stop: no compute is billed, the disk stays'
runctl aws stop "$ID" --wait

say 'start, and go on from the checkpoint'
runctl aws start "$ID" --wait
ACCURACY=$(runctl aws train "$ID" "$SCRIPT" --wait --output accuracy -- --epochs 4 --resume-from "$CHECKPOINT")

say "accuracy ${ACCURACY:-not printed}; the log of the first run is still there"
runctl aws monitor "$ID" --run "$FIRST"

say 'what was done'
runctl runs list --limit 5
