"""Identity by list: who is let in by the SHA-256 of a certificate or of its key, with a chain or without one."""

import os
import shutil
import tempfile
import unittest

from lib import BUILD, PKI, RUN, TLS12, TLS13, Case, connect, context, ctl, get, Reader, reconfigure, run

DIR = tempfile.mkdtemp(prefix="identity-")
HOST = "listed.example"


def sha256(path, what):
    if what == "cert":
        return run("openssl", "x509", "-in", path, "-noout", "-fingerprint", "-sha256").stdout.split("=")[1].strip()
    return run("bash", "-c", f"openssl x509 -in {path} -noout -pubkey | openssl pkey -pubin -outform DER | "
                             "openssl dgst -sha256").stdout.split()[-1]


def self_signed(name, *more):
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
        f"{DIR}/{name}.key", "-out", f"{DIR}/{name}.crt", "-subj", f"/CN={name}", "-days", "30", *more)
    return f"{DIR}/{name}.crt"


def renewed(name):
    """The key of `good` in another certificate of the same CA."""
    run("bash", "-c", f"""openssl req -new -key {PKI}/good.key -subj /CN=renewed -out {DIR}/r.csr &&
        openssl x509 -req -in {DIR}/r.csr -CA {PKI}/ca/intermediate.one -CAkey {PKI}/intermediate.key -days 30 -set_serial 99 \
            -extfile <(printf 'keyUsage=digitalSignature\\nextendedKeyUsage=clientAuth') -out {DIR}/r.one &&
        cat {DIR}/r.one {PKI}/ca/intermediate.one > {DIR}/{name}.crt && cp {PKI}/good.key {DIR}/{name}.key""")
    return f"{DIR}/{name}.crt"


def setUpModule():
    global before, pinned, stranger, server, again
    pinned, stranger = self_signed("pinned"), self_signed("stranger")
    server = self_signed("server", "-addext", "extendedKeyUsage=serverAuth")
    again = renewed("again")
    with open(DIR + "/list", "w") as f:
        f.write(f"# who may come\n\ncert {sha256(PKI + '/good.crt', 'cert').lower()}\r\nspki {sha256(PKI + '/expired.crt', 'spki')} # no\n")
    trust = f"""trust = (
  {{ name = "by-cert"; anchors = [ "{PKI}/root.crt" ]; allow_fingerprints = [ "{sha256(PKI + '/good.crt', 'cert')}" ]; }},
  {{ name = "by-key";  anchors = [ "{PKI}/root.crt" ]; allow_spki = [ "{sha256(PKI + '/good.crt', 'spki')}" ]; }},
  {{ name = "by-file"; anchors = [ "{PKI}/root.crt" ]; allow_files = [ "{DIR}/list" ]; }},
  {{ name = "pinned";  allow_files = [ "{pinned}", "{server}" ]; }},
"""
    host = """hosts = (
  { name = "listed.example"; identities = [ "gw" ]; client_cert = { mode = "optional"; trust = [ "clients" ]; max_depth = 3; };
    locations = (
      { path = "/"; respond = { body = "ok"; }; },
%s    ); },
""" % "".join('      { path = "/%s"; respond = { body = "ok"; }; client_cert = { mode = "require"; trust = [ %s ]; }; },\n' %
              (n, t) for n, t in (("by-cert", '"by-cert"'), ("by-key", '"by-key"'), ("by-file", '"by-file"'),
                                  ("pinned", '"pinned"'), ("either", '"clients", "pinned"'),
                                  ("both", '"by-cert", "pinned"')))
    host = host.replace("},\n    ); }", "}\n    ); }")
    before = reconfigure(lambda old: old.replace("trust = (\n", trust, 1).replace("hosts = (\n", host, 1))


def tearDownModule():
    reconfigure(lambda _: before)
    shutil.rmtree(DIR)


def ask(path, cert, version=TLS13):
    ctx = context(cert, version, verify=False)
    r = get(path, HOST, ctx)
    return 200 if r.status == 200 else (r.status, r.reason())


class Lists(Case):
    def test_by_certificate(self):
        for v in (TLS12, TLS13):
            self.assertEqual(ask("/by-cert", "good", v), 200)
            self.assertEqual(ask("/by-cert", "deep", v), (403, "not_listed"))
            self.assertEqual(ask("/by-cert", again, v), (403, "not_listed"))

    def test_by_key(self):
        self.assertEqual(ask("/by-key", "good"), 200)
        self.assertEqual(ask("/by-key", again), 200)
        self.assertEqual(ask("/by-key", "deep"), (403, "not_listed"))

    def test_a_list_does_not_mend_a_chain(self):
        self.assertEqual(ask("/by-file", "good"), 200)
        self.assertEqual(ask("/by-file", "expired"), (403, "cert_expired"))
        self.assertEqual(ask("/by-file", "otherca"), (403, "issuer_unknown"))
        self.assertEqual(ask("/by-cert", stranger), (403, "self_signed"))

    def test_without_anchors(self):
        for v in (TLS12, TLS13):
            self.assertEqual(ask("/pinned", pinned, v), 200)
            self.assertEqual(ask("/pinned", stranger, v), (403, "not_listed"))
            self.assertEqual(ask("/pinned", "good", v), (403, "not_listed"))
            self.assertEqual(ask("/pinned", server, v), (403, "wrong_purpose"))
            self.assertEqual(ask("/pinned", None, v), (403, "cert_required"))

    def test_united(self):
        for cert, want in (("good", 200), (pinned, 200), (stranger, (403, "self_signed")), ("otherca", (403, "issuer_unknown"))):
            self.assertEqual(ask("/either", cert), want)
        for cert, want in (("good", 200), (pinned, 200), ("deep", (403, "not_listed"))):
            self.assertEqual(ask("/both", cert), want)

    def test_taken_off_the_list(self):
        with connect(HOST, context("good", verify=False)) as s:
            r = Reader(s)
            s.sendall(b"GET /by-file HTTP/1.1\r\nHost: listed.example\r\n\r\n")
            self.assertEqual(r.response().status, 200)
            with open(DIR + "/list") as f:
                old = f.read()
            with open(DIR + "/list", "w") as f:
                f.write("# nobody any more\n")
            try:
                self.assertTrue(ctl("reload")["ok"])
                self.assertEqual(ask("/by-file", "good"), (403, "not_listed"))
            finally:
                with open(DIR + "/list", "w") as f:
                    f.write(old)
                ctl("reload")

    def test_explained(self):
        def verify(cert, path):
            return run(BUILD + "/control/sallyctl", "cert", "verify", "--config", RUN + "/sallyport.conf", "--host", HOST,
                       "--path", path, cert, ok=False).stdout
        self.assertIn("listed by itself", verify(pinned, "/pinned"))
        said = verify(stranger, "/pinned")
        self.assertIn("not on the list", said)
        self.assertIn(sha256(stranger, "cert").replace(":", "").lower(), said)
        self.assertIn(sha256(stranger, "spki"), said)

    def test_mistakes(self):
        def mistake(old, new, word):
            with open(RUN + "/sallyport.conf") as f:
                text = f.read()
            self.assertIn(old, text)
            with open(DIR + "/bad.conf", "w") as f:
                f.write(text.replace(old, new, 1))
            got = run(BUILD + "/control/sallyport", "-c", DIR + "/bad.conf", "--check", ok=False)
            self.assertNotEqual(got.returncode, 0)
            self.assertIn(word, got.stdout)
        with open(DIR + "/nonsense", "w") as f:
            f.write("cert 00\n")
        mistake(f'"{DIR}/list"', f'"{DIR}/nonsense"', "nonsense:1")
        mistake('"clients", "pinned"', '"clients", "by-key"', "has lists of who is allowed")
        mistake(f'allow_files = [ "{pinned}", "{server}" ];', "", "neither anchors nor a list")


if __name__ == "__main__":
    unittest.main(verbosity=2)
