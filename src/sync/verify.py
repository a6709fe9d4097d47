# Run on the machine: does the unpacked tree hold exactly the files of the manifest, byte for byte? Prints how many.
# When root unpacked, the tree is handed to whoever owns the run directory, for that is who the job runs as.
# Arguments: tree, run directory, file in which the bytes seen so far are kept for whoever asks.
import hashlib, os, stat, sys, time

tree, run = os.fsencode(sys.argv[1]), os.fsencode(sys.argv[2])
code = os.path.join(tree, b"code")


def seen(bytes_so_far):
    global told
    if time.time() - told < 1:
        return
    told = time.time()
    # By rename: who reads sees a whole number. A disk that is full of code is no reason to fail here.
    try:
        with open(sys.argv[3] + ".new", "w") as file:
            file.write("%d\n" % bytes_so_far)
        os.rename(sys.argv[3] + ".new", sys.argv[3])
    except OSError:
        pass


def wrong(name, what):
    sys.exit("%s: %s" % (ascii(os.fsdecode(name)), what))


told = 0
expected = set()
total = 0
with open(os.path.join(tree, b"manifest"), "rb") as manifest:
    records = manifest.read().split(b"\0")[:-1]
for record in records:
    kind, mode, sha256, name = record.split(b" ", 3)
    path = os.path.join(code, name)
    expected.add(name)
    try:
        found = os.lstat(path)
    except OSError as error:
        wrong(name, "missing (%s)" % error.strerror)
    digest = hashlib.sha256()
    if kind == b"l":
        if not stat.S_ISLNK(found.st_mode):
            wrong(name, "is not a link")
        digest.update(os.readlink(path))
    else:
        if not stat.S_ISREG(found.st_mode):
            wrong(name, "is not a file")
        if (found.st_mode & 0o777) != int(mode, 8):
            wrong(name, "has mode %o instead of %s" % (found.st_mode & 0o777, mode.decode()))
        with open(path, "rb") as content:
            for chunk in iter(lambda: content.read(1 << 20), b""):
                digest.update(chunk)
                total += len(chunk)
                seen(total)
    if digest.hexdigest() != sha256.decode():
        wrong(name, "differs from what was sent")

owner = os.stat(run)
give = os.geteuid() == 0 and owner.st_uid != 0
count = 0
for directory, _, _ in os.walk(code):
    if give:
        os.lchown(directory, owner.st_uid, owner.st_gid)
    for entry in os.scandir(directory):
        if entry.is_dir(follow_symlinks=False):
            continue
        count += 1
        name = os.path.relpath(entry.path, code)
        if name not in expected:
            wrong(name, "was not sent")
        if give:
            os.lchown(entry.path, owner.st_uid, owner.st_gid)
if count != len(expected):
    sys.exit("%d files instead of %d" % (count, len(expected)))
print(count, total)
