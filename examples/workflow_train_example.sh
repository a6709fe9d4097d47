#!/bin/sh
# One command for the whole story, and what a calling script can rely on: exit codes and JSON. The workflow terminates its
# machine itself, on success, on failure and on Ctrl-C: no trap is needed here.
#   eval "$(runctl sim env)" && sh examples/workflow_train_example.sh     # free, on this computer
#   sh examples/workflow_train_example.sh                                 # on AWS: needs what docs/aws-setup.md describes
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

# stdout is the result and nothing else; progress and the script's log go to stderr.
code=0
RUN=$(runctl workflow train "$SCRIPT" --instance-type "$TYPE" --iam-instance-profile "$PROFILE" --train-timeout 30m --output run-id -- --epochs 3 --lr 0.1) || code=$?

case $code in
  0) echo "trained: $RUN; log and checkpoints are in runs/$RUN" ;;
  2) echo 'the cloud refused or failed: try again later, or another zone or type' >&2 ;;
  3) echo 'settings, credentials, bucket or profile are wrong: see above' >&2 ;;
  4) echo 'the training script failed: its log is in the newest directory below runs/, and above stands how to go on from its checkpoint' >&2 ;;
  5) echo 'not finished in the time allowed, or nothing was heard from the machine: see above whether it still runs' >&2 ;;
  130) echo 'interrupted: see above whether anything still runs' >&2 ;;
  *) echo "ended with $code" >&2 ;;
esac
[ "$code" = 0 ] || exit "$code"

# Every command can say all that it knows as one JSON document.
runctl runs show "$RUN" --output json | python3 -c '
import json, sys
run = json.load(sys.stdin)
for step in run["steps"]:
    print("%-10s %6.1f s" % (step["name"], step["elapsedMs"] / 1000))
print("cost: $%.6f" % run["costUsd"])'
