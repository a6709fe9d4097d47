# Runs on the machine, from python3 -I -c: `key PRIME` makes a key pair that lives as long as the hand-over and prints the public
# half; `open PRIME PEER CIPHER MAC` writes what was sealed for it to env.sh and forgets the key. Works in the current directory.
import base64, hashlib, hmac, os, sys

def write(name, content):
    descriptor = os.open(name + ".new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    os.replace(name + ".new", name)

def own():
    with open("key", "rb") as file:
        return int(file.read(), 16)

word, prime = sys.argv[1], int(sys.argv[2], 16)
if word == "key":
    if not os.path.exists("key"):
        if os.path.lexists("key.new"):
            os.unlink("key.new")
        write("key", os.urandom(32).hex().encode())
    print("runctl-seal %0512x" % pow(2, own(), prime))
else:
    peer, cipher, mac = int(sys.argv[3], 16), base64.b64decode(sys.argv[4]), bytes.fromhex(sys.argv[5])
    if not 1 < peer < prime - 1:
        sys.exit("not a key")
    if not os.path.exists("key") and os.path.exists("env.sh"):
        print("runctl-seal opened")
        sys.exit(0)
    secret = pow(peer, own(), prime).to_bytes(256, "big")
    if not hmac.compare_digest(hmac.new(hashlib.sha256(b"mac" + secret).digest(), cipher, hashlib.sha256).digest(), mac):
        sys.exit("it was sealed for another key, or changed on the way")
    stream = hashlib.shake_256(b"stream" + secret).digest(len(cipher))
    if os.path.lexists("env.sh.new"):
        os.unlink("env.sh.new")
    write("env.sh", bytes(a ^ b for a, b in zip(cipher, stream)))
    os.unlink("key")
    print("runctl-seal opened")
