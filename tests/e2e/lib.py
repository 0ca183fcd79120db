"""What the end-to-end tests share. They run in the demo's client namespace (tests/e2e/run.sh), against the
appliance at 10.77.0.1 with tests/e2e/e2e.conf."""

import contextlib
import json
import os
import re
import socket
import ssl
import subprocess
import time
import unittest

GATEWAY = ("10.77.0.1", 443)
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("DEMO_BUILD", TOP + "/build")
RUN = TOP + "/build/demo/run"
PKI = TOP + "/build/demo/pki"
# How long something may take that is not measured: a machine may be slow, and others work on it.
WAIT = 40.0
TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def run(*argv, ok=True, **more):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if ok and done.returncode != 0:
        raise AssertionError(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}")
    return done


def ctl(*argv, ok=True):
    """A command of sallyctl; its answer as data."""
    done = run(BUILD + "/control/sallyctl", "-s", RUN + "/control.sock", "--json", *argv, ok=ok)
    return json.loads(done.stdout) if done.stdout.strip() else {}


def counter(block, name):
    done = run(BUILD + "/control/sallyctl", "-s", RUN + "/control.sock", "stats", block)
    found = re.search(rf"^{name} +(\d+)", done.stdout, re.M)
    return int(found.group(1)) if found else 0


def until(what, seconds=WAIT, step=0.05):
    """Waits until what() is true; its value."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("did not come to pass in time")
        time.sleep(step)


def log_has(file, pattern, seconds=WAIT):
    """A line of a log that matches, waiting for it."""

    def look():
        with open(f"{RUN}/{file}", errors="replace") as f:
            return re.search(f"^.*{pattern}.*$", f.read(), re.M)

    return until(look, seconds).group(0)


def context(cert=None, version=None, key=None, verify=True):
    """An SSL context; `cert` is a name in the PKI or a path of a .crt beside its .key."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.load_verify_locations(PKI + "/root.crt")
    if not verify:
        ctx.check_hostname = False
        ctx.verify_mode = ssl.CERT_NONE
    if version:
        ctx.minimum_version = ctx.maximum_version = version
    if cert:
        path = cert if "/" in cert else f"{PKI}/{cert}.crt"
        ctx.load_cert_chain(path, key or path[:-4] + ".key")
    return ctx


def tcp(timeout=WAIT):
    s = socket.create_connection(GATEWAY, timeout=timeout)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def connect(host="gw.example", ctx=None, timeout=WAIT, **more):
    """A TLS connection; host is the server name."""
    return (ctx or context()).wrap_socket(tcp(timeout), server_hostname=host, **more)


def reconfigure(change):
    """Puts change(text) in the place of the configuration; the old text."""
    path = RUN + "/sallyport.conf"
    with open(path) as f:
        old = f.read()
    with open(path, "w") as f:
        f.write(change(old))
    done = ctl("reload", ok=False)
    if not done.get("ok"):
        with open(path, "w") as f:
            f.write(old)
        raise AssertionError(done)
    return old


def requests():
    """Requests that are being answered."""
    return sum(core["requests"] for core in ctl("status")["cores"])


@contextlib.contextmanager
def timeouts(**seconds):
    """Other times of waiting for clients, for as long as it lasts."""

    def change(text):
        for name, value in seconds.items():
            text, n = re.subn(rf"(?m)^(timeouts = .*\b{name} = )\d+", rf"\g<1>{value}", text)
            if n != 1:
                raise AssertionError(f"no timeouts.{name}")
        return text

    old = reconfigure(change)
    try:
        yield
    finally:
        reconfigure(lambda _: old)


def restart(change=None, tap=False):
    """The appliance again, by change(text) of its configuration: for what is fixed at start. tap: on a TAP device
    instead of a packet socket, for what the kernel does not leave alone on that."""
    env, conf = dict(os.environ), os.environ["DEMO_CONF"]
    if change or tap:
        env["DEMO_CONF"] = RUN + "/changed.conf"
        with open(conf) as f, open(env["DEMO_CONF"], "w") as to:
            text = f.read().replace("af_packet:gw0", "tap:gwtap0") if tap else f.read()
            to.write(change(text) if change else text)
    run(TOP + "/deploy/demo.sh", "restart", env=env)
    if tap:
        net = os.environ.get("DEMO_NS", "sallyport") + "-net"
        run("ip", "-n", net, "link", "set", "gwtap0", "master", "br0", "up")
    until(lambda: ctl("status", ok=False).get("ok"))
    for a in GATEWAY[0], "fd00:77::1":  # it may have another MAC address now
        run("ip", "neigh", "flush", "to", a)


class Response:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    def __getitem__(self, name):
        return self.fields.get(name.lower())

    def reason(self):
        found = re.search(rb"Reason: ([a-z_]+)", self.body)
        return found.group(1).decode() if found else None


class Reader:
    """Responses from a connection, read strictly: what is not as RFC 9112 has it fails."""

    def __init__(self, sock):
        self.sock, self.buf, self.eof = sock, b"", False

    def more(self):
        data = self.sock.recv(65536)
        self.eof = not data
        self.buf += data
        return bool(data)

    def line(self):
        while b"\r\n" not in self.buf:
            if not self.more():
                raise EOFError(f"connection closed, pending {self.buf[:200]!r}")
        line, self.buf = self.buf.split(b"\r\n", 1)
        return line

    def exactly(self, n):
        while len(self.buf) < n:
            if not self.more():
                raise EOFError(f"connection closed within a body, {n - len(self.buf)} bytes missing")
        data, self.buf = self.buf[:n], self.buf[n:]
        return data

    def body(self, status, fields, method):
        if method == "HEAD" or status < 200 or status in (204, 304):
            return b""
        if "chunked" in fields.get("transfer-encoding", ""):
            out = b""
            while True:
                n = int(self.line().split(b";")[0], 16)
                if n == 0:
                    while self.line():
                        pass
                    return out
                out += self.exactly(n)
                if self.exactly(2) != b"\r\n":
                    raise AssertionError("chunk without its end")
        if "content-length" in fields:
            return self.exactly(int(fields["content-length"]))
        while self.more():
            pass
        data, self.buf = self.buf, b""
        return data

    def response(self, method="GET"):
        found = re.fullmatch(rb"HTTP/1\.1 (\d\d\d) ?(.*)", self.line())
        if not found:
            raise AssertionError("no status line")
        fields = {}
        while True:
            line = self.line().decode("latin-1")
            if not line:
                break
            name, value = line.split(":", 1)
            name = name.lower()
            fields[name] = fields[name] + ", " + value.strip() if name in fields else value.strip()
        status = int(found.group(1))
        return Response(status, fields, self.body(status, fields, method))


def raw(data, host="gw.example", ctx=None, method="GET", timeout=WAIT):
    """Sends these bytes on a new connection; the first response."""
    with connect(host, ctx, timeout) as s:
        s.sendall(data)
        return Reader(s).response(method)


def get(path, host="gw.example", ctx=None, fields=(), method="GET", body=None, timeout=WAIT):
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *fields]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return raw("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b""), host, ctx, method, timeout)


class Case(unittest.TestCase):
    """Fails when the appliance said during the test that it found a bug of its own."""

    def setUp(self):
        self.bugs = int(ctl("status").get("bugs", 0))

    def tearDown(self):
        self.assertEqual(int(ctl("status").get("bugs", 0)), self.bugs, "the appliance noticed a bug of its own")
