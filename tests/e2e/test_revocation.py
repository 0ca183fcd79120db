"""A list that is pushed takes effect: on new connections, on open ones, on resumed sessions."""

import time
import unittest

from lib import PKI, RUN, TLS12, TLS13, TOP, Case, Reader, connect, context, counter, ctl, get, reconfigure, requests, run, until

HOST = "api.gw.example"
HEALTH = b"GET /health HTTP/1.1\r\nHost: api.gw.example\r\n\r\n"
ASK = b"GET /listed/main.html HTTP/1.1\r\nHost: api.gw.example\r\n\r\n"


def push(*revoked):
    run("bash", TOP + "/tests/e2e/crl.sh", PKI, RUN + "/clients.crl", *[f"{PKI}/{c}.crt" for c in revoked])
    return ctl("reload")


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

    def test_waiting_connections_are_closed(self):
        closed = counter("proxy", "identity_closed")
        with connect(HOST, context("good")) as s, connect(HOST, context("good")) as public, connect(HOST, context()) as nobody:
            for c, ask in ((s, ASK), (public, ASK.replace(b"listed", b"protected")), (nobody, HEALTH)):
                c.sendall(ask)
                self.assertIn(Reader(c).response().status, (200, 404))
            done = push("good")
            self.assertEqual(s.recv(1), b"")  # with close_notify, and long before the keep-alive time is over
            core = until(lambda: (c := ctl("status")["cores"][0])["effect_generation"] == done["generation"] and c)
            if done["effect_cores_left"] == 0:
                self.assertEqual(core["effect_us"], done["effect_us"])
            self.assertGreaterEqual(core["effect_us"], 1)
            self.assertEqual(counter("proxy", "identity_closed"), closed + 1)
            for c in (public, nobody):  # stand on something else
                c.sendall(HEALTH)
                self.assertEqual(Reader(c).response().status, 200)

    def test_a_request_in_flight_ends_as_it_began(self):
        one = '{ path = "/protected"; upstream = "plain"; client_cert = { mode = "require"; }; }'
        old = reconfigure(lambda t: t.replace(one, one.replace('"require";', '"require"; trust = [ "listed" ];')))
        ask = ASK.replace(b"/listed/", b"/protected/")
        put = (b"PUT /protected/upload/in-flight HTTP/1.1\r\nHost: api.gw.example\r\nContent-Length: 4\r\n\r\nab")
        try:
            for behind in (ask, b""):
                push()
                with connect(HOST, context("good")) as s:
                    r = Reader(s)
                    until(lambda: requests() == 0)
                    s.sendall(put)
                    until(lambda: requests() == 1)
                    push("good")
                    s.sendall(b"cd" + behind)
                    self.assertIn(r.response().status, (201, 204))
                    if behind:  # the next one was there already: it is refused
                        got = r.response()
                        self.assertEqual((got.status, got.reason()), (403, "cert_revoked"))
                    self.assertEqual(s.recv(1), b"")
        finally:
            reconfigure(lambda _: old)

    def test_what_changes_nothing_closes_nothing(self):
        with connect(HOST, context("good")) as s:
            r = Reader(s)
            sweeps = counter("proxy", "sweeps")
            s.sendall(ASK)
            self.assertEqual(r.response().status, 404)
            ctl("reload")
            self.assertEqual(counter("proxy", "sweeps"), sweeps)
            push("expired")  # somebody else
            self.assertEqual(counter("proxy", "sweeps"), sweeps + 1)
            s.sendall(ASK)
            self.assertEqual(r.response().status, 404)

    def test_an_anchor_that_goes(self):
        old = None
        try:
            with connect(HOST, context("good")) as s:
                s.sendall(ASK.replace(b"listed", b"protected"))
                self.assertEqual(Reader(s).response().status, 404)
                old = reconfigure(lambda t: t.replace('{ name = "clients";  anchors = [ "' + PKI + "/root.crt",
                                                      '{ name = "clients";  anchors = [ "' + PKI + "/otherca-root.crt"))
                self.assertEqual(s.recv(1), b"")
        finally:
            if old:
                reconfigure(lambda _: old)

    def test_a_certificate_whose_time_ends(self):
        """Waits at most until notAfter; without that, until the keep-alive time is over."""
        run("bash", "-c", f"""cd {PKI} && openssl req -new -key good.key -subj /CN=short -out {RUN}/short.csr &&
            touch {RUN}/short.index && printf '[ca]\\ndefault_ca=d\\n[d]\\nnew_certs_dir={RUN}\\ndatabase={RUN}/short.index\\nrand_serial=yes
default_md=sha256\\npolicy=p\\nunique_subject=no\\n[p]\\ncommonName=supplied\\n[x]\\nextendedKeyUsage=clientAuth\\n' > {RUN}/short.cnf""")
        lasts, end = 3, 0
        while end < time.time() + 2:  # making it may take longer than it was to last
            lasts *= 2
            end = self.made(lasts)
        closed = counter("proxy", "identity_closed")
        with connect(HOST, context(RUN + "/short.crt")) as s:
            s.sendall(ASK.replace(b"listed", b"protected"))
            self.assertEqual(Reader(s).response().status, 404)
            self.assertEqual(s.recv(1), b"")
            self.assertGreater(time.time(), end - 1)
        self.assertEqual(counter("proxy", "identity_closed"), closed + 1)

    def made(self, seconds):
        """A certificate that ends in so many seconds; when."""
        ends = int(time.time()) + seconds
        end = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(ends))
        run("bash", "-c", f"""cd {PKI} &&
            openssl ca -config {RUN}/short.cnf -batch -notext -in {RUN}/short.csr -cert ca/intermediate.one -keyfile intermediate.key \
                -extensions x -startdate 20200101000000Z -enddate {end} -out {RUN}/short.one &&
            cat {RUN}/short.one ca/intermediate.one > {RUN}/short.crt && cp good.key {RUN}/short.key""")
        return ends

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
