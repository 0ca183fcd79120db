"""A backend that misbehaves on demand: the path says how. odd.py ADDRESS PORT"""

import hashlib
import socket
import socketserver
import struct
import sys
import threading
import time


def head(status="200 OK", *fields):
    return "\r\n".join([f"HTTP/1.1 {status}", *fields]).encode() + b"\r\n\r\n"


# What a request waits for until another one, to /go, says so.
gate = threading.Event()


class Odd(socketserver.StreamRequestHandler):
    def read_head(self):
        lines = []
        while True:
            line = self.rfile.readline()
            if line in (b"\r\n", b""):
                return lines
            lines.append(line.decode("latin-1").rstrip("\r\n"))

    def read_body(self, fields):
        if "transfer-encoding" in fields:
            out = b""
            while True:
                n = int(self.rfile.readline().split(b";")[0], 16)
                out += self.rfile.read(n)
                self.rfile.readline()
                if n == 0:
                    return out
        return self.rfile.read(int(fields.get("content-length", 0)))

    def handle(self):
        self.count = 0
        while True:
            lines = self.read_head()
            if not lines:
                return
            self.count += 1
            method, path, _ = lines[0].split(" ", 2)
            fields = {l.split(":", 1)[0].lower(): l.split(":", 1)[1].strip() for l in lines[1:]}
            what = path.rsplit("/", 1)[-1].split("?")[0]
            if not getattr(self, "do_" + what.replace("-", "_"))(method, lines, fields):
                return

    def send(self, *parts):
        for p in parts:
            self.wfile.write(p)
            self.wfile.flush()

    def do_echo(self, method, lines, fields):
        """The request as it came, head and body."""
        body = "\n".join(lines).encode("latin-1") + b"\n\n" + self.read_body(fields)
        self.send(head("200 OK", f"Content-Length: {len(body)}"), body if method != "HEAD" else b"")
        return True

    def do_late(self, method, lines, fields):
        """The body is not read until /go comes; then what it was."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
        self.wait()
        body = hashlib.sha256(self.read_body(fields)).hexdigest().encode()
        self.send(head("200 OK", f"Content-Length: {len(body)}"), body)
        return True

    def wait(self):
        gate.wait(30)
        gate.clear()

    def do_go(self, method, lines, fields):
        gate.set()
        self.send(head("200 OK", "Content-Length: 2"), b"ok")
        return True

    def do_halves(self, method, lines, fields):
        """One half; the other one when /go comes."""
        self.send(head("200 OK", "Content-Length: 10"), b"12345")
        self.wait()
        self.send(b"67890")
        return True

    def do_count(self, method, lines, fields):
        """How many requests came over this connection."""
        body = str(self.count).encode()
        self.send(head("200 OK", f"Content-Length: {len(body)}"), body)
        return True

    def do_chunked(self, method, lines, fields):
        self.send(head("200 OK", "Transfer-Encoding: chunked"))
        for i in range(5):
            self.send(b"5;ext=1\r\nhello\r\n")
        self.send(b"0\r\nX-Trailer: t\r\n\r\n")
        return True

    def do_until_close(self, method, lines, fields):
        self.send(head("200 OK"), b"all until the end")
        return False

    def do_cut(self, method, lines, fields):
        """Fewer bytes than announced."""
        self.send(head("200 OK", "Content-Length: 100"), b"short")
        return False

    def do_cut_chunk(self, method, lines, fields):
        self.send(head("200 OK", "Transfer-Encoding: chunked"), b"10\r\nabc")
        return False

    def do_garbage(self, method, lines, fields):
        self.send(b"\x00\x01\x02 this is not HTTP\r\n\r\n")
        return False

    def do_both(self, method, lines, fields):
        """Content-Length and Transfer-Encoding."""
        self.send(head("200 OK", "Content-Length: 3", "Transfer-Encoding: chunked"), b"3\r\nabc\r\n0\r\n\r\n")
        return False

    def do_silent(self, method, lines, fields):
        time.sleep(120)
        return False

    def do_nothing(self, method, lines, fields):
        return False

    def do_hints(self, method, lines, fields):
        """103 first, then 200 with what hop-by-hop fields are."""
        self.send(head("103 Early Hints", "Link: </a>"))
        self.send(head("200 OK", "Content-Length: 2", "Connection: keep-alive, X-Hop", "X-Hop: 1",
                       "Keep-Alive: timeout=5", "X-Stay: 1"), b"ok")
        return True

    def do_no_content(self, method, lines, fields):
        self.send(head("204 No Content"))
        return True

    def do_not_modified(self, method, lines, fields):
        self.send(head("304 Not Modified", "Content-Length: 1234", 'ETag: "x"'))
        return True

    def do_head_large(self, method, lines, fields):
        self.send(head("200 OK", "X-Large: " + "x" * 70000, "Content-Length: 0"))
        return False

    def do_early(self, method, lines, fields):
        """An answer before the body was read, then the end."""
        self.send(head("413 Content Too Large", "Content-Length: 4", "Connection: close"), b"big\n")
        time.sleep(0.3)
        return False

    def do_reset(self, method, lines, fields):
        """A whole answer of ?SIZE[,SECONDS] bytes, and then a RST: the kernel's when something is left unread, or a server's own."""
        n, _, seconds = lines[0].split(" ")[1].rsplit("?", 1)[1].partition(",")
        n = int(n)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send(head("413 Content Too Large", f"Content-Length: {n}") + b"r" * n)
        time.sleep(float(seconds or 0))
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        return False

    def do_slow(self, method, lines, fields):
        self.send(head("200 OK", "Content-Length: 10"))
        for _ in range(10):
            time.sleep(0.3)
            self.send(b".")
        return True

    def do_stale(self, method, lines, fields):
        """One answer, then the connection is gone without a word."""
        self.send(head("200 OK", "Content-Length: 5"), b"stale")
        return False


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


with Server((sys.argv[1], int(sys.argv[2])), Odd) as server:
    server.serve_forever()
