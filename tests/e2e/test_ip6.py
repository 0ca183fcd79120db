"""The same over IPv6: clients, backends, addresses in logs and headers, bulk over a lossy link."""

import hashlib
import os
import ssl
import socket
import unittest

from lib import PKI, RUN, TOP, WAIT, Case, Reader, context, log_has, run

GATEWAY6 = ("fd00:77::1", 443)


def get6(path, host="gw.example", ctx=None, fields=()):
    s = socket.create_connection(GATEWAY6, timeout=WAIT)
    with (ctx or context()).wrap_socket(s, server_hostname=host) as t:
        t.sendall("\r\n".join([f"GET {path} HTTP/1.1", f"Host: {host}", *fields, "", ""]).encode())
        return Reader(t).response()


class Six(Case):
    def test_client(self):
        r = get6("/protected/whoami", ctx=context("good"), fields=["User-Agent: six"])
        self.assertIn(b"forwarded-for: fd00:77::100\n", r.body)
        self.assertIn(b"verify: SUCCESS\n", r.body)
        self.assertTrue(log_has("access.log", '"six"').startswith("fd00:77::100 "))

    def test_backend(self):
        r = get6("/six/whoami", "odd.example", context(verify=False))
        self.assertIn(b"backend: fd00:77::13\n", r.body)

    def test_refusal(self):
        with self.assertRaisesRegex(ssl.SSLError, "certificate expired|CERTIFICATE_EXPIRED"):
            get6("/main.html", ctx=context("expired"))
        log_has("error.log", r"client=\[fd00:77::100\]:\d+ reason=cert_expired")

    def test_echo(self):
        out = run("ping", "-6", "-c", "3", "-s", "1000", "fd00:77::1").stdout
        self.assertIn(" 0% packet loss", out)
        out = run("ping", "-c", "3", "-s", "1000", "10.77.0.1").stdout
        self.assertIn(" 0% packet loss", out)

    def test_closed_port(self):
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("fd00:77::1", 4444), timeout=WAIT)
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("10.77.0.1", 4444), timeout=WAIT)

    def test_bulk_over_a_lossy_link(self):
        data = os.urandom(20 << 20)
        with open(RUN + "/www/20m.bin", "wb") as f:
            f.write(data)
        run("bash", "-c", f". {TOP}/deploy/demo/net.sh; net_loss 1")
        try:
            done = run("curl", "-sS", "-m", "300", "--cacert", PKI + "/root.crt", "--resolve",
                       "gw.example:443:[fd00:77::1]", "-o", RUN + "/20m.out", "https://gw.example/tls/20m.bin")
            self.assertEqual(done.returncode, 0)
        finally:
            run("bash", "-c", f". {TOP}/deploy/demo/net.sh; net_loss 0")
        with open(RUN + "/20m.out", "rb") as f:
            self.assertEqual(hashlib.sha256(f.read()).digest(), hashlib.sha256(data).digest())


if __name__ == "__main__":
    unittest.main(verbosity=2)
