#!/bin/sh
# A training on the spot market within bounds: the price first, a policy for when no spot machine is to be had, a lease that ends
# the machine whatever becomes of this computer, and at the end what it cost. The workflow removes its machine itself: no trap is needed.
#   eval "$(runctl sim env)" && sh examples/spot_training.sh     # free, on this computer
#   sh examples/spot_training.sh                                 # on AWS: needs what docs/aws-setup.md describes
# Without spot capacity it pays the on-demand price, within the same bounds; "--on-spot-failure fail" would end with exit code 2 instead.
set -eu

SCRIPT=${SCRIPT:-training/train_mnist_e2e.py}
TYPE=${TYPE:-t3.micro}
MORE_TYPES=${MORE_TYPES:-t3.small,t3.medium}
PROFILE=${PROFILE:-runctl-ssm-profile}

# Everything that can be known beforehand: credentials, region, type, quota, profile, and the bucket when one is set.
command -v runctl >/dev/null || { echo 'runctl is not on PATH: "npm install -g ." in its checkout' >&2; exit 3; }
runctl doctor --instance-type "$TYPE" --iam-instance-profile "$PROFILE" >&2 || {
  # shellcheck disable=SC2016 # a line to paste
  echo 'Put right what FAILs above ("runctl doctor --fix" can do much of it), or use the built-in cloud: eval "$(runctl sim env)"' >&2
  exit 3
}

# stdout is the result and nothing else; prices, progress and the script's log go to stderr.
code=0
RESULT=$(runctl workflow train "$SCRIPT" --instance-type "$TYPE" --iam-instance-profile "$PROFILE" \
  --spot --types "$MORE_TYPES" --spot-timeout 2m --on-spot-failure on-demand \
  --max-cost 2 --max-hours 8 --idle-stop 30m --output json -- --epochs 2) || code=$?

case $code in
  0) ;;
  2) echo 'no capacity at all, or the machine was taken back, or ended by its lease: see above' >&2 ;;
  4) echo 'the training script failed: its log is in the newest directory below runs/' >&2 ;;
  6) echo 'a budget is used up: "runctl resources cost --check" shows which' >&2 ;;
  130) echo 'interrupted: see above whether anything still runs' >&2 ;;
  *) echo "ended with $code: see above" >&2 ;;
esac
[ "$code" = 0 ] || exit "$code"

printf '%s\n' "$RESULT" | python3 -c '
import json, sys
run = json.load(sys.stdin)
print("trained %s on %s %s in %s" % (run["runId"], run["market"], run["instanceType"], run["zone"]))
if run["fellBack"]:
    print("no spot capacity was found: paid on demand")
print("cost: $%.6f" % run["costUsd"])
if "onDemandCostUsd" in run:
    print("on demand: $%.6f" % run["onDemandCostUsd"])'

# All runs of this project so far, by market; exit code 6 when a budget of .runctl.toml is used up.
runctl resources cost --by market --check
