"""Lists that are fetched: what a server says takes effect without a reload, what is wrong with it changes nothing."""

import ctypes
import datetime
import http.server
import ipaddress
import os
import pathlib
import socket
import ssl
import subprocess
import threading
import time
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lib import PKI, RUN, TOP, WAIT, Case, Reader, connect, context, counter, ctl, get, log_has, reconfigure, requests, until

HOST = "api.gw.example"
ASK = b"GET /listed/main.html HTTP/1.1\r\nHost: api.gw.example\r\n\r\n"
NET = "/run/netns/" + os.environ.get("DEMO_NS", "sallyport") + "-net"
UTC = datetime.timezone.utc
LIMITS = 'crl_timeout = "20s"; crl_max = "64k";'


def listen_in(namespace, port=0):
    """A listening socket on 127.0.0.1 of another network namespace: where the appliance's process is."""
    made = []

    def make():
        with open(namespace) as f:
            if ctypes.CDLL(None, use_errno=True).setns(f.fileno(), 0x40000000) != 0:
                made.append(OSError(ctypes.get_errno(), "setns"))
                return
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", port))
        s.listen(64)
        made.append(s)

    t = threading.Thread(target=make)
    t.start()
    t.join()
    if isinstance(made[0], OSError):
        raise made[0]
    return made[0]


class Server:
    """Says `say[path]`: bytes, or a function of the handler."""

    def __init__(self, port=0):
        outer = self
        self.say, self.asked = {}, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append((self.path, dict(self.headers)))
                what = outer.say.get(self.path, 404)
                if callable(what):
                    what = what(self)
                if isinstance(what, int):
                    self.send_response(what)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                elif what is not None:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(what)))
                    self.end_headers()
                    self.wfile.write(what)

            def log_message(self, *_):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.http = Quiet(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self.http.socket.close()
        self.http.socket = listen_in(NET, port)
        self.port = self.http.socket.getsockname()[1]
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()


def now(seconds=0):
    return datetime.datetime.now(UTC).replace(tzinfo=None) + datetime.timedelta(seconds=seconds)


def load_ca(crt, key):
    with open(f"{PKI}/{crt}", "rb") as f:
        cert = x509.load_pem_x509_certificate(f.read())
    with open(f"{PKI}/{key}", "rb") as f:
        return cert, serialization.load_pem_private_key(f.read(), None)


def made(subject, issuer, key, signer, url=None, ca=True):
    """A certificate; issuer: its certificate, None: this one itself; url: where its issuer's list is."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    b = (x509.CertificateBuilder().subject_name(name).issuer_name(issuer.subject if issuer else name)
         .public_key(key.public_key()).serial_number(x509.random_serial_number())
         .not_valid_before(now(-3600)).not_valid_after(now(86400)))
    b = b.add_extension(x509.BasicConstraints(ca, None), True)
    if ca:
        b = b.add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), True)
    if url:
        b = b.add_extension(x509.CRLDistributionPoints([
            x509.DistributionPoint([x509.UniformResourceIdentifier("ldap://127.0.0.1/x"),
                                    x509.UniformResourceIdentifier(url)], None, None, None)]), False)
    return b.sign(signer, hashes.SHA256())


def write(file, *parts):
    """Certificates and keys, PEM, into a file of the run."""
    with open(f"{RUN}/{file}", "wb") as f:
        for p in parts:
            f.write(p.public_bytes(serialization.Encoding.PEM) if isinstance(p, x509.Certificate) else p.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


def crl(ca, revoked=(), number=None, this=-1, end=7 * 86400, pem=False):
    """A list of this CA; `revoked`: names in the PKI, or serial numbers; times in seconds from now."""
    cert, key = ca
    b = x509.CertificateRevocationListBuilder().issuer_name(cert.subject).last_update(now(this)).next_update(now(end))
    for r in revoked:
        if isinstance(r, str):
            with open(f"{PKI}/{r}.crt", "rb") as f:
                r = x509.load_pem_x509_certificate(f.read()).serial_number
        b = b.add_revoked_certificate(x509.RevokedCertificateBuilder().serial_number(r).revocation_date(now(-60)).build())
    if number is not None:
        b = b.add_extension(x509.CRLNumber(number), False)
    return b.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM if pem else serialization.Encoding.DER)


def source(path):
    return next(c for c in ctl("crls")["crls"] if c["url"].endswith(path))


def fetched(path):
    """One more attempt, waited for; the source after it."""
    before = settled(path)["asked"]
    ctl("crls", "fetch")
    return settled(path, before + 1)


def settled(path, times=1):
    """The source when it was asked so many times and nothing is under way."""
    return until(lambda: (s := source(path))["asked"] >= times and s["next_try"] != "now" and s)


def ask():
    r = get("/listed/whoami", HOST, context("good"))
    return r.status, r.reason()


def generation():
    return ctl("status")["generation"]


class Lists(Case):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.ca = load_ca("ca/intermediate.one", "intermediate.key")
        with open(RUN + "/sallyport.conf") as f:
            cls.before = f.read()

    def conf(self, text, more="", refresh="1h"):
        return text.replace(f'crl = [ "{RUN}/clients.crl" ];',
                            f'crl_url = [ "{self.url}" ]; crl_refresh = "{refresh}"; {more or LIMITS}')

    @classmethod
    def tearDownClass(cls):
        reconfigure(lambda _: cls.before)
        cls.server.close()

    def setUp(self):
        super().setUp()
        self.server.say = {}
        self.use(self.id().rsplit(".", 1)[1])

    def use(self, name, more="", refresh="1h"):
        """A URL of its own, so that nothing is held or in the cache; it has been asked in vain when this returns."""
        self.path = f"/{name}.crl"
        self.url = f"http://127.0.0.1:{self.server.port}{self.path}"
        reconfigure(lambda _: self.conf(self.before, more, refresh))
        settled(self.path)

    def source(self):
        return source(self.path)

    def fetched(self):
        return fetched(self.path)

    def good(self, *revoked, **more):
        """Serves a list and waits until it is in force."""
        gen = generation()
        self.server.say[self.path] = crl(self.ca, revoked, **more)
        self.fetched()
        until(lambda: generation() > gen)

    def refused(self, body, why, ctr="refused"):
        held, gen, revoked = self.source(), generation(), ask()
        self.server.say[self.path] = body
        s = self.fetched()
        self.assertIn(why, s["last_error"])
        self.assertEqual((s["state"], s["serials"], s["this_update"]), (held["state"], held["serials"], held["this_update"]))
        self.assertEqual(s[ctr], held[ctr] + 1)
        self.assertEqual((generation(), ask()), (gen, revoked))
        line = log_has("error.log", f'OPER crl[.](?:refused|failed) url={self.url} why="?.*{why[:20]}')
        self.assertIn("next_try_s=", line)

    def test_from_none_to_good_to_revoked(self):
        self.assertEqual(ask(), (403, "revocation_unknown"))
        self.assertEqual(self.source()["state"], "none")
        reloads = ctl("status")["reloads"]
        self.good()
        self.assertEqual(ask()[0], 200)
        s = self.source()
        self.assertEqual((s["state"], s["lists"], s["serials"], s["failures"], s["last_error"]), ("good", 1, 0, 0, ""))
        reconfigure(lambda _: self.conf(self.before, "", "1s"))
        with connect(HOST, context("good")) as c:
            c.sendall(ASK)
            self.assertEqual(Reader(c).response().status, 404)
            closed = counter("proxy", "identity_closed")
            self.server.say[self.path] = crl(self.ca, ["good"])
            self.assertEqual(c.recv(1), b"")  # nobody told it to ask: that is crl_refresh
            self.assertEqual(counter("proxy", "identity_closed"), closed + 1)
        self.assertEqual(ask(), (403, "cert_revoked"))
        self.assertEqual(self.source()["serials"], 1)
        self.good(pem=True)
        self.assertEqual(ask()[0], 200)
        self.assertEqual(ctl("status")["reloads"], reloads + 1)
        log_has("error.log", f"INFO crl.taken url={self.url} lists=1 serials=1 next_update=20")
        log_has("error.log", "INFO crl.used gen=\\d+ adopted_us=\\d+ effect_us=\\d+")

    def test_a_request_in_flight_ends_as_it_began(self):
        one = '{ path = "/protected"; upstream = "plain"; client_cert = { mode = "require"; }; }'
        reconfigure(lambda t: t.replace(one, one.replace('"require";', '"require"; trust = [ "listed" ];')))
        self.good()
        with connect(HOST, context("good")) as c:
            until(lambda: requests() == 0)
            c.sendall(b"PUT /protected/upload/in-flight HTTP/1.1\r\nHost: api.gw.example\r\nContent-Length: 4\r\n\r\nab")
            until(lambda: requests() == 1)
            self.good("good")
            c.sendall(b"cd")
            self.assertIn(Reader(c).response().status, (201, 204))
            self.assertEqual(c.recv(1), b"")
        self.assertEqual(ask(), (403, "cert_revoked"))

    def test_not_modified(self):
        body = crl(self.ca)

        def tagged(h):
            if h.headers.get("If-None-Match") == '"v1"':
                return 304
            h.send_response(200)
            h.send_header("ETag", '"v1"')
            h.send_header("Content-Length", str(len(body)))
            h.end_headers()
            h.wfile.write(body)

        self.server.say[self.path] = tagged
        until(lambda: self.fetched()["state"] == "good")
        gen, s = generation(), self.source()
        for _ in range(3):
            again = self.fetched()
        self.assertGreaterEqual(again["unchanged"], s["unchanged"] + 3)
        self.assertEqual((again["taken"], again["last_error"], generation()), (1, "", gen))
        self.assertEqual(ask()[0], 200)

    def test_what_is_wrong_changes_nothing(self):
        self.good("good", number=5)
        other = load_ca("otherca-root.crt", "otherca-root.key")
        bad = bytearray(crl(self.ca))
        bad[-5] ^= 1
        cut = crl(self.ca)
        self.refused(b"<html>It works!</html>", "neither DER nor PEM")
        self.refused(b"", "neither DER nor PEM")
        self.refused(cut[:-1], "not usable: it is no SEQUENCE of three")
        self.refused(crl(other), "no CA of the set has signed it; its issuer is CN=Other Root CA")
        self.refused(bytes(bad), "no CA of the set has signed it")
        self.refused(crl(self.ca, this=-3600), "it is older than the one that is held")
        self.refused(crl(self.ca, number=4, this=0), "or has a lower number")
        self.refused(crl(self.ca, this=3600), "its thisUpdate lies in the future")
        self.refused(crl(self.ca, range(1, 5000)), "larger than trust.crl_max", "too_large")
        self.refused(404, "the server answers 404", "failed")
        self.refused(500, "the server answers 500", "failed")

        def endless(h):
            h.send_response(200)
            h.end_headers()
            for _ in range(10000):
                h.wfile.write(b"x" * 1000)

        def elsewhere(h):
            h.send_response(302)
            h.send_header("Location", f"file://{RUN}/clients.crl")
            h.send_header("Content-Length", "0")
            h.end_headers()

        self.refused(endless, "larger than trust.crl_max", "too_large")
        self.refused(elsewhere, "a redirection to another scheme", "failed")
        self.good(number=6)
        self.assertEqual(ask()[0], 200)

    def test_a_list_of_another_ca_does_not_take_its_place(self):
        self.good("good")
        self.server.say[self.path] = crl(load_ca("root.crt", "root.key"))
        self.assertEqual(self.fetched()["lists"], 2)
        self.assertEqual(ask(), (403, "cert_revoked"))

    def test_a_large_one(self):
        """Above 16 MB, where DER begins to need four bytes for a length."""

        def tlv(tag, body):
            n = len(body)
            size = n.to_bytes((n.bit_length() + 7) // 8 or 1, "big")
            return bytes([tag]) + (bytes([n]) if n < 128 else bytes([0x80 | len(size)]) + size) + body

        cert, key = self.ca
        algorithm = bytes.fromhex("300a06082a8648ce3d040302")
        entry = b"".join(tlv(0x30, tlv(2, b"\x01" + os.urandom(15)) + tlv(0x17, b"260101000000Z")) for _ in range(500000))
        day = [tlv(0x17, now(s).strftime("%y%m%d%H%M%SZ").encode()) for s in (-1, 86400)]
        tbs = tlv(0x30, b"\x02\x01\x01" + algorithm + cert.subject.public_bytes() + b"".join(day) + tlv(0x30, entry))
        body = tlv(0x30, tbs + algorithm + tlv(3, b"\0" + key.sign(tbs, ec.ECDSA(hashes.SHA256()))))
        self.assertGreater(len(body), 1 << 24)
        self.refused(body, "larger than trust.crl_max", "too_large")
        self.use("large", 'crl_max = "64m"; crl_timeout = "120s";')
        self.server.say[self.path] = body
        ctl("crls", "fetch")
        slowest = 0

        def there():
            nonlocal slowest
            began = time.monotonic()
            self.assertEqual(get("/health", HOST).status, 200)
            slowest = max(slowest, time.monotonic() - began)
            return self.source()["state"] != "none"

        until(there, 120, 0)
        print(f"{len(body) >> 20} MB, the slowest answer meanwhile {slowest:.2f} s ... ", end="")
        self.assertEqual(self.source()["serials"], 500000)
        until(lambda: ask()[0] == 200)

    def test_slow(self):
        self.good("good")
        came, go = threading.Event(), threading.Event()

        def slow(_):
            came.set()
            go.wait(WAIT)

        self.server.say[self.path] = slow
        ctl("crls", "fetch")
        self.assertTrue(came.wait(WAIT))
        for _ in range(10):  # nobody waits for it
            ctl("status")
            self.assertEqual(ask(), (403, "cert_revoked"))
        self.assertEqual(self.source()["next_try"], "now")
        go.set()

    def test_too_slow(self):
        self.good("good")
        reconfigure(lambda _: self.conf(self.before, 'crl_timeout = "1s";', "1h"))
        go = threading.Event()
        self.server.say[self.path] = lambda _: go.wait(WAIT) and None
        s = self.fetched()
        go.set()
        self.assertGreaterEqual(s["timeout"], 1)
        self.assertIn("crl_timeout", s["last_error"])
        self.assertEqual(ask(), (403, "cert_revoked"))

    def test_nobody_there(self):
        self.good("good")
        port = self.server.port
        self.server.close()
        s = self.fetched()
        self.assertGreaterEqual(s["failures"], 1)
        self.assertEqual((s["state"], s["serials"]), ("good", 1))
        self.assertEqual(ask(), (403, "cert_revoked"))
        type(self).server = Server(port)
        self.good()
        self.assertEqual(ask()[0], 200)

    def test_the_end_of_a_list(self):
        for word, status in (("deny", (403, "revocation_stale")), ("allow", (200, None))):
            self.use(f"end-{word}", f'crl_expired = "{word}"; {LIMITS}')
            self.good(end=6)
            self.assertEqual(ask()[0], 200)
            self.server.say[self.path] = 503
            self.fetched()
            until(lambda: self.source()["state"] == "expired")
            self.assertEqual(ask()[0], status[0])
            if status[1]:
                self.assertEqual(ask(), status)
            log_has("error.log", f"OPER crl.expired url={self.url} last_error=\"the server answers 503\"")
            self.good()
            self.assertEqual(ask()[0], 200)

    def test_https_is_verified(self):
        """Nobody in the system's list of CAs has signed this server's certificate."""
        tls = Server()
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(PKI + "/server.crt", PKI + "/server.key")
        tls.http.socket = ctx.wrap_socket(tls.http.socket, server_side=True)
        tls.say["/x.crl"] = crl(self.ca)
        try:
            reconfigure(lambda t: t.replace(self.url, f"https://127.0.0.1:{tls.port}/x.crl"))
            s = until(lambda: (s := source("/x.crl"))["failures"] and s)
            self.assertIn("certificate", s["last_error"])
            self.assertEqual((s["state"], tls.asked), ("none", []))
        finally:
            tls.close()

    def test_https_of_a_ca_of_ours(self):
        """fetch.ca says whose servers are trusted, and no others; a reload is enough."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "list server")])
        cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
                .not_valid_before(now(-3600)).not_valid_after(now(86400))
                .add_extension(x509.BasicConstraints(True, None), True)
                .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
                .sign(key, hashes.SHA256()))
        with open(RUN + "/lists.pem", "wb") as f:
            f.write(cert.public_bytes(serialization.Encoding.PEM))
            f.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        tls = Server()
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(RUN + "/lists.pem")
        tls.http.socket = ctx.wrap_socket(tls.http.socket, server_side=True)
        tls.say["/y.crl"] = crl(self.ca)
        try:
            def use(fetch):
                reconfigure(lambda _: fetch + self.conf(self.before, "", "1s").replace(self.url, f"https://127.0.0.1:{tls.port}/y.crl"))
                ctl("crls", "fetch")
            use(f'fetch = {{ ca = "{PKI}/root.crt"; }};\n')
            until(lambda: source("/y.crl")["failures"])
            self.assertIn("certificate", source("/y.crl")["last_error"])
            self.assertEqual(tls.asked, [])
            use(f'fetch = {{ ca = "{RUN}/lists.pem"; }};\n')
            until(lambda: source("/y.crl")["state"] == "good")
            until(lambda: ask()[0] == 200)
            with self.assertRaisesRegex(AssertionError, "there is no certificate in PEM in it"):
                use(f'fetch = {{ ca = "{PKI}/server.key"; }};\n')
        finally:
            tls.close()

    def test_a_proxy(self):
        """The server plays it: it is asked for a URL of a name that is nowhere."""
        url = f"http://lists.invalid/{self.id()}.crl"
        self.server.say[url] = crl(self.ca, ["good"])
        proxy = f"http://127.0.0.1:{self.server.port}"
        reconfigure(lambda _: f'fetch = {{ proxy = "{proxy}"; direct = [ "127.0.0.0/8" ]; }};\n' + self.conf(self.before, "", "1s").replace(self.url, url))
        until(lambda: source(".crl")["state"] == "good")
        until(lambda: ask() == (403, "cert_revoked"))

    def test_a_reload_keeps_it(self):
        self.good("good")
        for _ in range(3):
            ctl("reload")
            self.assertEqual(ask(), (403, "cert_revoked"))

    def test_what_stands_in_the_files_does_not_matter(self):
        """A configuration that is being edited keeps nothing from being revoked."""
        self.good()
        path = RUN + "/sallyport.conf"
        with open(path) as f:
            text = f.read()
        try:
            with open(path, "w") as f:
                f.write(text[:1000])
            self.good("good")
            self.assertEqual(ask(), (403, "cert_revoked"))
        finally:
            with open(path, "w") as f:
                f.write(text)

    def test_a_file(self):
        path = RUN + "/put-there.crl"
        with open(path, "wb") as f:
            f.write(crl(self.ca, ["good"]))
        reconfigure(lambda t: t.replace(self.url, "file://" + path).replace('crl_refresh = "1h"', 'crl_refresh = "1s"'))
        until(lambda: source("/put-there.crl")["state"] == "good")
        until(lambda: ask() == (403, "cert_revoked"))
        with open(path + ".new", "wb") as f:
            f.write(crl(self.ca))
        os.rename(path + ".new", path)
        until(lambda: ask()[0] == 200)

    def test_the_cache_has_it_after_a_restart(self):
        self.good("good")
        body = self.server.say[self.path]
        self.server.say[self.path] = 503
        self.assertIn(body, [p.read_bytes() for p in pathlib.Path(RUN + "/crl-cache").glob("*.crl")])
        self.restart()
        self.assertEqual(ask(), (403, "cert_revoked"))
        s = self.source()
        self.assertEqual((s["state"], s["serials"], s["taken"]), ("good", 1, 0))
        self.good()
        self.assertEqual(ask()[0], 200)

    def test_a_start_waits_for_the_first_answer(self):
        self.good()
        for p in pathlib.Path(RUN + "/crl-cache").glob("*"):
            p.unlink()

        def late(_):
            time.sleep(0.8)
            return crl(self.ca, ["good"])

        self.server.say[self.path] = late
        self.restart()
        self.assertEqual((generation(), ask()), (1, (403, "cert_revoked")))

    def restart(self):
        saved = RUN + "/as-it-is.conf"
        with open(RUN + "/sallyport.conf") as f, open(saved, "w") as g:
            g.write(f.read())
        subprocess.run([TOP + "/deploy/demo.sh", "restart"], check=True, env={**os.environ, "DEMO_CONF": saved},
                       stdout=subprocess.DEVNULL)
        self.bugs = 0


class Points(Case):
    """Distribution points of the set's own certificates: an intermediate's tells where the root's list is."""

    def test_an_intermediate_that_is_revoked(self):
        server = Server()
        old = None
        try:
            keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
            root = made("P root", None, keys[0], keys[0])
            mid = made("P intermediate", root, keys[1], keys[0], f"http://127.0.0.1:{server.port}/root.crl")
            leaf = made("p leaf", mid, keys[2], keys[1], ca=False)
            write("p-root.crt", root)
            write("p-mid.crt", mid)
            write("p-leaf.crt", leaf, mid)
            write("p-leaf.key", keys[2])
            server.say = {"/root.crl": crl((root, keys[0])), "/mid.crl": crl((mid, keys[1]))}
            new = (f'  {{ name = "points"; anchors = [ "{RUN}/p-root.crt" ]; intermediates = [ "{RUN}/p-mid.crt" ]; crl_from_cdp = true;\n'
                   f'    crl_url = [ "http://127.0.0.1:{server.port}/mid.crl" ]; crl_refresh = "1s"; }},\n')
            old = reconfigure(lambda t: t.replace("trust = (\n", "trust = (\n" + new, 1).replace('trust = [ "others" ]', 'trust = [ "points" ]'))
            ctx = context(RUN + "/p-leaf.crt")
            until(lambda: get("/others/whoami", HOST, ctx).status == 200)
            self.assertEqual({c["url"].rsplit("/", 1)[1]: c["state"] for c in ctl("crls")["crls"]}, {"root.crl": "good", "mid.crl": "good"})
            server.say["/root.crl"] = crl((root, keys[0]), [mid.serial_number])
            until(lambda: get("/others/whoami", HOST, ctx).reason() == "cert_revoked")
        finally:
            if old:
                reconfigure(lambda _: old)
            server.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
