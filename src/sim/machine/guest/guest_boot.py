# Boots one machine from its configuration file and stays as its first process until it is told to go down.
# The host finds it by guest.json (pid, start time, ports) and talks to it on a unix socket in JSON lines:
#   in:  {op: run|kill|listen|network|disk|due|down}  out: {event: state|done|planned|down}
# People inside reach it through the FIFO that `shutdown` and its kin write to (guest-tools.sh).
import json
import os
import shutil
import signal
import socket
import sys
import time

from guest_loop import Loop
from guest_relay import Relay
from guest_scripts import Scripts
from guest_time import FIRST_LOOK_S, WorldTime

# Read while the host's files can still be seen.
def own_text(name):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name)) as file:
        return file.read()


TOOLS_TEXT, TIME_TEXT = own_text('guest-tools.sh'), own_text('guest-time.sh')
PYTHON_TEXTS = {name: own_text(name) for name in ('guest_time.py', 'sitecustomize.py')}
SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']
TOOLS = ('shutdown', 'poweroff', 'halt', 'reboot', 'systemctl', 'systemd-run', 'sudo')


def install_tools(config, folder, fifo):
    """Write the guest's own versions of what must not reach the host's init. Returns their names."""
    text = TOOLS_TEXT.replace('@INITCTL@', fifo)
    first = os.path.join(folder, TOOLS[0])
    with open(first, 'w') as file:
        file.write(text)
    os.chmod(first, 0o755)
    for name in TOOLS[1:]:
        path = os.path.join(folder, name)
        if os.path.lexists(path):
            os.unlink(path)
        os.link(first, path)
    python = os.path.join(os.path.dirname(config['python']), 'python3')
    if not os.path.exists(python) and not os.path.lexists(os.path.join(folder, 'python3')):
        os.symlink(config['python'], os.path.join(folder, 'python3'))
    return TOOLS


def install_time(folder, python_folder, clock):
    """Write what lets the guest's programs live in the world's time: by PATH, and Python by PYTHONPATH."""
    text = TIME_TEXT.replace('@CLOCK@', clock).replace('@PLATFORM@', sys.platform)
    for name in ('date', 'sleep', 'stat'):
        text = text.replace('@%s@' % name.upper(), shutil.which(name, path=':'.join(SYSTEM_FOLDERS)) or '/bin/' + name)
    for name in ('date', 'sleep', 'stat'):
        path = os.path.join(folder, name)
        with open(path, 'w') as file:
            file.write(text)
        os.chmod(path, 0o755)
    os.makedirs(python_folder, exist_ok=True)
    for name, text in PYTHON_TEXTS.items():
        with open(os.path.join(python_folder, name), 'w') as file:
            file.write(text.replace('@CLOCK@', clock))


def record_identity(config, pid):
    """Pid and start time as the host sees them: together they name a process for good."""
    if sys.platform == 'linux':
        with open('/proc/%d/stat' % pid) as file:
            start = file.read().rsplit(')', 1)[1].split()[19]
    else:
        import subprocess
        start = subprocess.check_output(['ps', '-o', 'lstart=', '-p', str(pid)], text=True).strip()
    path = os.path.join(config['machine'], 'guest.json')
    with open(path + '.partial', 'w') as file:
        json.dump({'pid': pid, 'start': start}, file)
    os.rename(path + '.partial', path)


def boot(config_file):
    with open(config_file) as file:
        config = json.load(file)
    os.umask(0o022)
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if os.path.lexists(config['controlSocket']):
        os.unlink(config['controlSocket'])
    control.bind(config['controlSocket'])
    control.listen(8)
    if config['isolation'] == 'process':
        record_identity(config, os.getpid())
    else:
        import guest_sandbox
        guest_sandbox.unshare(config['isolation'] == 'network', config['userNamespace'])
        recorded, recording = os.pipe()
        child = os.fork()
        if child:
            record_identity(config, child)
            os._exit(0)
        # Nobody may hear of this machine before it can be found by its pid.
        os.close(recording)
        os.read(recorded, 1)
        os.close(recorded)
        os.setsid()
    try:
        Guest(config, control).live()
    except Exception as error:
        import traceback
        traceback.print_exc()
        print(json.dumps({'error': '%s: %s' % (type(error).__name__, error)}), flush=True)
        os._exit(1)


class Guest:
    def __init__(self, config, control):
        self.config, self.control = config, control
        self.sealed = config['isolation'] != 'process'
        self.machine = config['machine']
        self.connections = {}
        self.relays = {}
        self.scheduled = None
        self.going_down = None
        self.halted = False
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.metadata_target = self.reachable(config['metadataSocket'])
        self.server_target = self.reachable(config['serverSocket'])
        self.egress_target = self.reachable(config['egressSocket'])
        self.seal()
        self.loop = Loop()
        self.loop.on_children = self.reap
        network = config['isolation'] == 'network'
        if network:
            guest_sandbox().loopback(['169.254.169.254', config['privateIp']])
        self.metadata = Relay(self.loop, ('169.254.169.254', 80) if network else ('127.0.0.1', 0), self.metadata_target)
        self.listen(config['serverPort'])
        if network:
            self.relays[config['egressPort']] = Relay(self.loop, ('127.0.0.1', config['egressPort']), self.egress_target)
        self.scripts = Scripts(self.loop, self.script_folder, self.environment(), self.announce)
        self.fifo = os.open(self.fifo_path, os.O_RDWR | os.O_NONBLOCK)
        self.loop.watch(self.fifo, self.asked_inside)
        control.setblocking(False)
        self.loop.watch(control, self.connected)

    def reachable(self, path):
        """A name for a host's socket that still works once /tmp and the like are the guest's own."""
        if not self.sealed:
            return path
        folder = os.open(os.path.dirname(path), os.O_PATH | os.O_CLOEXEC)
        return '/proc/self/fd/%d/%s' % (folder, os.path.basename(path))

    def seal(self):
        if self.sealed:
            self.tools, self.fifo_path, self.script_folder = '/run/sim/bin', '/run/initctl', '/run/amazon/ssm'
            self.python_folder, self.clock = '/run/sim/python', '/run/sim/clock/now'
            guest_sandbox().furnish(self.config, install_tools)
            guest_sandbox().forget_capabilities(keep_boot=True)
        else:
            self.tools = os.path.join(self.machine, 'bin')
            self.fifo_path = os.path.join(self.machine, 'initctl')
            self.script_folder = os.path.join(self.machine, 'disk/ssm')
            self.python_folder, self.clock = os.path.join(self.machine, 'python'), os.path.join(self.config['clock'], 'now')
            os.makedirs(self.tools, exist_ok=True)
            install_tools(self.config, self.tools, self.fifo_path)
            if sys.platform == 'linux':
                guest_sandbox().become_subreaper()
                guest_sandbox().forget_capabilities(keep_boot=False)
        install_time(self.tools, self.python_folder, self.clock)
        self.time = WorldTime(self.clock)
        if os.path.lexists(self.fifo_path):
            os.unlink(self.fifo_path)
        os.mkfifo(self.fifo_path, 0o600)

    def environment(self):
        folders = [self.tools, os.path.dirname(self.config['python'])]
        folders = [folder for folder in folders if folder not in SYSTEM_FOLDERS] + SYSTEM_FOLDERS
        # SDKs in the guest find the pretend cloud by this; a real machine needs no such hint.
        env = dict(self.config['variables'])
        env.update({'PATH': ':'.join(folders), 'AWS_ENDPOINT_URL': 'http://127.0.0.1:%d' % self.config['serverPort'],
                    'PYTHONPATH': self.python_folder})
        if self.config['isolation'] == 'network':
            # The one way out, and what it is not needed for.
            env.update(HTTPS_PROXY='http://127.0.0.1:%d' % self.config['egressPort'], NO_PROXY='127.0.0.1,localhost,169.254.169.254')
        else:
            env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] = 'http://127.0.0.1:%d' % self.metadata.port
        if not self.sealed:
            env.update(HOME=os.path.join(self.machine, 'disk/ec2-user'), TMPDIR=os.path.join(self.machine, 'tmp'),
                       SIM_MACHINE=self.config['marker'])
        return env

    def listen(self, port):
        """The pretend cloud's own port, where the network is the guest's own; elsewhere the guest reaches it directly."""
        if self.config['isolation'] == 'network' and port not in self.relays:
            self.relays[port] = Relay(self.loop, ('127.0.0.1', port), self.server_target)

    def live(self):
        print(json.dumps({'ready': True}), flush=True)
        null = os.open('/dev/null', os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        self.loop.run()

    # -- the host's side

    def connected(self, _events):
        try:
            connection = self.control.accept()[0]
        except BlockingIOError:
            return
        self.connections[connection] = b''
        connection.setblocking(True)
        connection.settimeout(5)
        self.loop.watch(connection, lambda _events: self.heard(connection))
        self.tell(connection, self.state())

    def state(self):
        return {'event': 'state', 'running': list(self.scripts.running), 'halted': self.halted, 'plannedAt': self.planned_at()}

    def planned_at(self):
        return int(self.scheduled[1] * 1000) if self.scheduled else None

    def heard(self, connection):
        try:
            data = connection.recv(65536)
        except OSError:
            data = b''
        if not data:
            return self.hang_up(connection)
        lines = (self.connections[connection] + data).split(b'\n')
        self.connections[connection] = lines.pop()
        for line in lines:
            self.obey(json.loads(line))

    def hang_up(self, connection):
        self.loop.forget(connection)
        self.connections.pop(connection, None)
        connection.close()

    def tell(self, connection, message):
        try:
            connection.sendall(json.dumps(message).encode() + b'\n')
        except OSError:
            self.hang_up(connection)

    def announce(self, message):
        for connection in list(self.connections):
            self.tell(connection, message)

    def obey(self, request):
        op = request['op']
        if op == 'run':
            if not self.going_down and not self.halted:
                self.scripts.start(request)
        elif op == 'kill':
            self.scripts.kill(request['id'])
        elif op == 'listen':
            self.listen(request['port'])
        elif op == 'network':
            for relay in [self.metadata, *self.relays.values()]:
                relay.set_up(request['up'])
        elif op == 'disk':
            if self.sealed:
                guest_sandbox().leave_free(request['freeMib'])
        elif op == 'due':
            # What `shutdown +N` was for, unless it was called off in this very moment.
            if self.scheduled:
                self.go_down(self.scheduled[0], self.config['graceMs'] / 1000)
            elif not self.going_down:
                self.announce({'event': 'planned', 'at': None})
        elif op == 'down':
            self.go_down(request['how'], request['graceMs'] / 1000)

    # -- the inside's side

    def asked_inside(self, _events):
        try:
            text = os.read(self.fifo, 4096).decode('utf-8', 'replace')
        except BlockingIOError:
            return
        for words in (line.split() for line in text.splitlines()):
            if words == ['cancel']:
                self.call_off()
            elif len(words) == 2 and words[0] in ('poweroff', 'reboot', 'halt'):
                self.schedule(words[0], words[1])

    def call_off(self):
        if self.scheduled:
            self.scheduled = None
            self.announce({'event': 'planned', 'at': None})

    def schedule(self, how, when):
        self.call_off()
        if when == 'now' or when == '+0':
            return self.go_down(how, self.config['graceMs'] / 1000)
        if ':' in when:
            hour, minute = (int(part) for part in when.split(':'))
            now = time.localtime(self.time.time())
            delay = ((hour - now.tm_hour) * 60 + minute - now.tm_min) % 1440 * 60 - now.tm_sec
        else:
            delay = int(when) * 60
        self.scheduled = (how, self.time.time() + max(0, delay))
        # The host wakes us at that moment of the world; on our own we look at the clock, for a host may be gone.
        self.announce({'event': 'planned', 'at': self.planned_at()})
        self.look_at_clock(self.scheduled)

    def look_at_clock(self, plan):
        if plan is not self.scheduled or self.going_down:
            return
        left = plan[1] - self.time.time()
        if left <= 0:
            return self.go_down(plan[0], self.config['graceMs'] / 1000)
        self.loop.after(min(FIRST_LOOK_S, self.time.left(left)), lambda: self.look_at_clock(plan))

    # -- death

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                if self.going_down:
                    self.gone()
                return
            if pid == 0:
                return
            self.scripts.ended(pid, status)

    def go_down(self, how, grace):
        if self.going_down and grace > 0:
            return
        self.going_down, self.scheduled = how, None
        # The agent goes down with the rest: what its scripts still do, nobody reports.
        self.scripts.silent = True
        if grace > 0:
            self.signal_all(signal.SIGTERM)
            self.loop.after(grace, self.kill_all)
        else:
            self.kill_all()
        self.reap()

    def kill_all(self):
        if self.going_down and not self.halted:
            self.signal_all(signal.SIGKILL)
            self.reap()
            # Forking faster than we kill: again, until nobody is left.
            self.loop.after(0.02, self.kill_all)

    def signal_all(self, number):
        if self.sealed:
            try:
                os.kill(-1, number)
            except ProcessLookupError:
                pass
            return
        import guest_family
        guest_family.signal_descendants(os.getpid(), number)

    def gone(self):
        how = self.going_down
        if self.sealed:
            guest_sandbox().write_back()
        self.announce({'event': 'down', 'how': how})
        if how == 'halt':
            # A halted machine still runs, and is paid for, in the eyes of its owner's cloud.
            self.halted, self.going_down = True, None
            self.scripts.running.clear()
            return
        os._exit(0)


def guest_sandbox():
    import guest_sandbox as module
    return module
