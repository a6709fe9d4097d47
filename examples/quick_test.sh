#!/bin/sh
# The smallest whole story: create a machine, train one epoch on it, terminate it. About a minute on AWS, seconds in the sim.
#   eval "$(runctl sim env)" && sh examples/quick_test.sh     # free, on this computer
#   sh examples/quick_test.sh                                 # on AWS: needs what docs/aws-setup.md describes
set -eu

SCRIPT=${SCRIPT:-training/train_mnist_e2e.py}
TYPE=${TYPE:-t3.micro}
PROFILE=${PROFILE:-runctl-ssm-profile}

command -v runctl >/dev/null || { echo 'runctl is not on PATH: "npm install -g ." in its checkout' >&2; exit 3; }
runctl doctor --iam-instance-profile "$PROFILE" >&2 || {
  echo 'Put right what FAILs above, or use the built-in cloud: eval "$(runctl sim env)"' >&2
  exit 3
}

ID=''
finish() {
  [ -z "$ID" ] || runctl aws terminate "$ID" --wait
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

ID=$(runctl aws create "$TYPE" --iam-instance-profile "$PROFILE" --wait --output instance-id)
runctl aws train "$ID" "$SCRIPT" --sync-code --wait -- --epochs 1
