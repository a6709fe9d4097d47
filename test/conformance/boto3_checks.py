"""What the boto3 sessions share: clients of the private sim, one printed line a check, and words for what is expected.

Not a test framework: no nesting, no retries. run.mjs starts the sessions with the environment of `runctl sim env`.
"""

import os
import subprocess
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = {"endpoint_url": os.environ["AWS_ENDPOINT_URL"]} if "--endpoint-argument" in sys.argv else {}


def client(name, **settings):
    config = Config(retries={"max_attempts": 1}, **settings.pop("config", {}))
    return boto3.client(name, config=config, **ENDPOINT, **settings)


failures = 0


def check(title):
    """Runs the function at once; one line a check."""

    def run(body):
        global failures
        started = time.monotonic()
        number, rest = title.split(" ", 1)
        try:
            body()
            print(f"ok   {number} boto3: {rest} ({time.monotonic() - started:.1f} s)", flush=True)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is a failed check, named
            failures += 1
            where = error.__traceback__.tb_next.tb_lineno if error.__traceback__ and error.__traceback__.tb_next else "?"
            text = " | ".join(f"{type(error).__name__}: {error}".split("\n"))
            print(f"FAIL {number} boto3: {rest}: line {where}: {text[:1500]}", flush=True)

    return run


def equal(seen, wanted):
    if seen != wanted:
        raise AssertionError(f"{seen!r} is not {wanted!r}")


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        equal(error.response["Error"]["Code"], code)
        return error
    raise AssertionError(f"accepted; expected {code}")


def runctl(*words):
    return subprocess.run([os.environ["RUNCTL_NODE"], os.environ["RUNCTL_MAIN"], *words], check=True, capture_output=True, text=True, timeout=120).stdout.strip()


def finish():
    sys.exit(1 if failures else 0)
