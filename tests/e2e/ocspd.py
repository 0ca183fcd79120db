"""An OCSP responder that does what it is told, openssl's answers under it:  ocspd.py DIR PORT PKI

DIR/mode says how: "good" (as openssl answers), "short 3" (good, for so many seconds), "wait" (good,
once the mode is another one), "garbage", "error" (HTTP 500), "later" (OCSP
tryLater), "other" (the last good answer for whatever was asked), "hang". DIR/index: openssl's list; DIR/signer.pem and
.key sign. DIR/log has a line for each request.
"""

import datetime
import http.server
import os
import socketserver
import subprocess
import sys
import tempfile
import time

DIR, PORT, PKI = sys.argv[1], int(sys.argv[2]), sys.argv[3]
LAST = [b""]


def answer(request):
    with tempfile.TemporaryDirectory() as t:
        with open(t + "/q", "wb") as f:
            f.write(request)
        days = ["-nmin", open(DIR + "/minutes").read().strip()] if os.path.exists(DIR + "/minutes") else []
        # DIR/upper: serial number of the issuer itself, whom the root answers for
        upper = bytes.fromhex(open(DIR + "/upper").read().strip()) in request
        ca, signer = ("root", "root") if upper else ("ca", "signer")
        subprocess.run(["openssl", "ocsp", "-index", DIR + "/index", "-CA", f"{DIR}/{ca}.pem", "-rsigner",
                        f"{DIR}/{signer}.pem", "-rkey", f"{DIR}/{signer}.key", "-reqin", t + "/q", "-respout", t + "/a",
                        *days], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(t + "/a", "rb") as f:
            return f.read()


def short(request, seconds):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509 import ocsp
    q = ocsp.load_der_ocsp_request(request)
    ca = x509.load_pem_x509_certificate(open(DIR + "/signer.pem", "rb").read())
    key = serialization.load_pem_private_key(open(DIR + "/signer.key", "rb").read(), None)
    for name in os.listdir(PKI):
        if name.endswith(".one"):
            cert = x509.load_pem_x509_certificate(open(f"{PKI}/{name}", "rb").read())
            if cert.serial_number == q.serial_number:
                break
    now = datetime.datetime.utcnow().replace(microsecond=0)
    b = ocsp.OCSPResponseBuilder().add_response(cert, ca, hashes.SHA1(), ocsp.OCSPCertStatus.GOOD, now,
                                                now + datetime.timedelta(seconds=seconds), None, None)
    return b.responder_id(ocsp.OCSPResponderEncoding.NAME, ca).sign(key, hashes.SHA256()).public_bytes(
        serialization.Encoding.DER)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        mode = open(DIR + "/mode").read().split()
        request = self.rfile.read(int(self.headers["Content-Length"]))
        with open(DIR + "/log", "a") as f:
            f.write(f"{mode[0]} {self.headers['Content-Type']} {len(request)}\n")
        body, status = b"", 200
        if mode[0] == "hang":
            time.sleep(60)
        while mode[0] == "wait" and open(DIR + "/mode").read().split() == mode:
            time.sleep(0.02)
        if mode[0] == "garbage":
            body = b"\x30\x82\x01\x00<html>this is not what you look for</html>" + os.urandom(200)
        elif mode[0] == "error":
            status, body = 500, b"out of order"
        elif mode[0] == "later":
            body = b"\x30\x03\x0a\x01\x03"
        elif mode[0] == "short":
            body = short(request, int(mode[1]))
        elif mode[0] == "other":
            body = LAST[0]
        else:
            body = LAST[0] = answer(request)
        self.send_response(status)
        self.send_header("Content-Type", "application/ocsp-response")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True


Server(("127.0.0.1", PORT), Handler).serve_forever()
