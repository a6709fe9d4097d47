# One thread that waits for everything at once: sockets, pipes, timers, ends of children. What happens then is others' business.
import heapq
import itertools
import os
import selectors
import signal
import time


class Loop:
    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.timers = []
        self.order = itertools.count()
        self.on_children = lambda: None
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.watch(reader, self._signalled(reader))

    def _signalled(self, reader):
        def action(_events):
            try:
                while os.read(reader, 512):
                    pass
            except BlockingIOError:
                pass
            self.on_children()
        return action

    def watch(self, thing, action, events=selectors.EVENT_READ):
        self.selector.register(thing, events, action)

    def change(self, thing, events, action):
        """Watch for these events from now on; none at all takes the thing out of the loop without forgetting it."""
        known = thing in self.selector.get_map()
        if events and known:
            self.selector.modify(thing, events, action)
        elif events:
            self.selector.register(thing, events, action)
        elif known:
            self.selector.unregister(thing)

    def forget(self, thing):
        self.change(thing, 0, None)

    def after(self, seconds, action):
        """Returns a list whose only item may be set to None to call it off."""
        entry = [action]
        heapq.heappush(self.timers, (time.monotonic() + seconds, next(self.order), entry))
        return entry

    def run(self):
        while True:
            wait = max(0, self.timers[0][0] - time.monotonic()) if self.timers else None
            for key, events in self.selector.select(wait):
                # An earlier action of this round may have dropped it.
                if self.selector.get_map().get(key.fd) is key:
                    key.data(events)
            while self.timers and self.timers[0][0] <= time.monotonic():
                action = heapq.heappop(self.timers)[2][0]
                if action:
                    action()
