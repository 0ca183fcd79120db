"""HTTP/1.1 as a strict and as a hostile client has it."""

import json
import re
import time
import unittest

from lib import Case, Reader, connect, context, counter, get, log_has, raw, timeouts


def first_line(extra="", line="GET /health HTTP/1.1", host="Host: gw.example\r\n"):
    return (line + "\r\n" + host + extra + "\r\n").encode("latin-1")


class Smuggling(Case):
    """What a second parser might read otherwise is refused, and the connection ends."""

    def test_vectors(self):
        post = "POST /upload/x HTTP/1.1"
        for extra in (
                "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                "Content-Length: 5\r\nContent-Length: 6\r\n",
                "Content-Length: 5, 6\r\n",
                "Content-Length: +5\r\n",
                "Content-Length: -1\r\n",
                "Content-Length: 0x5\r\n",
                "Content-Length: 5 5\r\n",
                "Content-Length: 99999999999999999999999\r\n",
                "Content-Length:\r\n",
                "Transfer-Encoding: xchunked\r\n",
                "Transfer-Encoding: chunked, identity\r\n",
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                "Transfer-Encoding : chunked\r\n",
                "Transfer-Encoding:\x0bchunked\r\n",
                " Transfer-Encoding: chunked\r\n",
                "X: a\r\n b\r\n",
                "X: a\x00b\r\n",
                "X: a\rb\r\n",
                "X\r\n",
                ": x\r\n",
                "X y: z\r\n",
                "Host: other.example\r\n",
        ):
            with self.subTest(extra=extra):
                data = first_line(extra, post) + b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: gw.example\r\n\r\n"
                with connect() as s:
                    s.sendall(data)
                    r = Reader(s).response()
                    self.assertIn(r.status, (400, 501), extra)
                    while s.recv(1000):
                        pass

    def test_chunks(self):
        for body in (b"5\r\nhelloX\r\n0\r\n\r\n", b"-5\r\nhello\r\n", b"0x5\r\nhello\r\n", b"5 \nhello", b"zz\r\n",
                     b"fffffffffffffffff\r\n", b"\r\n", b"5\nhello\n0\n\n", b"5;\x00\r\nhello\r\n0\r\n\r\n"):
            with self.subTest(body=body):
                r = raw(first_line("Transfer-Encoding: chunked\r\n", "PUT /upload/chunk HTTP/1.1") + body)
                self.assertEqual(r.status, 400)

    def test_lines(self):
        for line in ("GET  /health HTTP/1.1", "GET /health  HTTP/1.1", "GET /health HTTP/1.1 ", "GET /health",
                     "GET health HTTP/1.1", "GET /he\x01alth HTTP/1.1", "GET /health HTTP/11", "GET /health HTTP/x",
                     "G(T /health HTTP/1.1", " GET /health HTTP/1.1", "GET /%zz HTTP/1.1", "GET /a%00b HTTP/1.1"):
            with self.subTest(line=line):
                self.assertEqual(raw(first_line("", line)).status, 400)

    def test_versions(self):
        self.assertEqual(raw(first_line("", "GET /health HTTP/2.0")).status, 505)
        r = raw(b"GET /health HTTP/1.0\r\nHost: gw.example\r\n\r\n")
        self.assertEqual(r.status, 200)

    def test_hosts(self):
        for host in ("", "Host: a b\r\n", "Host: gw.example/x\r\n", "Host: u@gw.example\r\n", "Host: gw.example:x\r\n"):
            with self.subTest(host=host):
                self.assertEqual(raw(first_line("", host=host)).status, 400)
        self.assertEqual(raw(first_line("", host="Host: gw.example:443\r\n")).status, 200)
        self.assertEqual(raw(first_line("", host="Host: GW.Example\r\n")).status, 200)
        self.assertEqual(raw(first_line("", "GET https://gw.example/health HTTP/1.1")).status, 200)

    def test_bare_line_feeds(self):
        self.assertEqual(raw(b"GET /health HTTP/1.1\nHost: gw.example\n\n").status, 400)

    def test_dot_segments_reach_no_open_door(self):
        for path in ("/unprotected/../protected/protected.html", "/x/%2e%2e/protected/protected.html",
                     "/./protected/protected.html", "//protected/protected.html", "/%70rotected/protected.html"):
            with self.subTest(path=path):
                self.assertIn(get(path).status, (400, 403))


class Limits(Case):
    def test_long_request_line(self):
        self.assertEqual(raw(first_line("", "GET /" + "a" * 9000 + " HTTP/1.1")).status, 414)

    def test_large_fields(self):
        self.assertEqual(raw(first_line("X: " + "a" * 5000 + "\r\n")).status, 431)
        self.assertEqual(raw(first_line("".join(f"X{i}: y\r\n" for i in range(100)))).status, 431)
        self.assertEqual(raw(first_line("".join(f"X{i}: {'y' * 3000}\r\n" for i in range(8)))).status, 431)

    def test_large_body(self):
        r = get("/small/x", "odd.example", context(verify=False), method="POST", body=b"x" * 2000)
        self.assertEqual(r.status, 413)

    def test_slow_head(self):
        late = counter("proxy", "timeout_header")
        with timeouts(header=2), connect() as s:
            begin = time.monotonic()
            s.sendall(b"GET /health HTTP/1.1\r\nHost:")
            self.assertEqual(Reader(s).response().status, 408)
            self.assertGreater(time.monotonic() - begin, 1.9)
        self.assertEqual(counter("proxy", "timeout_header"), late + 1)

    def test_slow_body(self):
        late = counter("proxy", "timeout_body")
        with timeouts(body=2), connect() as s:
            s.sendall(first_line("Content-Length: 10\r\n", "PUT /upload/slow HTTP/1.1") + b"abc")
            self.assertEqual(Reader(s).response().status, 408)
        self.assertEqual(counter("proxy", "timeout_body"), late + 1)

    def test_idle_connection_is_closed_in_silence(self):
        closed = counter("proxy", "timeout_keepalive")
        with timeouts(keepalive=3), connect() as s:
            begin = time.monotonic()
            s.sendall(first_line())
            r = Reader(s)
            self.assertEqual(r.response().status, 200)
            self.assertEqual(s.recv(10), b"")
            self.assertGreater(time.monotonic() - begin, 2.9)
        self.assertEqual(counter("proxy", "timeout_keepalive"), closed + 1)

    def test_reference_is_found_in_the_log(self):
        r = get("/protected/x")
        self.assertEqual(r.status, 403)
        ref = re.search(rb"Reference: ([0-9a-f]+)", r.body).group(1).decode()
        self.assertEqual(r["x-sallyport-ref"], ref)
        self.assertIn(" 403 ", log_has("access.log", "ref=" + ref))

    def test_problem_json(self):
        r = get("/protected/x", fields=["Accept: application/problem+json"])
        self.assertEqual(r["content-type"], "application/problem+json")
        problem = json.loads(r.body)
        self.assertEqual(problem["status"], 403)


class Messages(Case):
    def test_keep_alive_and_pipelining(self):
        with connect() as s:
            s.sendall(b"".join(first_line("", f"GET /main.html?{i} HTTP/1.1") for i in range(20)))
            r = Reader(s)
            for _ in range(20):
                self.assertEqual(r.response().status, 200)

    def test_pipelining_byte_by_byte(self):
        with connect() as s:
            for b in first_line() * 2:
                s.sendall(bytes([b]))
            r = Reader(s)
            self.assertEqual((r.response().status, r.response().status), (200, 200))

    def test_head(self):
        for path in ("/main.html", "/health", "/protected/x"):
            with connect() as s:
                s.sendall(first_line("", f"HEAD {path} HTTP/1.1") + first_line())
                r = Reader(s)
                one = r.response("HEAD")
                self.assertIsNotNone(one["content-length"])
                self.assertEqual(r.response().body, b"ok\n")

    def test_expect(self):
        with connect() as s:
            s.sendall(first_line("Content-Length: 5\r\nExpect: 100-continue\r\n", "PUT /upload/expect HTTP/1.1"))
            r = Reader(s)
            self.assertEqual(r.response().status, 100)
            s.sendall(b"hello")
            self.assertIn(r.response().status, (201, 204))
            s.sendall(first_line("Expect: something-else\r\n"))
            self.assertEqual(r.response().status, 417)

    def test_expect_where_it_is_refused(self):
        with connect() as s:
            s.sendall(first_line("Content-Length: 5\r\nExpect: 100-continue\r\n", "PUT /protected/upload/x HTTP/1.1"))
            self.assertEqual(Reader(s).response().status, 403)

    def test_http_10(self):
        with connect() as s:
            s.sendall(b"GET /main.html HTTP/1.0\r\nHost: gw.example\r\n\r\n")
            r = Reader(s)
            self.assertEqual(r.response().status, 200)
            self.assertEqual(s.recv(10), b"")

    def test_connection_close(self):
        with connect() as s:
            s.sendall(first_line("Connection: close\r\n"))
            r = Reader(s).response()
            self.assertEqual(r["connection"], "close")
            self.assertEqual(s.recv(10), b"")

    def test_refused_methods(self):
        self.assertIn(raw(first_line("", "CONNECT gw.example:443 HTTP/1.1")).status, (400, 405, 501))
        self.assertIn(raw(first_line("", "TRACE /health HTTP/1.1")).status, (405, 501))


if __name__ == "__main__":
    unittest.main(verbosity=2)
