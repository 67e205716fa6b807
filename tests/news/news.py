"""The other side of a group, on the loopback interface, as somebody would write it who has only read the documentation.

    news.py receive GROUP PORT COUNT
    news.py send GROUP PORT                   each line of stdin, as a datagram
    news.py number GROUP PORT STREAM WORD...  a datagram for each word: a number; end:NUMBER; version:NUMBER

A number that comes later than it should was sent in time: each has its own moment, however the words are ordered.
"""

import socket
import struct
import sys
import time

LOOPBACK = socket.inet_aton("127.0.0.1")
NEWS, END = 0, 1
STARTED = time.time_ns()
MILLISECOND = 1_000_000

what, group, port, *rest = sys.argv[1:]
everybody = (group, int(port))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, LOOPBACK)
udp.settimeout(10)


def numbered(kind, stream, sequence, news, version=1):
    sent_at = STARTED + sequence * MILLISECOND
    header = struct.pack(">4sBBHQQQ", b"\xf7GHN", version, kind, 32, stream, sequence, sent_at)
    return header + news


if what == "receive":
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    udp.bind(everybody)
    udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + LOOPBACK)
    print("listening to", group, "of Python", file=sys.stderr, flush=True)
    for _ in range(int(rest[0])):
        sys.stdout.buffer.write(udp.recv(65535))
        sys.stdout.flush()
elif what == "send":
    for line in sys.stdin.buffer:
        udp.sendto(line, everybody)
elif what == "number":
    stream = int(rest[0])
    for word in rest[1:]:
        name, _, number = word.rpartition(":")
        news = b"number %s\n" % number.encode()
        if name == "end":
            datagram = numbered(END, stream, int(number), b"")
        elif name == "version":
            datagram = numbered(NEWS, stream, 0, news, version=int(number))
        else:
            datagram = numbered(NEWS, stream, int(number), news)
        udp.sendto(datagram, everybody)
