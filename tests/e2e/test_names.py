"""Certificates whose names have several attributes in one RDN and rare kinds of strings, as institutions have them: ours,
our clients', our backends', and those of the CAs above them, in TLS 1.2 and 1.3."""

import contextlib
import datetime
import re
import socket
import ssl
import sys
import tempfile
import threading
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.name import _ASN1Type as T
from cryptography.x509.oid import NameOID as N

from lib import TLS12, TLS13, TOP, Case, Reader, log_has, reconfigure, run, tcp

sys.path.insert(0, TOP + "/tests/verdict")
import pki  # noqa: E402

pki.NOW = datetime.datetime.utcnow().replace(microsecond=0)
DIR = tempfile.mkdtemp(prefix="names-")
HOST, BACK = "names.example", "10.77.0.100"


def name(*rdns):
    return x509.Name([x509.RelativeDistinguishedName([x509.NameAttribute(*a) for a in r]) for r in rdns])


def subject(cn):
    return name([(N.COUNTRY_NAME, "ES")],
                [(N.ORGANIZATION_NAME, "Banco, S.A."), (N.ORGANIZATIONAL_UNIT_NAME, "B\u00e4\u20ac", T.BMPString)],
                [(N.COMMON_NAME, cn), (N.SERIAL_NUMBER, "12 34", T.NumericString), (N.LOCALITY_NAME, "\u20ac", T.UniversalString)])


def texts(file):
    """Subject and issuer of the first certificate in the file, as OpenSSL writes them and Apache asks it to."""
    done = run("openssl", "x509", "-in", f"{DIR}/{file}.pem", "-noout", "-subject", "-issuer", "-nameopt", "rfc2253,utf8,-esc_msb")
    return [line.split("=", 1)[1] for line in done.stdout.splitlines()]


def save(file, *certs):
    with open(f"{DIR}/{file}.pem", "w") as f:
        if len(certs) > 1:
            f.write(certs[0].key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                               serialization.NoEncryption()).decode())
        f.write("".join(c.pem() for c in certs))
    return f"{DIR}/{file}.pem"


def make():
    top = pki.root("Root", subject=subject("Root"))
    ca = pki.sub("CA", top, subject=subject("CA"))
    both = (pki.SSL_CLIENT, pki.SSL_SERVER)
    save("root", top)
    for kind in ("p256", "rsa2048"):
        save("server-" + kind, pki.leaf("s", ca, subject=subject("server"), san=("dns:" + HOST,), eku=both, kind=kind), ca)
        save("client-" + kind, pki.leaf("c", ca, subject=subject("client"), kind=kind), ca)
    save("backend", pki.leaf("b", ca, subject=subject("backend"), san=("dns:back.example",), eku=both), ca)
    save("toward", pki.leaf("t", ca, subject=subject("toward")), ca)


def config(old):
    def pem(n):
        return f"{DIR}/{n}.pem"
    add = {
        "trust": f'{{ name = "names"; anchors = [ "{pem("root")}" ]; }},',
        "identities": "".join(f'{{ name = "{n}"; cert = "{pem(n)}"; key = "{pem(n)}"; }},'
                              for n in ("server-p256", "server-rsa2048", "toward")),
        "hosts": f"""{{ name = "{HOST}"; identities = [ "server-p256", "server-rsa2048" ];
            client_cert = {{ mode = "optional"; trust = [ "names" ]; max_depth = 3; }};
            locations = ( {{ path = "/odd"; upstream = "odd"; require = "cert";
                            request_headers = ( {{ name = "X-S"; value = "%{{SSL_CLIENT_S_DN}}s"; }},
                                                {{ name = "X-I"; value = "%{{SSL_CLIENT_I_DN}}s"; }} ); }},
                          {{ path = "/back12"; upstream = "back12"; }}, {{ path = "/back13"; upstream = "back13"; }} ); }},""",
        "upstreams": "".join(f"""{{ name = "back{v}"; members = ( {{ address = "{BACK}:{8400 + v}"; host = "back.example"; }} );
            tls = {{ identity = "toward"; trust = [ "names" ]; min = "1.{v - 10}"; max = "1.{v - 10}"; }}; }},""" for v in (12, 13)),
    }
    for key, value in add.items():
        old = old.replace(f"\n{key} = (", f"\n{key} = ({value}", 1)
    return old


class Backend(threading.Thread):
    """Answers one request on each connection with the name of the client's certificate."""

    def __init__(self, version):
        super().__init__(daemon=True)
        self.ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ctx.minimum_version = self.ctx.maximum_version = version
        self.ctx.load_cert_chain(DIR + "/backend.pem")
        self.ctx.load_verify_locations(DIR + "/root.pem")
        self.ctx.verify_mode = ssl.CERT_REQUIRED
        self.sock = socket.create_server((BACK, 8412 if version == TLS12 else 8413))

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                c, _ = self.sock.accept()
                with contextlib.suppress(ssl.SSLError, OSError), self.ctx.wrap_socket(c, server_side=True) as s:
                    s.recv(65536)
                    with open(DIR + "/seen.pem", "w") as f:
                        f.write(ssl.DER_cert_to_PEM_cert(s.getpeercert(True)))
                    body = texts("seen")[0].encode()
                    s.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def ask(path, version, cert=None, kind="ECDSA"):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.load_verify_locations(DIR + "/root.pem")
    ctx.minimum_version = ctx.maximum_version = version
    if version == TLS12:
        ctx.set_ciphers(f"ECDHE-{kind}-AES128-GCM-SHA256")
    if cert:
        ctx.load_cert_chain(f"{DIR}/{cert}.pem")
    with ctx.wrap_socket(tcp(), server_hostname=HOST) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        return Reader(s).response(), s.getpeercert(True)


class Names(Case):
    def test_clients(self):
        for version in (TLS12, TLS13):
            for kind in ("p256", "rsa2048"):
                with self.subTest(version=version, kind=kind):
                    r, _ = ask("/odd/echo", version, "client-" + kind)
                    self.assertEqual(r.status, 200, r.body)
                    lines = r.body.decode().splitlines()
                    self.assertIn("CN=client+serialNumber=12 34+L=\u20ac,O=Banco\\, S.A.+", "".join(lines))
                    self.assertEqual([x[5:] for x in lines if re.match("X-[SI]: ", x)], texts("client-" + kind))
            r, _ = ask("/odd/echo", version)
            self.assertEqual((r.status, r.reason()), (403, "cert_required"))
        log_has("access.log", r"CN=client\+serialNumber=12 34")

    def test_our_own(self):
        for version, kind in ((TLS12, "ECDSA"), (TLS12, "RSA"), (TLS13, None)):
            r, der = ask("/odd/echo", version, "client-p256", kind)
            got = x509.load_der_x509_certificate(der)
            self.assertEqual(r.status, 200)
            self.assertEqual(got.subject, subject("server"))
            self.assertEqual(got.issuer, subject("CA"))

    def test_backends(self):
        for version in (TLS12, TLS13):
            v = 12 if version == TLS12 else 13
            backend = Backend(version)
            backend.start()
            try:
                r, _ = ask(f"/back{v}", TLS13)
                self.assertEqual(r.status, 200, r.body)
                self.assertEqual(r.body.decode(), texts("toward")[0])
            finally:
                backend.sock.close()


def setUpModule():
    global before
    make()
    before = reconfigure(config)


def tearDownModule():
    reconfigure(lambda _: before)


if __name__ == "__main__":
    unittest.main(verbosity=2)
