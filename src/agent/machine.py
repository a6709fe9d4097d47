# What a machine is busy with, as one line of JSON: load, memory, disks, GPUs as nvidia-smi prints them, and the busiest
# processes with those of the training jobs. Arguments: how many processes, how long to measure (seconds), then PID=RUN of each job.
# Linux by /proc; elsewhere by ps, without what only /proc tells. Standard library of Python 3.6 and later.
import json, os, shutil, subprocess, sys, time

LIMIT, MEASURE_S = int(sys.argv[1]), float(sys.argv[2])
JOBS = dict(word.split("=", 1) for word in sys.argv[3:])
# For the tests: another root of what is read.
PROC = os.environ.get("RUNCTL_PROC", "/proc")
COMMAND_CHARS = 300
# A shell's answer is cut at 24,000 characters (Systems Manager).
MOST_CHARS = 18000


def read(*path):
    try:
        with open(os.path.join(PROC, *map(str, path)), "rb") as file:
            return file.read().decode("utf-8", "replace")
    except OSError:
        return None


def run(seconds, *words):
    """Output of a program, or (None, why)."""
    if shutil.which(words[0]) is None:
        return None, None
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=seconds)
    except subprocess.TimeoutExpired:
        return None, "%s did not answer within %d s" % (words[0], seconds)
    except OSError as error:
        return None, str(error)
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode != 0:
        said = (text + done.stderr.decode("utf-8", "replace")).strip().splitlines()
        return None, "%s ended with %d%s" % (words[0], done.returncode, ": " + said[-1][:300] if said else "")
    return text, None


def user_name(uid, known={}):
    if uid not in known:
        try:
            import pwd
            known[uid] = pwd.getpwuid(uid).pw_name
        except (ImportError, KeyError):
            known[uid] = str(uid)
    return known[uid]


def processor():
    """(busy ticks, all ticks) of all cores together."""
    line = (read("stat") or "").split("\n", 1)[0].split()
    if len(line) < 5 or line[0] != "cpu":
        return None
    ticks = [int(n) for n in line[1:9]]
    idle = ticks[3] + (ticks[4] if len(ticks) > 4 else 0)
    return sum(ticks) - idle, sum(ticks)


def snapshot():
    """pid -> (start, ticks used, parent, group, name)"""
    found = {}
    for pid in os.listdir(PROC):
        if not pid.isdigit():
            continue
        stat = read(pid, "stat")
        if stat is None or ")" not in stat:
            continue
        name = stat[stat.index("(") + 1:stat.rindex(")")]
        rest = stat[stat.rindex(")") + 2:].split()
        if rest[0] not in ("Z", "X"):
            found[int(pid)] = (int(rest[19]), int(rest[11]) + int(rest[12]), int(rest[1]), int(rest[2]), name)
    return found


def describe(pid, row, percent, total_kb, now_ticks, hz):
    start, _, _, group, name = row
    status = dict(line.split(":", 1) for line in (read(pid, "status") or "").splitlines() if ":" in line)
    words = (read(pid, "cmdline") or "").rstrip("\0").replace("\0", " ")
    rss_kb = int((status.get("VmRSS") or "0 kB").split()[0])
    uid = (status.get("Uid") or "").split()
    return {
        "pid": pid, "group": group, "user": user_name(int(uid[0])) if uid else "?", "cpuPercent": round(percent, 1),
        "memoryMb": round(rss_kb / 1024, 1), "memoryPercent": round(100 * rss_kb / total_kb, 1) if total_kb else None,
        "elapsedS": max(0, int((now_ticks - start) / hz)), "command": (words or "[%s]" % name)[:COMMAND_CHARS],
    }


def linux(answer):
    hz = os.sysconf("SC_CLK_TCK")
    began, before, cpu = time.monotonic(), snapshot(), processor()
    time.sleep(MEASURE_S)
    after, cpu_after = snapshot(), processor()
    seconds = time.monotonic() - began
    if cpu and cpu_after and cpu_after[1] > cpu[1]:
        answer["cpuPercent"] = round(100.0 * (cpu_after[0] - cpu[0]) / (cpu_after[1] - cpu[1]), 1)
    load = (read("loadavg") or "").split()
    answer["load"] = [float(n) for n in load[:3]]
    memory = dict((line.split(":")[0], int(line.split()[1])) for line in (read("meminfo") or "").splitlines() if len(line.split()) > 1)
    total = memory.get("MemTotal", 0)
    if total:
        free = memory.get("MemAvailable", memory.get("MemFree", 0) + memory.get("Cached", 0) + memory.get("Buffers", 0))
        answer["memoryKb"] = {"total": total, "used": total - free, "swapTotal": memory.get("SwapTotal", 0), "swapUsed": memory.get("SwapTotal", 0) - memory.get("SwapFree", 0)}
    busy = {}
    for pid, row in after.items():
        old = before.get(pid)
        # One that came meanwhile has used all of its time since.
        used = row[1] - (old[1] if old and old[0] == row[0] else 0)
        busy[pid] = 100.0 * used / hz / seconds
    jobs = set(int(pid) for pid in JOBS)
    # Neither the one who measures nor the shells that it was asked through.
    own, pid = set(), os.getpid()
    while pid > 1 and pid in after:
        own.add(pid)
        pid = after[pid][2]
    chosen = sorted((pid for pid in after if pid not in own), key=lambda pid: (after[pid][3] not in jobs, -busy[pid], -after[pid][1], pid))
    now_ticks = float((read("uptime") or "0").split()[0]) * hz
    answer["processes"] = [describe(pid, after[pid], busy[pid], total, now_ticks, hz) for pid in chosen[:LIMIT]]
    answer["processCount"] = len(after)


def seconds_of(text):
    """[[days-]hours:]minutes:seconds"""
    days, _, clock = text.rpartition("-")
    total = 0
    for part in clock.split(":"):
        total = total * 60 + int(float(part))
    return total + 86400 * int(days or 0)


def elsewhere(answer):
    answer["load"] = list(os.getloadavg())
    text, why = run(10, "ps", "-A", "-o", "pid=,pgid=,user=,pcpu=,pmem=,rss=,etime=,args=")
    rows = []
    for line in (text or "").splitlines():
        parts = line.split(None, 7)
        if len(parts) < 8 or not parts[0].isdigit() or int(parts[0]) == os.getpid():
            continue
        pid, group, user, cpu, mem, rss, elapsed, command = parts
        rows.append({"pid": int(pid), "group": int(group), "user": user, "cpuPercent": float(cpu.replace(",", ".")), "memoryPercent": float(mem.replace(",", ".")), "memoryMb": round(int(rss) / 1024, 1), "elapsedS": seconds_of(elapsed), "command": command[:COMMAND_CHARS]})
    jobs = set(int(pid) for pid in JOBS)
    rows.sort(key=lambda row: (row["group"] not in jobs, -row["cpuPercent"], row["pid"]))
    answer["processes"], answer["processCount"] = rows[:LIMIT], len(rows)
    if why:
        answer["processesNote"] = why


answer = {"at": time.time(), "cores": os.cpu_count()}
(linux if os.path.exists(os.path.join(PROC, "self", "stat")) else elsewhere)(answer)
for row in answer["processes"]:
    run_id = JOBS.get(str(row.pop("group")))
    if run_id:
        row["job"] = run_id
answer["jobs"] = [{"pid": int(pid), "runId": run_id} for pid, run_id in JOBS.items()]
df, why = run(10, "df", "-kP")
answer["df"] = (df or "")[:6000]
if why:
    answer["dfNote"] = why
gpus, why = run(15, "nvidia-smi", "--query-gpu=index,name,utilization.gpu,memory.used,memory.total,temperature.gpu,power.draw", "--format=csv")
if gpus is not None:
    answer["gpus"] = gpus[:6000]
if why:
    answer["gpusNote"] = why
while len(json.dumps(answer)) > MOST_CHARS and answer["processes"]:
    answer["processes"].pop()
    answer["processesNote"] = "more processes than fit into one answer"
print(json.dumps(answer))
