"""Certificates that no tool of today makes, put together by hand: what is said of them must be what Apache says, byte
for byte. What we refuse and Apache takes stands in REFUSED; what is in it is still seen where a location takes it."""

import datetime
import signal
import ssl
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import test_views as views
from lib import TLS12, TLS13, Case, reconfigure
from test_views import ISSUER, ISSUER_KEY, N, attr, tlv

MORE = ([f"SSL_CLIENT_S_DN_{a}" for a in ("OU_9", "OU_10", "CN_0", "O_0_RAW")] +
        ["SSL_CLIENT_SAN_DNS_59", "SSL_CLIENT_SAN_DNS_60", "SSL_SERVER_V_REMAIN", "SSL_SERVER_SAN_Email_0",
         "SSL_SERVER_SAN_OTHER_dnsSRV_0"])
REFUSED = {  # by us: the verdict, RFC 5280 4.1.2.2; None: the library ends the handshake
    "serial-0": None, "serial-minus-1": "cert_malformed", "serial-minus-128": "cert_malformed",
    "serial-minus-long": "cert_malformed", "serial-25": "cert_malformed",
}
OID = {"C": b"\x55\x04\x06", "O": b"\x55\x04\x0a", "OU": b"\x55\x04\x0b", "CN": b"\x55\x04\x03",
       "Email": b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"}
PRINTABLE, TELETEX, IA5, UNIVERSAL, UTF8 = 19, 20, 22, 28, 12


def long_tlv(tag, *parts):
    body = b"".join(parts)
    n = len(body)
    size = bytes([n]) if n < 128 else bytes([0x81, n]) if n < 256 else bytes([0x82, n >> 8, n & 255])
    return bytes([tag]) + size + body


def children(der):
    """What stands in a SEQUENCE, each with its header."""
    def size(at):
        if der[at + 1] < 128:
            return 2, der[at + 1]
        n = der[at + 1] & 127
        return 2 + n, int.from_bytes(der[at + 2:at + 2 + n], "big")
    head, _ = size(0)
    at, out = head, []
    while at < len(der):
        h, n = size(at)
        out.append(der[at:at + h + n])
        at += h + n
    return out


def name(*attributes):
    """(type, string type, bytes), each in an RDN of its own."""
    return long_tlv(0x30, *(long_tlv(0x31, long_tlv(0x30, tlv(6, OID[a]), long_tlv(kind, value))) for a, kind, value in attributes))


def times(start, end):
    return long_tlv(0x30, *(tlv(23 if len(t) == 13 else 24, t.encode()) for t in (start, end)))


def strange(file, san=(), **parts):
    """A certificate whose named parts are these bytes."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.utcnow()
    b = (x509.CertificateBuilder().subject_name(x509.Name([attr(N.COMMON_NAME, file)])).issuer_name(ISSUER.subject)
         .public_key(key.public_key()).serial_number(4711).not_valid_before(now - views.DAY).not_valid_after(now + 100.5 * views.DAY)
         .add_extension(x509.ExtendedKeyUsage([views.Eku.CLIENT_AUTH]), False))
    if san:
        b = b.add_extension(x509.SubjectAlternativeName(list(san)), False)
    tbs = children(b.sign(ISSUER_KEY, hashes.SHA256()).tbs_certificate_bytes)
    for part, der in parts.items():
        tbs[("version", "serial", "alg", "issuer", "validity", "subject", "spki", "extensions").index(part)] = der
    body = long_tlv(0x30, *tbs)
    der = long_tlv(0x30, body, tbs[2], long_tlv(3, b"\0", ISSUER_KEY.sign(body, ec.ECDSA(hashes.SHA256()))))
    with open(f"{views.DIR}/{file}.pem", "wb") as f:
        f.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        f.write(ssl.DER_cert_to_PEM_cert(der).encode() + ISSUER.public_bytes(serialization.Encoding.PEM))


def pool():
    cn = ("CN", UTF8, b"x")
    for file, parts in {  # no VisibleString, GeneralString, bad UTF-8 or surrogates: OpenSSL reads none of them
        "serial-0": {"serial": tlv(2, b"\0")},
        "serial-minus-1": {"serial": tlv(2, b"\xff")},
        "serial-minus-128": {"serial": tlv(2, b"\x80")},
        "serial-minus-long": {"serial": tlv(2, b"\xf0" + bytes(range(1, 15)))},
        "serial-20": {"serial": tlv(2, b"\x7f" + b"\xff" * 19)},
        "serial-21": {"serial": tlv(2, b"\0" + b"\xff" * 20)},
        "serial-25": {"serial": tlv(2, b"\x01" * 25)},
        "universal": {"subject": name(("O", UNIVERSAL, "B\u00e4\U0001f511".encode("utf-32-be")), cn)},
        "ia5-high": {"subject": name(("O", PRINTABLE, b"a"), ("CN", IA5, b"M\xfcller"))},
        "printable-odd": {"subject": name(("O", PRINTABLE, b"a*b@c_d\xe4"), cn)},
        "teletex-odd": {"subject": name(("O", TELETEX, b"\xa4\x7f\x01"), cn)},
        "nul": {"subject": name(("O", UTF8, b"a\0b"), ("CN", IA5, b"good.example\0.evil.example"))},
        "empty-value": {"subject": name(("O", UTF8, b""), cn)},
        "long-value": {"subject": name(("O", UTF8, b"o" * 300), ("CN", UTF8, "\u00e4".encode() * 100))},
        "many-ous": {"subject": name(*[("OU", UTF8, b"u%d" % i) for i in range(10)], cn)},
        "many-rdns": {"subject": name(*[("OU", UTF8, b"unit %d" % i) for i in range(50)], cn)},
        "emails": {"subject": name(("Email", IA5, b"a@example.com"), ("Email", UTF8, "\u00e4@example.com".encode()), cn)},
        "country-3": {"subject": name(("C", PRINTABLE, b"DEU"), cn)},
        "from-1950": {"validity": times("500101000000Z", "491231235959Z")},
        "to-9999": {"validity": times("000229120000Z", "99991231235959Z")},
        "general-early": {"validity": times("20000101000000Z", "20400101000000Z")},
        "from-1900": {"validity": times("19000101000000Z", "20600229000001Z")},
        "version-1": {"version": b"", "extensions": b""},
        "no-extensions": {"extensions": b""},
    }.items():
        strange(file, **parts)
        yield file
    strange("many-sans", san=[x509.DNSName(f"n{i}.example") for i in range(60)])
    yield "many-sans"
    strange("odd-sans", san=[x509.RFC822Name("a@b"), x509.DNSName("under_score.example"),
                             x509.OtherName(views.UPN, tlv(UTF8, b"nul\0nul")), x509.OtherName(views.SRV, tlv(IA5, b"_a.b"))])
    yield "odd-sans"


def setUpModule():
    global certs, apache, before
    views.APACHES += MORE
    certs = [*pool()]
    apache = views.start_apache()
    try:
        names = views.APACHES
        before = reconfigure(views.add_host(views.our_config(names, ANY % views.headers_of(names))))
    except BaseException:
        tearDownModule()
        raise


def tearDownModule():
    if apache.poll() is None:
        apache.send_signal(signal.SIGTERM)
        apache.wait()
    if before:
        reconfigure(lambda _: before)
    views.shutil.rmtree(views.DIR)


before = None
ANY = """, { path = "/any/odd"; upstream = "odd"; client_cert = { mode = "request"; }; request_headers = ( %s ); }"""


class Strange(Case):
    maxDiff = None

    def ours(self, cert, version, theirs):
        try:
            text = views.ask_us(views.client(cert, version))[0]
        except OSError:
            self.assertIsNone(REFUSED.get(cert, ""), cert)
            return None
        if cert in REFUSED:
            self.assertEqual(text, (403, REFUSED[cert]))
            theirs["SSL_CLIENT_VERIFY"] = "GENEROUS"
            text = views.ask_us(views.client(cert, version), "/any/odd/echo")[0]
        self.assertNotIsInstance(text, tuple, (cert, text))
        return views.seen(text, views.APACHES)

    def test_as_apache(self):
        names = views.APACHES
        for cert in certs:
            for version in TLS12, TLS13:
                with self.subTest(cert=cert, version=version.name):
                    text = views.ask_apache(views.client(cert, version))[0]
                    a = {n: v for n, v in views.seen(text, names + views.CIPHERS).items() if n in names}
                    self.assertEqual(a["SSL_CLIENT_VERIFY"], "SUCCESS")
                    b = self.ours(cert, version, a)
                    if b:
                        self.assertEqual({n: v for n, v in a.items() if b.get(n) != v}, {n: v for n, v in b.items() if a.get(n) != v})


if __name__ == "__main__":
    unittest.main(verbosity=2)
