"""What OCSP responders say of clients' certificates: asked by the control side, waited for without holding a core."""

import threading
import time
import unittest

from lib import TLS12, TLS13, TOP, Reader, connect, context, counter, ctl, get, log_has, reconfigure, requests, run, until
from responder import ResponderCase

HOST = "api.gw.example"
ASK = b"GET /asked/whoami HTTP/1.1\r\nHost: api.gw.example\r\n\r\n"
HEALTH = b"GET /health HTTP/1.1\r\nHost: api.gw.example\r\n\r\n"
URL = 'ocsp_url = "http://127.0.0.1:8765/";'
TIMEOUT = "ocsp_timeout = 40;"


def clients():
    return ctl("ocsp")["clients"][0]


def ask(cert="good", version=None):
    r = get("/asked/whoami", HOST, context(cert, version))
    return r.status, r.reason()


def held():
    return counter("proxy", "ocsp_held")


class Ocsp(ResponderCase):
    def setUp(self):
        super().setUp()
        self.addCleanup(self.forget)  # after tearDown, which looks at the process that the test had

    def forget(self):
        """What was learnt is of this test. A process that begins anew knows nothing."""
        run(TOP + "/deploy/demo.sh", "restart")

    def use(self, more="", timeout=TIMEOUT):
        was = reconfigure(lambda t: t.replace(URL, URL + more).replace(TIMEOUT, timeout))
        self.old = self.old or was

    def test_good_is_asked_once(self):
        before = self.responder.asked()
        for v in (TLS12, TLS13):
            for _ in range(3):
                self.assertEqual(ask(version=v), (200, None))
        self.assertEqual(self.responder.asked(), before + 1)
        # elsewhere nobody is asked
        self.assertEqual(get("/protected/whoami", HOST, context("good")).status, 200)
        self.assertEqual(self.responder.asked(), before + 1)
        c = ctl("ocsp")["certificates"]
        self.assertEqual([e["state"] for e in c], ["good"])
        self.assertEqual(counter("proxy", "ocsp_late"), 0)

    def test_revoked(self):
        self.responder.revoke("good")
        self.use("ocsp_fail = \"allow\"; ocsp_refresh = 1;")
        for v in (TLS12, TLS13, TLS12):
            self.assertEqual(ask(version=v), (403, "cert_revoked"))
        log_has("error.log", "PEER ocsp.revoked .*keyCompromise")
        # and stays so when the responder is silent
        self.responder.stop()
        failures = clients()["failures"]
        while clients()["failures"] < failures + 2:
            self.assertEqual(ask(), (403, "cert_revoked"))

    def test_no_answer(self):
        """Dead, refusing, talking nonsense, not knowing it, talking of another: as the set says."""
        for fail, want in (("deny", (403, "revocation_unknown")), ("allow", (200, None))):
            for mode in ("garbage", "error", "later", "unknown", "other", "dead"):
                self.responder.mode(mode if mode in ("garbage", "error", "later", "other") else "good")
                self.responder.revoke(forget=("good",) if mode == "unknown" else ())
                if mode == "dead":
                    self.responder.stop()
                self.use(f'ocsp_fail = "{fail}";')
                with self.subTest(mode=mode, fail=fail):
                    self.assertEqual(ask(), want)
                    self.assertEqual(ask(version=TLS12), want)
                if mode == "dead":
                    self.responder.start()
                reconfigure(lambda _: self.old)
                self.old = None
                self.forget()

    def test_a_slow_one_holds_this_request_only(self):
        self.responder.mode("wait")
        got = []
        t = threading.Thread(target=lambda: got.append(ask()))
        t.start()
        until(lambda: held() == 1)
        with connect(HOST, context()) as s:
            r = Reader(s)
            for _ in range(20):
                s.sendall(HEALTH)
                self.assertEqual(r.response().status, 200)
        self.assertEqual(got, [])
        self.responder.mode("good")
        t.join()
        self.assertEqual(got, [(200, None)])
        self.assertEqual(held(), 1)

    def test_what_is_pipelined_behind_a_held_request_waits(self):
        self.responder.mode("wait")
        with connect(HOST, context("good")) as s:
            s.sendall(ASK + HEALTH + ASK)
            until(lambda: held() == 1)
            self.responder.mode("good")
            r = Reader(s)
            self.assertEqual([r.response().status for _ in range(3)], [200, 200, 200])

    def test_too_slow(self):
        self.responder.mode("wait")
        self.use(timeout="ocsp_timeout = 1;")
        begin = time.monotonic()
        self.assertEqual(ask(), (403, "revocation_unknown"))  # it has not answered by now
        self.assertGreater(time.monotonic() - begin, 0.9)
        self.assertEqual(counter("proxy", "ocsp_late"), 1)
        self.responder.mode("good")
        until(lambda: clients()["good"] == 1)  # the answer came all the same, for the next one
        self.assertEqual(ask(), (200, None))

    def test_too_slow_is_let_in_where_silence_is(self):
        self.responder.mode("hang")
        self.use('ocsp_fail = "allow";', timeout="ocsp_timeout = 1;")
        begin = time.monotonic()
        self.assertEqual(ask()[0], 200)
        self.assertGreater(time.monotonic() - begin, 0.9)

    def test_a_client_that_goes_while_it_is_held(self):
        self.responder.mode("wait")
        for n in range(3):
            with connect(HOST, context("good")) as s:
                s.sendall(ASK)
                until(lambda: held() == n + 1)
        self.responder.mode("good")
        until(lambda: clients()["good"] == 1)
        self.assertEqual(ask(), (200, None))
        until(lambda: requests() == 0)

    def test_the_whole_chain(self):
        before = self.responder.asked()
        self.use('ocsp_refresh = 1;')
        reconfigure(lambda t: t.replace('ocsp = "leaf"; ocsp_url', 'ocsp = "chain"; ocsp_url'))
        for v in (TLS12, TLS13):
            self.assertEqual(ask(version=v), (200, None))
        self.assertGreaterEqual(self.responder.asked(), before + 2)
        self.assertEqual(clients()["good"], 2)
        self.responder.revoke("ca/intermediate.one")
        until(lambda: ask() == (403, "cert_revoked"))
        self.assertEqual((clients()["good"], clients()["revoked"]), (1, 1))

    def test_first_deny(self):
        self.use('ocsp_first = "deny";')
        self.assertEqual(ask(), (403, "revocation_unknown"))
        until(lambda: clients()["good"] == 1)
        self.assertEqual(ask(), (200, None))

    def test_first_allow_until_it_is_known_to_be_revoked(self):
        self.responder.revoke("good")
        self.responder.mode("wait")
        self.use('ocsp_first = "allow";')
        with connect(HOST, context("good")) as s:
            s.sendall(ASK)
            self.assertEqual(Reader(s).response().status, 200)
            self.responder.mode("good")
            self.assertEqual(s.recv(1), b"")  # closed when the answer is there, long before the keep-alive time is over
        self.assertEqual(ask(), (403, "cert_revoked"))

    def test_revocation_reaches_live_connections(self):
        self.use("ocsp_refresh = 1;")
        closed = counter("proxy", "identity_closed")
        with connect(HOST, context("good")) as s, connect(HOST, context("good")) as other:
            for c, path in ((s, b"asked"), (other, b"protected")):
                c.sendall(ASK.replace(b"asked", path))
                self.assertEqual(Reader(c).response().status, 200)
            self.responder.revoke("good")
            self.assertEqual(s.recv(1), b"")
            self.assertEqual(counter("proxy", "identity_closed"), closed + 1)
            other.sendall(HEALTH)
            self.assertEqual(Reader(other).response().status, 200)

    def test_resumed_sessions(self):
        self.use("ocsp_refresh = 1;")
        for v in (TLS12, TLS13):
            self.responder.revoke()
            until(lambda: clients()["revoked"] == 0)
            ctx = context("good", v)
            with connect(HOST, ctx) as s:
                s.sendall(ASK)
                self.assertEqual(Reader(s).response().status, 200)
                session = s.session
            with connect(HOST, ctx, session=session) as s:
                s.sendall(ASK)
                self.assertEqual(Reader(s).response().status, 200)
                self.assertTrue(s.session_reused)
                session = s.session
            self.responder.revoke("good")
            until(lambda: ask(version=v)[0] == 403)
            with connect(HOST, ctx, session=session) as s:
                s.sendall(ASK)
                self.assertEqual(Reader(s).response().reason(), "cert_revoked")

    def test_an_answer_that_ends_is_renewed_under_a_connection_that_waits(self):
        self.responder.mode("short 5")
        with connect(HOST, context("good")) as s:
            r = Reader(s)
            s.sendall(ASK)
            self.assertEqual(r.response().status, 200)
            asked, ends = self.responder.asked(), time.monotonic() + 6
            until(lambda: self.responder.asked() > asked and time.monotonic() > ends)
            s.sendall(ASK)
            self.assertEqual(r.response().status, 200)

    def test_in_the_handshake(self):
        """on_bad = "tls": what is not known yet comes in and its request waits; what is revoked gets an alert."""

        def strict():
            self.old = reconfigure(lambda t: t.replace('{ mode = "require"; trust = [ "clients" ]; on_bad = "tls"',
                                                       '{ mode = "require"; trust = [ "asked" ]; on_bad = "tls"'))

        strict()
        host = "strict.example"
        for v in (TLS12, TLS13):
            self.assertEqual(get("/whoami", host, context("good", v, verify=False)).status, 200)
        self.responder.revoke("good")
        self.forget()
        strict()
        self.assertEqual(get("/whoami", host, context("good", verify=False)).reason(), "cert_revoked")
        for v in (TLS12, TLS13):
            with self.assertRaisesRegex(OSError, "(?i)revoked"):
                get("/whoami", host, context("good", v, verify=False))


if __name__ == "__main__":
    unittest.main(verbosity=2)
