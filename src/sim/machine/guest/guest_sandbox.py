# What the kernel must do for a machine: namespaces, mounts, loopback addresses. Linux only; never imported in process mode.
# By design: a fence against accidents and for fidelity, not a security boundary. The host's files are visible, read-only.
# Source: namespaces(7), user_namespaces(7), mount_namespaces(7), mount(2), netdevice(7).
import ctypes
import errno
import fcntl
import json
import os
import socket
import struct
import sys

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_NOATIME, MS_NODIRATIME, MS_BIND, MS_REC, MS_PRIVATE = 1024, 2048, 4096, 16384, 1 << 18
MS_RELATIME = 1 << 21
OPTION_FLAGS = {'nosuid': MS_NOSUID, 'nodev': MS_NODEV, 'noexec': MS_NOEXEC,
                'noatime': MS_NOATIME, 'nodiratime': MS_NODIRATIME, 'relatime': MS_RELATIME}
HOME = '/home/ec2-user'
NO_LIMIT = 1 << 40  # a file system without any could not be given one later
MEMORY_FLAGS = MS_NOSUID | MS_NODEV
disk_behind = None  # the machine's home on disk, where one in memory covers it
libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, '%s: %s' % (what, os.strerror(code)))


def mount(source, target, kind=None, flags=0, data=None):
    encoded = [None if value is None else os.fsencode(value) for value in (source, target, kind)]
    check(libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), None if data is None else data.encode()),
          'mount %s on %s' % (source or kind, target))


def unshare(net, user):
    uid, gid = os.geteuid(), os.getegid()
    flags = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID
    check(libc.unshare(flags | (CLONE_NEWNET if net else 0) | (CLONE_NEWUSER if user else 0)), 'unshare')
    if user:
        for name, text in (('setgroups', 'deny'), ('uid_map', '0 %d 1' % uid), ('gid_map', '0 %d 1' % gid)):
            with open('/proc/self/' + name, 'w') as file:
                file.write(text)


def loopback(addresses):
    """Bring lo up and give it each address, alone in its network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        def ioctl(request, name, payload):
            return fcntl.ioctl(probe, request, struct.pack('16s24s', name.encode(), payload))
        flags = struct.unpack('16sH22x', ioctl(0x8913, 'lo', b''))[1]
        ioctl(0x8914, 'lo', struct.pack('H', flags | 1 | 64))
        for index, address in enumerate(addresses):
            for request, value in ((0x8916, address), (0x891c, '255.255.255.255')):
                ioctl(request, 'lo:%d' % index, struct.pack('HH4s8x', socket.AF_INET, 0, socket.inet_aton(value)))


def mounts():
    """Mount points of this namespace with their flags, outermost first."""
    with open('/proc/self/mountinfo') as file:
        for line in file:
            fields = line.split()
            point = fields[4].encode().decode('unicode_escape').encode('latin-1').decode('utf-8', 'surrogateescape')
            yield point, sum(OPTION_FLAGS.get(option, 0) for option in fields[5].split(','))


def everything_read_only():
    for point, flags in list(mounts()):
        if point == '/proc' or point.startswith('/proc/'):
            continue
        try:
            mount(None, point, None, MS_REMOUNT | MS_BIND | MS_RDONLY | flags)
        except OSError as error:
            # Covered by another mount, or not ours to change inside a user namespace: stays as the host has it.
            if error.errno not in (errno.EINVAL, errno.EPERM, errno.EACCES, errno.ENOENT):
                raise


def anchor(path):
    """A name for `path` that stays good whatever is mounted over it."""
    return '/proc/self/fd/%d' % os.open(path, os.O_PATH | os.O_CLOEXEC)


def bind_writable(source, target):
    mount(source, target, None, MS_BIND)
    held = os.statvfs(target).f_flag
    flags = (held & (MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME)) | (MS_RELATIME if held & 4096 else 0)
    mount(None, target, None, MS_REMOUNT | MS_BIND | flags)


def shown_of_root(directory, python_places):
    """Of root's home on the host: all but dot files, which hold secrets and caches, and the way to the interpreter."""
    def leads_to_python(name):
        path = os.path.join(directory, name)
        return any(place == path or place.startswith(path + '/') for place in python_places)
    return lambda name: not name.startswith('.') or name == '.local' or leads_to_python(name)


def entries_of(directory, shown):
    """What is in a directory of the host, held so that it can be shown again after the directory was covered."""
    try:
        names = [name for name in os.listdir(directory) if shown(name)]
    except PermissionError:
        return []
    found = []
    for name in names:
        path = os.path.join(directory, name)
        if os.path.islink(path):
            found.append((name, 'link', os.readlink(path)))
        elif os.path.isdir(path) or os.path.isfile(path):
            try:
                found.append((name, 'directory' if os.path.isdir(path) else 'file', anchor(path)))
            except PermissionError:
                continue
    return found


def show_again(entries, directory):
    for name, kind, held in entries:
        target = os.path.join(directory, name)
        if kind == 'link':
            if not os.path.lexists(target):
                os.symlink(held, target)
            continue
        if kind == 'directory':
            os.makedirs(target, exist_ok=True)
        elif not os.path.lexists(target):
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o600))
        mount(held, target, None, MS_BIND | MS_REC)
        os.close(int(held.rsplit('/', 1)[1]))


def move_to_memory(directory):
    """Cover a directory with a file system whose size can be set; what is in it comes along, and is kept by write_back."""
    global disk_behind
    disk_behind = anchor(directory)
    owner = os.stat(directory)
    mount('tmpfs', directory, 'tmpfs', MEMORY_FLAGS, 'mode=700,size=%d' % NO_LIMIT)
    copy(disk_behind, directory)
    os.chown(directory, owner.st_uid, owner.st_gid)


def leave_free(mib):
    """None: no limit. A size of 0 would mean that too, so one page is the least."""
    if disk_behind is None:
        return
    held = os.statvfs(HOME)
    used = (held.f_blocks - held.f_bfree) * held.f_frsize
    size = NO_LIMIT if mib is None else max(4096, used + mib * 1048576)
    mount(None, HOME, None, MS_REMOUNT | MEMORY_FLAGS, 'size=%d' % size)


def write_back():
    import shutil
    if disk_behind is None:
        return
    for name in os.listdir(disk_behind):
        path = os.path.join(disk_behind, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)
    copy(HOME, disk_behind)


def copy(source, target):
    import subprocess
    subprocess.run(['cp', '-a', source + '/.', target + '/'], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   pass_fds=[int(disk_behind.rsplit('/', 1)[1])])


def furnish(config, tools):
    """Inside the new namespaces, as their first process: own /proc, homes, /tmp, /run, names; the host's files read-only."""
    machine = config['machine']
    mount(None, '/', None, MS_REC | MS_PRIVATE)
    mount('proc', '/proc', 'proc', MS_NOSUID | MS_NODEV | MS_NOEXEC)
    own = {name: anchor(os.path.join(machine, name)) for name in
           ('disk/ec2-user', 'disk/root', 'disk/var-tmp', 'disk/ssm', 'tmp',
            'etc/hostname', 'etc/hosts', 'etc/passwd', 'etc/group')}
    own['clock'] = anchor(config['clock'])
    everything_read_only()
    root_entries = entries_of('/root', shown_of_root('/root', config['pythonPlaces']))
    bind_writable(own['disk/root'], '/root')
    show_again(root_entries, '/root')
    if not os.path.isdir('/home/ec2-user'):
        home_entries = entries_of('/home', lambda _name: True)
        mount('tmpfs', '/home', 'tmpfs', MS_NOSUID | MS_NODEV, 'mode=755,size=1m')
        os.mkdir('/home/ec2-user')
        show_again(home_entries, '/home')
    bind_writable(own['disk/ec2-user'], '/home/ec2-user')
    if config['spec'].get('canFillUp'):
        move_to_memory(HOME)
    world = config['world']
    bind_writable(own['disk/var-tmp'], '/var/tmp')
    bind_writable(own['tmp'], '/tmp')
    mount('tmpfs', '/run', 'tmpfs', MS_NOSUID | MS_NODEV, 'mode=755,size=64m')
    mount('tmpfs', '/dev/shm', 'tmpfs', MS_NOSUID | MS_NODEV, 'mode=1777')
    if os.path.isdir(world):
        mount('tmpfs', world, 'tmpfs', MS_RDONLY, 'mode=700,size=4k')
    for name in ('hostname', 'hosts', 'passwd', 'group'):
        if os.path.isfile('/etc/' + name):
            mount(own['etc/' + name], '/etc/' + name, None, MS_BIND)
    os.makedirs('/run/amazon/ssm')
    bind_writable(own['disk/ssm'], '/run/amazon/ssm')
    os.makedirs('/run/sim/bin')
    os.makedirs('/run/sim/clock')
    mount(own['clock'], '/run/sim/clock', None, MS_BIND)
    for name in tools(config, '/run/sim/bin', '/run/initctl'):
        for folder in ('/sbin', '/usr/sbin', '/bin', '/usr/bin'):
            real = os.path.realpath(os.path.join(folder, name))
            if os.path.isfile(real) and not os.path.samefile(real, '/run/sim/bin/' + name):
                mount('/run/sim/bin/' + name, real, None, MS_BIND)
    for held in own.values():
        os.close(int(held.rsplit('/', 1)[1]))
    socket.sethostname(config['hostname'])
    os.chdir('/')


def forget_capabilities(keep_boot):
    """Take from everything started later what would touch the host: modules, raw I/O, clock, device nodes, and reboot(2)
    where no PID namespace confines it."""
    for capability in (16, 17, 25, 27) + (() if keep_boot else (22,)):
        libc.prctl(24, ctypes.c_ulong(capability), 0, 0, 0)


def become_subreaper():
    check(libc.prctl(36, 1, 0, 0, 0), 'prctl')


def attempt(net, user):
    """Whether this kernel lets us: 0 when it does. Runs in children of its own."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        unshare(net, user)
        child = os.fork()
        if child:
            os._exit(0 if os.waitpid(child, 0)[1] == 0 else 1)
        mount(None, '/', None, MS_REC | MS_PRIVATE)
        mount('proc', '/proc', 'proc', MS_NOSUID | MS_NODEV | MS_NOEXEC)
        mount('tmpfs', '/home', 'tmpfs', MS_NOSUID | MS_NODEV, 'size=1m')
        socket.sethostname('probe')
        if net:
            loopback(['169.254.169.254'])
        os._exit(0)
    except BaseException:  # any reason at all means: not possible here
        os._exit(1)


def probe():
    answer = {'python': sys.executable, 'pythonPlaces': sorted({sys.executable, os.path.realpath(sys.executable), sys.prefix, sys.base_prefix}),
              'network': None, 'namespace': None}
    if sys.platform == 'linux':
        for kind, net in (('network', True), ('namespace', False)):
            for user in ([False] if os.geteuid() == 0 else []) + [True]:
                if attempt(net, user) == 0:
                    answer[kind] = {'userNamespace': user}
                    break
    print(json.dumps(answer))
