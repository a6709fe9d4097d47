# Carries TCP connections of the guest to unix sockets of the host: its metadata service, and the pretend cloud itself.
# Not a proxy: bytes pass unread. When nobody listens over there (the server restarts) the connection is closed.
import selectors
import socket

CHUNK = 256 * 1024
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Relay:
    def __init__(self, loop, address, target):
        self.loop = loop
        self.target = target
        self.up = True
        self.pairs = set()
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(address)
        self.listener.listen(128)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        loop.watch(self.listener, self.accept)

    def accept(self, _events):
        try:
            near = self.listener.accept()[0]
        except (BlockingIOError, ConnectionAbortedError):
            return
        if not self.up:
            return near.close()
        far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        far.settimeout(1)
        try:
            far.connect(self.target)
        except OSError:
            near.close()
            far.close()
            return
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pairs.add(Pair(self, near, far))

    def set_up(self, up):
        """The network behind it is there, or is not: then what is open breaks off, and nothing new gets through."""
        self.up = up
        if not up:
            for pair in list(self.pairs):
                pair.close()


class Side:
    def __init__(self, sock):
        sock.setblocking(False)
        self.sock = sock
        self.waiting = b''      # bytes for this side that it did not take yet
        self.no_more_in = False  # it has sent its last byte
        self.finished = False    # we have sent it our last byte


class Pair:
    def __init__(self, relay, near, far):
        self.relay, self.loop = relay, relay.loop
        self.sides = (Side(near), Side(far))
        for index in (0, 1):
            self.arm(index)

    def arm(self, index):
        side, other = self.sides[index], self.sides[1 - index]
        events = (READ if not side.no_more_in and not other.waiting else 0) | (WRITE if side.waiting else 0)
        self.loop.change(side.sock, events, lambda got: self.ready(index, got))

    def ready(self, index, events):
        side, other = self.sides[index], self.sides[1 - index]
        try:
            if events & WRITE and side.waiting:
                side.waiting = side.waiting[side.sock.send(side.waiting):]
            if events & READ and not other.waiting:
                self.receive(side, other)
            for each, source in ((side, other), (other, side)):
                if source.no_more_in and not each.waiting and not each.finished:
                    each.finished = True
                    each.sock.shutdown(socket.SHUT_WR)
        except OSError:
            return self.close()
        if all(each.finished for each in self.sides):
            return self.close()
        self.arm(0)
        self.arm(1)

    def receive(self, side, other):
        try:
            data = side.sock.recv(CHUNK)
        except BlockingIOError:
            return
        if not data:
            side.no_more_in = True
            return
        try:
            other.waiting = data[other.sock.send(data):]
        except BlockingIOError:
            other.waiting = data

    def close(self):
        self.relay.pairs.discard(self)
        for side in self.sides:
            self.loop.forget(side.sock)
            side.sock.close()
