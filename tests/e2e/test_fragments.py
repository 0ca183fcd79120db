"""TCP segments that come in IP fragments: dropped by default, put together with ip.reassembly. The client is a small
TCP of its own on a packet socket, so that it decides what is cut where; the kernel of its namespace knows nothing of
its connections. On a TAP device, because DPDK asks the kernel to put IPv4 fragments together for packet sockets."""

import json
import os
import random
import socket
import ssl
import struct
import time
import unittest

from lib import WAIT, Case, Reader, connect, context, counter, get, restart, run, until

DEV, PORTS = "eth0", range(61000, 61999)
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
V4, V6 = ("10.77.0.100", "10.77.0.1"), ("fd00:77::100", "fd00:77::1")


def checksum(data):
    data += b"\0" * (len(data) % 2)
    n = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while n >> 16:
        n = (n & 0xFFFF) + (n >> 16)
    return ~n & 0xFFFF


def mac_of(address):
    """The appliance's, as the kernel has learned it."""
    for entry in json.loads(run("ip", "-j", "neigh", "show", "to", address).stdout):
        if "lladdr" in entry:
            return bytes.fromhex(entry["lladdr"].replace(":", ""))
    raise AssertionError(f"no neighbour {address}")


class Tcp:
    """A connection whose segments are cut into fragments of `cut` bytes, sent in a random order; 0: whole."""

    number = 0

    def __init__(self, ends, port=443):
        Tcp.number += 1
        self.six, self.cut, self.order = ":" in ends[0], 0, random.Random(Tcp.number).shuffle
        family = socket.AF_INET6 if self.six else socket.AF_INET
        self.src, self.dst = (socket.inet_pton(family, a) for a in ends)
        self.sport, self.dport = PORTS[Tcp.number], port
        self.id = random.randrange(1 << 16)
        self.raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.raw.bind((DEV, 0))
        with open(f"/sys/class/net/{DEV}/address") as f:
            own = bytes.fromhex(f.read().strip().replace(":", ""))
        self.eth = mac_of(ends[1]) + own + (b"\x86\xdd" if self.six else b"\x08\x00")
        self.seq, self.ack, self.acked, self.got, self.eof = random.randrange(1 << 32), 0, 0, b"", False
        if not self.repeated(SYN, b"", lambda: self.ack, b"\x02\x04\x05\xb4"):
            raise TimeoutError("the SYN was not answered")
        self.seq = self.seq + 1 & 0xFFFFFFFF
        self.send(ACK)

    def ip(self, offset, more, body, proto=6):
        """A packet: a fragment, or whole when it is all there is."""
        part = offset or more
        if self.six:
            if part:
                body = struct.pack("!BBHI", proto, 0, offset | more, self.id) + body
            return struct.pack("!IHBB", 6 << 28, len(body), 44 if part else proto, 64) + self.src + self.dst + body
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), self.id, more << 13 | offset // 8, 64, proto, 0)
        head += self.src + self.dst
        return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body

    def put(self, packets):
        for p in packets:
            self.raw.send(self.eth + p)

    def segment(self, flags, data=b"", options=b""):
        t = struct.pack("!HHIIBBHHH", self.sport, self.dport, self.seq, self.ack, (20 + len(options)) // 4 << 4,
                        flags, 65000, 0, 0) + options + data
        pseudo = self.src + self.dst + (struct.pack("!II", len(t), 6) if self.six else struct.pack("!HH", 6, len(t)))
        return t[:16] + struct.pack("!H", checksum(pseudo + t)) + t[18:]

    def parts(self, segment, cut):
        return [self.ip(i, int(i + cut < len(segment)), segment[i:i + cut]) for i in range(0, len(segment), cut)]

    def send(self, flags, data=b"", options=b""):
        """Sends it; says in how many packets."""
        t = self.segment(flags, data, options)
        self.id = self.id + 1 & 0xFFFF
        packets = self.parts(t, self.cut) if self.cut else [self.ip(0, 0, t)]
        self.order(packets)
        self.put(packets)
        return len(packets)

    def take(self, frame):
        """One frame that came in."""
        p = frame[14:]
        if frame[:6] != self.eth[6:12] or frame[12:14] != self.eth[12:14]:
            return
        proto, t = (p[6], p[40:40 + struct.unpack("!H", p[4:6])[0]]) if self.six else \
            (p[9], p[(p[0] & 15) * 4:struct.unpack("!H", p[2:4])[0]])
        if proto != 6 or struct.unpack("!HH", t[:4]) != (self.dport, self.sport):
            return
        seq, ack, off, flags = struct.unpack("!IIBB", t[4:14])
        data = t[(off >> 4) * 4:]
        if flags & RST:
            raise ConnectionResetError
        if flags & SYN:
            self.ack = self.ack or seq + 1 & 0xFFFFFFFF
            return
        self.acked = ack
        if seq != self.ack:
            if data:
                self.send_ack()
            return
        self.got += data
        self.eof |= bool(flags & FIN)
        self.ack = self.ack + len(data) + (flags & FIN) & 0xFFFFFFFF
        if data or flags & FIN:
            self.send_ack()

    def send_ack(self):
        self.put([self.ip(0, 0, self.segment(ACK))])

    def wait(self, what, seconds=WAIT):
        """True when it came to pass."""
        end = time.monotonic() + seconds
        while not what():
            self.raw.settimeout(max(end - time.monotonic(), 0.001))
            try:
                self.take(self.raw.recv(65536))
            except TimeoutError:
                return bool(what())
        return True

    def repeated(self, flags, data, done, options=b""):
        """Sends it, every two seconds again: a device that nobody reads for a while loses packets."""
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            self.send(flags, data, options)
            if self.wait(done, 2):
                return True
        return False

    def sendall(self, data):
        """True when it was acknowledged."""
        end = self.seq + len(data) & 0xFFFFFFFF
        if not self.repeated(ACK | PSH, data, lambda: self.acked == end):
            return False
        self.seq = end
        return True

    def recv(self, n):
        self.wait(lambda: self.got or self.eof)
        data, self.got = self.got[:n], self.got[n:]
        return data

    def close(self):
        self.put([self.ip(0, 0, self.segment(RST | ACK))])
        self.raw.close()


class Tls:
    """TLS on top of that, as far as a request needs it."""

    def __init__(self, tcp, ctx):
        self.tcp, self.inp, self.out = tcp, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = ctx.wrap_bio(self.inp, self.out, server_hostname="gw.example")
        self.do(self.tls.do_handshake)

    def flush(self):
        data = self.out.read()
        if data and not self.tcp.sendall(data):
            raise TimeoutError(f"{len(data)} bytes were not acknowledged")

    def do(self, what, *args):
        while True:
            try:
                done = what(*args)
                self.flush()
                return done
            except ssl.SSLWantReadError:
                self.flush()
                data = self.tcp.recv(65536)
                if not data:
                    raise EOFError
                self.inp.write(data)

    def sendall(self, data):
        self.do(self.tls.write, data)

    def recv(self, n):
        return self.do(self.tls.read, n)


REQUEST = b"GET /health HTTP/1.1\r\nHost: gw.example\r\nX-Long: " + b"x" * 3000 + b"\r\n\r\n"


class Fragments(Case):
    @classmethod
    def setUpClass(cls):
        """What comes in for our ports is ours: the kernel would answer it with resets."""
        rules = f"""table netdev ours {{
            chain arrived {{
                type filter hook ingress device {DEV} priority 0;
                tcp dport {PORTS[0]}-{PORTS[-1]} drop
            }}
        }}"""
        run("nft", "-f", "-", input=rules)

    @classmethod
    def tearDownClass(cls):
        run("nft", "delete", "table", "netdev", "ours")
        restart()

    def setUp(self):
        super().setUp()
        self.open = []
        get("/health")  # so that the kernel knows its neighbour
        with socket.create_connection((V6[1], 443), WAIT):
            pass

    def tearDown(self):
        for t in self.open:
            t.close()
        super().tearDown()

    def tcp(self, ends):
        t = Tcp(ends)
        self.open.append(t)
        return t


class Off(Fragments):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        restart(tap=True)

    def test_dropped_and_counted(self):
        for ends in V4, V6:
            with self.subTest(ends=ends):
                t = self.tcp(ends)
                dropped = counter("net", "ip_fragments_dropped")
                asked = counter("net", "IpReasmReqds")
                t.cut = 200
                hello = b"\x16\x03\x01\x02\x00" + b"\x01" * 512
                n = t.send(ACK | PSH, hello)
                self.assertGreater(n, 2)
                until(lambda: counter("net", "ip_fragments_dropped") - dropped >= n)
                self.assertFalse(t.wait(lambda: t.acked == t.seq + len(hello) & 0xFFFFFFFF, 0.5))
                self.assertEqual(counter("net", "ip_fragments_dropped") - dropped, n)
                self.assertEqual(counter("net", "IpReasmReqds"), asked)
                t.cut = 0  # the same bytes in one piece: the connection has not suffered
                self.assertTrue(t.sendall(hello))


class On(Fragments):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        restart(cls.change, tap=True)

    @staticmethod
    def change(text):
        return text + "ip = { reassembly = true; };\n"

    def test_requests(self):
        for ends in V4, V6:
            for cut in 1200, 200, 8 * 9:
                with self.subTest(ends=ends, cut=cut):
                    ok = counter("net", "IpReasmOKs")
                    failed = counter("net", "IpReasmFails")
                    t = self.tcp(ends)
                    t.cut = cut
                    s = Tls(t, context())
                    s.sendall(REQUEST if cut > 72 else REQUEST.replace(b"x" * 1000, b""))
                    r = Reader(s).response()
                    self.assertEqual((r.status, r.body), (200, b"ok\n"))
                    self.assertGreaterEqual(counter("net", "IpReasmOKs") - ok, 1)
                    self.assertEqual(counter("net", "IpReasmFails"), failed)

    def test_small_first_fragment(self):
        """TCP's header lies in three of them."""
        for ends in V4, V6:
            with self.subTest(ends=ends):
                t = self.tcp(ends)
                t.cut = 8
                self.assertTrue(t.sendall(b"\x16\x03\x01\x00\x50" + b"\x01" * 20))

    def test_overlaps(self):
        for ends in V4, V6:
            with self.subTest(ends=ends):
                t = self.tcp(ends)
                overlaps = counter("net", "IpExtReasmOverlaps")
                hello = b"\x16\x03\x01\x02\x00" + b"\x01" * 512
                segment = t.segment(ACK | PSH, hello)
                end = t.seq + len(hello) & 0xFFFFFFFF
                first, second, third = t.parts(segment, 200)
                t.put([first, third, t.ip(192, 1, segment[192:400]), second])
                until(lambda: counter("net", "IpExtReasmOverlaps") - overlaps >= 1)
                self.assertFalse(t.wait(lambda: t.acked == end, 0.5))
                self.assertEqual(counter("net", "IpExtReasmOverlaps") - overlaps, 1)
                t.cut = 200  # a new packet
                self.assertTrue(t.sendall(hello))

    def test_copies(self):
        t = self.tcp(V4)
        hello = b"\x16\x03\x01\x02\x00" + b"\x01" * 512
        first, second, third = t.parts(t.segment(ACK | PSH, hello), 200)
        t.put([third, first, first, third, second])
        self.assertTrue(t.wait(lambda: t.acked == t.seq + len(hello) & 0xFFFFFFFF))

    def test_others_go_on(self):
        """Fragments that nobody completes, more than are kept of one source; others' are put together all the same."""
        t = self.tcp(V4)
        full = counter("net", "IpExtReasmFull")
        junk = t.segment(ACK | PSH, b"x" * 1000)
        t.src = bytes([10, 77, 1, 200])
        for t.id in range(400):
            t.put([t.ip(0, 1, junk[:800])])
            time.sleep(0.0005)  # the device has a queue, too
        t.src = socket.inet_aton(V4[0])
        t.id = 0x7000
        t.cut = 400
        s = Tls(t, context())
        s.sendall(REQUEST)
        self.assertEqual(Reader(s).response().status, 200)
        self.assertGreater(counter("net", "IpExtReasmFull"), full)
        with connect() as s:
            s.sendall(b"GET /health HTTP/1.1\r\nHost: gw.example\r\n\r\n")
            self.assertEqual(Reader(s).response().status, 200)


@unittest.skipIf(os.cpu_count() < 2, "one CPU")
class OnTwoCores(On):
    """Fragments meet on one core, by addresses; the segments go on to the connection's core, by ports."""

    @staticmethod
    def change(text):
        return On.change(text).replace("cores = 1;", "cores = [ 0, 1 ];")

    def test_requests_on_both(self):
        handed = counter("net", "steer_in")
        for _ in range(10):
            for ends in V4, V6:
                t = self.tcp(ends)
                t.cut = 400
                s = Tls(t, context())
                s.sendall(REQUEST)
                self.assertEqual(Reader(s).response().status, 200)
        self.assertGreater(counter("net", "steer_in"), handed)


if __name__ == "__main__":
    unittest.main(verbosity=2)
