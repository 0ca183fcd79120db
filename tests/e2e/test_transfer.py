"""100 MB down and up, byte for byte, over a link that drops 1 % of the frames; plain and TLS backends."""

import hashlib
import os
import subprocess
import unittest

from lib import PKI, RUN, TOP, Case, counter, run

SIZE = 100 * 1024 * 1024
CURL = ("curl", "-s", "-S", "-m", "600", "--cacert", PKI + "/root.crt", "--resolve", "gw.example:443:10.77.0.1",
        "--cert", PKI + "/good.crt", "--key", PKI + "/good.key")


def loss(percent):
    run("bash", "-c", f". {TOP}/deploy/demo/net.sh; net_loss {percent}")


def digest(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            h.update(block)
    return h.hexdigest()


class Transfer(Case):
    @classmethod
    def setUpClass(cls):
        cls.file = RUN + "/www/100m.bin"
        with open(cls.file, "wb") as f:
            for _ in range(100):
                f.write(os.urandom(1 << 20))
        cls.want = digest(cls.file)
        loss(1)

    @classmethod
    def tearDownClass(cls):
        loss(0)
        os.unlink(cls.file)

    def down(self, path):
        h, total = hashlib.sha256(), 0
        with subprocess.Popen(CURL + ("https://gw.example" + path,), stdout=subprocess.PIPE) as p:
            while block := p.stdout.read(1 << 20):
                h.update(block)
                total += len(block)
        self.assertEqual((p.returncode, total, h.hexdigest()), (0, SIZE, self.want))

    def up(self, path):
        file = RUN + "/www" + path
        done = run(*CURL, "-T", self.file, "-o", "/dev/null", "-w", "%{http_code}", "https://gw.example" + path)
        self.assertIn(done.stdout, ("201", "204"))
        self.assertEqual(digest(file), self.want)
        os.unlink(file)

    def test_down_plain(self):
        before = counter("tcp", "TcpRetransSegs")
        self.down("/100m.bin")
        self.assertGreater(counter("tcp", "TcpRetransSegs"), before, "nothing was lost: this shows nothing")

    def test_down_tls(self):
        self.down("/tls/100m.bin")

    def test_up_plain(self):
        self.up("/upload/100m.bin")

    def test_up_tls(self):
        self.up("/protected/upload/100m.bin")


if __name__ == "__main__":
    unittest.main(verbosity=2)
