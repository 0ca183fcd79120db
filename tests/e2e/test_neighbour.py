"""The next hop is another machine from one moment to the next, and does not say so (T-126 of tests/sim/README.md)."""

import hashlib
import os
import subprocess
import time
import unittest

from lib import PKI, RUN, Case, counter, run

SIZE = 40 << 20


def mac():
    with open("/sys/class/net/eth0/address") as f:
        return f.read().strip()


class NextHop(Case):
    def setUp(self):
        super().setUp()
        self.file, self.mac, data = RUN + "/www/next.bin", mac(), os.urandom(SIZE)
        with open(self.file, "wb") as f:
            f.write(data)
        self.want = hashlib.sha256(data).hexdigest()

    def tearDown(self):
        os.unlink(self.file)
        run("ip", "link", "set", "dev", "eth0", "address", self.mac)
        super().tearDown()

    def moves(self, address, to):
        h, total, worst, moved, timeouts = hashlib.sha256(), 0, 0.0, False, counter("tcp", "TcpExtTCPTimeouts")
        with subprocess.Popen(("curl", "-s", "-S", "-m", "300", "--limit-rate", "12M", "--cacert", PKI + "/root.crt",
                               "--resolve", f"gw.example:443:{address}", "https://gw.example/next.bin"),
                              stdout=subprocess.PIPE) as p:
            last = time.monotonic()
            while block := p.stdout.read(1 << 16):
                h.update(block)
                total += len(block)
                now = time.monotonic()
                worst, last = max(worst, now - last), now
                if total > SIZE // 3 and not moved:
                    moved = True
                    run("ip", "link", "set", "dev", "eth0", "address", to)
        self.assertEqual((p.returncode, total, h.hexdigest()), (0, SIZE, self.want))
        self.assertGreater(counter("tcp", "TcpExtTCPTimeouts"), timeouts, "nothing stood still: this shows nothing")
        self.assertLess(worst, 20)

    def test_ipv4(self):
        self.moves("10.77.0.1", "02:77:00:00:00:04")

    def test_ipv6(self):
        self.moves("[fd00:77::1]", "02:77:00:00:00:06")


if __name__ == "__main__":
    unittest.main(verbosity=2)
