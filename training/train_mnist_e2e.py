#!/usr/bin/env python3
"""Train a small network on real handwritten digits (8x8 pixels) with nothing but the Python 3 standard library.

    python3 train_mnist_e2e.py --epochs 3
    python3 train_mnist_e2e.py --epochs 6 --resume-from checkpoints

64 inputs, one hidden layer (ReLU), softmax over 10 digits, SGD with momentum; a few seconds on one core.
The same seed gives the same weights, bit for bit, also when training was stopped and resumed in between.
The conventions it follows (arguments, checkpoints, SIGTERM, exit codes, marker) are explained in template.py.

Exit codes: 0 done, 1 data or checkpoint unusable, 2 wrong arguments, 143 stopped by SIGTERM, 130 by Ctrl-C (both after saving).
Data: training/data/README.md.
"""
import argparse
import gzip
import json
import math
import os
import random
import re
import signal
import sys
import time
from operator import mul

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "optdigits.csv.gz")
MARKER = "training_complete.txt"
FORMAT = "runctl-digits-1"
PIXELS, DIGITS = 64, 10
DEFAULTS = {"lr": 0.1, "batch_size": 8, "hidden": 32, "seed": 1}
MOMENTUM = 0.8
LR_DECAY, LR_FLOOR = 0.3, 0.05  # of --lr: big steps first, then small ones, never none
HELD_OUT = 360

stop_signal = 0


def on_signal(number, _frame):
    global stop_signal
    stop_signal = number  # looked at after every batch, a few milliseconds apart


class Unusable(Exception):
    """Data or a checkpoint that cannot be used; the message says why."""


def load_digits():
    """(training, held out): lists of (pixels 0..1, label). The split is the same for every seed."""
    try:
        with gzip.open(DATA, "rt") as file:
            rows = [[int(cell) for cell in line.split(",")] for line in file]
    except (OSError, EOFError, ValueError) as error:
        raise Unusable("cannot read %s: %s" % (DATA, error))
    samples = [([pixel / 16 for pixel in row[:PIXELS]], row[PIXELS]) for row in rows]
    random.Random(0).shuffle(samples)
    return samples[HELD_OUT:], samples[:HELD_OUT]


def new_layer(rng, inputs, outputs):
    """Rows of weights, the bias last: a bias is the weight of an input that is always 1."""
    limit = math.sqrt(6 / (inputs + outputs))
    return [[rng.uniform(-limit, limit) for _ in range(inputs)] + [0.0] for _ in range(outputs)]


def zeros_like(layer):
    return [[0.0] * len(row) for row in layer]


def forward(layers, pixels):
    """(inputs, hidden, probabilities), the first two with the constant 1 appended."""
    inputs = pixels + [1.0]
    hidden = [max(0.0, sum(map(mul, row, inputs))) for row in layers[0]] + [1.0]
    scores = [sum(map(mul, row, hidden)) for row in layers[1]]
    top = max(scores)
    powers = [math.exp(score - top) for score in scores]
    total = sum(powers)
    return inputs, hidden, [power / total for power in powers]


def train_batch(layers, velocity, batch, lr):
    """One step of SGD with momentum. Returns (summed loss, right answers)."""
    gradients = [zeros_like(layer) for layer in layers]
    loss, right = 0.0, 0
    for pixels, label in batch:
        inputs, hidden, probabilities = forward(layers, pixels)
        loss -= math.log(max(probabilities[label], 1e-300))
        right += probabilities.index(max(probabilities)) == label
        errors = probabilities[:]
        errors[label] -= 1.0
        back = [0.0] * (len(hidden) - 1)
        for digit, error in enumerate(errors):
            gradients[1][digit] = [g + error * h for g, h in zip(gradients[1][digit], hidden)]
            back = [b + error * weight for b, weight in zip(back, layers[1][digit])]
        for unit, error in enumerate(back):
            if hidden[unit] > 0.0:
                gradients[0][unit] = [g + error * x for g, x in zip(gradients[0][unit], inputs)]
    step = lr / len(batch)
    for layer, speeds, slopes in zip(layers, velocity, gradients):
        for unit, row in enumerate(layer):
            speeds[unit] = [MOMENTUM * v - step * g for v, g in zip(speeds[unit], slopes[unit])]
            layer[unit] = [weight + v for weight, v in zip(row, speeds[unit])]
    return loss, right


def accuracy(layers, samples):
    right = 0
    for pixels, label in samples:
        probabilities = forward(layers, pixels)[2]
        right += probabilities.index(max(probabilities)) == label
    return right / len(samples)


def write_atomically(path, text):
    """Whoever looks sees the old file or the new one, also after a crash or a full disk; never half of it."""
    temporary = path + ".tmp"
    with open(temporary, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def new_state(hyper):
    rng = random.Random(hyper["seed"])
    layers = [new_layer(rng, PIXELS, hyper["hidden"]), new_layer(rng, hyper["hidden"], DIGITS)]
    return {
        "format": FORMAT,
        "hyper": hyper,
        "epoch": 0,  # whole epochs done
        "batch": 0,  # batches done in the epoch after those
        "loss": 0.0,  # summed over these batches
        "right": 0,
        "rng": rng.getstate(),  # as it was before the order of that epoch was drawn
        "weights": layers,
        "velocity": [zeros_like(layer) for layer in layers],
    }


def save_checkpoint(directory, state):
    os.makedirs(directory, exist_ok=True)
    name = "epoch-%03d" % state["epoch"] + ("-batch-%04d" % state["batch"] if state["batch"] else "")
    path = os.path.join(directory, name + ".json")
    write_atomically(path, json.dumps(state))  # JSON writes floats so that they read back bit for bit
    print("checkpoint saved %s" % path, flush=True)


def load_checkpoint(path):
    try:
        with open(path) as file:
            state = json.load(file)
        if state["format"] != FORMAT:
            raise ValueError("its format is %r, not %r" % (state["format"], FORMAT))
        hidden = int(state["hyper"]["hidden"])
        for part in ("weights", "velocity"):
            if [[len(row) for row in layer] for layer in state[part]] != [[PIXELS + 1] * hidden, [hidden + 1] * DIGITS]:
                raise ValueError("its %s have the wrong shape" % part)
        version, internal, gauss = state["rng"]
        state["rng"] = (version, tuple(internal), gauss)
        random.Random().setstate(state["rng"])
        for key in ("epoch", "batch", "loss", "right"):
            state[key] + 0
        return state
    except OSError as error:
        raise Unusable("cannot read checkpoint %s: %s" % (path, error.strerror))
    except (ValueError, KeyError, TypeError) as error:
        raise Unusable("checkpoint %s is torn or foreign and was not used: %s" % (path, error))


def find_checkpoint(path):
    """A file is taken as it is. In a directory the furthest one that is whole is taken."""
    if not os.path.isdir(path):
        return path, load_checkpoint(path)
    names = [re.match(r"epoch-(\d+)(?:-batch-(\d+))?\.json$", name) for name in os.listdir(path)]
    for name in sorted(filter(None, names), key=lambda name: (int(name[1]), int(name[2] or 0)), reverse=True):
        file = os.path.join(path, name[0])
        try:
            return file, load_checkpoint(file)
        except Unusable as error:
            print("warning: %s" % error, file=sys.stderr, flush=True)
    raise Unusable("no usable checkpoint in %s" % path)


def train(state, epochs, directory, training, held_out):
    """Runs to `epochs`, or until a signal; returns True when all epochs are done."""
    hyper = state["hyper"]
    size = hyper["batch_size"]
    while state["epoch"] < epochs:
        started = time.monotonic()
        lr = hyper["lr"] * max(LR_DECAY ** state["epoch"], LR_FLOOR)
        rng = random.Random()
        rng.setstate(state["rng"])
        order = list(range(len(training)))
        rng.shuffle(order)
        while state["batch"] * size < len(order):
            if stop_signal:
                save_checkpoint(directory, state)
                return False
            begin = state["batch"] * size
            loss, right = train_batch(state["weights"], state["velocity"], [training[i] for i in order[begin : begin + size]], lr)
            state["loss"] += loss
            state["right"] += right
            state["batch"] += 1
        mean, share = state["loss"] / len(order), state["right"] / len(order)
        state.update(epoch=state["epoch"] + 1, batch=0, loss=0.0, right=0, rng=rng.getstate())
        print(
            "epoch %d/%d loss %.4f accuracy %.4f held-out %.4f (%.1fs)"
            % (state["epoch"], epochs, mean, share, accuracy(state["weights"], held_out), time.monotonic() - started),
            flush=True,
        )
        save_checkpoint(directory, state)
    return True


def positive(kind):
    def parse(text):
        value = kind(text)
        if not value > 0 or value == math.inf:
            raise ValueError
        return value

    parse.__name__ = "positive %s" % kind.__name__
    return parse


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=positive(int), default=3, help="in all, counting those of a resumed run (3)")
    parser.add_argument("--lr", type=positive(float), help="learning rate of the first epoch ({lr})".format(**DEFAULTS))
    parser.add_argument("--batch-size", type=positive(int), help="({batch_size})".format(**DEFAULTS))
    parser.add_argument("--hidden", type=positive(int), help="hidden units ({hidden})".format(**DEFAULTS))
    parser.add_argument("--seed", type=int, help="({seed})".format(**DEFAULTS))
    parser.add_argument("--checkpoint-dir", default=os.environ.get("RUNCTL_CHECKPOINT_DIR") or "checkpoints", help="$RUNCTL_CHECKPOINT_DIR, else ./checkpoints")
    parser.add_argument("--resume-from", metavar="FILE|DIR", help="a checkpoint, or a directory: its furthest whole one")
    arguments = parser.parse_args()
    given = {key: getattr(arguments, key) for key in DEFAULTS if getattr(arguments, key) is not None}
    return parser, arguments, given


def main():
    parser, arguments, given = parse_arguments()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    if os.path.exists(MARKER):
        os.remove(MARKER)  # of an earlier run
    try:
        training, held_out = load_digits()
        if arguments.resume_from:
            path, state = find_checkpoint(arguments.resume_from)
            print("resumed from %s: epoch %d, batch %d" % (path, state["epoch"], state["batch"]), flush=True)
        else:
            state = new_state(dict(DEFAULTS, **given))
    except Unusable as error:
        print("error: %s" % error, file=sys.stderr)
        return 1
    for key, value in given.items():
        if state["hyper"][key] != value:
            parser.error("--%s %s does not fit the checkpoint, which has %s" % (key.replace("_", "-"), value, state["hyper"][key]))
    print("%d digits to train on, %d held out; %d-%d-%d, seed %d" % (len(training), len(held_out), PIXELS, state["hyper"]["hidden"], DIGITS, state["hyper"]["seed"]), flush=True)
    if not train(state, arguments.epochs, arguments.checkpoint_dir, training, held_out):
        print("stopped by signal %d; go on with --resume-from %s" % (stop_signal, arguments.checkpoint_dir), flush=True)
        return 128 + stop_signal
    final = "held-out accuracy %.4f" % accuracy(state["weights"], held_out)
    print(final, flush=True)
    write_atomically(MARKER, final + "\n")  # the last thing done, and only when all is done
    return 0


if __name__ == "__main__":
    sys.exit(main())
