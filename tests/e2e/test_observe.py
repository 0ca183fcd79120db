"""Looking in while traffic flows: connections one by one."""

import json
import re
import signal
import socket
import ssl
import subprocess
import time
import unittest

from lib import BUILD, GATEWAY, PKI, RUN, ctl, run


def held(n):
    """n open TLS connections."""
    context = ssl.create_default_context(cafile=PKI + "/root.crt")
    out = []
    for _ in range(n):
        s = context.wrap_socket(socket.create_connection(GATEWAY, 5), server_hostname="gw.example")
        out.append(s)
    return out


class Connections(unittest.TestCase):
    def test_each_is_shown(self):
        held_open = held(5)
        ports = {s.getsockname()[1] for s in held_open}
        got = ctl("connections", "state=established,peer=10.77.0.100")["connections"]
        shown = {int(c["peer"].rsplit(":", 1)[1]): c for c in got}
        self.assertLessEqual(ports, set(shown))
        one = shown[ports.pop()]
        self.assertEqual(one["of"], "client")
        self.assertEqual(one["local"], "10.77.0.1:443")
        self.assertGreater(one["bytes_in"], 100)
        self.assertGreater(one["rto_ms"], 100)
        self.assertGreater(one["cwnd"], 5)
        for s in held_open:
            s.close()

    def test_one_by_its_port(self):
        a, b = held(2)
        got = ctl("connections", f"port={a.getsockname()[1]}")["connections"]
        self.assertEqual([c["peer"] for c in got], [f"10.77.0.100:{a.getsockname()[1]}"])
        a.close()
        b.close()

    def test_no_more_than_asked_for(self):
        held_open = held(4)
        got = ctl("connections", "port=443", "2")
        self.assertEqual(len(got["connections"]), 2)
        self.assertTrue(got["more"])
        for s in held_open:
            s.close()

    def test_a_wrong_filter_is_explained(self):
        got = ctl("connections", "peer=nobody", ok=False)
        self.assertFalse(got["ok"])
        self.assertIn("nobody", got["errors"][0]["what"])


class Capture(unittest.TestCase):
    def capture(self, *args):
        """Packets while one request is made, as tcpdump reads them back."""
        path = RUN + "/capture.pcapng"
        p = subprocess.Popen([BUILD + "/control/sallyctl", "-s", RUN + "/control.sock", "capture", path, *args],
                             stderr=subprocess.PIPE, text=True)
        time.sleep(0.5)
        for s in held(1):
            s.close()
        time.sleep(0.5)
        if p.poll() is None:
            p.send_signal(signal.SIGINT)
        said = p.communicate(timeout=10)[1]
        self.assertEqual(p.returncode, 0, said)
        self.assertIn(" 0 lost", said)
        return run("tcpdump", "-nr", path, "--number").stdout

    def test_both_ways(self):
        out = self.capture("tcp=443")
        self.assertIn("> 10.77.0.1.443: Flags [S]", out)
        self.assertRegex(out, r"10\.77\.0\.1\.443 > 10\.77\.0\.100\.\d+: Flags \[S\.\]")

    def test_a_count_ends_it(self):
        self.assertEqual(len(re.findall(r"(?m)^ +\d+ ", self.capture("host=10.77.0.100", "3"))), 3)

    def test_a_filter_filters(self):
        self.assertNotIn("Flags", self.capture("host=10.99.0.0/16"))

    def test_one_at_a_time(self):
        self.assertTrue(ctl("capture-begin")["ok"])
        self.assertFalse(ctl("capture-begin", ok=False)["ok"])
        self.assertTrue(ctl("capture-end")["ok"])
        self.assertFalse(ctl("capture-read", ok=False)["ok"])


class Telemetry(unittest.TestCase):
    def ask(self, what):
        path = f"/var/run/dpdk/sallyport-{ctl('status')['pid']}/dpdk_telemetry.v2"
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.settimeout(5)
            s.connect(path)
            s.recv(65536)
            s.send(what.encode())
            return json.loads(s.recv(65536))[what.split(",")[0]]

    def test_cores(self):
        self.assertEqual(self.ask("/sallyport/cores"), [0])
        self.assertEqual(self.ask("/sallyport/cores,0")["generation"], ctl("status")["generation"])

    def test_counters(self):
        self.assertIn("tcp", self.ask("/sallyport/counters"))
        self.assertGreater(self.ask("/sallyport/counters,tcp")["TcpInSegs"], 0)
        self.assertIsNone(self.ask("/sallyport/counters,nothing"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
