"""Looking in while traffic flows: connections one by one."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import unittest

from lib import BUILD, PKI, RUN, WAIT, ctl, get, run, tcp, until


def held(n):
    """n open TLS connections."""
    context = ssl.create_default_context(cafile=PKI + "/root.crt")
    out = []
    for _ in range(n):
        s = context.wrap_socket(tcp(), server_hostname="gw.example")
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
    def capture(self, *args, until_it_has=None):
        """Packets while requests are made, until one of the kind is there or it ends by itself; as tcpdump reads them."""
        path = RUN + "/capture.pcapng"
        if os.path.exists(path):
            os.unlink(path)
        with subprocess.Popen([BUILD + "/control/sallyctl", "-s", RUN + "/control.sock", "capture", path, *args],
                              stderr=subprocess.PIPE, text=True) as p:

            def has():
                return re.search(until_it_has, run("tcpdump", "-nr", path, "--number", ok=False).stdout)

            def asked():
                self.assertEqual(get("/main.html").status, 200)
                return has()

            try:
                until(lambda: os.path.exists(path) and os.path.getsize(path))  # it has begun
                if until_it_has:
                    until(asked)
                    p.send_signal(signal.SIGINT)
                else:
                    get("/main.html")
                said = p.communicate(timeout=WAIT)[1]
            finally:
                p.kill()
        self.assertEqual(p.returncode, 0, said)
        self.assertIn(" 0 lost", said)
        return run("tcpdump", "-nr", path, "--number").stdout

    def test_both_ways(self):
        self.capture("tcp=443", until_it_has=r"> 10\.77\.0\.1\.443: Flags \[S\](.|\n)*"
                                             r"10\.77\.0\.1\.443 > 10\.77\.0\.100\.\d+: Flags \[S\.\]")

    def test_a_count_ends_it(self):
        self.assertEqual(len(re.findall(r"(?m)^ +\d+ ", self.capture("host=10.77.0.100", "3"))), 3)

    def test_a_filter_filters(self):
        """Both are there, the client and the backend."""
        self.assertNotIn("10.77.0.100", self.capture("host=10.77.0.11", until_it_has=r"10\.77\.0\.11.*Flags"))

    def test_one_at_a_time(self):
        self.assertTrue(ctl("capture-begin")["ok"])
        self.assertFalse(ctl("capture-begin", ok=False)["ok"])
        self.assertTrue(ctl("capture-end")["ok"])
        self.assertFalse(ctl("capture-read", ok=False)["ok"])


class Telemetry(unittest.TestCase):
    def ask(self, what):
        path = f"/var/run/dpdk/sallyport-{ctl('status')['pid']}/dpdk_telemetry.v2"
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.settimeout(WAIT)
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
