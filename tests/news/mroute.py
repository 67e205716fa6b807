"""Forwards what one host sends to a group from one interface to another, by the kernel's multicast routing (ip(7), MRT_*), until
its input ends.

    mroute.py SOURCE GROUP FROM-INTERFACE TO-INTERFACE
"""

import socket
import struct
import sys

MRT_INIT, MRT_ADD_VIF, MRT_ADD_MFC = 200, 202, 204
VIFF_USE_IFINDEX = 8
MOST_VIFS = 32

source, group, *interfaces = sys.argv[1:]
kernel = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IGMP)
kernel.setsockopt(socket.IPPROTO_IP, MRT_INIT, 1)
for number, interface in enumerate(interfaces):
    index = socket.if_nametoindex(interface)
    # struct vifctl: number, flags, threshold, rate limit, interface, the other end of a tunnel
    vif = struct.pack("=HBBIi4s", number, VIFF_USE_IFINDEX, 1, 0, index, bytes(4))
    kernel.setsockopt(socket.IPPROTO_IP, MRT_ADD_VIF, vif)
# A datagram is forwarded by an interface if its TTL is more than this; 0 is never.
thresholds = bytearray(MOST_VIFS)
thresholds[1] = 1
# struct mfcctl: source, group, where it comes from, thresholds, three counters, expiry
addresses = socket.inet_aton(source), socket.inet_aton(group)
route = struct.pack("=4s4sH32s2x3Ii", *addresses, 0, bytes(thresholds), 0, 0, 0, 0)
kernel.setsockopt(socket.IPPROTO_IP, MRT_ADD_MFC, route)
print("forwarding", flush=True)
sys.stdin.read()
