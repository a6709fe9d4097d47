#!/bin/sh
# The smallest whole story: create a machine, train one epoch on it, terminate it. About a minute on AWS, seconds in the sim.
#   eval "$(runctl sim env)" && sh examples/quick_test.sh     # free, on this computer
#   sh examples/quick_test.sh                                 # on AWS: needs what docs/aws-setup.md describes
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

# Whatever happens from here on, the machine does not go on billing.
ID=''
finish() {
  code=$?
  trap - EXIT
  [ -z "$ID" ] || runctl aws terminate "$ID" --wait --yes || echo "$ID may still cost: runctl aws terminate $ID --wait --yes" >&2
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# Not "create --wait": the id is known before there is anything to wait for, so the trap can do its work.
ID=$(runctl aws create "$TYPE" --iam-instance-profile "$PROFILE" --output instance-id)
runctl aws wait "$ID"
runctl aws train "$ID" "$SCRIPT" --sync-code --wait -- --epochs 1
