"""crypto/ocsp against responses that openssl's responder makes, and against some that no honest one would.

    ocsp.py OCSP_ASK SALLYCTL [--corpus DIR]     --corpus: leave the seeds of tests/fuzz/ocsp.c there
"""

import calendar
import datetime
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.x509 import ocsp  # noqa: E402
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku  # noqa: E402

import pki  # noqa: E402

# Of today: openssl's responder knows no other time.
pki.NOW = datetime.datetime.utcnow().replace(microsecond=0)
NOW = pki.NOW
S = datetime.timedelta(seconds=1)
DAY = pki.DAY
AT = calendar.timegm(NOW.timetuple())
BAD = []


def load(c):
    return x509.load_der_x509_certificate(c.der)


class Site:
    """An issuer with its people, and files of all of them."""

    def __init__(self, folder):
        self.folder = folder
        kind = {"good": "p256", "rsa": "rsa2048"}
        self.root = pki.root("Root")
        self.ca = pki.sub("CA", self.root)
        self.rsa_ca = pki.sub("RSA CA", self.root, kind=kind["rsa"])
        self.other = pki.sub("Other CA", self.root)
        self.twin = pki.sub("CA", self.root)  # the same name, another key
        self.good = pki.leaf("good", self.ca)
        self.revoked = pki.leaf("revoked", self.ca)
        self.stranger = pki.leaf("stranger", self.ca)
        self.rsa_leaf = pki.leaf("rsa", self.rsa_ca)
        self.delegate = pki.leaf("responder", self.ca, eku=(Eku.OCSP_SIGNING,))
        for n, c in vars(self).items():
            if isinstance(c, pki.Cert):
                self.save(n, c)

    def path(self, n):
        return f"{self.folder}/{n}"

    def save(self, n, c):
        with open(self.path(n + ".der"), "wb") as f:
            f.write(c.der)
        with open(self.path(n + ".pem"), "w") as f:
            f.write(c.pem())
        with open(self.path(n + ".key"), "wb") as f:
            f.write(c.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                        serialization.NoEncryption()))

    def index(self):
        """openssl's list of what the issuer has made."""
        lines = []
        for n in ("good", "revoked", "rsa_leaf"):
            c = load(getattr(self, n))
            end = c.not_valid_after.strftime("%y%m%d%H%M%SZ")
            state = "V\t" + end + "\t"
            if n == "revoked":
                state = "R\t" + end + "\t" + (NOW - DAY).strftime("%y%m%d%H%M%SZ") + ",keyCompromise"
            lines.append(f"{state}\t{c.serial_number:0{len(hex(c.serial_number)[2:]) + 1 & ~1}X}\tunknown\t/CN={n}\n")
        with open(self.path("index"), "w") as f:
            f.write("".join(lines))


def ask(tool, site, cert, issuer, response, at=AT, nonce="-", max_age=0):
    with open(site.path("response"), "wb") as f:
        f.write(response)
    done = subprocess.run([tool, site.path("response"), site.path(cert + ".der"), site.path(issuer + ".der"), str(at),
                           nonce, str(max_age)], capture_output=True, text=True)
    return done.stdout.strip() or f"died: {done.stderr}"


def check(title, got, want):
    if not got.startswith(want):
        print(f"{title}: '{got}', expected '{want}...'")
        BAD.append(title)


def openssl_answers(tool, site, corpus):
    """The request is ours, the answer openssl's."""
    nonce = bytes(range(32)).hex()
    rows = [
        ("good", "ca", "ca", [], "good"),
        ("revoked", "ca", "ca", [], f"revoked this="),
        ("stranger", "ca", "ca", [], "unknown"),
        ("good", "ca", "delegate", [], "good"),
        ("good", "ca", "delegate", ["-resp_key_id"], "good"),
        ("good", "ca", "ca", ["-resp_key_id"], "good"),
        ("rsa_leaf", "rsa_ca", "rsa_ca", [], "good"),
        ("rsa_leaf", "rsa_ca", "rsa_ca", ["-rsigopt", "rsa_padding_mode:pss", "-rsigopt", "rsa_pss_saltlen:32"], "good"),
        ("good", "ca", "ca", ["-ndays", "1"], "good"),
        ("good", "ca", "delegate", ["-resp_no_certs"], "refused: neither the issuer"),
        ("good", "ca", "other", [], "refused: neither the issuer"),
        ("good", "ca", "twin", [], "refused: neither the issuer"),
        ("good", "ca", "ca", ["-rmd", "sha1"], "refused: its signature's algorithm"),
    ]
    site.index()
    for n, (cert, issuer, signer, more, want) in enumerate(rows):
        for asked in ("", nonce):
            title = f"openssl: {cert} by {signer} {' '.join(more)}{' nonce' if asked else ''}"
            with open(site.path("request"), "wb") as f:
                f.write(subprocess.run([tool, "--request", site.path(cert + ".der"), site.path(issuer + ".der")]
                                       + ([asked] if asked else []), capture_output=True, check=True).stdout)
            # openssl looks up certificates of `-CA` only, so that is the issuer's whatever it is signed with.
            done = subprocess.run(["openssl", "ocsp", "-index", site.path("index"), "-CA", site.path(issuer + ".pem"),
                                   "-rsigner", site.path(signer + ".pem"), "-rkey", site.path(signer + ".key"),
                                   "-reqin", site.path("request"), "-respout", site.path("made")] + more,
                                  capture_output=True, text=True)
            if done.returncode:
                check(title, done.stderr, "a response")
                continue
            made = open(site.path("made"), "rb").read()
            got = ask(tool, site, cert, issuer, made, nonce=asked or "-")
            check(title, got, want)
            if not want.startswith("refused"):
                check(title + ": nonce came back", str(f"nonce={int(bool(asked))}" in got), "True")
                check(title + ": who signed", str(f"delegated={int(signer == 'delegate')}" in got), "True")
            if "-ndays" in more:
                check(title + ", later", ask(tool, site, cert, issuer, made, at=AT + 86400 + 299 - 5), "good")
                check(title + ", too late", ask(tool, site, cert, issuer, made, at=AT + 86400 + 400), "refused: it is too old")
                check(title + ", max age", ask(tool, site, cert, issuer, made, at=AT + 1000, max_age=600),
                      "refused: it is too old")
            if want == "unknown" or want.startswith("revoked"):
                check(title + ": of another", ask(tool, site, "good", issuer, made), "refused: it is about another")
                check(title + ": of another issuer", ask(tool, site, cert, "other", made), "refused: it is about another")
            if corpus:
                seed(corpus, f"openssl-{n}{'-nonce' if asked else ''}", site, cert, issuer, made)


def built(site, cert="good", issuer="ca", responder=None, certs=(), status=ocsp.OCSPCertStatus.GOOD,
          this=-60, next=3600, revoked=None, reason=None, id_hash=None, by_key=False, hash=None, extensions=()):
    """A response as cryptography's builder makes it."""
    responder = responder or getattr(site, issuer)
    b = ocsp.OCSPResponseBuilder().add_response(
        load(getattr(site, cert)), load(getattr(site, issuer)), id_hash or hashes.SHA1(), status, NOW + this * S,
        None if next is None else NOW + next * S, revoked, reason)
    b = b.responder_id(ocsp.OCSPResponderEncoding.HASH if by_key else ocsp.OCSPResponderEncoding.NAME, load(responder))
    if certs:
        b = b.certificates([load(c) for c in certs])
    for e, critical in extensions:
        b = b.add_extension(e, critical)
    return b.sign(responder.key, hash or hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def built_answers(tool, site, corpus):
    good, revoked = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED

    def delegate(**more):
        return pki.leaf("delegate", more.pop("by", site.ca), **{"eku": (Eku.OCSP_SIGNING,), **more})

    def by(d, **more):
        return dict(responder=d, certs=[d], **more)

    some = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.9"), b"\x05\x00")
    nonce = bytes(range(7))
    neither = "refused: neither the issuer"
    rows = [
        ("as it should be", {}, "good"),
        ("SHA-256 certID", dict(id_hash=hashes.SHA256()), "good"),
        ("SHA-512 certID is not known here", dict(id_hash=hashes.SHA512()), "refused: it is about another"),
        ("revoked, no reason", dict(status=revoked, revoked=NOW - DAY), "revoked"),
        ("on hold", dict(status=revoked, revoked=NOW - DAY, reason=x509.ReasonFlags.certificate_hold), "revoked"),
        ("a future one", dict(this=400), "refused: it is of the future"),
        ("thisUpdate within skew", dict(this=200), "good"),
        ("no nextUpdate", dict(next=None), "good"),
        ("no nextUpdate, old", dict(this=-4000, next=None), "refused: it is too old"),
        ("nextUpdate within skew", dict(this=-900, next=-200), "good"),
        ("nextUpdate over", dict(this=-900, next=-400), "refused: it is too old"),
        ("by key hash", dict(by_key=True), "good"),
        ("signed by another key", dict(responder=site.twin), neither),
        ("SHA-384", dict(hash=hashes.SHA384()), "good"),
        ("a delegate", by(delegate()), "good"),
        ("a delegate by key hash", by(delegate(), by_key=True), "good"),
        ("a delegate without the purpose", by(delegate(eku=())), neither),
        ("a delegate for any purpose", by(delegate(eku=(pki.ANY_EKU,))), neither),
        ("a delegate for clients", by(delegate(eku=(Eku.CLIENT_AUTH,))), neither),
        ("a delegate of yesterday", by(delegate(start=-9, end=-1)), neither),
        ("a delegate of tomorrow", by(delegate(start=1, end=9)), neither),
        ("a delegate of the root", by(delegate(by=site.root)), neither),
        ("a delegate of another CA", by(delegate(by=site.other)), neither),
        ("a delegate of the CA's twin", by(delegate(by=site.twin)), neither),
        ("a delegate that signed itself",
         by(delegate(by=None, issuer=site.ca.subject, aki=False)), neither),
        ("a delegate with a bad signature", by(delegate(break_sig=True)), neither),
        ("a delegate with SHA-1", by(delegate(hash="SHA1")), neither),
        ("a delegate with a small key", by(delegate(kind="rsa1024")), neither),
        ("a delegate with an unknown critical extension", by(delegate(unknown=True)), neither),
        ("a delegate for encipherment only", by(delegate(ku=("key_encipherment",))), neither),
        ("a delegate that is a CA below", by(delegate(ca=True, ku=("digital_signature", "key_cert_sign"))), "good"),
        ("a delegate's name, another key", dict(responder=delegate(), certs=[delegate()]), neither),
        ("the delegate is not there", dict(responder=delegate()), neither),
        ("the delegate is the ninth",
         dict(responder=(d := delegate()), certs=[site.other] * 8 + [d]), neither),
        ("the delegate is the eighth", dict(responder=d, certs=[site.other] * 7 + [d]), "good"),
        ("the client signs for itself", by(site.good), neither),
        ("unknown extension", dict(extensions=[(some, False)]), "good"),
        ("unknown critical extension", dict(extensions=[(some, True)]), "refused: responseExtensions"),
        ("a nonce that nobody asked for", dict(extensions=[(x509.OCSPNonce(nonce), False)]), "good"),
        ("the nonce", dict(extensions=[(x509.OCSPNonce(nonce), False)], ask=nonce.hex()), "good"),
        ("another nonce", dict(extensions=[(x509.OCSPNonce(nonce), False)], ask="00"), "refused: its nonce"),
        ("an empty nonce", dict(extensions=[(x509.OCSPNonce(b""), False)], ask="00"), "refused: its nonce"),
        ("no nonce comes back", dict(ask="00"), "good"),
    ]
    for n, (title, how, want) in enumerate(rows):
        asked = how.pop("ask", "-")
        made = built(site, **how)
        got = ask(tool, site, "good", "ca", made, nonce=asked)
        check(title, got, want)
        if title == "on hold":
            check(title, str("reason=certificateHold" in got), "True")
        if title == "no nextUpdate":
            check(title, str(f"until={AT - 60 + 3600} " in got), "True")
        if corpus:
            seed(corpus, f"built-{n}", site, "good", "ca", made)
    check("of the CA's twin", ask(tool, site, "good", "twin", built(site)), "refused: it is about another")
    for made in (built(site), built(site, **by(delegate()))):
        with open(site.path("response"), "wb") as f:
            f.write(made)
        done = subprocess.run([tool, "--mutate", site.path("response"), site.path("good.der"), site.path("ca.der"),
                               str(AT)], capture_output=True, text=True)
        check("mutations", str(done.returncode) + done.stdout + done.stderr[-300:], "0")


def errors(tool, site, corpus):
    words = {1: "could not read", 2: "internal error", 3: "busy", 5: "wants signed", 6: "does not answer"}
    for code, word in words.items():
        made = bytes([0x30, 3, 0x0a, 1, code])
        got = ask(tool, site, "good", "ca", made)
        check(f"status {code}", str(word in got), "True")
        if corpus:
            seed(corpus, f"status-{code}", site, "good", "ca", made)
    for title, made in (("nothing", b""), ("HTML", b"<html>"), ("status 4", bytes([0x30, 3, 0x0a, 1, 4])),
                        ("success without an answer", bytes([0x30, 3, 0x0a, 1, 0])),
                        ("too large", bytes([0x30, 0x82, 0xff, 0x00]) + bytes(0xff00)[:65000])):
        check(title, ask(tool, site, "good", "ca", made), "refused")


def urls(tool, site):
    """Where to ask, from the certificate itself."""
    def access(*pairs):
        b = x509.CertificateBuilder().subject_name(pki.name("u")).issuer_name(site.ca.subject).serial_number(7)
        b = b.not_valid_before(NOW).not_valid_after(NOW + DAY).public_key(site.good.key.public_key())
        b = b.add_extension(x509.AuthorityInformationAccess(
            [x509.AccessDescription(x509.ObjectIdentifier(o), x509.UniformResourceIdentifier(u)) for o, u in pairs]), False)
        with open(site.path("url.der"), "wb") as f:
            f.write(b.sign(site.ca.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER))
        return subprocess.run([tool, "--url", site.path("url.der")], capture_output=True, text=True).stdout.strip()

    answers, issuers = "1.3.6.1.5.5.7.48.1", "1.3.6.1.5.5.7.48.2"
    check("url", access((issuers, "http://a/ca"), (answers, "http://b/ocsp")), "http://b/ocsp")
    check("url: ldap is not asked", access((answers, "ldap://b/x"), (answers, "HTTPS://c/")), "HTTPS://c/")
    check("no url", access((issuers, "http://a/ca")) or "none", "none")


def verdicts(sallyctl, site):
    """sallyctl cert verify --ocsp: the same judgement, and what a verdict makes of it."""
    revoked = dict(status=ocsp.OCSPCertStatus.REVOKED, revoked=NOW - DAY, reason=x509.ReasonFlags.key_compromise)
    files = {"good": built(site), "revoked": built(site, **revoked), "unknown": built(site, status=ocsp.OCSPCertStatus.UNKNOWN),
             "old": built(site, this=-9000, next=-8000), "stranger": built(site, cert="stranger"), "cut": built(site)[:-1],
             "ca": built(site, cert="ca", issuer="root"), "ca-revoked": built(site, cert="ca", issuer="root", **revoked)}
    for n, made in files.items():
        with open(site.path("r-" + n), "wb") as f:
            f.write(made)
    with open(site.path("chain.pem"), "w") as f:
        f.write(site.good.pem() + site.ca.pem())
    rows = [
        ([], None, 0, "ok", None),
        (["good"], None, 0, "ok", "good"),
        (["revoked"], None, 1, "cert_revoked", "revoked"),
        (["unknown"], None, 1, "revocation_unknown", "unknown"),
        (["old"], None, 1, "revocation_unknown", "not usable"),
        (["stranger"], None, 1, "revocation_unknown", "not usable"),
        (["cut"], None, 1, "revocation_unknown", "not usable"),
        (["good"], "chain", 1, "revocation_unknown", "good"),
        (["good", "ca"], "chain", 0, "ok", "good"),
        (["ca", "good"], "chain", 0, "ok", "good"),
        (["good", "ca-revoked"], "chain", 1, "cert_revoked", "good"),
        (["good", "ca-revoked"], "leaf", 0, "ok", "good"),
    ]
    for names, checks, code, verdict, status in rows:
        argv = [sallyctl, "--json", "cert", "verify", "--anchors", site.path("root.pem"), "--at", str(AT)]
        for n in names:
            argv += ["--ocsp", site.path("r-" + n)]
        argv += ["--ocsp-check", checks] if checks else []
        done = subprocess.run(argv + [site.path("chain.pem")], capture_output=True, text=True)
        title = f"cert verify --ocsp {names} {checks}"
        check(title, f"{done.returncode} {done.stderr}", f"{code} ")
        if not done.stdout:
            continue
        said = json.loads(done.stdout)
        check(title, said["verdict"], verdict)
        check(title, str(len(said.get("ocsp", []))), str(len(names)))
        if names:
            check(title, next(o["status"] for o in said["ocsp"] if not o["response"].endswith("r-ca")), status)
        if status == "not usable":
            check(title + ": why", str(bool(said["ocsp"][0]["why"])), "True")
    done = subprocess.run([sallyctl, "cert", "verify", "--anchors", site.path("root.pem"), "--ocsp", site.path("nothing"),
                           site.path("chain.pem")], capture_output=True, text=True)
    check("a response that is not there", f"{done.returncode} {done.stderr}", f"2 {site.path('nothing')}: ")
    shown = subprocess.run([sallyctl, "cert", "verify", "--anchors", site.path("root.pem"), "--ocsp", site.path("r-revoked"),
                            site.path("chain.pem")], capture_output=True, text=True).stdout
    check("shown to people", str("keyCompromise" in shown and "the issuer" in shown), "True")


def seed(corpus, n, site, cert, issuer, made):
    """As tests/fuzz/ocsp.c reads it."""
    parts = [open(site.path(c + ".der"), "rb").read() for c in (cert, issuer)]
    with open(f"{corpus}/{n}", "wb") as f:
        f.write(AT.to_bytes(8, "big") + b"".join(len(p).to_bytes(2, "big") + p for p in parts) + made)


def main():
    tool = sys.argv[1]
    corpus = sys.argv[4] if len(sys.argv) > 4 else None
    with tempfile.TemporaryDirectory() as folder:
        site = Site(folder)
        openssl_answers(tool, site, corpus)
        built_answers(tool, site, corpus)
        errors(tool, site, corpus)
        urls(tool, site)
        verdicts(sys.argv[2], site)
    print(f"{len(BAD)} failed")
    return 1 if BAD else 0


sys.exit(main())
