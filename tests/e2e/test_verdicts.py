"""The chains of tests/verdict through real handshakes: what the appliance answers a client that shows one, in TLS 1.2 and
1.3, is what `sallyctl cert verify` says of the same files."""

import datetime
import os
import ssl
import sys
import tempfile
import unittest
import warnings

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from lib import BUILD, TLS12, TLS13, TOP, Case, Reader, reconfigure, tcp

sys.path.insert(0, TOP + "/tests/verdict")
warnings.simplefilter("ignore")  # the library does not like to sign with SHA-1
import pki  # noqa: E402

pki.NOW = datetime.datetime.utcnow().replace(microsecond=0)
import rules  # noqa: E402
import run as verdict  # noqa: E402

SEEDS = 60
HOST = "verdicts.example"
DIR = tempfile.mkdtemp(prefix="verdicts-")
# What cannot be shown to a server that lives now, by rule or title.
NOT_SHOWN = {"names of servers": "no client's", "serverAuth for a server": "no client's",
             "lists that are refused": "no configuration is made of them",
             "the last second": "at another time", "one second later": "at another time",
             "of the leaf": "OpenSSL does not load a key that is none; one with exponent 3 is among the odd ones"}


# Odd ones that no client of ours sends: OpenSSL does not load them. Ours reads some of them.
NOT_LOADED = {"an extension twice", "an extension that is no DER", "not UTF-8", "VisibleString", "GeneralString",
              "BMPString of half a character", "serial empty", "serial not minimal"}
# What the library still does not read of a client's own certificate: an alert ends the handshake, not a 403.
ALERT = {"serial 0", "serial of 40 octets", "another algorithm inside"}


def not_shown(case):
    return any(x in NOT_SHOWN for x in (case.rule, case.title, case.title.split(":")[0]))


def expected(s, got, version):
    """What should come out, and why it is not what `cert verify` says."""
    key = s.case.chain[0].key
    if isinstance(key, ed25519.Ed25519PrivateKey) and version == TLS12:
        return got if got.startswith("no answer") else "an alert, as Ed25519 is for TLS 1.3 only"
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp224r1" and version == TLS13:
        return "cert_required"  # TLS 1.3 has no P-224: clients keep it to themselves
    if s.want == "error":  # a file that cannot be read; in a handshake, a certificate that does not help
        return got if got != "ok" else "any refusal"
    if s.case.title in ALERT:
        return got if got.startswith("no answer") else "an alert"
    return s.want


# --- odd certificates ---

def remade(cert, change):
    """The same with other fields of its TBSCertificate, signed again."""
    tbs, alg, _ = pki._parts(pki._parts(cert.der)[0][1])
    fields = change([whole for whole, _ in pki._parts(tbs[1])])
    tbs = pki._der(0x30, b"".join(fields))
    cert.der = pki._der(0x30, tbs + alg[0] + pki._der(3, b"\0" + cert.by.key.sign(tbs, ec.ECDSA(hashes.SHA256()))))
    return cert


def odd():
    """Certificates that one reader takes and another does not; whatever ours says of one, it says in a handshake, too."""
    top = pki.root()
    ca = pki.sub("Int", top)
    times = [t.encode() for t in (f"{pki.NOW - pki.DAY:%Y%m%d%H%M%SZ}", f"{pki.NOW + pki.DAY:%Y%m%d%H%M%SZ}")]

    def put(n, value):
        return lambda f: f[:n] + [value] + f[n + 1:]

    def validity(tag, a, b):
        return put(4, pki._der(0x30, pki._der(tag, a) + pki._der(tag, b)))

    def subject(*avas):
        return put(5, pki._der(0x30, b"".join(pki._der(0x31, b"".join(
            pki._der(0x30, b"\x06\x03\x55\x04\x03" + pki._der(tag, v)) for tag, v in rdn)) for rdn in avas)))

    def extensions(change):
        def of(f):
            all_ = [w for w, _ in pki._parts(pki._parts(pki._parts(f[7])[0][1])[0][1])]
            return f[:7] + [pki._der(0xa3, pki._der(0x30, b"".join(change(all_))))]
        return of

    unknown = b"\x06\x03\x2a\x03\x04"
    changes = {
        "serial 0": put(1, b"\x02\x01\x00"), "serial negative": put(1, b"\x02\x01\xff"),
        "serial of 20 octets": put(1, pki._der(2, b"\x7f" * 20)), "serial of 21 octets": put(1, pki._der(2, b"\x7f" * 21)),
        "serial of 40 octets": put(1, pki._der(2, b"\x7f" * 40)), "serial not minimal": put(1, b"\x02\x02\x00\x01"),
        "serial empty": put(1, b"\x02\x00"),
        "version 1": lambda f: f[1:7], "version 2": lambda f: [b"\xa0\x03\x02\x01\x01"] + f[1:7],
        "version 1 said": lambda f: [b"\xa0\x03\x02\x01\x00"] + f[1:7],
        "version 1 with extensions": lambda f: f[1:], "version 4": lambda f: [b"\xa0\x03\x02\x01\x03"] + f[1:],
        "GeneralizedTime before 2050": validity(0x18, *times), "UTCTime": validity(0x17, times[0][2:], times[1][2:]),
        "UTCTime without seconds": validity(0x17, times[0][2:12] + b"Z", times[1][2:12] + b"Z"),
        "with a zone": validity(0x17, times[0][2:14] + b"+0000", times[1][2:14] + b"+0000"),
        "with fractions": validity(0x18, times[0][:-1] + b".5Z", times[1]),
        "month 13": validity(0x18, times[0], b"20991301000000Z"), "no end": validity(0x18, times[0], b"99991231235959Z"),
        "unique identifiers": lambda f: f[:7] + [b"\x81\x02\x00\x01", b"\x82\x02\x00\x02"] + f[7:],
        "an empty RDN": put(5, b"\x30\x02\x31\x00"), "an empty value": subject([(12, b"")]),
        "no subject": subject(), "not UTF-8": subject([(12, b"\xff\xfe")]), "NumericString": subject([(18, b"1 2")]),
        "VisibleString": subject([(26, b"v")]), "GeneralString": subject([(27, b"g")]), "TeletexString": subject([(20, b"\xe4")]),
        "BMPString of half a character": subject([(30, b"\0a\0")]), "BIT STRING": subject([(3, b"\0\x01")]),
        "two in one RDN": subject([(12, b"a"), (12, b"b")]), "two RDNs": subject([(12, b"a")], [(12, b"b")]),
        "a hundred in one RDN": subject([(12, b"%03d" % n) for n in range(100)]),
        "no extensions in the list": extensions(lambda e: []), "an extension twice": extensions(lambda e: e + e[-1:]),
        "FALSE said": extensions(lambda e: e + [pki._der(0x30, unknown + b"\x01\x01\x00\x04\x02\x05\x00")]),
        "an extension that is no DER": extensions(lambda e: e + [pki._der(0x30, b"\x06\x03\x55\x1d\x11\x04\x02\xff\xff")]),
        "an empty extension": extensions(lambda e: e + [pki._der(0x30, unknown + b"\x04\x00")]),
        "fifty extensions": extensions(lambda e: e + [pki._der(0x30, b"\x06\x04\x2a\x03\x04" + bytes([n]) + b"\x04\x02\x05\x00")
                                                      for n in range(50)]),
        "another algorithm inside": put(2, b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03"),
    }
    for title, change in changes.items():
        if title not in NOT_LOADED:
            yield rules.Case("odd", "", title, None, [remade(pki.leaf("l", ca), change), ca], [top])
            between = remade(pki.sub("Between", ca), change)
            yield rules.Case("odd", "", title + ", above another", None, [pki.leaf("l", between), between, ca], [top])
    three = rsa.generate_private_key(3, 2048)
    yield rules.Case("odd", "", "RSA with exponent 3", None, [pki.leaf("l", ca, own_key=three), ca], [top])
    own = pki.Cert("own", eku=(pki.SSL_CLIENT,), ku=("key_cert_sign",))
    yield rules.Case("odd", "", "self-signed, may sign certificates and nothing else", None, [own], [own])


class Shown:
    """One chain, its trust in the configuration, its files."""

    def __init__(self, n, case):
        self.n, self.case = n, case
        self.name = f"{case.rule}: {case.title}"
        self.dir = f"{DIR}/{n}"
        os.mkdir(self.dir)
        self.want, self.text = verdict.ours(BUILD + "/control/sallyctl", self.dir, case)
        with open(self.dir + "/key.pem", "wb") as f:
            f.write(case.chain[0].key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                    serialization.NoEncryption()))

    def trust(self):
        o, more = self.case.options, ""
        if self.case.helpers:
            more += f'intermediates = [ "{self.dir}/helpers.pem" ]; '
        if "crls" in o:
            more += f'crl = [ "{self.dir}/crls.pem" ]; crl_check = "{"leaf" if o.get("leaf_only") else "chain"}"; '
        if o.get("partial"):
            more += "partial_chain = true; "
        return f'{{ name = "v{self.n}"; anchors = [ "{self.dir}/anchors.pem" ]; {more}}},'

    def location(self):
        return (f'{{ path = "/v{self.n}"; exact = true; respond = {{ body = "fine\\n"; }}; client_cert = {{ mode = "require"; '
                f'trust = [ "v{self.n}" ]; max_depth = {self.case.options.get("depth", 11)}; }}; }},')


def context(shown, version):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_NONE
    ctx.minimum_version = ctx.maximum_version = version
    ctx.set_ciphers("ECDHE+AESGCM:@SECLEVEL=0")  # MD5, and keys of 1024 bits
    ctx.load_cert_chain(shown.dir + "/chain.pem", shown.dir + "/key.pem")
    return ctx


def answer(shown, version):
    try:
        with context(shown, version).wrap_socket(tcp(), server_hostname=HOST) as s:
            s.sendall(f"GET /v{shown.n} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            r = Reader(s).response()
            return "ok" if r.status == 200 else r.reason()
    except (OSError, EOFError) as e:
        return f"no answer: {e}"


def setUpModule():
    global before, shown
    cases = [c for c in rules.build() if not not_shown(c)]
    cases += [verdict.mutated(seed) for seed in range(SEEDS)] + list(odd())
    shown = [Shown(n, c) for n, c in enumerate(cases)]

    def change(old):
        host = f"""{{ name = "{HOST}"; identities = [ "gw" ]; client_cert = {{ mode = "optional"; trust = [ "v0" ]; }};
            locations = ( {"".join(s.location() for s in shown)[:-1]} ); }},"""
        for key, value in (("trust", "".join(s.trust() for s in shown)), ("hosts", host)):
            old = old.replace(f"\n{key} = (", f"\n{key} = ({value}", 1)
        return old
    before = reconfigure(change)


def tearDownModule():
    reconfigure(lambda _: before)


class Verdicts(Case):
    def test_as_cert_verify_says(self):
        good = asked = 0
        for version in (TLS12, TLS13):
            for s in shown:
                got = answer(s, version)
                asked += 1
                good += got == "ok"
                with self.subTest(s.name, version=version):
                    self.assertEqual(got, expected(s, got, version), s.text)
        self.assertTrue(asked // 5 < good < asked * 4 // 5, f"{good} of {asked} are good")
        print(f"{asked} handshakes, {good} of them good", end=" ", flush=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
