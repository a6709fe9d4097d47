# A world in which leases are tested: the keeper's own code (lease.py, argument 1) on pretend machines over pretend time, many
# cases in one process. Reads a JSON list of cases, writes a JSON list of what became of each. The guard (guard.sh) is modelled
# by the moments that it arms; that the model is right is tested against the real one in lease-property.test.ts.
# Only time.monotonic of the machine moves here; the wall clock jumps about, and whoever asks it gets nonsense.
import importlib.util
import json
import math
import sys

spec = importlib.util.spec_from_file_location('lease', sys.argv[1])
lease = importlib.util.module_from_spec(spec)
spec.loader.exec_module(lease)


class Nonsense:
    """In place of the module `time`: what a keeper that asked the clocks itself would get."""
    wall = 0.0

    def time(self):
        return Nonsense.wall

    def monotonic(self):
        return Nonsense.wall

    def sleep(self, _seconds):
        raise AssertionError('the keeper must not sleep by itself')


lease.time = Nonsense()
FOREVER = float('inf')


class World:
    """One machine, from its launch to its end."""

    def __init__(self, case):
        self.case = case
        self.now = 0.0
        self.files = {}
        self.spans = []
        self.on = False
        self.keeper = None
        self.wake = self.ticks = self.fires = self.gone = self.boots = FOREVER
        self.last_seen = None
        self.jobs_of = []
        self.contacts = 0
        self.reason = None
        self.late_starts = 0
        self.aborted = 0
        self.origin = 0.0

    # -- what lease.py asks of its machine

    def monotonic(self):
        return self.now - self.origin

    def exists(self, name):
        return name in self.files

    def read(self, name):
        return self.files.get(name)

    def number(self, name, default):
        return lease.whole((self.files.get(name) or '').strip(), default)

    def write(self, name, text):
        self.files[name] = text

    def forget(self, name):
        self.files.pop(name, None)

    def contact(self):
        return self.contacts

    def living(self):
        return [job for job in self.jobs_of if job['from'] <= self.now < job['to']]

    def jobs(self):
        return [(job['run'], 1) for job in self.living()]

    def stop(self, run, _pid, _reason, grace):
        for job in self.living():
            if job['run'] == run:
                # The agent's own stop kills after the grace, if it comes to that.
                ends = job['saves'] if job['saves'] is not None and job['saves'] <= grace else grace if job['stoppable'] else None
                if ends is not None:
                    job['to'] = min(job['to'], self.now + ends)

    def kill(self, _jobs):
        for job in self.living():
            job['to'] = self.now

    def look(self):
        facts, worked, proven = [], False, False
        for job in self.jobs_of:
            alive = job['from'] <= self.now < job['to']
            lines = int((min(self.now, job['to']) - job['from']) / job['every']) if job['every'] and self.now >= job['from'] else 0
            facts.append((job['run'], self.now >= job['from'], alive, lines))
            worked = worked or (alive and job['works'])
            proven = proven or (alive and lines > 0)
        return facts, worked, proven

    def power_off(self):
        if self.gone == FOREVER:
            self.reason = lease.parse(self.files['ended'])['reason']
            self.gone = self.now + self.case['shutdownS']

    # -- guard.sh

    def guard(self):
        """(state, tick, off, used) as guard_read"""
        facts = lease.parse(self.files['lease'])
        off = facts.get('off_after')
        used = lease.whole((self.files.get('used') or '').strip(), self.number('floor', 0))
        window = self.number('window', 0)
        off = int(off) if off else None
        if off is not None and window > 0:
            off = max(off, window + int(facts.get('grace') or 0) + 30)
        return facts.get('state'), int(facts.get('tick') or 30), off, used

    def arm(self):
        state, _, off, used = self.guard()
        self.fires = FOREVER
        if state == 'on' and off is not None:
            left = max(1, off - used)
            self.fires = self.now + (left if self.case['systemd'] else (left + 59) // 60 * 60)

    def boot(self):
        """guard_boot"""
        again = 'used' in self.files
        for name in ('keeper', 'ticker', 'facts'):
            self.files.pop(name, None)
        self.files.setdefault('lease', self.case['lease'])
        _, tick, _, used = self.guard()
        used += 2 * tick if again else tick
        self.files['used'] = self.files['floor'] = '%d\n' % used
        if 'ended' in self.files:
            self.files['window'] = '%d\n' % (used + 900)
            del self.files['ended']
        self.arm()
        self.last_seen, self.ticks = used, self.now + tick
        if self.has_keeper:
            self.start_keeper()

    def start_keeper(self):
        self.keeper = lease.Keeper(self)
        self.wake = self.now

    def loop(self):
        """One round of guard_tick"""
        state, tick, off, used = self.guard()
        self.ticks = self.now + tick
        if used == self.last_seen:
            used += tick
            self.files['used'] = '%d\n' % used
            if state == 'on' and self.keeper is None and self.has_keeper and not self.case['keeperBroken']:
                self.start_keeper()
        self.last_seen = used
        if state == 'on' and off is not None and used >= off:
            self.guard_off()

    def guard_off(self):
        if self.gone == FOREVER:
            self.files.setdefault('ended', 'reason=time\nused=0\n')
            self.reason = 'guard'
            self.gone = self.now + self.case['shutdownS']
        self.fires = FOREVER

    # -- the cloud and people

    def launch(self):
        self.on = True
        self.spans.append([self.now, None])
        self.origin = self.now - self.case['uptimeS']
        self.boots = self.now + self.case['bootS']

    def leave(self):
        self.on = False
        self.spans[-1][1] = self.now
        self.wake = self.ticks = self.fires = self.gone = self.boots = FOREVER
        self.keeper = None
        for job in self.jobs_of:
            job['to'] = min(job['to'], self.now)

    has_keeper = False

    def happen(self, event):
        kind = event['kind']
        if kind == 'wall':
            Nonsense.wall += event['by']
        elif kind == 'start':
            if not self.on and self.case['onEnd'] == 'stop':
                if 'ended' in self.files:
                    self.late_starts += 1
                self.launch()
        elif not self.on:
            return
        elif kind == 'stop':
            self.aborted += self.boots != FOREVER
            self.leave()
        elif kind == 'reboot' and self.gone == FOREVER:  # what is powering off does not come back
            self.wake = self.ticks = self.fires = self.gone = FOREVER
            self.keeper = None
            for job in self.jobs_of:
                job['to'] = min(job['to'], self.now)
            self.origin = self.now + 3
            self.boots = self.now + self.case['bootS']
        elif self.boots != FOREVER:
            return
        elif kind == 'hold':
            self.has_keeper = True
            if self.keeper is None and not self.case['keeperBroken']:
                self.start_keeper()
        elif kind == 'kill-keeper':
            self.keeper, self.wake = None, FOREVER
        elif kind == 'kill-all':
            # The loop too. systemd brings it back after five seconds; elsewhere only the armed timer is left until the next boot.
            self.keeper, self.wake, self.ticks = None, FOREVER, FOREVER
            if self.case['systemd']:
                _, tick, _, used = self.guard()
                self.last_seen = used + tick
                self.files['used'] = '%d\n' % self.last_seen
                self.ticks = self.now + 5 + tick
        elif kind == 'contact':
            self.contacts += 1
        elif kind == 'job':
            job = dict(event['job'], run='r%d' % len(self.jobs_of), **{'from': self.now})
            job['to'] = self.now + job['lasts']
            self.jobs_of.append(job)
        elif kind == 'renew':
            self.files['lease'] = event['lease']
            self.arm()
            if self.keeper is not None:
                self.wake = self.now

    def run(self):
        events = sorted(self.case['events'], key=lambda event: event['at'])
        self.launch()
        position = 0
        while True:
            due = events[position]['at'] if position < len(events) else FOREVER
            at = min(due, self.wake, self.ticks, self.fires, self.gone, self.boots)
            if at == FOREVER or at > self.case['horizonS']:
                break
            self.now = max(self.now, at)
            if at == self.gone:
                self.leave()
                if self.case['onEnd'] == 'terminate':
                    break
            elif at == self.boots:
                self.boots = FOREVER
                self.boot()
            elif at == due:
                position += 1
                self.happen(events[position - 1])
            elif at == self.fires:
                self.guard_off()
            elif at == self.wake:
                self.wake = self.now + max(0.05, self.keeper.tick())
            else:
                self.loop()
        outlived = self.on
        if self.on:
            self.now = self.case['horizonS']
            self.leave()
        facts = lease.parse(self.files.get('lease', self.case['lease']))
        return {'spans': self.spans, 'reason': self.reason, 'lateStarts': self.late_starts, 'aborted': self.aborted, 'outlived': outlived,
                'allowed': int(facts['allowed']), 'cost': lease.whole(facts.get('cost'), None), 'limit': facts['limit']}


json.dump([World(case).run() for case in json.load(sys.stdin)], sys.stdout)
