"""One side is slow: the other is held back, memory stays bounded, every byte arrives, and nobody waits for a packet
that will not come. (T-138, T-140 of tests/sim/README.md)"""

import fcntl
import hashlib
import os
import socket
import struct
import termios
import time
import unittest

from lib import GATEWAY, RUN, WAIT, Case, Reader, connect, context, counter, ctl, get, until

SIZE = 24 * 1024 * 1024
PAIR_MAX = 3 * 1024 * 1024  # what one client and its backend may have queued, both ways


def conns(port):
    """The connection of the client with this port, and those to backends."""
    all_ = ctl("connections").get("connections", [])
    return ([c for c in all_ if c["of"] == "client" and c["peer"].endswith(f":{port}")],
            [c for c in all_ if c["of"] == "backend" and c["state"] == "ESTABLISHED"])


def queued(of):
    return sum(c["recv_q_b"] + c["send_q_b"] for c in of)


def unacknowledged(s):
    return struct.unpack("i", fcntl.ioctl(s.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]


class SlowClient(Case):
    def setUp(self):
        super().setUp()
        self.file = RUN + "/www/slow.bin"
        data = os.urandom(SIZE)
        with open(self.file, "wb") as f:
            f.write(data)
        self.want = hashlib.sha256(data).hexdigest()

    def tearDown(self):
        os.unlink(self.file)
        super().tearDown()

    def open(self):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        s.settimeout(WAIT)
        s.connect(GATEWAY)
        return context().wrap_socket(s, server_hostname="gw.example")

    def slowly(self, path):
        closed = counter("tcp", "TcpExtTCPZeroWindowSeen"), counter("tcp", "TcpExtTCPToZeroWindowAdv")
        with self.open() as s:
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: gw.example\r\nConnection: close\r\n\r\n".encode())

            def stands_still():
                client, backends = conns(s.getsockname()[1])
                busy = [b for b in backends if b["recv_q_b"]]
                return client and client[0]["snd_wnd_b"] < 1460 and busy and queued(client + busy)

            most = until(stands_still)
            time.sleep(0.5)
            self.assertLessEqual(max(most, until(stands_still)), PAIR_MAX)
            self.assertGreater(counter("tcp", "TcpExtTCPZeroWindowSeen"), closed[0], "the client's window")
            h, total, data = hashlib.sha256(), 0, b""
            while b"\r\n\r\n" not in data:
                data += s.recv(4096)
            data = data.split(b"\r\n\r\n", 1)[1]
            while data:
                h.update(data)
                total += len(data)
                if total < 1 << 20:
                    time.sleep(0.001)
                elif total % 7 == 0:
                    self.assertLessEqual(queued(sum(conns(s.getsockname()[1]), [])), PAIR_MAX)
                data = s.recv(65536)
        self.assertEqual((total, h.hexdigest()), (SIZE, self.want))
        self.assertGreater(counter("tcp", "TcpExtTCPToZeroWindowAdv"), closed[1], "the backend's window")

    def test_plain_backend(self):
        self.slowly("/slow.bin")

    def test_tls_backend(self):
        self.slowly("/tls/slow.bin")


class LateBackend(Case):
    """A backend that does not read yet, and a client whose last packet came long before it does."""

    def send(self, body):
        """The response, and whether all of the body was with the appliance, and not yet with the backend, when
        the backend began to read."""
        with connect("odd.example", context(verify=False)) as s:
            s.sendall(f"POST /odd/late HTTP/1.1\r\nHost: odd.example\r\nContent-Length: {len(body)}\r\n\r\n".encode())
            s.setblocking(False)
            sent, end = 0, time.monotonic() + 2
            while (sent < len(body) or unacknowledged(s)) and time.monotonic() < end:
                try:
                    sent += s.send(body[sent:sent + 16000])
                except OSError:
                    time.sleep(0.01)
            there = sent == len(body) and not unacknowledged(s)
            waits = any(b["send_q_b"] for b in conns(s.getsockname()[1])[1])
            self.assertEqual(get("/odd/go", "odd.example", context(verify=False)).status, 200)
            s.settimeout(WAIT)
            while sent < len(body):
                sent += s.send(body[sent:])
            return Reader(s).response("POST"), there and waits

    def test_nothing_is_left_where_no_packet_comes(self):
        shown = 0
        for size in [*range(100000, 221000, 13000), 1000000]:
            with self.subTest(size=size):
                body = os.urandom(size)
                r, held = self.send(body)
                self.assertEqual((r.status, r.body.decode()), (200, hashlib.sha256(body).hexdigest()))
                shown += held
        self.assertGreaterEqual(shown, 3, "of eleven, so many bodies were held between the two")


if __name__ == "__main__":
    unittest.main(verbosity=2)
