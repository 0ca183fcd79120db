"""TLS as clients see it: names, versions, certificates, alerts, resumption, closes."""

import contextlib
import os
import re
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

from lib import (GATEWAY, PKI, TLS12, TLS13, WAIT, Case, Reader, connect, context, counter, get, log_has, raw, run, tcp, timeouts,
                 until)

GET = b"GET /health HTTP/1.1\r\nHost: gw.example\r\n\r\n"


def alert(ctx, host="gw.example", port=443, send=GET):
    """The alert a client gets for what it does, or the status of the answer."""
    try:
        with ctx.wrap_socket(socket.create_connection((GATEWAY[0], port), WAIT), server_hostname=host) as s:
            s.sendall(send)
            return Reader(s).response().status
    except ssl.SSLError as e:
        text = re.sub(r"^\[[^]]*\] |\(_ssl.*", "", e.reason or str(e)).strip().lower().replace(" ", "_")
        return re.sub("^(sslv3|tlsv1|tlsv13)_(alert_)?", "", text)
    except (ConnectionResetError, EOFError) as e:
        return type(e).__name__


class Names(Case):
    def test_unknown_name_gets_the_default_host(self):
        ctx = context(verify=False)
        self.assertEqual(get("/health", host="gw.example", ctx=ctx).status, 200)
        with connect("nobody.example", ctx) as s:
            s.sendall(GET)
            self.assertEqual(Reader(s).response().status, 200)

    def test_no_name_at_all(self):
        with context(verify=False).wrap_socket(tcp()) as s:
            s.sendall(GET)
            self.assertEqual(Reader(s).response().status, 200)

    def test_sni_required(self):
        ctx = context(verify=False)
        self.assertEqual(alert(ctx, "gw.example", 8443), 200)
        self.assertEqual(alert(ctx, "nobody.example", 8443), "unrecognized_name")
        self.assertEqual(alert(ctx, None, 8443), "unrecognized_name")

    def test_host_of_another_policy_is_misdirected(self):
        r = raw(b"GET /protected/x HTTP/1.1\r\nHost: api.gw.example\r\n\r\n", "gw.example")
        self.assertEqual(r.status, 421)

    def test_alpn(self):
        ctx = context()
        ctx.set_alpn_protocols(["h2", "http/1.1"])
        with connect("gw.example", ctx) as s:
            self.assertEqual(s.selected_alpn_protocol(), "http/1.1")
        ctx.set_alpn_protocols(["spdy/9"])
        self.assertEqual(alert(ctx), "no_application_protocol")

    def test_certificates_of_both_kinds(self):
        for suites, kind in (("ECDHE-ECDSA-AES128-GCM-SHA256", "id-ecPublicKey"),
                             ("ECDHE-RSA-AES128-GCM-SHA256", "rsaEncryption")):
            ctx = context(version=TLS12)
            ctx.set_ciphers(suites)
            with connect("gw.example", ctx) as s:
                der = s.getpeercert(True)
                self.assertEqual(s.cipher()[0], suites)
            with tempfile.NamedTemporaryFile() as f:
                f.write(der)
                f.flush()
                text = run("openssl", "x509", "-inform", "DER", "-noout", "-text", "-in", f.name).stdout
            self.assertIn("Public Key Algorithm: " + kind, text)


class Versions(Case):
    def test_both(self):
        for v in (TLS12, TLS13):
            with connect("gw.example", context(version=v)) as s:
                s.sendall(GET)
                self.assertEqual(Reader(s).response().status, 200)

    def test_old_ones_are_refused(self):
        for v in ("tls1", "tls1_1"):
            out = run("openssl", "s_client", "-connect", "10.77.0.1:443", "-" + v, "-cipher", "ALL:@SECLEVEL=0",
                      ok=False, stdin=-3).stdout
            self.assertIn("alert protocol version", out)

    def test_log_names_them_as_apache_does(self):
        raw(b"GET /health HTTP/1.1\r\nHost: gw.example\r\nUser-Agent: name13\r\n\r\n", ctx=context(version=TLS13))
        self.assertIn(" TLSv1.3 TLS_", log_has("access.log", "name13"))
        raw(b"GET /health HTTP/1.1\r\nHost: gw.example\r\nUser-Agent: name12\r\n\r\n", ctx=context(version=TLS12))
        self.assertIn(" TLSv1.2 ECDHE-ECDSA-", log_has("access.log", "name12"))


class Groups(Case):
    def shake(self, *argv):
        return run("openssl", "s_client", "-connect", "10.77.0.1:443", "-servername", "gw.example", "-CAfile",
                   PKI + "/root.crt", *argv, ok=False, stdin=-3).stdout

    def test_each_one(self):
        for v in ("-tls1_2", "-tls1_3"):
            for group, name in (("X25519", "X25519"), ("P-256", "prime256v1"), ("P-384", "secp384r1"),
                                ("P-521", "secp521r1")):
                with self.subTest(group=group, version=v):
                    self.assertRegex(self.shake(v, "-groups", group), f"Server Temp Key: .*{name}")

    def test_asked_again(self):
        """The client's first share is of a group that we do not have (HelloRetryRequest)."""
        self.assertRegex(self.shake("-tls1_3", "-groups", "X448:P-256"), "Server Temp Key: .*prime256v1")

    def test_none_in_common(self):
        for v in ("-tls1_2", "-tls1_3"):
            self.assertIn("alert handshake failure", self.shake(v, "-groups", "X448"))
        log_has("error.log", "no_common_group")


class Certificates(Case):
    def test_alerts(self):
        for v in (TLS12, TLS13):
            for cert, want in (("expired", "certificate_expired"), ("otherca", "unknown_ca"), ("deep", "unknown_ca")):
                self.assertEqual(alert(context(cert, v)), want, (cert, v))

    def test_missing_one_by_alert(self):
        ctx12, ctx13 = context(version=TLS12, verify=False), context(version=TLS13, verify=False)
        self.assertIn(alert(ctx13, "strict.example"), ("certificate_required",))
        self.assertIn(alert(ctx12, "strict.example"), ("handshake_failure", "alert_handshake_failure"))
        good = context("good", verify=False)
        self.assertEqual(alert(good, "strict.example",
                               send=b"GET /main.html HTTP/1.1\r\nHost: strict.example\r\n\r\n"), 200)

    def test_log_says_who_was_refused(self):
        alert(context("expired"))
        line = log_has("error.log", "tls.refused.*CN=Expired Client")
        self.assertIn("reason=cert_expired", line)

    def test_each_location_decides_for_itself(self):
        """On one connection, in Apache's counting of depth."""
        for cert, want in (
                ("good", {"/main.html": 200, "/protected/protected.html": 200, "/depth1/": 403, "/others/": 403}),
                ("otherca", {"/main.html": 200, "/protected/protected.html": 403, "/others/main.html": 404}),
                ("deep", {"/protected/protected.html": 403, "/depth3/main.html": 404})):
            for v in (TLS12, TLS13):
                with connect("api.gw.example", context(cert, v)) as s:
                    r = Reader(s)
                    for path, status in want.items():
                        s.sendall(f"GET {path} HTTP/1.1\r\nHost: api.gw.example\r\n\r\n".encode())
                        self.assertEqual(r.response().status, status, (cert, path))

    def test_request_mode_takes_what_it_does_not_trust(self):
        r = get("/request/whoami", "api.gw.example", context("otherca"))
        self.assertIn(b"verify: GENEROUS", r.body)
        self.assertIn(b"CN=Stranger", r.body)

    def test_rogue_chain_leaves_no_trust_behind(self):
        """A refused chain must not make its intermediate a trusted one for the next client."""
        with tempfile.TemporaryDirectory() as d:
            # A rogue: a CA of its own making under the other root; then a leaf under it, alone.
            leaf = PKI + "/otherca.crt"
            with open(leaf) as f:
                blocks = f.read().split("-----END CERTIFICATE-----\n")
            with open(d + "/alone.crt", "w") as f:
                f.write(blocks[0] + "-----END CERTIFICATE-----\n")
            for v in (TLS12, TLS13):
                for _ in range(3):
                    self.assertEqual(alert(context("otherca", v)), "unknown_ca")
                    self.assertEqual(alert(context(d + "/alone.crt", v, key=PKI + "/otherca.key")), "unknown_ca")
                    self.assertEqual(get("/protected/whoami", "api.gw.example", context("otherca", v)).reason(),
                                     "issuer_unknown")
                    self.assertEqual(get("/protected/whoami", "api.gw.example",
                                         context(d + "/alone.crt", v, key=PKI + "/otherca.key")).reason(),
                                     "issuer_unknown")

    def test_leaf_without_its_intermediate(self):
        with tempfile.TemporaryDirectory() as d:
            with open(PKI + "/good.crt") as f:
                first = f.read().split("-----END CERTIFICATE-----\n")[0]
            with open(d + "/good.crt", "w") as f:
                f.write(first + "-----END CERTIFICATE-----\n")
            r = get("/protected/whoami", "api.gw.example", context(d + "/good.crt", key=PKI + "/good.key"))
            self.assertEqual((r.status, r.reason()), (403, "issuer_unknown"))


class Resumption(Case):
    def resume(self, v, cert, host="gw.example", other=None, path="/protected/whoami"):
        ctx = context(cert, v)
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        with connect(host, ctx) as s:
            s.sendall(request)
            first = Reader(s).response()
            session = s.session
        second_host = other or host
        with connect(second_host, ctx, session=session) as s:
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: {second_host}\r\n\r\n".encode())
            return first, Reader(s).response(), s.session_reused

    def test_identity_is_the_same(self):
        for v in (TLS12, TLS13):
            first, second, reused = self.resume(v, "good")
            self.assertTrue(reused, v)
            self.assertEqual(second.status, 200)
            strip = lambda b: [l for l in b.split(b"\n") if not l.startswith((b"backend", b"host"))]
            self.assertEqual(strip(first.body), strip(second.body))
            self.assertIn(b"CN=Good Client", second.body)

    def test_refused_identity_stays_refused(self):
        for v in (TLS12, TLS13):
            first, second, _ = self.resume(v, "expired", "api.gw.example")
            self.assertEqual((first.reason(), second.reason()), ("cert_expired", "cert_expired"))

    def test_another_name_means_a_full_handshake(self):
        for v in (TLS12, TLS13):
            _, second, reused = self.resume(v, "good", "gw.example", "api.gw.example")
            self.assertFalse(reused)
            self.assertEqual(second.status, 200)


class Closes(Case):
    def test_close_notify_from_us(self):
        with connect() as s:
            s.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            Reader(s).response()
            s.suppress_ragged_eofs = False
            self.assertEqual(s.recv(10), b"")  # a ragged end would raise

    def test_close_notify_from_the_client(self):
        s = connect()
        s.sendall(GET)
        Reader(s).response()
        s.unwrap().close()  # raises when ours does not come back

    def test_handshake_timeout(self):
        late, begin = counter("proxy", "timeout_handshake"), time.monotonic()
        with timeouts(handshake=2), tcp() as s:
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(s.recv(100), b"")
            self.assertGreater(time.monotonic() - begin, 1.9)
        self.assertEqual(counter("proxy", "timeout_handshake"), late + 1)

    def test_not_tls(self):
        for junk in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"a" * 100, b"\x00" * 64, os.urandom(512),
                     b"\x80\x2e\x01\x03\x01" + b"\0" * 40):
            with tcp() as s:
                s.sendall(junk)
                try:
                    while s.recv(4096):
                        pass
                except ConnectionResetError:
                    pass
        self.assertEqual(get("/health").status, 200)

    def test_no_renegotiation(self):
        with tempfile.NamedTemporaryFile() as said, subprocess.Popen(
                ("openssl", "s_client", "-tls1_2", "-connect", "10.77.0.1:443", "-servername", "gw.example", "-CAfile",
                 PKI + "/root.crt"), stdin=subprocess.PIPE, stdout=said, stderr=said) as p:

            def says(pattern):
                with open(said.name, errors="replace") as f:
                    return re.search(pattern, f.read())

            try:
                until(lambda: says("Secure Renegotiation IS supported(.|\n)*\n---\n"))
                p.stdin.write(b"R\n")
                p.stdin.flush()
                until(lambda: says("no renegotiation|handshake failure|unexpected"))
            finally:
                p.kill()

    def test_many_half_handshakes_hinder_nobody(self):
        held = [tcp() for _ in range(200)]
        try:
            for _ in range(20):
                self.assertEqual(get("/health").status, 200)  # sooner than their time is over
        finally:
            for s in held:
                s.close()

    def test_clients_side_by_side(self):
        errors = []

        def one():
            try:
                for _ in range(10):
                    if get("/main.html", ctx=context("good")).status != 200:
                        errors.append("status")
            except Exception as e:
                errors.append(repr(e))

        threads = [threading.Thread(target=one) for _ in range(16)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(errors, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
