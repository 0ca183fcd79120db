"""Lists that clients' certificates name: learnt from chains that are good, fetched, in force, and from nobody else."""

import os
import pathlib
import subprocess
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lib import RUN, TOP, Case, context, ctl, get, log_has, reconfigure, until
from test_crl_url import Server, crl, made, now, write

HOST = "api.gw.example"


class Pki:
    """A root that the set has, an intermediate that it has not, and clients under it."""

    def __init__(self, tag, urls):
        self.tag = tag
        self.root_key, self.mid_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self.root = made(f"{tag} root", None, self.root_key, self.root_key)
        self.mid = made(f"{tag} mid", self.root, self.mid_key, self.root_key, urls[1])
        write(f"{tag}-root.crt", self.root)

    def client(self, who, url, signer=None):
        key = ec.generate_private_key(ec.SECP256R1())
        cert = made(who, self.mid, key, signer or self.mid_key, url, ca=False)
        write(f"{self.tag}-{who}.crt", cert, self.mid)
        write(f"{self.tag}-{who}.key", key)
        return cert

    def ask(self, who):
        r = get("/others/whoami", HOST, context(f"{RUN}/{self.tag}-{who}.crt"))
        return r.status, r.reason()


def scoped(ca, url, revoked=()):
    """A list for one distribution point."""
    cert, key = ca
    b = x509.CertificateRevocationListBuilder().issuer_name(cert.subject).last_update(now(-1)).next_update(now(86400))
    for r in revoked:
        b = b.add_revoked_certificate(x509.RevokedCertificateBuilder().serial_number(r).revocation_date(now(-60)).build())
    b = b.add_extension(x509.IssuingDistributionPoint([x509.UniformResourceIdentifier(url)], None, False, False, None, False, False), True)
    return b.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def crls():
    return {c["url"].rsplit("/", 1)[1]: c for c in ctl("crls")["crls"]}


def count(what):
    return next(c["value"] for b in ctl("stats", "crl")["blocks"] for c in b["counters"] if c["counter"] == what)


class Learn(Case):
    def setUp(self):
        super().setUp()
        self.server = Server()
        self.addCleanup(self.server.close)
        self.pki = Pki(self.id().rsplit(".", 1)[1][5:20], (self.url("mid.crl"), self.url("root.crl")))
        self.mid, self.root = (self.pki.mid, self.pki.mid_key), (self.pki.root, self.pki.root_key)
        self.server.say = {"/root.crl": crl(self.root), "/mid.crl": crl(self.mid)}
        with open(RUN + "/sallyport.conf") as f:
            self.before = f.read()
        self.addCleanup(lambda: reconfigure(lambda _: self.before))

    def url(self, path):
        return f"http://127.0.0.1:{self.server.port}/{path}"

    def use(self, more="", learn="true"):
        mine = (f'  {{ name = "learner"; anchors = [ "{RUN}/{self.pki.tag}-root.crt" ]; crl_learn = {learn}; crl_refresh = "1s";\n'
                f'    crl_timeout = "20s"; {more} }},\n')
        reconfigure(lambda _: self.before.replace("trust = (\n", "trust = (\n" + mine, 1).replace('trust = [ "others" ]', 'trust = [ "learner" ]'))

    def restart(self):
        saved = RUN + "/as-it-is.conf"
        with open(RUN + "/sallyport.conf") as f, open(saved, "w") as g:
            g.write(f.read())
        subprocess.run([TOP + "/deploy/demo.sh", "restart"], check=True, env={**os.environ, "DEMO_CONF": saved},
                       stdout=subprocess.DEVNULL)
        self.bugs = 0

    def cached(self):
        return sorted(p.name for p in pathlib.Path(RUN + "/crl-cache").glob("*"))

    def test_learnt_and_revoked_afterwards(self):
        leaf = self.pki.client("a", self.url("mid.crl"))
        self.use()
        self.assertEqual((crls(), self.server.asked), ({}, []))
        self.assertEqual(self.pki.ask("a"), (403, "revocation_unknown"))
        until(lambda: self.pki.ask("a")[0] == 200)
        s = crls()
        self.assertEqual({u: (c["state"], c["trust"], c["learnt"]) for u, c in s.items()},
                         {"mid.crl": ("good", "learner", f"CN={self.pki.tag} mid"), "root.crl": ("good", "learner", f"CN={self.pki.tag} root")})
        self.server.say["/mid.crl"] = crl(self.mid, [leaf.serial_number])
        until(lambda: self.pki.ask("a") == (403, "cert_revoked"))
        self.server.say["/mid.crl"] = crl(self.mid)
        until(lambda: self.pki.ask("a")[0] == 200)
        self.server.say["/root.crl"] = crl(self.root, [self.pki.mid.serial_number])
        until(lambda: self.pki.ask("a") == (403, "cert_revoked"))
        log_has("error.log", f"INFO crl.learnt url={self.url('mid.crl')} trust=learner issuer=\"?CN={self.pki.tag} mid")

    def test_each_is_told_once(self):
        self.pki.client("a", self.url("mid.crl"))
        self.use('crl_check = "leaf";')
        self.server.say["/mid.crl"] = 404
        told, learnt = self.told(), count("learnt")
        for _ in range(20):
            self.assertEqual(self.pki.ask("a"), (403, "revocation_unknown"))
        until(lambda: "mid.crl" in crls())
        self.assertEqual((self.told() - told, count("learnt") - learnt), (1, 1))

    @staticmethod
    def told():
        return next(c["value"] for b in ctl("stats", "core")["blocks"] for c in b["counters"] if c["counter"] == "lists_taught")

    def test_what_is_wrong_changes_nothing(self):
        self.pki.client("a", self.url("mid.crl"))
        self.use('crl_check = "leaf"; crl_max = "64k";')
        other = (self.pki.root, self.pki.mid_key)  # by its name, not by its key
        for body, why in ((b"<html>It works!</html>", "neither DER nor PEM"), (crl(other), "has signed it"), (500, "answers 500"),
                          (b"x" * 70000, "larger than")):
            self.server.say["/mid.crl"] = body
            self.pki.ask("a")
            until(lambda: why in (crls().get("mid.crl") or {"last_error": ""})["last_error"])
            self.assertEqual(self.pki.ask("a"), (403, "revocation_unknown"))
            ctl("crls", "fetch")
        self.server.say["/mid.crl"] = crl(self.mid)
        ctl("crls", "fetch")
        until(lambda: self.pki.ask("a")[0] == 200)

    def test_a_dead_server(self):
        self.pki.client("a", "http://127.0.0.1:9/dead.crl")
        self.use('crl_check = "leaf";')
        self.assertEqual(self.pki.ask("a"), (403, "revocation_unknown"))
        s = until(lambda: (s := crls().get("dead.crl")) and s["failures"] and s)
        self.assertEqual((s["state"], s["lists"]), ("none", 0))
        self.assertEqual(self.pki.ask("a"), (403, "revocation_unknown"))
        self.use('crl_check = "leaf"; crl_missing = "allow";')
        self.assertEqual(self.pki.ask("a")[0], 200)

    def test_too_many(self):
        self.use('crl_check = "leaf"; crl_missing = "allow";')
        before = count("learn_full")
        for i in range(66):
            self.server.say[f"/{i}.crl"] = scoped(self.mid, self.url(f"{i}.crl"))
            self.pki.client(str(i), self.url(f"{i}.crl"))

        def all_asked():
            for i in range(66):
                self.assertEqual(self.pki.ask(str(i))[0], 200)
            return crls()

        until(lambda: len(all_asked()) >= 64 and count("learn_full") > before)
        until(lambda: {c["state"] for c in crls().values()} == {"good"})
        self.assertEqual(len(crls()), 64)
        log_has("error.log", f"OPER crl.learn_full url={self.url('')}\\d+.crl trust=learner")

    def test_strangers_teach_nothing(self):
        """Chains that do not verify, whatever they look like."""
        key = ec.generate_private_key(ec.SECP256R1())
        self.pki.client("forged", self.url("forged.crl"), signer=key)
        forged_mid = made(f"{self.pki.tag} mid", self.pki.root, key, key, self.url("forged.crl"))
        leaf_key = ec.generate_private_key(ec.SECP256R1())
        write(f"{self.pki.tag}-mids.crt", made("mids", forged_mid, leaf_key, key, self.url("forged.crl"), ca=False), forged_mid)
        write(f"{self.pki.tag}-mids.key", leaf_key)
        self.use('crl_missing = "allow"; crl_check = "leaf";')
        told = self.told()
        self.assertEqual(self.pki.ask("forged"), (403, "bad_signature"))
        self.assertEqual(self.pki.ask("mids"), (403, "bad_signature"))
        self.pki.tag, own = "stranger", self.pki.tag
        other = Pki("stranger", (self.url("forged.crl"), self.url("forged.crl")))
        other.client("x", self.url("forged.crl"))
        self.assertEqual(other.ask("x"), (403, "issuer_unknown"))
        self.pki.tag = own
        self.assertEqual((self.told(), crls(), self.server.asked), (told, {}, []))

    def test_a_reload_keeps_it(self):
        self.pki.client("a", self.url("mid.crl"))
        self.use('crl_check = "leaf";')
        self.pki.ask("a")
        until(lambda: self.pki.ask("a")[0] == 200)
        asked = count("learnt")
        self.server.say = {}
        for _ in range(3):
            ctl("reload")
            self.assertEqual(self.pki.ask("a")[0], 200)
        self.assertEqual(count("learnt"), asked)
        files = self.cached()
        self.use(learn="false")  # who does not ask for it has none, nor keeps a file
        self.assertEqual(crls(), {})
        self.assertEqual(len(files) - len(self.cached()), 2)

    def test_another_anchor_forgets_it(self):
        self.pki.client("a", self.url("mid.crl"))
        self.use('crl_check = "leaf";')
        self.pki.ask("a")
        until(lambda: self.pki.ask("a")[0] == 200)
        Pki("elsewhere", (None, None))
        reconfigure(lambda t: t.replace(f"{self.pki.tag}-root.crt", "elsewhere-root.crt"))
        self.assertEqual(crls(), {})

    def test_a_restart_has_it_from_the_cache(self):
        leaf = self.pki.client("a", self.url("mid.crl"))
        self.pki.client("b", self.url("mid.crl"))
        self.server.say["/mid.crl"] = crl(self.mid, [leaf.serial_number])
        self.use()
        until(lambda: self.pki.ask("b")[0] == 200)
        self.server.say = {}
        stranger = pathlib.Path(RUN + "/crl-cache/notes.txt")
        stranger.write_text("not ours")
        left = pathlib.Path(RUN + "/crl-cache/" + 32 * "0" + ".crl")
        left.write_text("of a URL that nobody names")
        self.restart()
        self.assertEqual(self.pki.ask("a"), (403, "cert_revoked"))
        self.assertEqual(self.pki.ask("b")[0], 200)
        self.assertEqual(count("learnt"), 0)
        self.assertEqual((stranger.exists(), left.exists()), (True, False))
        stranger.unlink()

    def test_a_list_for_another_point_does_not_apply(self):
        leaf = self.pki.client("a", self.url("mid.crl"))
        self.use('crl_check = "leaf";')
        self.server.say["/mid.crl"] = scoped(self.mid, self.url("other.crl"))
        self.pki.ask("a")
        until(lambda: (crls().get("mid.crl") or {}).get("state") == "good")
        self.assertEqual(self.pki.ask("a"), (403, "revocation_unknown"))
        self.server.say["/mid.crl"] = scoped(self.mid, self.url("mid.crl"))
        until(lambda: self.pki.ask("a")[0] == 200)
        self.server.say["/mid.crl"] = scoped(self.mid, self.url("mid.crl"), [leaf.serial_number])
        until(lambda: self.pki.ask("a") == (403, "cert_revoked"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
