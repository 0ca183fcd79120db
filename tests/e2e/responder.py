"""OCSP for the end-to-end tests: the responder (ocspd.py) runs beside the appliance, in its namespace."""

import os
import re
import shutil
import subprocess
import time

from lib import PKI, RUN, TOP, WAIT, Case, reconfigure, run, until

DIR = RUN + "/ocsp"
PORT = 8765
URL = f"http://127.0.0.1:{PORT}/"


def serial(cert):
    """Of the first certificate in a file of the PKI, as openssl's list has it."""
    text = run("openssl", "x509", "-in", cert if cert.startswith("/") else f"{PKI}/{cert}" + ("" if cert.endswith(".one") else ".crt"), "-noout", "-serial").stdout
    return text.strip().split("=")[1]


def put(name, text):
    with open(f"{DIR}/{name}.new", "w") as f:
        f.write(text)
    os.rename(f"{DIR}/{name}.new", f"{DIR}/{name}")


class Responder:
    def __init__(self):
        shutil.rmtree(DIR, ignore_errors=True)
        os.makedirs(DIR)
        for name, source in (("ca.pem", "ca/intermediate.one"), ("signer.pem", "ca/intermediate.one"),
                             ("signer.key", "intermediate.key"), ("root.pem", "root.crt"), ("root.key", "root.key")):
            shutil.copy(f"{PKI}/{source}", f"{DIR}/{name}")
        put("upper", serial("ca/intermediate.one"))
        put("index.attr", "unique_subject = no\n")
        self.process = None
        self.mode("good")
        self.revoke()
        self.start()

    def start(self):
        ns = os.environ.get("DEMO_NS", "sallyport") + "-net"
        self.process = subprocess.Popen(["ip", "netns", "exec", ns, "/usr/bin/python3", TOP + "/tests/e2e/ocspd.py", DIR,
                                         str(PORT), PKI + "/ca"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: subprocess.run(["ip", "netns", "exec", ns, "nc", "-z", "127.0.0.1", str(PORT)]).returncode == 0)

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None

    def mode(self, text):
        put("mode", text)

    def minutes(self, n):
        """From thisUpdate to nextUpdate; None: no nextUpdate."""
        if n is None:
            if os.path.exists(DIR + "/minutes"):
                os.unlink(DIR + "/minutes")
        else:
            put("minutes", str(n))

    def revoke(self, *certs, forget=()):
        """These are revoked, for a compromised key; nothing is known of those in `forget`."""
        when = time.strftime("%y%m%d%H%M%SZ", time.gmtime(time.time() - 60))
        gone, lost = {serial(c) for c in certs}, {serial(c) for c in forget}
        lines = []
        with open(PKI + "/ca/index.txt") as f:
            made = f.readlines()
        for line in made:
            part = line.rstrip("\n").split("\t")
            if part[3] in lost:
                continue
            if part[3] in gone:
                part[0], part[2] = "R", when + ",keyCompromise"
            lines.append("\t".join(part) + "\n")
        put("index", "".join(lines))

    def delegate(self):
        """From now on a delegate signs, with a certificate for that."""
        run("bash", "-c", f"""cd {DIR} && openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out d.key &&
            openssl req -new -key d.key -subj '/CN=Demo responder' -out d.csr &&
            openssl x509 -req -in d.csr -CA {PKI}/ca/intermediate.one -CAkey {PKI}/intermediate.key -set_serial 77 -days 2 \
                -extfile <(printf 'extendedKeyUsage=OCSPSigning\\nkeyUsage=digitalSignature\\n') -out d.pem &&
            mv d.pem signer.pem && mv d.key signer.key""")

    def asked(self):
        try:
            with open(DIR + "/log") as f:
                return len(f.readlines())
        except FileNotFoundError:
            return 0


class ResponderCase(Case):
    """With a responder that answers "good" when a test begins. A test that changes the configuration keeps it in `old`."""

    @classmethod
    def setUpClass(cls):
        cls.responder = Responder()

    @classmethod
    def tearDownClass(cls):
        cls.responder.stop()

    def setUp(self):
        super().setUp()
        self.old = None
        self.responder.mode("good")
        self.responder.minutes(60)
        self.responder.revoke()
        if not self.responder.process:
            self.responder.start()

    def tearDown(self):
        if self.old:
            reconfigure(lambda _: self.old)
        super().tearDown()


def status(version, host="gw.example", more=()):
    """What openssl s_client -status says: "good", "revoked" or None for no response."""
    done = subprocess.run(["openssl", "s_client", "-connect", "10.77.0.1:443", "-servername", host, "-CAfile",
                           PKI + "/root.crt", "-status", version, *more], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=WAIT)
    text = done.stdout + done.stderr
    if "OCSP response: no response sent" in text:
        return None
    found = re.search(r"Cert Status: (\w+)", text)
    if not found or "OCSP Response Status: successful" not in text:
        raise AssertionError(text)
    return found.group(1)
