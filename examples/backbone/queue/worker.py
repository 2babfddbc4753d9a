"""A worker with no client at all: NATS speaks lines of text, and so can any language.

    python3 examples/backbone/queue/worker.py python

Its name is the first argument; another server than this machine's is the second, and the third is
the port there.
"""

import socket
import sys

args = dict(enumerate(sys.argv))
name, host, port = args.get(1, "python"), args.get(2, "127.0.0.1"), args.get(3, "4222")
server = socket.create_connection((host, int(port))).makefile("rwb")


def send(text: bytes) -> None:
    server.write(text + b"\r\n")
    server.flush()


send(b'CONNECT {"verbose":false}\r\nSUB work.resize workers 1\r\nPING')
for line in server:
    if line.startswith(b"PONG"):
        print(f"{name} waits for work", flush=True)
    elif line.startswith(b"PING"):
        send(b"PONG")
    elif line.startswith(b"MSG"):
        *_, reply, size = line.split()
        picture = server.read(int(size) + 2)[:-2]
        for answer in (picture + f" at 800x600 by {name}".encode(), b""):
            send(b"PUB %s %d\r\n%s" % (reply, len(answer), answer))
