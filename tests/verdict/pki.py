"""Certificates as a test wants them, good and bad."""

import datetime
import ipaddress
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku
from cryptography.x509.oid import NameOID, ObjectIdentifier

NOW = datetime.datetime(2026, 11, 21, 12, 0, 0)
DAY = datetime.timedelta(days=1)
CURVES = {"p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1, "p224": ec.SECP224R1}
SSL_CLIENT, SSL_SERVER = Eku.CLIENT_AUTH, Eku.SERVER_AUTH
ANY_EKU = ObjectIdentifier("2.5.29.37.0")
KU_NAMES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
            "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")

_rsa = {}


def key(kind="p256"):
    if kind in CURVES:
        return ec.generate_private_key(CURVES[kind]())
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    bits = int(kind[3:])
    pool = _rsa.setdefault(bits, [])  # slow to make: a few for all
    if len(pool) < 4:
        pool.append(rsa.generate_private_key(65537, bits))
    _rsa[bits] = pool[1:] + pool[:1]
    return pool[0]


def name(cn, **more):
    parts = [x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
             x509.NameAttribute(NameOID.ORGANIZATION_NAME, more.get("o", "Verdict tests"))]
    return x509.Name(parts + [x509.NameAttribute(NameOID.COMMON_NAME, cn)])


def usage(*names):
    return x509.KeyUsage(**{n: n in names for n in KU_NAMES})


def names(*texts):
    out = []
    for t in texts:
        kind, value = t.split(":", 1)
        # The library looks into mailboxes; some tests want what it would not make.
        out.append({"dns": x509.DNSName, "email": x509.RFC822Name._init_without_validation,
                    "uri": x509.UniformResourceIdentifier,
                    "ip": lambda v: x509.IPAddress(ipaddress.ip_network(v) if "/" in v else ipaddress.ip_address(v)),
                    "dir": lambda v: x509.DirectoryName(name(v))}[kind](value))
    return out


class Cert:
    """One certificate with its key. `by`: who signs it; None: itself."""

    def __init__(self, cn, by=None, ca=False, kind="p256", subject=None, issuer=None, start=-1, end=365, path_len=None,
                 ku="usual", eku=(), san=(), permitted=(), excluded=(), policies=(), require_policy=None,
                 inhibit_any=None, unknown=None, bc="usual", bc_critical=True, hash="SHA256", own_key=None, aki=True,
                 ski=True, serial=None, point=None, break_sig=False, sign_with=None, v1=False):
        self.key = own_key or key(kind)
        self.subject = subject or name(cn)
        self.is_ca = ca
        signer = sign_with or (by.key if by else self.key)
        b = (x509.CertificateBuilder().subject_name(self.subject).public_key(self.key.public_key())
             .issuer_name(issuer or (by.subject if by else self.subject))
             .serial_number(serial or int.from_bytes(os.urandom(16), "big") >> 1 | 1)
             .not_valid_before(NOW + start * DAY).not_valid_after(NOW + end * DAY))
        if bc == "usual" and ca:
            b = b.add_extension(x509.BasicConstraints(True, path_len), bc_critical)
        elif bc == "usual" or bc is False:
            b = b.add_extension(x509.BasicConstraints(False, None), True)
        if ku == "usual":
            ku = ("key_cert_sign", "crl_sign") if ca else ("digital_signature",)
        if ku:
            b = b.add_extension(usage(*ku), True)
        if eku:
            b = b.add_extension(x509.ExtendedKeyUsage(list(eku)), False)
        if san:
            b = b.add_extension(x509.SubjectAlternativeName(names(*san)), False)
        if permitted or excluded:
            b = b.add_extension(x509.NameConstraints(names(*permitted) or None, names(*excluded) or None), True)
        if policies:
            b = b.add_extension(x509.CertificatePolicies(
                [x509.PolicyInformation(ObjectIdentifier(p), None) for p in policies]), False)
        if require_policy is not None:
            b = b.add_extension(x509.PolicyConstraints(require_policy, None), True)
        if inhibit_any is not None:
            b = b.add_extension(x509.InhibitAnyPolicy(inhibit_any), True)
        if unknown is not None:
            b = b.add_extension(x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00"), unknown)
        if point:
            b = b.add_extension(x509.CRLDistributionPoints(
                [x509.DistributionPoint([x509.UniformResourceIdentifier(point)], None, None, None)]), False)
        if ski:
            b = b.add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False)
        if aki and (by or sign_with):
            b = b.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False)
        algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else getattr(hashes, hash)()
        der = b.sign(signer, algorithm).public_bytes(serialization.Encoding.DER)
        self.der = der[:-4] + bytes([der[-4] ^ 1]) + der[-3:] if break_sig else der
        self.by = by

    def pem(self):
        import base64
        text = base64.encodebytes(self.der).decode().replace("\n", "")
        lines = "\n".join(text[i:i + 64] for i in range(0, len(text), 64))
        return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"


# --- what the library would not make: DER by hand ---

def _der(tag, body):
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag]) + (bytes([len(body)]) if len(body) < 128 else bytes([0x80 | len(size)]) + size) + body


def _parts(der):
    """Each element of these bytes: with its header, and without."""
    out = []
    while der:
        size, head = der[1], 2
        if size & 0x80:
            head += size & 0x7f
            size = int.from_bytes(der[2:head], "big")
        out.append((der[:head + size], der[head:head + size]))
        der = der[head + size:]
    return out


def with_exponent(cert, e):
    """The same certificate, of an RSA key with this public exponent, signed again by its issuer (ECDSA)."""
    def number(v):
        return _der(2, v.to_bytes(v.bit_length() // 8 + 1, "big"))

    tbs, alg, _ = _parts(_parts(cert.der)[0][1])
    fields = [whole for whole, _ in _parts(tbs[1])]
    key_alg = _parts(_parts(fields[6])[0][1])[0][0]
    n = cert.key.public_key().public_numbers().n
    fields[6] = _der(0x30, key_alg + _der(3, b"\0" + _der(0x30, number(n) + number(e))))
    tbs = _der(0x30, b"".join(fields))
    sig = cert.by.key.sign(tbs, ec.ECDSA(hashes.SHA256()))
    cert.der = _der(0x30, tbs + alg[0] + _der(3, b"\0" + sig))
    return cert


class Crl:
    """A revocation list by `ca` of these certificates. `removed`: taken off again, in a delta."""

    def __init__(self, ca, revoked=(), removed=(), start=-1, end=7, number=1, base=None, sign_with=None, issuer=None,
                 users=False, cas=False, indirect=False, point=None, reasons=None, unknown=None, hash="SHA256",
                 aki=True):
        b = x509.CertificateRevocationListBuilder().issuer_name(issuer or ca.subject)
        b = b.last_update(NOW + start * DAY).next_update(NOW + end * DAY)
        b = b.add_extension(x509.CRLNumber(number), False)
        if aki:
            b = b.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), False)
        if base is not None:
            b = b.add_extension(x509.DeltaCRLIndicator(base), True)
        if users or cas or indirect or point or reasons:
            b = b.add_extension(x509.IssuingDistributionPoint(
                [x509.UniformResourceIdentifier(point)] if point else None, None, users, cas, reasons, indirect, False),
                True)
        if unknown:
            b = b.add_extension(x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.99999.2"), b"\x05\x00"), True)
        for c, flag in [(c, None) for c in revoked] + [(c, x509.ReasonFlags.remove_from_crl) for c in removed]:
            serial = c if isinstance(c, int) else x509.load_der_x509_certificate(c.der).serial_number
            e = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW - DAY)
            b = b.add_revoked_certificate((e.add_extension(x509.CRLReason(flag), False) if flag else e).build())
        signer = sign_with or ca.key
        self.der = b.sign(signer, getattr(hashes, hash)()).public_bytes(serialization.Encoding.DER)

    def pem(self):
        return Cert.pem(self).replace("CERTIFICATE", "X509 CRL")


def root(cn="Root", **more):
    return Cert(cn, ca=True, end=more.pop("end", 3650), **more)


def sub(cn, by, **more):
    return Cert(cn, by, ca=True, end=more.pop("end", 1825), **more)


def leaf(cn, by, **more):
    more.setdefault("eku", (SSL_CLIENT,))
    return Cert(cn, by, **more)
