"""Certificates that are asked for when a request needs them (RFC 8446 4.6.2; Apache: SSLVerifyClient in a location)."""

import contextlib
import re
import ssl
import unittest

from lib import PKI, TLS12, TLS13, Case, Reader, connect, context, counter, get, log_has, reconfigure, run, timeouts, until

HOST = "late.example"
CONF = """  { name = "late.example"; identities = [ "gw" ];
    client_cert = { mode = "none"; trust = [ "clients" ]; max_depth = 2; post_handshake = true; };
    locations = (
      { path = "/open"; respond = { body = "open"; }; },
      { path = "/asked"; respond = { body = "asked"; }; client_cert = { mode = "require"; }; },
      { path = "/perhaps"; upstream = "plain"; client_cert = { mode = "optional"; }; },
      { path = "/up"; upstream = "plain"; require = "cert"; }
    ); },
  { name = "early.example"; identities = [ "gw" ];
    client_cert = { mode = "none"; trust = [ "clients" ]; max_depth = 2; };
    locations = ( { path = "/late"; respond = { body = "ok"; }; client_cert = { mode = "require"; post_handshake = true; }; },
                  { path = "/"; respond = { body = "ok"; }; client_cert = { mode = "require"; }; } ); },
"""


def late(cert=None, version=TLS13):
    """As curl sets its library: it can be asked later."""
    ctx = context(cert, version, verify=False)
    ctx.post_handshake_auth = True
    return ctx


def request(path, method="GET", body=None, more="", host=HOST):
    length = f"Content-Length: {len(body)}\r\n" if body is not None else ""
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{length}{more}\r\n".encode() + (body or b"")


class Late(Case):
    @classmethod
    def setUpClass(cls):
        cls.before = reconfigure(lambda old: old.replace("hosts = (\n", "hosts = (\n" + CONF, 1))

    @classmethod
    def tearDownClass(cls):
        reconfigure(lambda _: cls.before)

    def ask(self, s, *argv, **more):
        s.sendall(request(*argv, **more))
        return self.reader.response()

    def connect(self, ctx, host=HOST):
        s = connect(host, ctx)
        self.reader = Reader(s)
        self.addCleanup(s.close)
        return s

    def test_only_when_it_is_needed(self):
        asked, certs = counter("tls", "late_asked"), counter("tls", "late_certs")
        s = self.connect(late("good"))
        self.assertEqual(self.ask(s, "/open").status, 200)
        self.assertEqual(counter("tls", "late_asked"), asked)
        for _ in range(3):  # asked once
            self.assertEqual((r := self.ask(s, "/asked")).status, 200, r.body)
        self.assertEqual(self.ask(s, "/open").status, 200)
        self.assertEqual((counter("tls", "late_asked"), counter("tls", "late_certs")), (asked + 1, certs + 1))

    def test_who_it_is(self):
        s = self.connect(late("good"))
        r = self.ask(s, "/up/whoami")
        self.assertIn(r.status, (200, 404))
        line = log_has("access.log", r'"GET /up/whoami HTTP/1.1"')
        self.assertIn("CN=Good Client,OU=Clients,O=Sallyport demo,C=DE", line)
        self.assertIn("SUCCESS", line)

    def test_none_to_show(self):
        none = counter("tls", "late_none")
        s = self.connect(late())
        r = self.ask(s, "/asked")
        self.assertEqual((r.status, r.reason()), (403, "cert_required"))
        self.assertEqual(self.ask(s, "/open").status, 200)
        r = self.ask(s, "/asked")  # not asked again
        self.assertEqual((r.status, r.reason()), (403, "cert_required"))
        self.assertEqual(counter("tls", "late_none"), none + 1)
        self.assertIn(self.ask(s, "/perhaps").status, (200, 404))

    def test_bad_ones(self):
        for cert, reason in ("expired", "cert_expired"), ("otherca", "issuer_unknown"), ("deep", "chain_too_long"):
            s = self.connect(late(cert))
            self.assertEqual(self.ask(s, "/open").status, 200)
            r = self.ask(s, "/asked")
            self.assertEqual((r.status, r.reason()), (403, reason))
            self.assertEqual(self.ask(s, "/open").status, 200)

    def test_who_cannot_be_asked_later_is_asked_in_the_handshake(self):
        asked = counter("tls", "late_asked")
        for v in TLS12, TLS13:
            self.assertEqual(get("/asked", HOST, context("good", v, verify=False)).status, 200)
            self.assertEqual(get("/asked", HOST, context(None, v, verify=False)).reason(), "cert_required")
        self.assertEqual(get("/asked", HOST, late("good", TLS12)).status, 200)
        self.assertEqual(counter("tls", "late_asked"), asked)

    def test_a_host_that_asks_in_the_handshake_asks_there(self):
        asked = counter("tls", "late_asked")
        s = self.connect(late("good"), "early.example")
        for path in "/late", "/":
            self.assertEqual(self.ask(s, path, host="early.example").status, 200)
        self.assertEqual(counter("tls", "late_asked"), asked)

    def test_bodies_wait(self):
        for size in 1, 10000, 100000:
            s = self.connect(late("good"))
            r = self.ask(s, "/up", method="POST", body=b"x" * size)
            self.assertNotIn(r.status, (403, 413), size)

    def test_too_much_body(self):
        large = counter("proxy", "cert_body")
        s = self.connect(late("good"))
        with contextlib.suppress(ssl.SSLError, ConnectionError):  # it may be closed before all is sent
            s.sendall(request("/asked", "POST", b"x" * 400000))
        r = self.reader.response()
        self.assertEqual((r.status, r.reason()), (413, "body_before_cert"))
        self.assertEqual(counter("proxy", "cert_body"), large + 1)

    def test_what_is_pipelined_waits(self):
        s = self.connect(late("good"))
        s.sendall(request("/asked") + request("/open") * 700 + request("/asked"))
        got = [self.reader.response() for _ in range(702)]
        self.assertEqual([(r.status, r.body) for r in got],
                         [(200, b"asked")] + [(200, b"open")] * 700 + [(200, b"asked")])

    def test_expect(self):
        s = self.connect(late("good"))
        s.sendall(b"POST /up HTTP/1.1\r\nHost: late.example\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        first = self.reader.response()
        if first.status == 100:
            s.sendall(b"hello")
            first = self.reader.response()
        self.assertIn(first.status, (200, 404, 405))

    def test_resumed_sessions(self):
        ctx = late("good")
        s = self.connect(ctx)
        self.assertEqual(self.ask(s, "/asked").status, 200)
        session, before = s.session, counter("tls", "server_resumed")
        s.close()
        self.assertTrue(session.has_ticket)
        s = connect(HOST, ctx, session=session)
        self.reader = Reader(s)
        self.assertTrue(s.session_reused)
        self.assertEqual(self.ask(s, "/open").status, 200)
        self.assertEqual((r := self.ask(s, "/asked")).status, 200, r.body)
        self.assertEqual(counter("tls", "server_resumed"), before + 1)
        s.close()

    def test_curl(self):
        for args, want in (("--cert", f"{PKI}/good.crt", "--key", f"{PKI}/good.key"), "200"), ((), "403"):
            asked = counter("tls", "late_asked")
            got = run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{num_connects}\n", "-k",
                      "--tlsv1.3", *args, "--resolve", f"{HOST}:443:10.77.0.1", f"https://{HOST}/open",
                      "-o", "/dev/null", f"https://{HOST}/asked").stdout.split()
            self.assertEqual((got[0], got[2], got[3]), ("200", want, "0"))
            self.assertEqual(counter("tls", "late_asked"), asked + 1)

    def test_no_answer(self):
        old = reconfigure(lambda text: re.sub(r"handshake = [0-9]+;", "handshake = 1;", text))
        self.addCleanup(reconfigure, lambda _: old)
        late_ones = counter("proxy", "cert_late")
        with timeouts(handshake=2):
            s = self.connect(late("good"))
            s.sendall(request("/open"))
            self.assertEqual(self.reader.response().status, 200)
            s.sendall(request("/asked"))
            until(lambda: counter("proxy", "cert_late") == late_ones + 1)  # nobody reads, so nobody answers
            r = self.reader.response()
            self.assertEqual((r.status, r.reason()), (408, "cert_timeout"))

    def test_a_client_that_goes(self):
        s = self.connect(late("good"))
        asked = counter("tls", "late_asked")
        s.sendall(request("/asked"))
        until(lambda: counter("tls", "late_asked") > asked)
        s.close()
        self.assertEqual(get("/open", HOST, late()).status, 200)

    def test_revocation_reaches_it(self):
        """What was shown late is lost as what was shown early."""
        s = self.connect(late("good"))
        self.assertEqual(self.ask(s, "/asked").status, 200)
        old = reconfigure(lambda text: text.replace('{ name = "clients";  anchors = [ "%s/root.crt" ]; }' % PKI,
                                                    '{ name = "clients";  anchors = [ "%s/otherca-root.crt" ]; }' % PKI))
        self.addCleanup(reconfigure, lambda _: old)
        try:
            r = self.ask(s, "/asked")
            self.assertEqual(r.status, 403)
        except (EOFError, ConnectionError, ssl.SSLError):
            pass  # idle connections are closed


if __name__ == "__main__":
    unittest.main(verbosity=2)
