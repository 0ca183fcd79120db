"""Looking in while traffic flows: connections one by one."""

import json
import socket
import ssl
import unittest

from lib import GATEWAY, PKI, ctl


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
