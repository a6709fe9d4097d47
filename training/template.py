#!/usr/bin/env python3
"""A training script that loses no work: the shortest good example. Copy it and replace what is marked MODEL.

What runctl promises a script                      What a good script does in return
  arguments after `--` arrive byte for byte          takes its settings as arguments (1)
  $RUNCTL_CHECKPOINT_DIR is collected at the end     saves there, atomically, all that it needs to go on (2)
  SIGTERM comes first at a stop, then a grace        saves within a second or so and exits 143 (3)
  the exit code decides: 0 is success, else failure  exits non-zero on every error; an uncaught exception does (4)
  stdout and stderr are the log, unbuffered          prints one line an epoch: `epoch 1/3 loss 0.4123` (5)
  the working directory is the code's own copy       writes training_complete.txt at true completion only (6)

`--resume-from` takes up a checkpoint, and the result is the same as without the interruption.
training_complete.txt is for people and other programs: runctl itself goes by the exit code alone.
Packages: name them in requirements.txt or pyproject.toml, or in the script itself, at its top and without indentation (PEP 723):
  # /// script
  # requires-python = ">=3.9"
  # dependencies = ["numpy>=1.26"]
  # ///
Also given: $RUNCTL_RUN_ID, $RUNCTL_RUN_DIR, $RUNCTL_CODE_DIR. Runs by itself too: python3 template.py --epochs 5
"""
import argparse
import json
import os
import random
import signal
import sys
import time

stopping = []
signal.signal(signal.SIGTERM, lambda number, frame: stopping.append(number))  # (3) only take note; save at a safe point


def write_atomically(path, text):
    """(2) The old file or the new one, never half of it. With PyTorch: torch.save(state, path + ".tmp"), then the same."""
    with open(path + ".tmp", "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".tmp", path)


def main():
    parser = argparse.ArgumentParser(description="fits y = 3x + 1")  # (1)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--epoch-seconds", type=float, default=0.0, help="makes every epoch last, to try out stopping")
    parser.add_argument("--checkpoint-dir", default=os.environ.get("RUNCTL_CHECKPOINT_DIR") or "checkpoints")
    parser.add_argument("--resume-from", metavar="FILE", help="the checkpoint to go on from")
    arguments = parser.parse_args()
    os.makedirs(arguments.checkpoint_dir, exist_ok=True)
    checkpoint = os.path.join(arguments.checkpoint_dir, "checkpoint.json")
    if os.path.exists("training_complete.txt"):
        os.remove("training_complete.txt")  # of an earlier run

    state = {"epoch": 0, "weights": [0.0, 0.0], "rng": random.Random(1).getstate()}  # MODEL
    if arguments.resume_from:
        with open(arguments.resume_from) as file:
            state = json.load(file)  # (4) a torn file ends the script with a traceback and exit code 1
        print("resumed from %s at epoch %d" % (arguments.resume_from, state["epoch"]))
    rng = random.Random()
    rng.setstate((state["rng"][0], tuple(state["rng"][1]), state["rng"][2]))  # chance goes on where it was

    while state["epoch"] < arguments.epochs:
        loss, until = 0.0, time.monotonic() + arguments.epoch_seconds
        slope, bias = state["weights"]
        for _ in range(100):  # MODEL
            x = rng.uniform(-1, 1)
            error = slope * x + bias - (3 * x + 1)
            slope, bias, loss = slope - arguments.lr * error * x, bias - arguments.lr * error, loss + error * error / 100
        while not stopping and time.monotonic() < until:
            time.sleep(0.05)
        # The epoch is whole and so is the checkpoint. If yours take minutes, save every few hundred steps instead.
        state = {"epoch": state["epoch"] + 1, "weights": [slope, bias], "rng": rng.getstate()}
        write_atomically(checkpoint, json.dumps(state))
        print("epoch %d/%d loss %.6f" % (state["epoch"], arguments.epochs, loss))  # (5)
        print("checkpoint saved %s" % checkpoint, flush=True)
        if stopping and state["epoch"] < arguments.epochs:
            print("stopped; go on with --resume-from %s" % checkpoint, flush=True)
            return 143  # (3) 128 + SIGTERM

    write_atomically("training_complete.txt", "y = %.4f x + %.4f\n" % tuple(state["weights"]))  # (6)
    return 0


if __name__ == "__main__":
    sys.exit(main())
