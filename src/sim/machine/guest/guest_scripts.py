# Runs scripts as the SSM agent does, and leaves what came of them in files: _script.sh, stdout, stderr, result.json.
# Does: `sh -c FILE` in its own process group; the end is the end of every holder of the output pipes; SIGKILL to the group
# at the time limit or when cancelled. Gaps: at most 8 MiB of each stream are kept, the rest is read and dropped.
# Source: amazon-ssm-agent, agent/plugins/runscript, agent/executers (Linux), packaging/linux/amazon-ssm-agent.service.
import json
import os
import shutil
import signal
import time

KEPT_BYTES = 8 * 1024 * 1024
KEPT_SCRIPTS = 400


class Script:
    def __init__(self, name, folder):
        self.name, self.folder = name, folder
        self.pid = 0
        self.exit_code = None
        self.timed_out = self.killed = False
        self.pipes = {}
        self.timer = [None]
        self.started = time.time()


class Scripts:
    def __init__(self, loop, folder, environment, announce):
        self.loop, self.folder, self.environment, self.announce = loop, folder, environment, announce
        self.running = {}
        self.by_pid = {}
        self.silent = False
        self.prune()

    def prune(self):
        """The real agent clears what is older than 14 days; here the newest few hundred stay."""
        finished = sorted((entry for entry in os.scandir(self.folder) if entry.is_dir() and entry.name not in self.running),
                          key=lambda entry: entry.stat().st_mtime)
        for entry in finished[:-KEPT_SCRIPTS]:
            shutil.rmtree(entry.path, ignore_errors=True)
        self.count = len(finished)

    def start(self, request):
        name = request['id']
        folder = os.path.join(self.folder, name)
        if name in self.running:
            return
        if os.path.exists(os.path.join(folder, 'result.json')):
            self.announce({'event': 'done', 'id': name})
            return
        self.count += 1
        if self.count > 2 * KEPT_SCRIPTS:
            self.prune()
        os.makedirs(folder, mode=0o700, exist_ok=True)
        path = os.path.join(folder, '_script.sh')
        with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o700), 'w', encoding='utf-8', errors='surrogateescape') as file:
            file.write(request['body'])
        script = Script(name, folder)
        self.running[name] = script
        self.spawn(script, path, request)
        if request['timeoutMs']:
            script.timer = self.loop.after(request['timeoutMs'] / 1000, lambda: self.kill(name, timed_out=True))

    def spawn(self, script, path, request):
        environment = dict(self.environment, **request['env'])
        directory = request.get('workingDirectory') or '/usr/bin'
        ends = {stream: os.pipe() for stream in ('stdout', 'stderr')}
        pid = os.fork()
        if pid == 0:
            try:
                os.setpgid(0, 0)
                for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                    signal.signal(number, signal.SIG_DFL)
                null = os.open('/dev/null', os.O_RDONLY)
                os.dup2(null, 0)
                os.dup2(ends['stdout'][1], 1)
                os.dup2(ends['stderr'][1], 2)
                os.umask(0o022)
                try:
                    os.chdir(directory)
                except OSError as error:
                    os.write(2, ('chdir %s: %s\n' % (directory, error.strerror.lower())).encode())
                    os._exit(1)
                os.execve('/bin/sh', ['sh', '-c', path], environment)
            finally:
                os._exit(127)
        try:
            os.setpgid(pid, pid)
        except OSError:
            pass  # the child was quicker
        script.pid = pid
        self.by_pid[pid] = script
        for stream, (reader, writer) in ends.items():
            os.close(writer)
            os.set_blocking(reader, False)
            sink = os.open(os.path.join(script.folder, stream), os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_APPEND, 0o600)
            script.pipes[reader] = [sink, 0]
            self.loop.watch(reader, lambda _events, reader=reader: self.drain(script, reader))

    def drain(self, script, reader):
        sink = script.pipes[reader]
        for _ in range(64):
            try:
                data = os.read(reader, 65536)
            except BlockingIOError:
                return
            if not data:
                self.close_pipe(script, reader)
                return self.settle(script)
            room = KEPT_BYTES - sink[1]
            if room > 0:
                try:
                    sink[1] += os.write(sink[0], data[:room])
                except OSError:
                    sink[1] = KEPT_BYTES  # disk full: keep reading, or the script would hang

    def close_pipe(self, script, reader):
        self.loop.forget(reader)
        os.close(reader)
        os.close(script.pipes.pop(reader)[0])

    def ended(self, pid, status):
        script = self.by_pid.pop(pid, None)
        if script:
            script.exit_code = 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            self.settle(script)

    def settle(self, script):
        if self.silent or script.exit_code is None or script.name not in self.running:
            return
        if script.pipes:
            if not script.killed and not script.timed_out:
                return
            # The group is dead; what another session still holds is not waited for.
            for reader in list(script.pipes):
                if reader in script.pipes:
                    self.drain(script, reader)
                if reader in script.pipes:
                    self.close_pipe(script, reader)
            if script.name not in self.running:
                return
        script.timer[0] = None
        del self.running[script.name]
        self.record(script.folder, script)
        self.announce({'event': 'done', 'id': script.name})

    def record(self, folder, script):
        partial = os.path.join(folder, 'result.json.partial')
        with open(partial, 'w') as file:
            json.dump({'exitCode': script.exit_code, 'timedOut': script.timed_out, 'killed': script.killed,
                       'startedAt': int(script.started * 1000), 'endedAt': int(time.time() * 1000)}, file)
        os.rename(partial, os.path.join(folder, 'result.json'))

    def kill(self, name, timed_out=False):
        script = self.running.get(name)
        if not script:
            return
        script.timed_out = script.timed_out or timed_out
        script.killed = script.killed or not timed_out
        try:
            os.killpg(script.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        # The leader may be long gone while the pipes are held elsewhere.
        self.settle(script)
