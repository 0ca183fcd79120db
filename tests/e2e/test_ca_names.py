"""Names of CAs in CertificateRequest: all that are trusted, none, or a list of one's own."""

import re
import socket
import subprocess
import unittest

from lib import BUILD, GATEWAY, PKI, RUN, TLS12, TLS13, Case, context, get, reconfigure, run

DEMO, OTHER = ("C = DE, O = Sallyport demo, CN = Demo Root CA", "C = DE, O = Sallyport demo, CN = Other Root CA")
BACKENDS = "C = DE, O = Sallyport demo, CN = Backends Root CA"


def told(host, version="-tls1_3", cert="good"):
    """The names that openssl's client is told."""
    text = run("openssl", "s_client", "-connect", f"{GATEWAY[0]}:{GATEWAY[1]}", "-servername", host, version,
               "-cert", f"{PKI}/{cert}.crt", "-key", f"{PKI}/{cert}.key", input="", ok=False).stdout
    if "No client certificate CA names sent" in text:
        return []
    found = re.search(r"Acceptable client certificate CA names\n(.*?)\n(?:Client Certificate|Requested|Shared|Peer|---)", text, re.S)
    return sorted(found.group(1).split("\n")) if found else None


def host(name, more, locations=""):
    return """  { name = "%s"; identities = [ "gw" ]; client_cert = { mode = "optional"; trust = [ "clients" ]; max_depth = 3; %s };
    locations = ( { path = "/"; respond = { body = "ok"; }; } %s ); },
""" % (name, more, locations)


def other(trust):
    return ', { path = "/x"; respond = { body = "ok"; }; client_cert = { mode = "require"; trust = [ "%s" ]; }; }' % trust


class Names(Case):
    @classmethod
    def setUpClass(cls):
        hosts = (host("all.example", "", other("others")) + host("none.example", 'ca_names = "none";') +
                 host("own.example", f'ca_names = "files"; ca_name_files = [ "{PKI}/backends-root.crt", "{PKI}/root.crt" ];') +
                 host("request.example", "", ', { path = "/x"; respond = { body = "ok"; }; client_cert = { mode = "request"; }; }') +
                 host("many.example", "", other("many")))
        trust = f'  {{ name = "many"; anchors = [ "{RUN}/many.crt" ]; }},\n'
        script = "for i in $(seq 120); do openssl req -x509 -key %s/good.key -days 9 -subj \"/O=Organisation with a long name, number $i/CN=CA $i\" -addext basicConstraints=critical,CA:TRUE; done > %s/many.crt" % (PKI, RUN)
        run("bash", "-c", script)
        cls.before = reconfigure(lambda old: old.replace("hosts = (\n", "hosts = (\n" + hosts, 1)
                                 .replace("trust = (\n", "trust = (\n" + trust, 1))

    @classmethod
    def tearDownClass(cls):
        reconfigure(lambda _: cls.before)

    def test_all_of_trust(self):
        for v in ("-tls1_2", "-tls1_3"):
            self.assertEqual(told("all.example", v), sorted([DEMO, OTHER]))

    def test_none(self):
        for v in ("-tls1_2", "-tls1_3"):
            self.assertEqual(told("none.example", v), [])

    def test_a_list_of_our_own(self):
        for v in ("-tls1_2", "-tls1_3"):
            self.assertEqual(told("own.example", v), sorted([DEMO, BACKENDS]))

    def test_where_others_are_welcome(self):
        self.assertEqual(told("request.example"), [])

    def test_more_than_fit(self):
        for v in ("-tls1_2", "-tls1_3"):
            self.assertEqual(told("many.example", v), [])

    def test_the_handshake_is_whole(self):
        for name in ("all.example", "own.example", "none.example"):
            for v in (TLS12, TLS13):
                self.assertEqual(get("/", name, context("good", v, verify=False)).status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
