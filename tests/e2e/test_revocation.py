"""A list that is pushed takes effect: on new connections, on open ones, on resumed sessions."""

import time
import unittest

from lib import PKI, RUN, TLS12, TLS13, TOP, Case, Reader, connect, context, ctl, get, run

HOST = "api.gw.example"
ASK = b"GET /listed/main.html HTTP/1.1\r\nHost: api.gw.example\r\n\r\n"


def push(*revoked):
    run("bash", TOP + "/tests/e2e/crl.sh", PKI, RUN + "/clients.crl", *[f"{PKI}/{c}.crt" for c in revoked])
    begin = time.monotonic()
    done = ctl("reload")
    return done, time.monotonic() - begin


class Revocation(Case):
    def tearDown(self):
        push()
        super().tearDown()

    def test_new_connections(self):
        self.assertEqual(get("/listed/whoami", HOST, context("good")).status, 200)
        push("good")
        for v in (TLS12, TLS13):
            r = get("/listed/whoami", HOST, context("good", v))
            self.assertEqual((r.status, r.reason()), (403, "cert_revoked"))
        self.assertEqual(get("/protected/whoami", HOST, context("good")).status, 200)  # no list there
        push()
        self.assertEqual(get("/listed/whoami", HOST, context("good")).status, 200)

    def test_open_connections(self):
        with connect(HOST, context("good")) as s:
            r = Reader(s)
            s.sendall(ASK)
            self.assertEqual(r.response().status, 404)
            _, took = push("good")
            s.sendall(ASK)
            got = r.response()
            self.assertEqual((got.status, got.reason()), (403, "cert_revoked"))
            self.assertLess(took, 2)

    def test_resumed_sessions(self):
        for v in (TLS12, TLS13):
            push()
            ctx = context("good", v)
            with connect(HOST, ctx) as s:
                s.sendall(ASK)
                self.assertEqual(Reader(s).response().status, 404)
                session = s.session
            push("good")
            with connect(HOST, ctx, session=session) as s:
                s.sendall(ASK)
                self.assertEqual(Reader(s).response().reason(), "cert_revoked")
                self.assertFalse(s.session_reused, "a ticket from before the change was taken")

    def test_a_broken_list_changes_nothing(self):
        with open(RUN + "/clients.crl") as f:
            text = f.read().split("\n")
        text[3] = text[3][::-1]
        with open(RUN + "/clients.crl", "w") as f:
            f.write("\n".join(text))
        self.assertFalse(ctl("reload", ok=False).get("ok"))
        self.assertEqual(get("/listed/whoami", HOST, context("good")).status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
