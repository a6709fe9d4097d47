# The first process of a pretend machine: builds the sandbox, is its PID 1, runs scripts as the SSM agent does, relays network.
# Runs as `python3 -I -S guest-init.py probe | boot CONFIG`, detached, so that a machine outlives the server that booted it.
# Does: what the host asks on a unix socket, in JSON lines (see guest_control.py). Standard library only, Python 3.8+.
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

if __name__ == '__main__':
    if sys.argv[1] == 'probe':
        import guest_sandbox
        guest_sandbox.probe()
    else:
        import guest_boot
        guest_boot.boot(sys.argv[2])
