# All descendants of a process, for machines that have no PID namespace of their own. Linux reads /proc, others ask ps.
import os
import signal
import subprocess
import sys


def parents():
    if sys.platform == 'linux':
        for name in os.listdir('/proc'):
            if name.isdigit():
                try:
                    with open('/proc/%s/stat' % name) as file:
                        yield int(name), int(file.read().rsplit(')', 1)[1].split()[1])
                except (OSError, IndexError):
                    continue
        return
    # SIGCHLD of this very ps must not be mistaken for a script's end: the pid is unknown to the scripts, so it is not.
    for line in subprocess.check_output(['ps', '-axo', 'pid=,ppid='], text=True).splitlines():
        pid, parent = line.split()
        yield int(pid), int(parent)


def descendants(root):
    children = {}
    for pid, parent in parents():
        children.setdefault(parent, []).append(pid)
    found, queue = [], [root]
    while queue:
        for pid in children.get(queue.pop(), []):
            found.append(pid)
            queue.append(pid)
    return found


def signal_descendants(root, number):
    for pid in descendants(root):
        try:
            os.kill(pid, number)
            if number == signal.SIGTERM:
                os.kill(pid, signal.SIGCONT)
        except (ProcessLookupError, PermissionError):
            continue
