"""What backends, logs and rules learn about certificates, against the original: Apache's mod_ssl beside us, with
the same certificates, must say the same, byte for byte."""

import base64
import contextlib
import datetime
import hashlib
import ipaddress
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.name import _ASN1Type as T
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku
from cryptography.x509.oid import NameOID as N
from cryptography.x509.oid import ObjectIdentifier as Oid

from lib import BUILD, PKI, RUN, TLS12, TLS13, WAIT, Case, Reader, reconfigure, run, tcp, until

HOST = "views.example"
APACHE = ("127.0.0.1", 9443)
DIR = tempfile.mkdtemp(prefix="views-")
NOW = datetime.datetime.utcnow()
DAY = datetime.timedelta(days=1)

ATTRIBUTES = ["C", "ST", "SP", "L", "O", "OU", "OU_0", "OU_1", "OU_2", "CN", "CN_1", "T", "I", "G", "S", "D", "UID", "Email",
              "CN_RAW", "O_RAW", "OU_1_RAW"]
OF_CERT = ["M_VERSION", "M_SERIAL", "S_DN", "I_DN", "V_START", "V_END", "V_REMAIN", "A_SIG", "A_KEY", "CERT"]
APACHES = (["SSL_SRP_USER", "SSL_SRP_USERINFO", "HTTPS", "SSL_PROTOCOL", "SSL_CIPHER_EXPORT", "SSL_COMPRESS_METHOD", "SSL_SESSION_RESUMED", "SSL_TLS_SNI",
            "SSL_SECURE_RENEG", "SSL_CLIENT_VERIFY", "SSL_CLIENT_CERT_RFC4523_CEA", "SSL_CLIENT_CERT_CHAIN_0",
            "SSL_CLIENT_CERT_CHAIN_1"] +
           [f"SSL_{side}_{v}" for side in ("CLIENT", "SERVER") for v in OF_CERT] +
           [f"SSL_CLIENT_{x}_DN_{a}" for x in "SI" for a in ATTRIBUTES] +
           [f"SSL_SERVER_{x}_DN_{a}" for x in "SI" for a in ("O", "CN")] +
           [f"SSL_CLIENT_SAN_{k}_{n}" for k in ("Email", "DNS", "OTHER_msUPN", "OTHER_dnsSRV") for n in range(3)] +
           ["SSL_SERVER_SAN_DNS_0", "SSL_SERVER_SAN_DNS_1"])
CIPHERS = ["SSL_CIPHER", "SSL_CIPHER_USEKEYSIZE", "SSL_CIPHER_ALGKEYSIZE"]  # each as its own client negotiated it
LEGACY = ["SSL_CLIENT_S_DN", "SSL_CLIENT_I_DN"]
OURS = ["client.fp_sha1", "client.fp_sha256", "client.spki_sha256", "client.serial_dec", "client.san_uri", "client.san_uri_1",
        "client.san_ip", "client.eku", "client.policies", "client.policies_1", "client.organization_id",
        "client.subject:2.5.4.97", "client.qc_statements", "client.qc_types", "client.psd2_roles", "client.psd2_nca_name",
        "client.psd2_nca_id", "client.ext:1.3.6.1.4.1.99999.1", "client.ext:1.3.6.1.4.1.99999.2", "client.aki", "client.ski",
        "client.key_bits", "client.subject_legacy", "client.issuer_legacy", "SSL_SESSION_ID", "SSL_CLIENT_B64CERT",
        "server.fp_sha256", "tls_group", "tls_sigalg", "tls_server_sigalg", "ja4", "verdict", "chain_len", "ca_name"]
LOGGED = ["SSL_CLIENT_S_DN", "SSL_CLIENT_I_DN", "SSL_CLIENT_S_DN_CN", "SSL_CLIENT_S_DN_OU_1", "SSL_CLIENT_M_SERIAL",
          "SSL_PROTOCOL", "SSL_SESSION_RESUMED", "SSL_CLIENT_V_END", "SSL_CLIENT_CERT"]


# --- certificates ---

with open(PKI + "/intermediate.key", "rb") as f:
    ISSUER_KEY = serialization.load_pem_private_key(f.read(), None)
with open(PKI + "/intermediate.crt", "rb") as f:
    ISSUER = x509.load_pem_x509_certificate(f.read())


def attr(oid, value, kind=None):
    return x509.NameAttribute(oid if isinstance(oid, Oid) else Oid(oid), value, kind) if kind else x509.NameAttribute(oid, value)


def make(name, subject, san=(), key=None, serial=None, end=200.5, policies=(), extra=(), eku=(Eku.CLIENT_AUTH,), by=None):
    """by: a certificate and its key; without it the demo's intermediate one."""
    issuer, issuer_key = by or (ISSUER, ISSUER_KEY)
    key = key or ec.generate_private_key(ec.SECP256R1())
    b = (x509.CertificateBuilder().subject_name(subject if isinstance(subject, x509.Name) else x509.Name(subject))
         .issuer_name(issuer.subject).public_key(key.public_key()).serial_number(serial or x509.random_serial_number())
         .not_valid_before(NOW - DAY).not_valid_after(NOW + end * DAY)
         .add_extension(x509.BasicConstraints(not eku, None), True)
         .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
         .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False))
    if eku:  # otherwise it is a CA
        b = b.add_extension(x509.ExtendedKeyUsage(list(eku)), False)
    if san:
        b = b.add_extension(x509.SubjectAlternativeName(list(san)), not subject)
    if policies:
        b = b.add_extension(x509.CertificatePolicies([x509.PolicyInformation(Oid(p), None) for p in policies]), False)
    for oid, der in extra:
        b = b.add_extension(x509.UnrecognizedExtension(Oid(oid), der), False)
    cert = b.sign(issuer_key, hashes.SHA256())
    with open(f"{DIR}/{name}.pem", "wb") as f:
        f.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        f.write(cert.public_bytes(serialization.Encoding.PEM))
        if by:
            f.write(issuer.public_bytes(serialization.Encoding.PEM))
        f.write(ISSUER.public_bytes(serialization.Encoding.PEM))
    return cert


def tlv(tag, *parts):
    body = b"".join(parts)
    return bytes([tag, len(body)] if len(body) < 128 else [tag, 0x81, len(body)]) + body


PSD2 = bytes([0x06, 6, 4, 0, 0x81, 0x98, 0x27, 2])
QC = tlv(0x30,
         tlv(0x30, bytes([0x06, 6, 4, 0, 0x8e, 0x46, 1, 1])),
         tlv(0x30, bytes([0x06, 6, 4, 0, 0x8e, 0x46, 1, 6]), tlv(0x30, bytes([0x06, 7, 4, 0, 0x8e, 0x46, 1, 6, 3]))),
         tlv(0x30, PSD2, tlv(0x30,
             tlv(0x30, tlv(0x30, bytes([0x06, 7, 4, 0, 0x81, 0x98, 0x27, 1, 2]), tlv(0x0c, b"PSP_PI")),
                 tlv(0x30, bytes([0x06, 7, 4, 0, 0x81, 0x98, 0x27, 1, 3]), tlv(0x0c, b"PSP_AI"))),
             tlv(0x0c, "Bundesanstalt f\u00fcr X".encode()), tlv(0x0c, b"DE-BAFIN"))))
UPN, SRV = Oid("1.3.6.1.4.1.311.20.2.3"), Oid("1.3.6.1.5.5.7.8.7")


def rdn(*attributes):
    return x509.RelativeDistinguishedName([attr(*a) for a in attributes])


def pool():
    """Name -> certificate: what can be odd about one."""
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = make("ca", x509.Name([rdn((N.COUNTRY_NAME, "ES")), rdn((N.ORGANIZATION_NAME, "CA, S.A."), (Oid("2.5.4.97"), "VATES-A1")),
                               rdn((N.COMMON_NAME, "Multi"), (N.SERIAL_NUMBER, "CA1"), (N.ORGANIZATIONAL_UNIT_NAME, "u+v"))]),
              key=ca_key, eku=())
    cn = [attr(N.COUNTRY_NAME, "DE"), attr(N.ORGANIZATION_NAME, "Bank, Ltd.")]
    c = {
        "plain": make("plain", cn + [attr(N.COMMON_NAME, "plain")]),
        "rsa": make("rsa", cn + [attr(N.COMMON_NAME, "rsa")], key=rsa.generate_private_key(65537, 2048)),
        "p384": make("p384", cn + [attr(N.COMMON_NAME, "p384")], key=ec.generate_private_key(ec.SECP384R1())),
        "many": make("many", cn + [attr(N.ORGANIZATIONAL_UNIT_NAME, u) for u in ("First", "Second", "Third")] +
                     [attr(N.COMMON_NAME, "one"), attr(N.COMMON_NAME, "two")]),
        "every": make("every", [attr(o, v) for o, v in (
            (N.COUNTRY_NAME, "FR"), (N.STATE_OR_PROVINCE_NAME, "Ile"), (N.LOCALITY_NAME, "Paris"), (N.ORGANIZATION_NAME, "O"),
            (N.ORGANIZATIONAL_UNIT_NAME, "OU"), (N.TITLE, "Dr"), (N.GIVEN_NAME, "Ada"), (N.SURNAME, "L"),
            (Oid("2.5.4.43"), "AL"), (Oid("2.5.4.13"), "Text"), (N.USER_ID, "u1"), (N.DOMAIN_COMPONENT, "example"),
            (N.SERIAL_NUMBER, "4711"), (N.PSEUDONYM, "p"), (N.DN_QUALIFIER, "q"), (N.POSTAL_CODE, "1"), (N.STREET_ADDRESS, "s"),
            (N.BUSINESS_CATEGORY, "b"), (N.JURISDICTION_COUNTRY_NAME, "DE"), (N.GENERATION_QUALIFIER, "jr"),
            (N.EMAIL_ADDRESS, "a@example.com"), (N.COMMON_NAME, "every"))]),
        "utf8": make("utf8", [attr(N.ORGANIZATION_NAME, "B\u00fcro \u20ac \U0001f511"), attr(N.COMMON_NAME, "\u65e5\u672c")]),
        "specials": make("specials", [attr(N.ORGANIZATION_NAME, "#a,b+c\"d\\e<f>g;h=i/j "), attr(N.COMMON_NAME, " x"),
                                      attr(N.ORGANIZATIONAL_UNIT_NAME, " ")]),
        "controls": make("controls", [attr(N.ORGANIZATION_NAME, "a\tb"), attr(N.COMMON_NAME, "x\r\nInjected: yes\x7f\\n")]),
        "bmp": make("bmp", [attr(N.ORGANIZATION_NAME, "B\u00e4\u20ac", T.BMPString), attr(N.COMMON_NAME, "bmp", T.BMPString)]),
        "t61": make("t61", [attr(N.ORGANIZATION_NAME, "B\u00e4", T.T61String), attr(N.COMMON_NAME, "t61", T.T61String)]),
        "ia5": make("ia5", [attr(N.ORGANIZATION_NAME, "ia5", T.IA5String), attr(N.COMMON_NAME, "p", T.PrintableString)]),
        # Several attributes in one RDN, as national PKIs have them; and strings of every other kind.
        "multi": make("multi", x509.Name([rdn((N.COUNTRY_NAME, "DE")), rdn((N.COMMON_NAME, "multi"), (N.SERIAL_NUMBER, "4711"))])),
        "multis": make("multis", x509.Name([
            rdn((N.ORGANIZATION_NAME, "O"), (N.ORGANIZATIONAL_UNIT_NAME, "OU"), (N.ORGANIZATIONAL_UNIT_NAME, "OV")),
            rdn((N.COMMON_NAME, "a+b, c"), (N.USER_ID, "u1"), (N.EMAIL_ADDRESS, "a@example.com"), (N.SURNAME, "S")),
            rdn((N.COMMON_NAME, "second"), (Oid("1.3.6.1.4.1.99999.7"), "who knows"))]), by=(ca, ca_key)),
        "numeric": make("numeric", x509.Name([
            rdn((N.SERIAL_NUMBER, "1 2 3", T.NumericString), (N.COMMON_NAME, "12", T.NumericString))])),
        "universal": make("universal", [attr(N.ORGANIZATION_NAME, "B\u00e4\u20ac", T.UniversalString), attr(N.COMMON_NAME, "uni")]),
        "pilot": make("pilot", [attr(Oid("0.9.2342.19200300.100.1." + n), "text") for n in ("2", "3", "41", "99")] +
                      [attr(Oid("2.5.4." + n), "text") for n in ("16", "20", "51", "54", "72", "77")] +
                      [attr(Oid("1.2.840.113549.1.9.2"), "host"), attr(Oid("1.2.643.3.131.1.1"), "7", T.NumericString)]),
        "strange": make("strange", cn + [attr(Oid("1.3.6.1.4.1.99999.7"), "who knows"), attr(N.COMMON_NAME, "strange")]),
        "nobody": make("nobody", [], san=[x509.DNSName("nobody.example")]),
        "san": make("san", [attr(N.COMMON_NAME, "san")], san=[
            x509.RFC822Name("a@example.com"), x509.DNSName("a.example"), x509.UniformResourceIdentifier("spiffe://td/a,b"),
            x509.RFC822Name("b@example.com"), x509.DNSName("*.b.example"), x509.UniformResourceIdentifier("urn:x:2"),
            x509.IPAddress(ipaddress.ip_address("10.1.2.3")), x509.IPAddress(ipaddress.ip_address("2001:db8::1")),
            x509.OtherName(UPN, tlv(0x0c, "j\u00f6@corp".encode())), x509.OtherName(UPN, tlv(0x16, b"not utf8 by type")),
            x509.OtherName(UPN, tlv(0x0c, b"second@corp")), x509.OtherName(SRV, tlv(0x16, b"_imap.example")),
            x509.DirectoryName(x509.Name([attr(N.COMMON_NAME, "dir")]))]),
        "small": make("small", [attr(N.COMMON_NAME, "small")], serial=1),
        "high": make("high", [attr(N.COMMON_NAME, "high")], serial=0x80),
        "large": make("large", [attr(N.COMMON_NAME, "large")], serial=(1 << 159) - 1),
        "late": make("late", [attr(N.COMMON_NAME, "late")], end=365 * 40),
        "soon": make("soon", [attr(N.COMMON_NAME, "soon")], end=0.5),
        "eidas": make("eidas", cn + [attr(Oid("2.5.4.97"), "PSDDE-BAFIN-123456"), attr(N.COMMON_NAME, "eidas")],
                      policies=["0.4.0.194112.1.4", "1.3.6.1.4.1.99999.5"], eku=(Eku.CLIENT_AUTH, Oid("1.3.6.1.4.1.99999.6")),
                      extra=[("1.3.6.1.5.5.7.1.3", QC), ("1.3.6.1.4.1.99999.1", tlv(0x0c, "t\u00e4xt".encode())),
                             ("1.3.6.1.4.1.99999.2", b"\x30\x03\x02\x01\x05")]),
    }
    return c


# --- both servers ---

def header(i):
    return f"X-V-{i}"


def headers_of(names):
    return ",\n".join('{ name = "%s"; value = "%%{%s}s"; }' % (header(i), n) for i, n in enumerate(names))


def our_config(names, more=""):
    return """  {
    name = "%s";
    identities = [ "gw" ];
    client_cert = { mode = "optional"; trust = [ "clients" ]; max_depth = 5; };
    locations = (
      { path = "/odd"; upstream = "odd"; request_headers = ( %s ); }
      %s
    );
  },
""" % (HOST, headers_of(names), more)


RULES = """,
      { path = "/rule/odd"; upstream = "odd"; require = "cert";
        rules = ( { var = "SSL_CLIENT_S_DN_O"; is = [ "Nobody", "Bank, Ltd." ]; },
                  { var = "SSL_CLIENT_S_DN_CN"; is_not = "p384"; } ); },
      { path = "/uri/odd"; upstream = "odd"; rules = ( { var = "client.san_uri"; is = "urn:x:2"; } ); },
      { path = "/taken/odd"; upstream = "odd"; client_cert = { mode = "request"; };
        rules = ( { var = "SSL_CLIENT_S_DN_O"; is = "Bank, Ltd."; } ); },
      { path = "/tls13/odd"; upstream = "odd"; rules = ( { var = "SSL_PROTOCOL"; is = [ "TLSv1.3" ]; } ); },
      { path = "/mixed/odd"; upstream = "odd";
        request_headers = ( { name = "X_Client_Cert"; value = "100%% %{SSL_CLIENT_S_DN_CN}s/%{SSL_CLIENT_S_DN_L}s."; },
                            { name = "X-Absent"; value = "of %{SSL_CLIENT_S_DN_L}s"; },
                            { name = "X-Fixed"; value = "as it is"; } ); }"""


def add_host(text):
    def change(old):
        new = old.replace("hosts = (\n", "hosts = (\n" + text, 1)
        log = " ".join("|%%{%s}x" % n for n in LOGGED) + " %U"
        return re.sub(r'(?m)^  format = ".*";$', lambda m: f'  format = "{log}";', new, 1)
    return change


MODULES = [("mpm_event", "mpm_event"), ("ssl", "ssl"), ("headers", "headers"), ("socache_shmcb", "socache_shmcb"),
           ("authz_core", "authz_core")]


def start_apache():
    head = "".join(f"LoadModule {n}_module /usr/lib/apache2/modules/mod_{f}.so\n" for n, f in MODULES
                   if os.path.exists(f"/usr/lib/apache2/modules/mod_{f}.so"))
    sets = "".join('    Header always set %s "%%{%s}s"\n' % (header(i), n) for i, n in enumerate(APACHES + CIPHERS))
    legacy = "".join('    Header always set X-L-%d "%%{%s}s"\n' % (i, n) for i, n in enumerate(LEGACY))
    log = " ".join("|%%{%s}x" % n for n in LOGGED)
    with open(DIR + "/httpd.conf", "w") as f:
        f.write(f"""{head}
ServerRoot {DIR}
ServerName {HOST}
PidFile {DIR}/httpd.pid
DefaultRuntimeDir {DIR}
Listen {APACHE[0]}:{APACHE[1]}
DocumentRoot {DIR}
ErrorLog {DIR}/error.log
CustomLog {DIR}/access.log "{log} %U"
SSLSessionCache shmcb:{DIR}/cache(512000)
LimitRequestFields 200
<VirtualHost *:{APACHE[1]}>
    ServerName {HOST}
    SSLEngine on
    SSLCertificateFile {PKI}/server.crt
    SSLCertificateKeyFile {PKI}/server.key
    SSLCACertificateFile {PKI}/root.crt
    SSLVerifyClient optional
    SSLVerifyDepth 5
    SSLOptions +StdEnvVars +ExportCertData
    <Location "/">
{sets}    </Location>
    <Location "/legacy">
    SSLOptions +LegacyDNStringFormat
{legacy}    </Location>
</VirtualHost>
""")
    p = subprocess.Popen(["/usr/sbin/apache2", "-f", DIR + "/httpd.conf", "-DFOREGROUND"], stdout=subprocess.DEVNULL)

    def up():
        if p.poll() is not None:
            with open(DIR + "/error.log") as f:
                raise AssertionError("apache2 does not start: " + f.read())
        with contextlib.suppress(OSError):
            socket.create_connection(APACHE, 1).close()
            return True
    until(up)
    return p


def client(cert, version):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_NONE
    ctx.minimum_version = ctx.maximum_version = version
    ctx.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
    if cert:
        ctx.load_cert_chain(f"{DIR}/{cert}.pem")
    return ctx


def seen(s, names):
    """Values by name, of a head that was echoed or answered."""
    found = {}
    for line in s.split("\n"):
        m = re.match(r"X-V-(\d+): ?(.*)$", line.rstrip("\r"), re.I)
        if m and m.group(2) != "(null)":
            found[names[int(m.group(1))]] = m.group(2).rstrip(" ")
    return found


def ask_apache(ctx, path="/", session=None):
    with ctx.wrap_socket(socket.create_connection(APACHE, WAIT), server_hostname=HOST, session=session) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            data += s.recv(65536)
        return data.split(b"\r\n\r\n")[0].decode("latin-1"), s.session, s.session_reused, s.cipher()


def ask_us(ctx, path="/odd/echo", session=None, fields=()):
    with ctx.wrap_socket(tcp(), server_hostname=HOST, session=session) as s:
        s.sendall("\r\n".join([f"GET {path} HTTP/1.1", f"Host: {HOST}", *fields]).encode("latin-1") + b"\r\n\r\n")
        r = Reader(s).response()
        return r.body.decode("latin-1") if r.status == 200 else (r.status, r.reason()), s.session, s.session_reused, s.cipher()


def setUpModule():
    global certs, apache, before
    certs = pool()
    apache = start_apache()
    try:
        before = reconfigure(add_host(our_config(APACHES + CIPHERS + OURS, RULES)))
    except BaseException:
        tearDownModule()
        raise


def tearDownModule():
    if apache.poll() is None:
        apache.send_signal(signal.SIGTERM)
        apache.wait()
    if before:
        reconfigure(lambda _: before)
    shutil.rmtree(DIR)


before = None


class Views(Case):
    maxDiff = None

    def compare(self, cert, version):
        ours, theirs = client(cert, version), client(cert, version)
        sessions = [None, None]
        for resumed in (False, True):
            a, sessions[0], reused_a, cipher_a = ask_apache(theirs, session=sessions[0])
            b, sessions[1], reused_b, cipher_b = ask_us(ours, session=sessions[1])
            self.assertEqual((reused_a, reused_b), (resumed, resumed), (cert, version))
            a, b = seen(a, APACHES + CIPHERS), seen(b, APACHES + CIPHERS + OURS)
            with self.subTest(resumed=resumed):
                for values, cipher in ((a, cipher_a), (b, cipher_b)):
                    self.assertEqual([values.pop(n) for n in CIPHERS], [cipher[0], str(cipher[2]), str(cipher[2])])
                extra = {n: b.pop(n, None) for n in OURS}
                if cert and not resumed:
                    self.assertEqual(len(b.get("SSL_CLIENT_CERT_CHAIN_0", "")) > 100, True)
                if resumed:  # a ticket of Apache's has no chain in it; we still know it
                    b.pop("SSL_CLIENT_CERT_CHAIN_0", None)
                    b.pop("SSL_CLIENT_CERT_CHAIN_1", None)
                self.assertEqual({n: v for n, v in a.items() if b.get(n) != v}, {n: v for n, v in b.items() if a.get(n) != v})
                self.assertRegex(extra["SSL_SESSION_ID"] or "", r"^([0-9a-f]{64})?$")
                if cert:
                    self.ours(certs[cert], extra)

    def ours(self, c, got):
        der = c.public_bytes(serialization.Encoding.DER)
        spki = c.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.assertEqual(got["client.fp_sha1"], hashlib.sha1(der).hexdigest())
        self.assertEqual(got["client.fp_sha256"], hashlib.sha256(der).hexdigest())
        self.assertEqual(got["client.spki_sha256"], hashlib.sha256(spki).hexdigest())
        self.assertEqual(got["client.serial_dec"], str(c.serial_number))
        self.assertEqual(got["client.key_bits"], str(c.public_key().key_size))
        self.assertEqual(got["SSL_CLIENT_B64CERT"], base64.b64encode(der).decode())
        self.assertEqual(got["client.ski"], c.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest.hex())
        self.assertTrue(got["client.eku"].startswith("clientAuth"))

    def test_as_apache(self):
        for cert in [None, *certs]:
            for version in (TLS12, TLS13):
                with self.subTest(cert=cert, version=version):
                    self.compare(cert, version)

    def test_the_legacy_form(self):
        for cert in certs:
            ctx = client(cert, TLS13)
            a = dict(re.findall(r"(?mi)^X-L-(\d): ?(.*?)\r?$", ask_apache(ctx, "/legacy")[0]))
            b = seen(ask_us(ctx)[0], APACHES + CIPHERS + OURS)
            got = [b.get("client.subject_legacy"), b.get("client.issuer_legacy")]
            self.assertEqual(got, [a["0"].rstrip(" ") if a["0"] != "(null)" else None, a["1"]], cert)

    def test_in_the_access_log(self):
        def lines(path):
            with open(path) as f:
                return f.read().splitlines()
        for cert in [None, *certs]:
            mark = f"/odd/echo/log-{cert}/echo"
            ctx = client(cert, TLS13)
            ask_apache(ctx, mark)
            ask_us(ctx, mark)
            found = [until(lambda p=p: [x for x in lines(p) if x.endswith(" " + mark)])[0]
                     for p in (DIR + "/access.log", RUN + "/access.log")]
            self.assertEqual(found[0], found[1], cert)

    def test_what_apache_does_not_know(self):
        b = seen(ask_us(client("eidas", TLS13))[0], APACHES + CIPHERS + OURS)
        want = {"organization_id": "PSDDE-BAFIN-123456", "subject:2.5.4.97": "PSDDE-BAFIN-123456",
                "policies": "0.4.0.194112.1.4,1.3.6.1.4.1.99999.5", "policies_1": "1.3.6.1.4.1.99999.5",
                "eku": "clientAuth,1.3.6.1.4.1.99999.6",
                "qc_statements": "0.4.0.1862.1.1,0.4.0.1862.1.6,0.4.0.19495.2", "qc_types": "web",
                "psd2_roles": "PSP_PI,PSP_AI", "psd2_nca_name": "Bundesanstalt f\u00fcr X".encode().decode("latin-1"),
                "psd2_nca_id": "DE-BAFIN", "ext:1.3.6.1.4.1.99999.1": "t\u00e4xt".encode().decode("latin-1"),
                "ext:1.3.6.1.4.1.99999.2": "3003020105"}
        self.assertEqual({n: b.get("client." + n) for n in want}, want)
        b = seen(ask_us(client("san", TLS12))[0], APACHES + CIPHERS + OURS)
        self.assertEqual([b.get("client." + n) for n in ("san_uri", "san_uri_1", "san_ip")],
                         ["spiffe://td/a,b,urn:x:2", "urn:x:2", "10.1.2.3,2001:db8::1"])
        with open(PKI + "/server.crt", "rb") as f:
            server = x509.load_pem_x509_certificate(f.read())
        self.assertEqual(b["server.fp_sha256"], server.fingerprint(hashes.SHA256()).hex())

    def test_text_around_and_headers_left_out(self):
        text = ask_us(client("plain", TLS13), "/mixed/odd/echo", fields=["X-Client-Cert: forged", "x_absent: forged",
                                                                        "X-V-0: forged", "X-Other: stays"])[0]
        self.assertIn("X_Client_Cert: 100% plain/.", text)
        self.assertIn("X-Fixed: as it is", text)
        self.assertIn("X-Other: stays", text)
        self.assertNotIn("forged", text)
        self.assertNotIn("X-Absent", text)

    def test_rules(self):
        def answer(cert, path, version=TLS13):
            got = ask_us(client(cert, version), path)[0]
            return got if isinstance(got, tuple) else 200
        self.assertEqual(answer("plain", "/rule/odd/count"), 200)
        self.assertEqual(answer("utf8", "/rule/odd/count"), (403, "rule"))
        self.assertEqual(answer("p384", "/rule/odd/count"), (403, "rule"))
        self.assertEqual(answer(None, "/rule/odd/count"), (403, "cert_required"))
        self.assertEqual(answer("san", "/uri/odd/count"), 200)
        self.assertEqual(answer("plain", "/uri/odd/count"), (403, "rule"))
        self.assertEqual(answer(None, "/uri/odd/count"), (403, "rule"))
        # What was taken without being trusted cannot open a door by what it says of itself.
        self.assertEqual(answer("plain", "/taken/odd/count"), (403, "rule"))
        self.assertEqual(answer(None, "/tls13/odd/count"), 200)
        self.assertEqual(answer(None, "/tls13/odd/count", TLS12), (403, "rule"))

    def test_mistakes_are_said(self):
        def mistake(text, word):
            path = f"{DIR}/bad.conf"
            with open(RUN + "/sallyport.conf") as f:
                new = f.read().replace("X-Fixed", text[0], 1).replace("as it is", text[1], 1)
            with open(path, "w") as f:
                f.write(new)
            got = run(BUILD + "/control/sallyport", "-c", path, "--check", ok=False)
            self.assertNotEqual(got.returncode, 0)
            self.assertIn(word, got.stdout)
        mistake(("Host", "x"), "written by the appliance itself")
        mistake(("X-Y", "%{SSL_CLIENT_S_DN_XX}s"), "one of C, ST")
        mistake(("X-Y", "%{NOPE"), "begins %{NAME}s")
        mistake(("X-Absent", "x"), "twice")


if __name__ == "__main__":
    unittest.main(verbosity=2)
