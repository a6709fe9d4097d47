# Lets Python programs of a guest live in the world's time: time.time, time_ns, monotonic, monotonic_ns, sleep, and what tells the time
# now when it is given none (localtime, gmtime, ctime, strftime); datetime.now, utcnow and today, date.today in programs that
# start while the world's time is not real. Found by PYTHONPATH, so not with -I, -E or -S, nor where a program sets its own.
# Real stay perf_counter and process_time (they measure work), file times, and waits that C code does: locks, sockets, select.
import os
import sys


def live_there():
    import time
    from guest_time import WorldTime, real_sleep
    world = WorldTime('@CLOCK@')
    localtime, gmtime, ctime, strftime, asctime = time.localtime, time.gmtime, time.ctime, time.strftime, time.asctime

    def sleep(seconds, /):
        """Delay execution for a given number of seconds of the world."""
        if world.look() is None and isinstance(seconds, (int, float)) and seconds < 1:
            return real_sleep(seconds)
        return world.sleep(seconds)

    time.time = world.time
    time.time_ns = lambda: int(world.time() * 1e9)
    time.monotonic = world.monotonic
    time.monotonic_ns = lambda: int(world.monotonic() * 1e9)
    time.sleep = sleep
    time.localtime = lambda seconds=None: localtime(world.time() if seconds is None else seconds)
    time.gmtime = lambda seconds=None: gmtime(world.time() if seconds is None else seconds)
    time.ctime = lambda seconds=None: ctime(world.time() if seconds is None else seconds)
    time.asctime = lambda moment=None: asctime(time.localtime() if moment is None else moment)
    time.strftime = lambda form, moment=None: strftime(form, time.localtime() if moment is None else moment)
    if world.look() is not None:
        replace_datetime(world)


def replace_datetime(world):
    """Types of C cannot be changed, so heirs of them take their place; what is made elsewhere still counts as one of them."""
    import datetime as module
    real_date, real_datetime = module.date, module.datetime

    class OfDate(type):
        def __instancecheck__(cls, thing):
            return isinstance(thing, real_date)

        def __subclasscheck__(cls, kind):
            return issubclass(kind, real_date)

    class OfDatetime(type):
        def __instancecheck__(cls, thing):
            return isinstance(thing, real_datetime)

        def __subclasscheck__(cls, kind):
            return issubclass(kind, real_datetime)

    class date(real_date, metaclass=OfDate):
        @classmethod
        def today(cls):
            return cls.fromtimestamp(world.time())

    class datetime(real_datetime, metaclass=OfDatetime):
        @classmethod
        def now(cls, tz=None):
            return cls.fromtimestamp(world.time(), tz)

        @classmethod
        def utcnow(cls):
            return cls.fromtimestamp(world.time(), module.timezone.utc).replace(tzinfo=None)

        @classmethod
        def today(cls):
            return cls.fromtimestamp(world.time())

    for kind in (date, datetime):
        kind.__module__, kind.__qualname__ = 'datetime', kind.__name__
    module.date, module.datetime = date, datetime


def give_way(folder):
    """To the sitecustomize that would have been found without this one; nobody is to find this folder in sys.path."""
    sys.path[:] = [place for place in sys.path if place != folder]
    mine = sys.modules.pop('sitecustomize', None)
    try:
        import sitecustomize  # noqa: F401
    except ImportError as error:
        if error.name != 'sitecustomize':
            raise
        if mine is not None:
            sys.modules['sitecustomize'] = mine


here = os.path.dirname(os.path.abspath(__file__))
try:
    live_there()
finally:
    give_way(here)
