"""What lies between clients and backends: fields, failures, choice of members, streaming."""

import collections
import re
import socket
import time
import unittest

from lib import GATEWAY, WAIT, Case, Reader, connect, context, get, log_has, raw, run

ODD = "odd.example"


def odd(path, **more):
    return get(path, ODD, context(verify=False), **more)


class Fields(Case):
    def test_what_clients_say_of_themselves_is_dropped(self):
        forged = ["X-SSL-Client-Verify: SUCCESS", "X-SSL-Client-S-DN: CN=Root", "x-ssl-client-serial: 1",
                  "X-Ssl-Client-I-Dn: CN=Any", "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: http",
                  "X-Forwarded-Host: evil.example", "X_SSL_Client_Verify: SUCCESS"]
        r = odd("/odd/echo", fields=forged)
        text = r.body.decode().lower()
        self.assertIn("x-ssl-client-verify: none", text)
        self.assertIn("x-forwarded-for: 10.77.0.100", text)
        self.assertIn("x-forwarded-proto: https", text)
        self.assertIn("x-forwarded-host: odd.example", text)
        for bad in ("cn=root", "cn=any", "1.2.3.4", "evil.example", "success", "client-serial: 1"):
            self.assertNotIn(bad, text)

    def test_the_backend_sees_the_path_that_was_judged(self):
        for path, sent in (("/odd/a/../echo", "/odd/echo"), ("/odd//../odd/%2e/echo", "/odd/echo"),
                           ("/odd//x;y=1/%61/echo", "/odd//x;y=1/%61/echo")):
            with self.subTest(path=path):
                self.assertTrue(odd(path).body.startswith(f"GET {sent} HTTP/1.1\n".encode()))

    def test_hop_by_hop_fields_end_here(self):
        r = odd("/odd/echo", fields=["Connection: X-Mine", "X-Mine: 1", "TE: trailers", "Keep-Alive: 1",
                                     "Proxy-Connection: x", "X-Stays: 1"])
        text = r.body.decode().lower()
        for gone in ("x-mine", "te:", "keep-alive:", "proxy-connection"):
            self.assertNotIn(gone, text)
        self.assertIn("x-stays: 1", text)

    def test_hop_by_hop_fields_of_responses(self):
        with connect(ODD, context(verify=False)) as s:
            s.sendall(b"GET /odd/hints HTTP/1.1\r\nHost: odd.example\r\n\r\n")
            r = Reader(s)
            first = r.response()
            if first.status == 103:
                first = r.response()
            self.assertEqual((first.status, first.body), (200, b"ok"))
            self.assertIsNone(first["x-hop"])
            self.assertIsNone(first["keep-alive"])
            self.assertEqual(first["x-stay"], "1")

    def test_identity(self):
        r = get("/protected/whoami", ctx=context("good"))
        self.assertIn(b"verify: SUCCESS\nsubject: CN=Good Client,OU=Clients,O=Sallyport demo,C=DE\n"
                      b"issuer: CN=Demo Intermediate CA,O=Sallyport demo,C=DE\n", r.body)

    def test_host(self):
        self.assertIn(b"host: gw.example\n", get("/x/whoami").body)
        self.assertRegex(get("/tls/whoami").body, rb"host: web[34].example\n")


class Bodies(Case):
    def test_chunked_up(self):
        r = raw(b"POST /odd/echo HTTP/1.1\r\nHost: odd.example\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\n", ODD, context(verify=False))
        self.assertTrue(r.body.endswith(b"\n\nhello world"), r.body)

    def test_chunked_down(self):
        self.assertEqual(odd("/odd/chunked").body, b"hello" * 5)

    def test_until_close(self):
        self.assertEqual(odd("/odd/until-close").body, b"all until the end")

    def test_slow_response_streams(self):
        with connect(ODD, context(verify=False)) as s:
            s.sendall(b"GET /odd/halves HTTP/1.1\r\nHost: odd.example\r\n\r\n")
            data = s.recv(4096)
            while b"\r\n\r\n12345" not in data:
                data += s.recv(4096)
            self.assertEqual(odd("/odd/go").status, 200)  # the other half is not made before
            while not data.endswith(b"1234567890"):
                data += s.recv(100)

    def test_none_where_there_is_none(self):
        with connect(ODD, context(verify=False)) as s:
            r = Reader(s)
            for path, status in (("no-content", 204), ("not-modified", 304), ("echo", 200), ("no-content", 204)):
                s.sendall(f"GET /odd/{path} HTTP/1.1\r\nHost: odd.example\r\n\r\n".encode())
                self.assertEqual(r.response().status, status)
            s.sendall(b"HEAD /odd/echo HTTP/1.1\r\nHost: odd.example\r\n\r\n")
            self.assertEqual(r.response("HEAD").status, 200)
            s.sendall(b"GET /odd/echo HTTP/1.1\r\nHost: odd.example\r\n\r\n")
            self.assertEqual(r.response().status, 200)

    def test_answer_before_the_body_was_sent(self):
        with connect(ODD, context(verify=False)) as s:
            s.sendall(b"POST /odd/early HTTP/1.1\r\nHost: odd.example\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
            self.assertEqual(Reader(s).response().status, 413)


    def test_an_answer_with_a_reset_behind_it(self):
        """What came before the RST is the answer all the same."""
        for size in (0, 10, 5000):
            for _ in range(20):
                r = odd(f"/odd/reset?{size}")
                self.assertEqual((r.status, len(r.body)), (413, size))
        with connect(ODD, context(verify=False)) as s:
            s.sendall(b"POST /odd/reset?100 HTTP/1.1\r\nHost: odd.example\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 100000)
            self.assertEqual(Reader(s).response().status, 413)

    def test_a_reset_while_the_client_is_slow(self):
        """The answer is held here when its sender dies; the client gets it all when it reads on."""
        ctx = context(verify=False)
        with socket.socket() as t:
            t.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            t.settimeout(WAIT)
            t.connect(GATEWAY)
            with ctx.wrap_socket(t, server_hostname=ODD) as s:
                s.sendall(b"GET /odd/reset?180000,1 HTTP/1.1\r\nHost: odd.example\r\n\r\n")
                time.sleep(2)
                r = Reader(s).response()
                self.assertEqual((r.status, len(r.body)), (413, 180000))


class Failures(Case):
    def reason(self, r):
        ref = re.search(rb"Reference: ([0-9a-f]+)", r.body).group(1).decode()
        return log_has("access.log", "ref=" + ref)

    def test_statuses(self):
        for path, status in (("/dead/x", 503), ("/odd/garbage", 502), ("/odd/nothing", 502), ("/silent/silent", 504),
                             ("/odd/both", 502), ("/odd/head-large", 502), ("/untrusted/x", 502),
                             ("/misnamed/x", 502), ("/nobody/x", 503)):
            with self.subTest(path=path):
                r = odd(path)
                self.assertIn(r.status, (status, 504) if path.startswith("/nobody") else (status,))
                self.reason(r)

    def test_unknown_path(self):
        self.assertEqual(odd("/elsewhere").status, 404)

    def test_cut_response_is_seen_as_cut(self):
        for path in ("/odd/cut", "/odd/cut-chunk"):
            with self.subTest(path=path), self.assertRaises((EOFError, ConnectionResetError, OSError)):
                odd(path)

    def test_failed_member_is_passed_over(self):
        for _ in range(8):
            self.assertEqual(odd("/failover/main.html").status, 404)  # of the member that lives
        r = odd("/failover/whoami")
        self.assertIn(b"backend: 10.77.0.12", r.body)

    def test_stale_pooled_connection(self):
        for _ in range(10):
            self.assertEqual(odd("/odd/stale").body, b"stale")


class Members(Case):
    def test_connections_are_reused(self):
        counts = [int(odd("/odd/count").body) for _ in range(5)]
        self.assertEqual(counts, list(range(counts[0], counts[0] + 5)))

    def test_weights(self):
        seen = collections.Counter(
            re.search(rb"backend: (\S+)", odd("/weights/whoami").body).group(1) for _ in range(40))
        self.assertEqual(seen, {b"10.77.0.11": 30, b"10.77.0.12": 10})

    def test_sticky(self):
        for route, member in (("one", b"10.77.0.11"), ("two", b"10.77.0.12")):
            for _ in range(4):
                r = odd("/sticky/whoami", fields=[f"Cookie: a=b; JSESSIONID=0815.{route}; c=d"])
                self.assertIn(b"backend: " + member + b"\n", r.body)

    def test_plain_listener(self):
        out = run("curl", "-s", "-m", "40", "-H", "Host: open.example", "http://10.77.0.1/x/whoami").stdout
        self.assertIn("forwarded-proto: http\n", out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
