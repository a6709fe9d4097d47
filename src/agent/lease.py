# The keeper of a machine's lease: counts the seconds that the machine runs, sees whether anything moves on it, and ends it.
# Runs as root from `python3 -s lease.py DIRECTORY` (files: see guard.sh), needs no network and nobody to talk to. It decides by
# counted time only; a clock that is set changes nothing. Keeper decides, Machine does: the tests give it another Machine.
#
# When is it idle? Progress is a longer log of any run, a new or changed checkpoint, a new run, sent code, an install that goes on,
# a command of `exec`, a session. Work is CPU time or a busy GPU, and is no progress: a script may turn in circles. So the machine
# ends when neither progress nor work was seen for the idle time, and also when only work was seen for twice that time (nothing
# that lives has ever written a line or a checkpoint) or six times (something has). Whatever logs within the idle time is never idle.
import os, re, signal, stat, subprocess, sys, threading, time

WORK_CORES = 0.05
WORK_GPU_PERCENT = 5
UNPROVEN, PROVEN = 2, 6
# Whoever follows a job asks every few seconds; then there is somebody who may fetch its results.
CONTACT_S = 60
KILL_S = 3


class Keeper:
    """One lease. `tick()` does what is due and says for how many seconds nothing will be."""

    def __init__(self, machine):
        self.machine = machine
        self.last = machine.monotonic()
        self.text = None
        self.on, self.allowed, self.idle, self.grace, self.tick_s, self.limit = False, None, 0, 0, 30, "hours"
        self.read_lease()
        # The loop of the guard counted until now; what it has not written yet is a tick at most.
        self.used = float(machine.number("used", 0))
        if machine.exists("floor"):
            self.used += self.tick_s
        self.written = None
        was = parse(machine.read("facts") or "")
        self.quiet = whole(was.get("lease_quiet"), 0)
        self.lazy = whole(was.get("lazy"), 0)
        self.seen = None
        self.proven = False
        self.contact = machine.contact()
        self.since_contact = float("inf")
        self.reason = None
        self.off_at = None
        self.told = {}
        self.killed = False

    def read_lease(self):
        """Whether it is another one than before."""
        text = self.machine.read("lease")
        if not text or text == self.text:
            return False
        renewed = self.text is not None
        self.text, lease = text, parse(text)
        self.on = lease.get("state") == "on"
        self.allowed = whole(lease.get("allowed"), None)
        self.idle = whole(lease.get("idle"), 0)
        self.grace = whole(lease.get("grace"), 0)
        self.tick_s = max(1, whole(lease.get("tick"), 30))
        if self.allowed is not None:
            # Started after its end: somebody wants to have what is on it.
            self.allowed = max(self.allowed, self.machine.number("window", 0))
        self.limit = lease.get("limit") or "hours"
        return renewed

    def tick(self):
        machine = self.machine
        now = machine.monotonic()
        passed = max(0.0, now - self.last)
        self.last = now
        self.used += passed
        self.quiet += passed
        self.lazy += passed
        self.since_contact += passed
        renewed = self.read_lease()
        if renewed:
            self.quiet = self.lazy = 0.0
        contact = machine.contact()
        if contact != self.contact:
            self.contact, self.since_contact = contact, 0.0
        self.look()
        reason = self.due(renewed)
        if self.reason and not reason:
            self.call_off()
        if reason and not self.reason:
            self.begin(reason)
        rest = self.rest()
        if self.reason:
            rest = self.end(rest)
        self.write()
        return rest

    def look(self):
        """A look that has not come back (a dead network disk) leaves the clocks running."""
        look = self.machine.look()
        if look is None:
            return
        moved, worked, self.proven = look
        if moved != self.seen:
            # The first look after a start proves nothing when an earlier keeper had counted already.
            if self.seen is not None or self.quiet == 0:
                self.quiet = self.lazy = 0.0
            self.seen = moved
        if worked:
            self.lazy = 0.0

    def due(self, renewed):
        if not self.on:
            return None
        if self.allowed is not None and self.used >= self.allowed:
            return self.limit
        # What was told to end may write a last line: that is no way out of the end.
        return "idle" if self.is_idle() or (self.reason == "idle" and self.told and not renewed) else None

    def is_idle(self):
        if self.idle <= 0:
            return False
        return self.lazy >= self.idle or self.quiet >= self.idle * (PROVEN if self.proven else UNPROVEN)

    def begin(self, reason):
        self.reason = reason
        self.off_at = self.used + self.grace
        self.killed = False
        jobs = self.machine.jobs()
        self.told = dict(jobs)
        for run, pid in jobs:
            self.machine.stop(run, pid, reason, self.grace)

    def call_off(self):
        """A longer lease came in the last moment: what was told to end ends, the machine stays."""
        self.reason = self.off_at = None
        self.told = {}
        self.machine.forget("ended")

    def end(self, rest):
        left = self.off_at - self.used
        jobs = self.machine.jobs()
        watched = bool(self.told) and self.since_contact <= CONTACT_S
        if left > 0 and (jobs or watched):
            return min(rest, left, 2.0)
        if jobs and not self.killed:
            self.killed = True
            self.machine.kill(jobs)
            self.off_at = self.used + KILL_S
            return min(rest, 0.5)
        if jobs and left > 0:
            return min(rest, 0.5)
        self.machine.write("ended", "reason=%s\nused=%d\nruns=%s\n" % (self.reason, self.used, ",".join(sorted(self.told))))
        self.machine.power_off()
        return 5.0

    def rest(self):
        rest = float(self.tick_s)
        if self.reason:
            return rest
        if self.on and self.allowed is not None:
            rest = min(rest, max(0.05, self.allowed - self.used))
        if self.on and self.idle:
            rest = min(rest, max(0.05, self.idle / 4.0))
        return rest

    def write(self):
        used = int(self.used)
        if used != self.written:
            self.written = used
            self.machine.write("used", "%d\n" % used)
        lines = ["lease_state=" + ("ending" if self.reason else "on" if self.on else "off"), "lease_used=%d" % used, "lease_quiet=%d" % self.quiet, "lease_idle=%d" % self.idle, "lazy=%d" % self.lazy]
        if self.reason:
            lines += ["lease_reason=" + self.reason, "lease_left=%d" % max(0, self.off_at - self.used)]
        elif self.on and self.allowed is not None:
            lines.append("lease_left=%d" % max(0, self.allowed - self.used))
        self.machine.write("facts", "\n".join(lines) + "\n")


def parse(text):
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def whole(text, default):
    try:
        return int(text)
    except (TypeError, ValueError):
        return default


class Woken(Exception):
    pass


class Machine:
    """This machine: files below `directory`, jobs below the agent's own directory, processes by /proc."""

    def __init__(self, directory):
        self.directory = directory
        place = parse(self.read("place") or "")
        self.base = place.get("base", "")
        self.home = place.get("home") or "/"
        self.looker = None
        self.found = None
        self.looked_at = None
        self.ticks = None
        self.attempts = 0
        self.attempted_at = None
        self.sleeping = self.woken = False

    def monotonic(self):
        return time.monotonic()

    def sleep(self, seconds):
        """Shorter when somebody changed the lease (SIGUSR1)."""
        try:
            self.sleeping = True
            if not self.woken:
                time.sleep(seconds)
        except Woken:
            pass
        finally:
            self.sleeping = self.woken = False

    def wake(self, *_):
        self.woken = True
        if self.sleeping:
            self.sleeping = False
            raise Woken()

    def path(self, name):
        return os.path.join(self.directory, name)

    def exists(self, name):
        return os.path.exists(self.path(name))

    def read(self, name):
        try:
            with open(self.path(name)) as file:
                return file.read()
        except (OSError, ValueError):
            return None

    def number(self, name, default):
        return whole((self.read(name) or "").strip(), default)

    def write(self, name, text):
        """A full disk keeps nobody from ending the machine: what cannot be written is left."""
        path = self.path(name)
        try:
            with open(path + ".new", "w") as file:
                file.write(text)
                file.flush()
                if name != "facts":
                    os.fsync(file.fileno())
            os.replace(path + ".new", path)
        except OSError as error:
            print("lease: cannot write %s: %s" % (path, error), flush=True)

    def forget(self, name):
        try:
            os.unlink(self.path(name))
        except OSError:
            pass

    def contact(self):
        try:
            return os.stat(self.path("contact")).st_mtime_ns
        except OSError:
            return None

    # -- jobs

    def jobs(self):
        """(run, pid) of every job that lives: of trainings and of installs."""
        return [(run, pid) for run, pid in self.launched() if pid]

    def launched(self):
        for folder in (self.base, os.path.join(self.base, "installs")):
            try:
                names = os.listdir(os.path.join(folder, "runs"))
            except OSError:
                continue
            for name in names:
                run = os.path.join(folder, "runs", name)
                if os.path.islink(os.path.join(run, "launch")) and not os.path.exists(os.path.join(run, "exit_record")):
                    yield run, living(os.path.join(run, "job"))

    def stop(self, run, pid, reason, grace):
        """As `stop-training` does: SIGTERM to the job and its children, after the grace SIGKILL. Never waited for."""
        try:
            with open(os.path.join(run, "lease_ended"), "w") as file:
                file.write(reason + "\n")
        except OSError:
            pass
        environment = dict(os.environ, HOME=self.home, RUNCTL_BASE=os.path.dirname(os.path.dirname(run)))
        try:
            subprocess.Popen(["sh", os.path.join(run, "agent.sh"), "stop", os.path.basename(run), str(int(grace))], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        except OSError:
            send(pid, signal.SIGTERM)

    def kill(self, jobs):
        for _, pid in jobs:
            send(pid, signal.SIGKILL)

    # -- what moves

    def look(self):
        """The newest finished look; a new one is begun in the background, for a disk may hang."""
        found, self.found = self.found, None
        now = self.monotonic()
        if (self.looker is None or not self.looker.is_alive()) and (self.looked_at is None or found or now - self.looked_at >= 1):
            self.looked_at = now
            self.looker = threading.Thread(target=self.look_now, daemon=True)
            self.looker.start()
            self.looker.join(0.5)
            found = self.found or found
            self.found = None
        return found

    def look_now(self):
        facts, proven = [], False
        for folder in (self.base, os.path.join(self.base, "installs")):
            for name in names_in(os.path.join(folder, "runs")):
                run = os.path.join(folder, "runs", name)
                ended = os.path.exists(os.path.join(run, "exit_record"))
                log = size_of(os.path.join(run, "training.log"))
                saved = () if ended else tuple(files_in(os.path.join(run, "checkpoints")))
                facts.append((run, ended, log, saved, changed(os.path.join(run, "code"))))
                proven = proven or (not ended and living(os.path.join(run, "job")) is not None and (log > 0 or bool(saved)))
        for name in names_in(os.path.join(self.base, "commands")):
            command = os.path.join(self.base, "commands", name)
            if not os.path.exists(os.path.join(command, "exit")) and living(os.path.join(command, "supervisor")):
                facts.append(("command", self.monotonic()))
        worked, session = self.processes()
        if session:
            facts.append(("session", self.monotonic()))
        self.found = (facts, worked or self.gpu_works(), proven)

    def processes(self):
        """(whether more than a little CPU time was used since the last look, whether somebody has a session)"""
        total, session, own = 0, False, os.getpid()
        for name in names_in("/proc"):
            if not name.isdigit() or int(name) == own:
                continue
            fields = stat_of(name)
            if fields is None:
                continue
            session = session or fields[0].startswith("ssm-session-wor")
            # Time of children that were waited for stays with their parent: nothing is lost between two looks.
            total += sum(int(n) for n in fields[1][11:15])
        now = self.monotonic()
        before, self.ticks = self.ticks, (now, total)
        if before is None or now <= before[0]:
            return False, session
        return (total - before[1]) / float(os.sysconf("SC_CLK_TCK")) / (now - before[0]) >= WORK_CORES, session

    def gpu_works(self):
        try:
            done = subprocess.run(["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return any(int(n) >= WORK_GPU_PERCENT for n in re.findall(rb"^\s*(\d+)", done.stdout, re.M))

    # -- the end

    def power_off(self):
        """Asked again and again, ever harder, until there is nobody to ask."""
        now = self.monotonic()
        if self.attempted_at is not None and now - self.attempted_at < 20:
            return
        self.attempted_at = now
        ways = (["shutdown", "-h", "now"], ["poweroff"], ["systemctl", "poweroff", "--force"], ["poweroff", "-f"])
        way = ways[min(self.attempts, len(ways) - 1)]
        self.attempts += 1
        print("lease: over; %s" % " ".join(way), flush=True)
        try:
            subprocess.Popen(way, stdin=subprocess.DEVNULL, start_new_session=True)
        except OSError as error:
            print("lease: %s: %s" % (way[0], error), flush=True)
            self.attempted_at = None


def names_in(directory):
    try:
        return os.listdir(directory)
    except OSError:
        return []


def size_of(path):
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def changed(path):
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def files_in(directory):
    """What is in the checkpoints, as far as it is worth comparing: name, size, time."""
    found = []
    for parent, _, names in os.walk(directory):
        for name in names[:2000]:
            try:
                facts = os.stat(os.path.join(parent, name))
            except OSError:
                continue
            if stat.S_ISREG(facts.st_mode) and facts.st_size > 0:
                found.append((parent, name, facts.st_size, facts.st_mtime_ns))
        if len(found) > 5000:
            break
    return sorted(found)


def stat_of(pid):
    """(name, fields from the state on) of a process, or None."""
    try:
        with open("/proc/%s/stat" % pid, "rb") as file:
            text = file.read().decode("utf-8", "replace")
        return text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
    except (OSError, ValueError):
        return None


def living(path):
    """The pid in a file "PID START@BOOT ..." of the agent, if that very process lives."""
    try:
        with open(path) as file:
            pid, mark = file.read().split()[:2]
    except (OSError, ValueError):
        return None
    fields = stat_of(pid)
    if fields is None or fields[1][0] in "ZX" or fields[1][19] != mark.split("@")[0]:
        return None
    return int(pid)


def send(pid, number):
    for target in (lambda: os.killpg(pid, number), lambda: os.kill(pid, number)):
        try:
            return target()
        except OSError:
            pass


def main(directory):
    import fcntl
    lock = open(os.path.join(directory, "lock"), "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return
    # Not SIGTERM: a machine that goes down must not wait for its keeper, and whoever else sends it one sees another one come.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    machine = Machine(directory)
    signal.signal(signal.SIGUSR1, machine.wake)
    machine.write("keeper", "%d\n" % os.getpid())
    keeper = Keeper(machine)
    while True:
        machine.sleep(keeper.tick())


if __name__ == "__main__":
    main(sys.argv[1])
