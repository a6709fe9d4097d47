# Makes the environment that a project asks for and links it into the code as .venv. Standard library only, Python 3.7 or newer.
#   dependencies.py look|install CODE ENVS REQUEST
# look: exit code 0 and one line when the environment is there already, anything else when there is something to do.
# install: does it, telling on standard output. An environment is named after what it was made from, made in its place (it cannot
# be moved) under a lock that dies with its holder, and used only once its last file, the mark, is there.
# Never write two opening braces in a row here: SSM would take them for a parameter.
import fcntl
import glob
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

MODE, CODE, ENVS = sys.argv[1:4]
REQUEST = json.loads(sys.argv[4])
MARK = "runctl-complete.json"
# What images for training bring along, and nobody wants to download once more.
LARGE = {"torch", "tensorflow", "jax", "jaxlib"}
PROBE = """import json,sys,sysconfig
def has(name):
    try:
        __import__(name)
        return True
    except Exception:
        return False
try:
    from importlib.metadata import distributions
    names = sorted(set(d.metadata["Name"] or "" for d in distributions()))
except ImportError:
    names = []
print(json.dumps(dict(version=list(sys.version_info[:3]), prefix=sys.prefix, base=sys.base_prefix, names=names,
    sites=sorted(set([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])),
    pip=has("pip"), venv=has("venv"), ensurepip=has("ensurepip"), virtualenv=has("virtualenv"))))"""


class Failed(Exception):
    def __init__(self, code, text=""):
        super().__init__(text)
        self.code = code


stopped = []


def say(text):
    print("runctl: " + text, flush=True)


def cannot(text):
    return Failed(65, "cannot install: " + text)


def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def dotted(version):
    return ".".join(str(part) for part in version)


def fits(version, wanted):
    """PEP 440 as far as requires-python needs it; what is not understood does not exclude."""
    for clause in wanted.split(","):
        match = re.match(r"^\s*(~=|===?|!=|<=|>=|<|>)\s*(\d+(?:\.\d+)*)(\.\*)?\s*$", clause)
        if not match:
            continue
        sign, star = match.group(1), match.group(3)
        parts = [int(part) for part in match.group(2).split(".")]
        have = list(version) + [0] * len(parts)
        same = have[:len(parts)] == parts if star else have[:3] == (parts + [0, 0])[:3]
        less = have[:3] < (parts + [0, 0])[:3]
        good = dict([("==", same), ("===", same), ("!=", not same), (">=", not less), ("<", less), (">", not less and not same), ("<=", less or same),
                     ("~=", not less and have[:len(parts) - 1] == parts[:-1])])[sign]
        if not good:
            return False
    return True


def look_at(python):
    try:
        done = subprocess.run([python, "-I", "-c", PROBE], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
        return json.loads(done.stdout.decode()) if done.returncode == 0 else None
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


class Choice:
    """Which Python, which tool, and so which environment."""

    def __init__(self):
        path = os.environ.get("PATH", os.defpath) + ":/usr/local/bin:" + os.path.expanduser("~/.local/bin:~/.cargo/bin")
        self.uv = shutil.which("uv", path=path)
        self.python, self.facts = self.choose_python(path)
        names = set(plain(name) for name in self.facts["names"]) if self.facts else set()
        # uv does not see what the image's own Python has; pip does, and leaves it alone.
        brought = names & (set(REQUEST["names"]) | LARGE)
        self.can_pip = bool(self.facts) and (self.facts["virtualenv"] or self.facts["venv"] and (self.facts["pip"] or self.facts["ensurepip"]))
        self.tool = "uv" if REQUEST["kind"] == "lock" or (self.uv and not (brought and self.can_pip)) else "pip"
        what = [REQUEST["key"], self.facts["version"] if self.facts else REQUEST["requiresPython"], self.facts and os.path.realpath(self.python), self.facts and self.facts["prefix"], self.tool]
        name = hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]
        self.env = os.path.join(ENVS, name) if REQUEST["shared"] else os.path.join(os.path.dirname(CODE), "environment")

    def choose_python(self, path):
        named = REQUEST["python"]
        wanted = REQUEST["requiresPython"]
        seen = []
        for name in [os.path.expanduser(named)] if named else ["/opt/pytorch/bin/python", "python3"] + ["python3.%d" % n for n in range(15, 7, -1)]:
            found = shutil.which(name, path=path)
            facts = found and look_at(found)
            if facts and fits(facts["version"], wanted):
                return found, facts
            if facts:
                seen.append("%s is %s" % (found, dotted(facts["version"])))
        if self.uv and not named:
            return None, None
        if named and not seen:
            raise cannot("train.python is %s, and no such Python works on this machine" % named)
        raise cannot("Python %s is required, and this machine has none: %s" % (wanted, ", ".join(seen) or "no Python that works"))

    def describe(self):
        return "%s, Python %s" % (self.tool, dotted(self.facts["version"]) if self.facts else REQUEST["requiresPython"])

    def is_complete(self):
        python = os.path.join(self.env, "bin/python")
        if not os.path.exists(os.path.join(self.env, MARK)):
            return False
        try:
            return subprocess.call([python, "-I", "-c", ""], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
        except OSError:
            return False


def run(command, directory=None, **more):
    print("$ " + " ".join(command), flush=True)
    env = dict(os.environ, PYTHONUNBUFFERED="1", PIP_USER="0", PIP_NO_INPUT="1", PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_PROGRESS_BAR="off", UV_NO_PROGRESS="1", **more)
    code = subprocess.call(command, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, cwd=directory or CODE, env=env)
    if stopped:
        raise Failed(143, "stopped")
    if code != 0:
        raise Failed(code if code > 0 else 128 - code)


def make(choice):
    """The empty environment, through which everything that the chosen Python has can be seen."""
    env, facts = choice.env, choice.facts
    if choice.uv and (choice.tool == "uv" or not choice.can_pip):
        run([choice.uv, "venv", "--system-site-packages", "--python", choice.python or REQUEST["requiresPython"], env])
    elif facts["venv"] and (facts["pip"] or facts["ensurepip"]):
        run([choice.python, "-m", "venv", "--system-site-packages"] + (["--without-pip"] if facts["pip"] else []) + [env])
    elif facts["virtualenv"]:
        run([choice.python, "-m", "virtualenv", "--system-site-packages", env])
    else:
        raise cannot("%s has neither pip nor ensurepip nor virtualenv, and there is no uv (Debian and Ubuntu: apt-get install python3-venv)" % choice.python)
    if facts and facts["prefix"] != facts["base"]:
        # An environment made from an environment sees the Python below both, not what lies between.
        sites = glob.glob(os.path.join(env, "lib/python*/site-packages"))
        with open(os.path.join(sites[0], "runctl-image.pth"), "w") as file:
            file.write("".join("import site; site.addsitedir(%r)\n" % site for site in facts["sites"]))


def fill(choice):
    python = os.path.join(choice.env, "bin/python")
    directory = os.path.join(CODE, REQUEST["directory"])
    source = os.path.join(directory, REQUEST["file"])
    if REQUEST["kind"] != "list" and not os.path.isfile(source):
        raise cannot("%s did not come to the machine: .gitignore or sync.exclude keeps it back" % os.path.relpath(source, CODE))
    if REQUEST["kind"] == "lock":
        uv = choice.uv
        if not uv:
            say("there is no uv on this machine: pip fetches it into the environment")
            run([python, "-m", "pip", "install", "uv"])
            uv = os.path.join(choice.env, "bin/uv")
        return run([uv, "sync", "--frozen", "--inexact", "--no-install-project"], directory, UV_PROJECT_ENVIRONMENT=choice.env)
    if REQUEST["kind"] == "list" and not REQUEST["requirements"]:
        return
    if REQUEST["kind"] == "list":
        source = os.path.join(choice.env, "runctl-requirements.txt")
        with open(source, "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in REQUEST["requirements"]))
    if choice.tool == "uv":
        run([choice.uv, "pip", "install", "--python", python, "-r", source], directory)
    else:
        run([python, "-m", "pip", "install", "-r", source], directory)


def link(choice):
    """False when the code brings something of its own by that name."""
    path = os.path.join(CODE, ".venv")
    if os.path.islink(path) and os.readlink(path) == choice.env:
        return True
    if os.path.lexists(path):
        return False
    os.symlink(choice.env, path)
    return True


def install():
    start = time.monotonic()
    choice = Choice()
    lock = open(choice.env + ".lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        say("another run installs the same environment; this one waits for it")
        fcntl.flock(lock, fcntl.LOCK_EX)
    if choice.is_complete():
        link(choice)
        return say("installed already (%s)" % choice.describe())
    shutil.rmtree(choice.env, ignore_errors=True)
    try:
        make(choice)
        fill(choice)
    except Failed:
        shutil.rmtree(choice.env, ignore_errors=True)
        raise
    count = len(glob.glob(os.path.join(choice.env, "lib/python*/site-packages/*.dist-info")))
    mark = os.path.join(choice.env, MARK)
    with open(mark + ".tmp", "w") as file:
        json.dump(dict(source=REQUEST["source"], made=int(time.time())), file)
    os.rename(mark + ".tmp", mark)
    link(choice)
    say("%d package%s in %.0f s (%s)" % (count, "" if count == 1 else "s", time.monotonic() - start, choice.describe()))


def main():
    sys.stdout.reconfigure(errors="backslashreplace")
    if os.path.lexists(os.path.join(CODE, ".venv")) and not os.path.islink(os.path.join(CODE, ".venv")):
        say("the code brings its own .venv, which is used as it is")
        return 0
    try:
        if MODE == "install":
            # The installer in the same process group gets the signal too; it is waited for, so that nobody writes after the end.
            signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
            install()
            return 0
        choice = Choice()
        if not choice.is_complete() or not link(choice):
            return 3
        say("installed already (%s)" % choice.describe())
        return 0
    except Failed as failure:
        if MODE == "install" and str(failure):
            say(str(failure))
        return failure.code
    except OSError as error:
        if MODE == "install":
            say("cannot install: %s" % error)
        return 74


sys.exit(main())
