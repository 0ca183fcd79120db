"""What backends, logs and rules learn about the handshake: group, signatures, JA4, and what the location thinks of the
client's certificate. Against what the client itself says, and against a JA4 made here of the very same bytes."""

import hashlib
import os
import re
import shutil
import ssl
import subprocess
import tempfile
import unittest

from lib import BUILD, GATEWAY, PKI, RUN, TLS12, TLS13, Case, Reader, context, log_has, reconfigure, run, tcp

HOST = "handshake.example"
NAMES = ["tls_group", "tls_sigalg", "tls_server_sigalg", "ja4", "verdict", "chain_len", "ca_name", "SSL_SRP_USER",
         "SSL_PROTOCOL", "SSL_SESSION_RESUMED"]
DIR = tempfile.mkdtemp(prefix="handshake-")
before = None


def config(names):
    headers = ",\n".join('{ name = "X-V-%d"; value = "%%{%s}s"; }' % (i, n) for i, n in enumerate(names))
    return """  {
    name = "%s"; aliases = [ "rsa.%s" ];
    identities = [ "gw", "gw-rsa" ];
    client_cert = { mode = "optional"; trust = [ "clients" ]; max_depth = 5; };
    locations = (
      { path = "/odd"; upstream = "odd"; request_headers = ( %s ); },
      { path = "/any/odd"; upstream = "odd"; client_cert = { mode = "request"; }; request_headers = ( %s ); },
      { path = "/root/odd"; upstream = "odd"; rules = ( { var = "ca_name"; is = "@CA@"; } ); },
      { path = "/x25519/odd"; upstream = "odd"; rules = ( { var = "tls_group"; is = [ "x25519", "X25519MLKEM768" ]; } ); }
    );
  },
""" % (HOST, HOST, headers, headers)


def change(names, log=True):
    ca = run("openssl", "x509", "-in", PKI + "/root.crt", "-noout", "-subject", "-nameopt", "RFC2253").stdout

    def do(old):
        new = old.replace("hosts = (\n", "hosts = (\n" + config(names).replace("@CA@", ca.strip()[len("subject="):]), 1)
        fmt = "%U |%{tls_group}x|%{tls_sigalg}x|%{ja4}x|" if log else "%U"
        return re.sub(r'(?m)^  format = ".*";$', lambda m: f'  format = "{fmt}";', new, 1)
    return do


def make_keys():
    """Clients with keys of all sorts, by the PKI's own intermediate."""
    for name, how in (("p384", ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"]), ("rsa", ["rsa", "-pkeyopt", "rsa_keygen_bits:2048"]),
                      ("pss", ["rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"])):
        key, crt = f"{DIR}/{name}.key", f"{DIR}/{name}.crt"
        run("openssl", "genpkey", "-algorithm", *how, "-out", key)
        run("openssl", "req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", DIR + "/req")
        with open(DIR + "/ext", "w") as f:
            f.write("basicConstraints=CA:false\nextendedKeyUsage=clientAuth\n")
        run("openssl", "x509", "-req", "-in", DIR + "/req", "-CA", PKI + "/intermediate.crt", "-CAkey", PKI + "/intermediate.key",
            "-days", "30", "-extfile", DIR + "/ext", "-out", crt)
        with open(crt, "a") as f, open(PKI + "/intermediate.crt") as more:
            f.write(more.read())


def setUpModule():
    global before
    make_keys()
    before = reconfigure(change(NAMES))


def tearDownModule():
    if before:
        reconfigure(lambda _: before)
    shutil.rmtree(DIR)


def seen(text, names=NAMES):
    found = dict.fromkeys(names)
    for i, value in re.findall(r"(?mi)^X-V-(\d+): ?(.*?)\r?$", text):
        found[names[int(i)]] = value
    return found


def s_client(*args, cert=None, path="/odd/echo", ok=True):
    """OpenSSL's client; what the backend saw, and what the client said itself."""
    if cert:
        at = f"{PKI if os.path.exists(f'{PKI}/{cert}.key') else DIR}/{cert}"
        args += ("-cert", at + ".crt", "-cert_chain", at + ".crt", "-key", at + ".key")
    done = subprocess.run(["openssl", "s_client", "-connect", "%s:%d" % GATEWAY, "-servername", HOST, "-ign_eof", *args],
                          input=f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n", text=True, timeout=20,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if ok and "200 OK" not in done.stdout:
        raise AssertionError(done.stdout)
    return seen(done.stdout), done.stdout


# --- JA4, once more ---

def u16s(b):
    return [b[i] << 8 | b[i + 1] for i in range(0, len(b) - 1, 2)]


def ja4_of(record):
    """Of a ClientHello in one record."""
    def vec(at, size):
        n = int.from_bytes(record[at:at + size], "big")
        return record[at + size:at + size + n], at + size + n

    def h12(text):
        return hashlib.sha256(text.encode()).hexdigest()[:12] if text else "0" * 12

    version = int.from_bytes(record[9:11], "big")
    _, at = vec(43, 1)
    suites, at = vec(at, 2)
    _, at = vec(at, 1)
    every, _ = vec(at, 2)
    extensions = []
    while every:
        n = int.from_bytes(every[2:4], "big")
        extensions.append((u16s(every[:2])[0], every[4:4 + n]))
        every = every[4 + n:]
    got = dict(extensions)
    version = max(u16s(got[43][1:])) if 43 in got else version
    alpn = got[16][3:3 + got[16][2]].decode() if 16 in got else "00"
    suites = u16s(suites)
    a = "t%s%s%02d%02d%s" % ({0x304: "13", 0x303: "12"}[version], "d" if 0 in got else "i", len(suites), len(extensions),
                             alpn[0] + alpn[-1])
    c = ",".join("%04x" % e for e in sorted(e for e in got if e not in (0, 16)))
    if 13 in got:
        c += "_" + ",".join("%04x" % s for s in u16s(got[13][2:]))
    return "_".join([a, h12(",".join("%04x" % s for s in sorted(suites))), h12(c)])


def ask(ctx, host=HOST, session=None, path="/odd/echo"):
    """Python's client, its ClientHello in hand: what the backend saw, JA4 of the ClientHello, session, resumed."""
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls, hello = ctx.wrap_bio(into, out, server_hostname=host, session=session), b""
    with tcp() as s:
        def step(what, *args):
            nonlocal hello
            while True:
                try:
                    return what(*args)
                except ssl.SSLWantReadError:
                    pass
                finally:
                    data = out.read()
                    hello = hello or data
                    s.sendall(data)
                into.write(s.recv(65536))

        class Through:
            def recv(self, n):
                return step(tls.read, n)
        step(tls.do_handshake)
        step(tls.write, f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        r = Reader(Through()).response()
        return seen(r.body.decode()) if r.status == 200 else (r.status, r.reason()), ja4_of(hello), tls.session, tls.session_reused


GROUPS = [("X25519", "x25519"), ("P-256", "secp256r1"), ("P-384", "secp384r1"), ("P-521", "secp521r1")]
EC = "ECDSA+SHA256"  # our own certificate's
SCHEMES = {"0403": "ecdsa_secp256r1_sha256", "0503": "ecdsa_secp384r1_sha384", "0401": "rsa_pkcs1_sha256", "0601": "rsa_pkcs1_sha512",
           "0804": "rsa_pss_rsae_sha256", "0805": "rsa_pss_rsae_sha384", "0806": "rsa_pss_rsae_sha512", "0809": "rsa_pss_pss_sha256"}
SIGALGS = [  # version, certificate, -sigalgs, name
    ("-tls1_3", "good", None, "ecdsa_secp256r1_sha256"),
    ("-tls1_3", "p384", None, "ecdsa_secp384r1_sha384"),
    ("-tls1_3", "rsa", None, "rsa_pss_rsae_sha512"),
    ("-tls1_3", "rsa", EC + ":RSA-PSS+SHA384", "rsa_pss_rsae_sha384"),
    ("-tls1_3", "pss", EC + ":rsa_pss_pss_sha256", "rsa_pss_pss_sha256"),
    ("-tls1_2", "good", EC, "ecdsa_secp256r1_sha256"),
    ("-tls1_2", "good", EC + ":ECDSA+SHA384", "ecdsa_secp384r1_sha384"),  # the hash; the curve stays P-256
    ("-tls1_2", "rsa", EC + ":RSA+SHA256", "rsa_pkcs1_sha256"),
    ("-tls1_2", "rsa", EC + ":RSA+SHA512", "rsa_pkcs1_sha512"),
    ("-tls1_2", "rsa", EC + ":RSA-PSS+SHA256", "rsa_pss_rsae_sha256"),
]


class Handshake(Case):
    maxDiff = None

    def test_groups_full_and_resumed(self):
        """With TLS 1.3 keys are exchanged again, by whichever group; with 1.2 they are not."""
        for flag in "-tls1_3", "-tls1_2":
            for group, name in GROUPS:
                with self.subTest(flag=flag, group=group):
                    got, said = s_client(flag, "-groups", group, "-sess_out", DIR + "/session", cert="good")
                    self.assertEqual((got["tls_group"], got["SSL_SESSION_RESUMED"]), (name, "Initial"))
                    self.assertRegex(said, r"Server Temp Key: .*%s" % {"P-256": "prime256v1", "P-384": "secp384r1",
                                                                       "P-521": "secp521r1"}.get(group, group))
                    got, _ = s_client(flag, "-groups", group, "-sess_in", DIR + "/session", cert="good")
                    self.assertEqual((got["tls_group"], got["SSL_SESSION_RESUMED"]), (name if flag == "-tls1_3" else None, "Resumed"))
                    self.assertEqual((got["tls_sigalg"], got["tls_server_sigalg"]), (None, None))
                    self.assertEqual((got["verdict"], got["chain_len"]), ("ok", "2"))

    def test_a_resumed_session_with_another_group(self):
        s_client("-tls1_3", "-groups", "X25519", "-sess_out", DIR + "/session", cert="good")
        got, _ = s_client("-tls1_3", "-groups", "P-384:P-256", "-sess_in", DIR + "/session", cert="good")
        self.assertEqual((got["tls_group"], got["SSL_SESSION_RESUMED"]), ("secp384r1", "Resumed"))

    def test_a_group_that_we_ask_for(self):
        """HelloRetryRequest: the client's first share is for a group that is not ours."""
        got, _ = s_client("-tls1_3", "-groups", "X448:P-521")
        self.assertEqual(got["tls_group"], "secp521r1")

    def test_a_hybrid_group(self):
        """No other client here knows it but the library that we use ourselves."""
        run(BUILD + "/tests/bench/bench-client", "handshake", GATEWAY[0], "443", "-n", "1", "-t", "0.1", "-H", HOST, "-g", "4588",
            "-p", "/odd/count/hybrid/count", timeout=30)
        log_has("access.log", r"/hybrid/count \|X25519MLKEM768\|-\|t13d")

    def test_what_clients_sign_with(self):
        for flag, cert, sigalgs, name in SIGALGS:
            with self.subTest(flag=flag, cert=cert, sigalgs=sigalgs):
                got, said = s_client(flag, "-msg", *(["-sigalgs", sigalgs] if sigalgs else []), cert=cert)
                sent = re.findall(r">>> .* CertificateVerify\n +0f .. .. .. (..) (..)", said)
                self.assertEqual([SCHEMES["".join(number)] for number in sent], [name])
                self.assertEqual((got["tls_sigalg"], got["SSL_PROTOCOL"]), (name, "TLSv1.3" if flag == "-tls1_3" else "TLSv1.2"))
        for flag in "-tls1_3", "-tls1_2":
            self.assertEqual(s_client(flag)[0]["tls_sigalg"], None)

    def test_what_we_sign_with(self):
        for flag, sigalgs, name in (("-tls1_3", EC, "ecdsa_secp256r1_sha256"), ("-tls1_2", EC, "ecdsa_secp256r1_sha256"),
                                    ("-tls1_3", "RSA-PSS+SHA256", "rsa_pss_rsae_sha256"),
                                    ("-tls1_3", "RSA-PSS+SHA512", "rsa_pss_rsae_sha512"),
                                    ("-tls1_2", "RSA+SHA384", "rsa_pkcs1_sha384"),
                                    ("-tls1_2", "RSA-PSS+SHA256", "rsa_pss_rsae_sha256")):
            with self.subTest(flag=flag, sigalgs=sigalgs):
                got, said = s_client(flag, "-sigalgs", sigalgs)
                self.assertEqual(got["tls_server_sigalg"], name)
                digest, kind = re.findall(r"Peer signing digest: (\S+)\nPeer signature type: (\S+)", said)[0]
                self.assertEqual(digest.lower(), name[-6:])
                self.assertEqual(kind, {"ecd": "ECDSA", "rsa": "RSA-PSS" if "pss" in name else "RSA"}[name[:3]])

    def test_ja4(self):
        for version in TLS12, TLS13, None:
            for cert in None, "good":
                for alpn in [], ["http/1.1"], ["h2", "http/1.1"]:
                    for host in HOST, None:
                        with self.subTest(version=version, cert=cert, alpn=alpn, host=host):
                            ctx = context(cert, version, verify=False)
                            if alpn:
                                ctx.set_alpn_protocols(alpn)
                            got, want, _, _ = ask(ctx, host) if host else ask(ctx, None, path="/nowhere")
                            if host:
                                self.assertEqual(got["ja4"], want)
                            else:  # the default host answers; the log knows
                                log_has("access.log", r"/nowhere \|.*\|%s\|" % want)

    def test_ja4_resumed(self):
        """Of this ClientHello, not of the session's first: with TLS 1.3 the ticket adds an extension."""
        for version in TLS12, TLS13:
            ctx = context("good", version, verify=False)
            got, first, session, _ = ask(ctx)
            self.assertEqual(got["ja4"], first)
            got, again, _, resumed = ask(ctx, session=session)
            self.assertTrue(resumed)
            self.assertEqual(got["ja4"], again)
            if version == TLS13:
                self.assertNotEqual(first, again)

    def test_what_the_location_thinks_of_the_certificate(self):
        ca = run("openssl", "x509", "-in", PKI + "/root.crt", "-noout", "-subject", "-nameopt", "RFC2253").stdout.strip()
        for cert, path, want in (("good", "/odd/echo", ("ok", "2", ca[len("subject="):])), (None, "/odd/echo", ("cert_required", None, None)),
                                 ("otherca", "/any/odd/echo", ("unverified", None, None)), ("expired", "/any/odd/echo", ("unverified", None, None))):
            got, _ = s_client("-tls1_3", cert=cert, path=path)
            self.assertEqual((got["verdict"], got["chain_len"], got["ca_name"]), want, (cert, path))
            self.assertEqual(got["SSL_SRP_USER"], None)

    def test_rules(self):
        def status(*args, **more):
            return re.search(r"HTTP/1.1 (\d+)", s_client("-tls1_3", *args, ok=False, **more)[1]).group(1)
        self.assertEqual(status(cert="good", path="/root/odd/echo"), "200")
        self.assertEqual(status(path="/root/odd/echo"), "403")
        self.assertEqual(status("-groups", "X25519", path="/x25519/odd/echo"), "200")
        self.assertEqual(status("-groups", "P-256", path="/x25519/odd/echo"), "403")

    def test_nobody_asks_for_ja4(self):
        """Where no configuration names it none is made: a connection of that time has none later, either."""
        old = [n if n != "ja4" else "HTTPS" for n in NAMES]
        now = reconfigure(lambda _: change(old, log=False)(before))
        try:
            with context(None, TLS13, verify=False).wrap_socket(tcp(), server_hostname=HOST) as s:
                reader = Reader(s)

                def again():
                    s.sendall(f"GET /odd/echo HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
                    return seen(reader.response().body.decode())
                self.assertEqual(again()["ja4"], "on")
                reconfigure(lambda _: now)
                self.assertEqual(again()["ja4"], None)
                self.assertEqual(again()["tls_server_sigalg"], "ecdsa_secp256r1_sha256")
        finally:
            with open(RUN + "/sallyport.conf") as f:
                if f.read() != now:
                    reconfigure(lambda _: now)


if __name__ == "__main__":
    unittest.main(verbosity=2)
