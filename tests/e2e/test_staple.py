"""OCSP responses that go along with our own certificate."""

import os
import unittest

from lib import PKI, RUN, TLS12, TLS13, context, counter, ctl, get, log_has, reconfigure, run, until
from responder import DIR, URL, Responder, ResponderCase, status

BOTH = ("-tls1_2", "-tls1_3")
SERVER = '{ name = "gw";        cert = "' + PKI + '/server.crt";     key = "' + PKI + '/server.key"; }'


def entry(identity="gw"):
    found = [s for s in ctl("ocsp")["staples"] if s["identity"] == identity]
    return found[0] if found else None


class Staple(ResponderCase):
    def use(self, more, cert=None):
        """The identity with these settings besides."""
        was = reconfigure(lambda t: t.replace(SERVER, (cert or SERVER)[:-1] + more + " }"))
        self.old = self.old or was

    def there(self):
        until(lambda: entry() and entry()["response"] == "good")

    def test_without_it_nothing_is_sent(self):
        self.assertEqual([status(v) for v in BOTH], [None, None])
        self.assertEqual(ctl("ocsp")["staples"], [])

    def test_it_is_sent_to_those_who_ask(self):
        sent = counter("tls", "stapled")
        self.use(f'staple = true; staple_url = "{URL}";')
        self.there()
        self.assertEqual([status(v) for v in BOTH], ["good", "good"])
        self.assertEqual(counter("tls", "stapled"), sent + 2)
        for v in (TLS12, TLS13):  # does not ask
            self.assertEqual(get("/health", ctx=context(None, v)).status, 200)
        self.assertEqual(counter("tls", "stapled"), sent + 2)
        # with a client's certificate in the same handshake
        client = ("-cert", PKI + "/good.crt", "-key", PKI + "/good.key", "-cert_chain", PKI + "/good.crt")
        self.assertEqual([status(v, more=client) for v in BOTH], ["good", "good"])
        e = entry()
        self.assertFalse(e["must_staple"])
        self.assertGreater(e["bytes"], 200)
        # kept over a reload that leaves the certificate as it is
        asked = self.responder.asked()
        ctl("reload")
        self.assertEqual(status("-tls1_3"), "good")
        self.assertEqual(self.responder.asked(), asked)

    def test_a_delegate_of_the_issuer_signs(self):
        self.responder.delegate()
        try:
            self.use(f'staple = true; staple_url = "{URL}";')
            self.there()
            self.assertEqual(status("-tls1_3"), "good")
        finally:
            self.responder.stop()
            type(self).responder = Responder()

    def test_what_is_no_good_answer_is_not_sent(self):
        for mode in ("garbage", "error", "later", "other"):
            self.responder.mode(mode)
            self.use(f'staple = true; staple_url = "{URL}";')
            failed = until(lambda: entry() and entry()["failures"] and entry())
            self.assertEqual(failed["response"], "none", mode)
            self.assertTrue(failed["last_failure"])
            self.assertEqual([status(v) for v in BOTH], [None, None])
            reconfigure(lambda _: self.old)
        log_has("error.log", "OPER staple.missing identity=gw")

    def test_a_responder_that_hangs_or_is_dead_holds_nobody_up(self):
        asked = self.responder.asked()
        self.responder.mode("hang")
        self.use(f'staple = true; staple_url = "{URL}";')
        until(lambda: self.responder.asked() > asked)
        for v in BOTH:
            self.assertEqual(status(v), None)
        self.assertEqual(entry()["failures"], 0)  # it is still being waited for
        reconfigure(lambda _: self.old)
        self.responder.stop()
        self.responder.mode("good")
        self.use(f'staple = true; staple_url = "{URL}";')
        until(lambda: entry()["failures"])
        self.assertEqual(status("-tls1_3"), None)
        self.responder.start()  # and is asked again by itself
        self.there()
        self.assertEqual(status("-tls1_3"), "good")

    def test_revoked(self):
        self.responder.revoke("server")
        self.use(f'staple = true; staple_url = "{URL}";')
        until(lambda: entry()["failures"])
        self.assertIn("revoked, keyCompromise", entry()["last_failure"])
        self.assertEqual([status(v) for v in BOTH], [None, None])
        log_has("error.log", "OPER staple.revoked identity=gw reason=keyCompromise")

    def test_from_a_file(self):
        file = RUN + "/staple.der"
        ask = ("openssl", "ocsp", "-issuer", PKI + "/ca/intermediate.one", "-cert", PKI + "/ca/server.one", "-no_nonce",
               "-reqout", RUN + "/staple.req")
        run(*ask)

        def make(*more):
            run("openssl", "ocsp", "-index", DIR + "/index", "-CA", DIR + "/ca.pem", "-rsigner", DIR + "/signer.pem", "-rkey",
                DIR + "/signer.key", "-reqin", RUN + "/staple.req", "-respout", file + ".new", *more)
            os.rename(file + ".new", file)

        make("-nmin", "30")
        self.use(f'staple = true; staple_file = "{file}";')
        self.there()
        self.assertEqual([status(v) for v in BOTH], ["good", "good"])
        first = entry()["good_until"]
        make("-nmin", "90")  # another one is taken without a word
        until(lambda: entry()["good_until"] != first)
        self.assertEqual(status("-tls1_3"), "good")
        with open(file, "wb") as f:
            f.write(b"no response")
        until(lambda: entry()["failures"])
        self.assertEqual(status("-tls1_3"), "good")  # the last good one, as long as it lasts

    def test_must_staple(self):
        """A certificate that promises a response (RFC 7633)."""
        run("bash", "-c", f"""cd {RUN} && openssl req -new -key {PKI}/server.key -subj /CN=gw.example -out must.csr &&
            openssl x509 -req -in must.csr -CA {PKI}/ca/intermediate.one -CAkey {PKI}/intermediate.key -set_serial 4711 -days 2 \
                -extfile <(printf 'subjectAltName=DNS:gw.example,DNS:api.gw.example\\nextendedKeyUsage=serverAuth
tlsfeature=status_request\\nauthorityInfoAccess=OCSP;URI:{URL}\\n') -out must.one &&
            cat must.one {PKI}/ca/intermediate.one > must.crt""")
        must = SERVER.replace(PKI + "/server.crt", RUN + "/must.crt")
        self.use("", must)
        self.assertIn("RFC 7633", str(ctl("check").get("warnings")))
        reconfigure(lambda _: self.old)
        # The responder does not know it, so there is none; then it does. Its URL is the certificate's own.
        self.use("staple = true;", must)
        until(lambda: entry()["failures"])
        self.assertTrue(entry()["must_staple"])
        self.assertEqual(entry()["from"], URL)
        log_has("error.log", "OPER staple.must_missing identity=gw")
        with open(DIR + "/index", "a") as f:
            f.write("V\t301231235959Z\t\t1267\tunknown\t/CN=gw.example\n")
        self.there()
        self.assertEqual([status(v) for v in BOTH], ["good", "good"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
