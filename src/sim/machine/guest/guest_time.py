# The world's time in this process: real time, or as the cloud's clock file says (its format: clock-file.ts). Python 3.8+.
# Taken by the guest's first process (shutdown +N), and by every Python program in the guest that sitecustomize.py reaches.
import os
import time

real_time, real_monotonic, real_sleep = time.time, time.monotonic, time.sleep
LOOK_S = 0.2
FIRST_LOOK_S = 0.5


class WorldTime:
    def __init__(self, path):
        self.path = path
        self.version = None
        self.course = None
        self.latest = 0.0

    def look(self):
        """How time runs now: (world ms, real ms, pace, until ms), or None: as real time does."""
        try:
            status = os.stat(self.path)
            version = (status.st_ino, status.st_mtime_ns)
            if version != self.version:
                with open(self.path) as file:
                    base, since, pace, until = [int(word) for word in file.readline().split()[:4]]
                self.course, self.version = (base, since, pace / 1000, until), version
        except (OSError, ValueError):
            self.course = self.version = None
        return self.course

    def ahead(self, now):
        """Seconds by which the world is ahead of this computer, at this time of it."""
        course = self.look()
        if course is None:
            return 0.0
        base, since, pace, until = course
        world = base + max(0.0, now * 1000 - since) * pace
        return (min(world, until) if until else world) / 1000 - now

    def time(self):
        now = real_time()
        return now + self.ahead(now)

    def monotonic(self):
        # While something falls due in a skip, time stands: it must not run back.
        self.latest = max(self.latest, real_monotonic() + self.ahead(real_time()))
        return self.latest

    def left(self, seconds):
        """What so many seconds of the world take here as time runs now, but no longer than it may go unnoticed that it changed."""
        course = self.look()
        if course is None:
            return min(seconds, FIRST_LOOK_S)
        base, since, pace, until = course
        if not pace:
            return LOOK_S / 2
        return min(LOOK_S, max(0.0, since / 1000 - real_time()) + max(seconds / pace, min(seconds, 0.02)))

    def sleep(self, seconds):
        if not seconds > 0:
            return real_sleep(seconds)
        until = self.monotonic() + seconds
        left = seconds
        while left > 0:
            real_sleep(self.left(left))
            left = until - self.monotonic()
