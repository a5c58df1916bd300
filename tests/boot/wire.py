"""The other end of a guest's wire: a router that hands out addresses by DHCP and by router advertisements, and answers,
refuses or keeps still as the test has it. Frames go by a datagram socket of QEMU's; nothing leaves the machine."""

import contextlib
import ipaddress
import os
import socket
import struct
import threading
from dataclasses import dataclass
from pathlib import Path

ROUTER_MAC = bytes.fromhex("020000000001")
BROADCAST = b"\xff" * 6
ROUTER4, ROUTER6 = "198.51.100.1", "fe80::1"
# Kinds of messages: RFC 2132, section 9.6.
DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE = 1, 2, 3, 4, 5, 6, 7


def packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


def checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


@dataclass
class Asked:
    """A message of the guest's DHCP client."""

    kind: int
    client: str  # the address that it has ("0.0.0.0": none)
    wanted: str  # the one that it asks for, "" for none


class Router:
    """`router.answers = True` has it answer; its fields say what, and can change at any time."""

    def __init__(self, folder: Path):
        self.answers = False
        self.address = "198.51.100.20"
        self.taken: set[str] = set()  # addresses that somebody else on the wire has
        self.servers = ["198.51.100.53"]
        self.lease, self.renewal, self.rebind = 20, 2, 15  # seconds
        self.asked: list[Asked] = []
        self.callers: set[str] = set()  # where connections to it come from; it takes none
        self.advertises = False
        self.router_lifetime = 600
        self.servers6: dict[str, int] = {}  # address -> lifetime
        self._guest, own = f"{folder}/guest", f"{folder}/router"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(own)
        self.qemu_args = [
            "-netdev", f"dgram,id=wire,local.type=unix,local.path={self._guest},remote.type=unix,remote.path={own}",
            "-device", "virtio-net-pci,netdev=wire,mac=52:54:00:00:01:01,romfile="]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._socket.close()
        for path in self._guest, f"{os.path.dirname(self._guest)}/router":
            with contextlib.suppress(OSError):
                os.unlink(path)

    def count(self, kind: int, client: str = "0.0.0.0") -> int:
        return sum(one.kind == kind and one.client == client for one in list(self.asked))

    def _serve(self) -> None:
        while frame := self._socket.recv(65536):
            kind = struct.unpack("!H", frame[12:14])[0]
            if kind == 0x806:
                self._arp(frame[14:])
            elif kind == 0x800 and frame[23] == 17:
                self._udp(frame)
            elif kind == 0x800 and frame[23] == 6 and frame[30:34] == packed(ROUTER4):
                self.callers.add(str(ipaddress.ip_address(frame[26:30])))
            elif kind == 0x86dd and frame[20] == 58:
                self._icmp6(frame[14:])

    def _send(self, target: bytes, kind: int, payload: bytes) -> None:
        # A guest that is not there (yet, or any more) hears nothing.
        with contextlib.suppress(OSError):
            self._socket.sendto(target + ROUTER_MAC + struct.pack("!H", kind) + payload, self._guest)

    def _arp(self, packet: bytes) -> None:
        operation, sender_mac, sender, target = packet[7], packet[8:14], packet[14:18], packet[24:28]
        known = target == packed(ROUTER4) or str(ipaddress.ip_address(target)) in self.taken
        if self.answers and operation == 1 and known:
            self._send(sender_mac, 0x806, struct.pack("!HHBBH", 1, 0x800, 6, 4, 2) + ROUTER_MAC + target + sender_mac + sender)

    # DHCP

    def _udp(self, frame: bytes) -> None:
        start = 14 + (frame[14] & 15) * 4
        port = struct.unpack("!H", frame[start + 2:start + 4])[0]
        if port == 67:
            self._dhcp(frame[6:12], frame[start + 8:])

    def _dhcp(self, mac: bytes, message: bytes) -> None:
        options, at = {}, 240
        while at < len(message) and message[at] != 255:
            if message[at] == 0:
                at += 1
                continue
            options[message[at]] = message[at + 2:at + 2 + message[at + 1]]
            at += 2 + message[at + 1]
        kind, client = options[53][0], str(ipaddress.ip_address(message[12:16]))
        wanted = str(ipaddress.ip_address(options[50])) if 50 in options else ""
        self.asked.append(Asked(kind, client, wanted))
        if not self.answers or kind not in (DISCOVER, REQUEST):
            return
        answer = OFFER
        if kind == REQUEST:
            answer = ACK if self.address in (client, wanted) else NAK
        self._answer(answer, mac, message[4:8], client if answer == ACK else "0.0.0.0")

    def _answer(self, kind: int, mac: bytes, number: bytes, client: str) -> None:
        def option(code: int, value: bytes) -> bytes:
            return bytes([code, len(value)]) + value

        given = packed(self.address if kind != NAK else "0.0.0.0")
        head = bytes([2, 1, 6, 0]) + number + bytes(4) + packed(client) + given + packed(ROUTER4) + bytes(4)
        options = option(53, bytes([kind])) + option(54, packed(ROUTER4))
        if kind != NAK:
            for code, seconds in (51, self.lease), (58, self.renewal), (59, self.rebind):
                options += option(code, struct.pack("!I", seconds))
            options += option(1, packed("255.255.255.0")) + option(3, packed(ROUTER4))
            options += option(6, b"".join(map(packed, self.servers))) + option(15, b"lan.example")
        body = head + mac.ljust(16, b"\0") + bytes(192) + bytes.fromhex("63825363") + options + b"\xff"
        udp = struct.pack("!HHHH", 67, 68, 8 + len(body), 0) + body
        to = packed(client if client != "0.0.0.0" else "255.255.255.255")
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + packed(ROUTER4) + to
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        self._send(mac if client != "0.0.0.0" else BROADCAST, 0x800, ip + udp)

    # Router advertisements: RFC 4861, and RFC 8106 for name servers.

    def _icmp6(self, packet: bytes) -> None:
        kind, source = packet[40], packet[8:24]
        if kind == 133 and self.advertises:
            self.advertise()
        elif kind == 135 and self.advertises and packet[48:64] == packed(ROUTER6):
            self._send_icmp6(bytes.fromhex("525400000101"), source,
                             struct.pack("!BBHI", 136, 0, 0, 0xe0000000) + packet[48:64] + b"\2\1" + ROUTER_MAC)

    def advertise(self) -> None:
        """To all, at once."""
        message = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, self.router_lifetime, 0, 0) + b"\1\1" + ROUTER_MAC
        message += struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 3600, 1800, 0) + packed("2001:db8:5::")
        for server, lifetime in self.servers6.items():
            message += struct.pack("!BBHI", 25, 3, 0, lifetime) + packed(server)
        self._send_icmp6(bytes.fromhex("333300000001"), packed("ff02::1"), message)

    def _send_icmp6(self, mac: bytes, target: bytes, message: bytes) -> None:
        addresses = packed(ROUTER6) + target
        total = checksum(addresses + struct.pack("!II", len(message), 58) + message)
        message = message[:2] + struct.pack("!H", total) + message[4:]
        self._send(mac, 0x86dd, struct.pack("!IHBB", 6 << 28, len(message), 58, 255) + addresses + message)
