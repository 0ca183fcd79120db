"""The soak's clients, its faults and its judgement. Runs in the client's namespace: soak.py SECONDS (run.sh)."""

import collections
import hashlib
import os
import random
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from lib import BUILD, RUN, TLS12, TLS13, Reader, context, ctl, run

SECONDS = int(sys.argv[1])
NS = os.environ["DEMO_NS"]
CONF = RUN + "/sallyport.conf"
CLIENT_S = 120.0  # a client that waits longer than this is stuck
SETTLE_S = 100  # TIME_WAIT and idle backend connections are over by then
# DELAY_US LOSS REORDER (per million) KBIT_S QUEUE, and how many seconds it lasts at most
PATHS = ((100, 0, 0, 500000, 1000, 60), (10000, 10000, 0, 200000, 400, 60), (20000, 0, 20000, 100000, 200, 60),
         (5000, 30000, 10000, 100000, 50, 40), (50000, 5000, 0, 50000, 100, 40), (0, 100000, 0, 100000, 100, 10),
         None)  # None: the line is cut for some seconds


class Count(collections.Counter):
    """What happened, and what should not have; any thread may write."""

    lock = threading.Lock()
    wrong = []

    def add(self, what, n=1):
        with self.lock:
            self[what] += n

    def bad(self, what):
        with self.lock:
            self.wrong.append(time.strftime("%H:%M:%S ") + what)
        print("WRONG:", what, flush=True)


count = Count()
stop = threading.Event()
mine = threading.local()  # .port: of the connection that this client made last
nginx_away = threading.Event()  # a backend that is gone may be told to clients
nginx_back_at = 0.0


def excused():
    """Backends were away a moment ago: an answer may be 502 or cut."""
    return nginx_away.is_set() or time.monotonic() - nginx_back_at < 30


def digest(data):
    return hashlib.sha256(data).hexdigest()


with open(RUN + "/www/1m.bin", "rb") as f:
    MEG = digest(f.read())
with open(RUN + "/www/1k.bin", "rb") as f:
    KAY = digest(f.read())
V6 = ("fd00:77::1", 443)


def open_tls(host="gw.example", ctx=None, session=None, to=("10.77.0.1", 443)):
    s = socket.create_connection(to, timeout=CLIENT_S)
    mine.port = s.getsockname()[1]
    return ctx.wrap_socket(s, server_hostname=host, session=session)


def fetch(s, r, path, want, host="gw.example"):
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    got = r.response()
    if got.status == 200 and digest(got.body) != want:
        count.bad(f"{path}: {len(got.body)} bytes that are not the file's")
    elif got.status != 200 and not (got.status in (502, 503, 504) and excused()):
        count.bad(f"{path}: {got.status} {got.reason()}")
    count.add(f"status {got.status}")
    count.add("bytes down", len(got.body))


def kept(version, to, path, want):
    ctx = context("good", version)

    def once():
        with open_tls(ctx=ctx, to=to) as s:
            r = Reader(s)
            for _ in range(random.randint(1, 40)):
                if stop.is_set():
                    return
                fetch(s, r, path, want)
                time.sleep(random.choice((0, 0, 0, 0.01, 0.5)))

    return once


def resumed():
    ctx, have = context("good", TLS12), [None]

    def once():
        with open_tls(ctx=ctx, session=have[0]) as s:
            count.add("resumed" if s.session_reused else "full")
            have[0] = s.session
            fetch(s, Reader(s), "/protected/protected.html", PAGE)

    return once


def echo():
    ctx = context("good", verify=False)

    def once():
        body = os.urandom(random.choice((1, 100, 5000, 70000, 400000)))
        with open_tls("odd.example", ctx) as s:
            s.sendall(f"POST /odd/echo HTTP/1.1\r\nHost: odd.example\r\nContent-Length: {len(body)}\r\n\r\n".encode())
            for i in range(0, len(body), 30000):
                s.sendall(body[i:i + 30000])
            got = Reader(s).response("POST")
            if got.status != 200 or got.body.split(b"\n\n", 1)[1] != body:
                count.bad(f"echo of {len(body)} bytes: {got.status} {len(got.body)}")
            count.add("bytes echoed", len(body))

    return once


def slow():
    """Reads a megabyte in small bites."""
    ctx = context("good", TLS13)

    def once():
        with socket.socket() as t:
            t.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            t.settimeout(CLIENT_S)
            t.connect(("10.77.0.1", 443))
            with ctx.wrap_socket(t, server_hostname="gw.example") as s:
                s.sendall(b"GET /1m.bin HTTP/1.1\r\nHost: gw.example\r\nConnection: close\r\n\r\n")
                data = b""
                while bite := s.recv(random.randint(1000, 60000)):
                    data += bite
                    time.sleep(0.01)
                if b" 200 " in data[:20] and digest(data.split(b"\r\n\r\n", 1)[1]) != MEG and not excused():
                    count.bad(f"slow reader: {len(data)} bytes that are not the file's")
                count.add("slow reads")

    return once


def rude():
    """Ends at any moment, with a FIN, a RST or nothing at all."""
    ctx = context("good")

    def once():
        t = socket.create_connection(("10.77.0.1", random.choice((443, 80))), timeout=CLIENT_S)
        if random.random() < 0.5:
            t.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        kind = random.randint(0, 4)
        if kind == 0:
            t.sendall(os.urandom(random.randint(0, 600)))
        elif kind == 1:
            t.sendall(b"\x16\x03\x01\x02\x00\x01" + os.urandom(random.randint(0, 400)))
        elif t.getpeername()[1] == 443:
            t = ctx.wrap_socket(t, server_hostname="gw.example")
            t.sendall(b"GET /1m.bin HTTP/1.1\r\nHost: gw.example\r\n\r\n")
            if kind == 3:
                t.recv(random.randint(1, 100000))
        time.sleep(random.choice((0, 0.01, 0.3)))
        t.close()
        count.add("rude clients")

    return once


def refused():
    """A certificate that is not good enough never gets the page."""
    bad = [context(c, v) for c in ("expired", "otherca") for v in (TLS12, TLS13)]

    def once():
        try:
            with open_tls(ctx=random.choice(bad)) as s:
                s.sendall(b"GET /protected/confidential.html HTTP/1.1\r\nHost: gw.example\r\n\r\n")
                got = Reader(s).response()
                count.bad(f"a bad certificate got {got.status}")
        except (ssl.SSLError, ConnectionError, EOFError):
            count.add("refused certificates")

    return once


def client(once):
    while not stop.is_set():
        try:
            once()
        except TimeoutError:
            if cut_since() > CLIENT_S:
                count.bad(f"{once.__qualname__}, port {mine.port}: nothing came for {CLIENT_S} s")
        except (OSError, EOFError, AssertionError) as e:
            count.add("cut off" if excused() else "cut off, backends there")
            if not excused() and once.__qualname__.split(".")[0] != "rude":
                count.bad(f"{once.__qualname__}, port {mine.port}: {e!r}")
            time.sleep(0.2)


# --- faults ---

path_process, cut_at = None, 0.0


def cut_since():
    return time.monotonic() - cut_at


def set_path(p):
    global path_process, cut_at
    if path_process:
        path_process.send_signal(signal.SIGTERM)
        path_process.wait()
        path_process = None
    if p:
        path_process = subprocess.Popen(("ip", "netns", "exec", NS + "-net", BUILD + "/tests/bench/bench-path",
                                         "br-client", "fwd0", *map(str, p)), stdout=subprocess.DEVNULL)
    else:
        cut_at = time.monotonic()


def faults():
    while not stop.is_set():
        p = random.choice(PATHS)
        set_path(p and p[:5])
        count.add("paths" if p else "cuts")
        stop.wait(random.uniform(5, p[5]) if p else random.uniform(0.5, 8))
    set_path(PATHS[0][:5])


def backends():
    """nginx goes away for some seconds now and then, or is told to take its configuration anew."""
    global nginx_back_at
    while not stop.wait(random.uniform(20, 60)):
        with open(RUN + "/nginx.pid") as f:
            pid = int(f.read())
        if random.random() < 0.5:
            os.kill(pid, signal.SIGHUP)
            count.add("nginx reloads")
            continue
        nginx_away.set()
        os.kill(pid, random.choice((signal.SIGTERM, signal.SIGQUIT)))
        time.sleep(random.uniform(1, 4))
        while os.path.exists(f"/proc/{pid}"):
            time.sleep(0.1)
        run("ip", "netns", "exec", NS + "-web", "nginx", "-e", RUN + "/nginx-error.log", "-c", RUN + "/nginx.conf")
        nginx_back_at = time.monotonic()
        nginx_away.clear()
        count.add("nginx restarts")


def reloads():
    with open(CONF) as f:
        good = f.read()
    for i in range(10**9):
        if stop.wait(2):
            break
        text = good
        if i % 3 == 1:
            text = re.sub(r"body_max = \"1k\"", f'body_max = "{1 + i % 7}k"', text)
        if i % 3 == 2:
            text = text.replace("max_depth = 2; on_bad", f"max_depth = {2 + i % 2}; on_bad")
        if i % 10 == 9:
            text = text[:random.randrange(len(text))] + "\n{"  # on a line of its own: the cut may lie in a comment
        with open(CONF, "w") as f:
            f.write(text)
        ok = ctl("reload", ok=False).get("ok")
        if bool(ok) != (i % 10 != 9):
            count.bad(f"reload {i}: {ok}")
        count.add("reloads" if ok else "reloads refused")
    with open(CONF, "w") as f:
        f.write(good)
    ctl("reload")


# --- judgement ---

WATCHED = ("tcp", "tcp_new", "time_wait", "clients", "requests", "backends_busy", "backends_idle", "buffers_free",
           "tls_heap_kb", "memory_used_kb", "peers")


def pools():
    total = collections.Counter()
    for core in ctl("status")["cores"]:
        for k in WATCHED:
            total[k] += core[k]
    with open(f"/proc/{ctl('status')['pid']}/status") as f:
        total["rss_kb"] = int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))
    return total


def line(what, p):
    print(f"{what:>8}", *(f"{k}={p[k]}" for k in WATCHED + ("rss_kb",)), flush=True)


def warm_up():
    """What is made at first use and kept is there before the first look."""
    for v in (TLS12, TLS13):
        for path in ("/1k.bin", "/tls/1k.bin"):
            with open_tls(ctx=context("good", v)) as s:
                fetch(s, Reader(s), path, KAY)


def settle(start):
    """Waits until everything is back; what is not, is wrong. Idle backend connections end after 30 s."""
    end = time.monotonic() + 200
    while True:
        now = pools()
        left = {k: (start[k], now[k]) for k in ("tcp", "tcp_new", "time_wait", "clients", "requests", "backends_busy",
                                                "backends_idle", "buffers_free", "memory_used_kb") if now[k] != start[k]}
        if not left and now["tls_heap_kb"] <= start["tls_heap_kb"] + 64:
            return now
        if time.monotonic() > end:
            count.bad(f"not as at the start (start, end): {left}, TLS heap {start['tls_heap_kb']} {now['tls_heap_kb']}")
            print(run(BUILD + "/control/sallyctl", "-s", RUN + "/control.sock", "connections").stdout)
            return now
        time.sleep(2)


with open(RUN + "/www/protected/protected.html", "rb") as f:
    PAGE = digest(f.read())


def main():
    set_path(PATHS[0][:5])
    time.sleep(1)
    warm_up()
    time.sleep(int(os.environ.get("SOAK_SETTLE", SETTLE_S)))
    start = pools()
    line("start", start)
    kinds = [kept(TLS13, ("10.77.0.1", 443), "/1k.bin", KAY), kept(TLS12, ("10.77.0.1", 443), "/1m.bin", MEG),
             kept(TLS13, V6, "/tls/1m.bin", MEG), kept(None, V6, "/protected/protected.html", PAGE),
             kept(TLS12, ("10.77.0.1", 443), "/tls/1k.bin", KAY), resumed(), resumed(), echo(), echo(), slow(), rude(),
             rude(), refused()]
    threads = [threading.Thread(target=client, args=(k,)) for k in kinds]
    threads += [threading.Thread(target=f) for f in (faults, backends, reloads)]
    for t in threads:
        t.start()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        time.sleep(min(60, max(1, end - time.monotonic())))
        line(f"{int(SECONDS - (end - time.monotonic()))} s", pools())
    stop.set()
    for t in threads:
        t.join()
    line("end", settle(start))
    for k in sorted(count):
        print(f"{k:>26}  {count[k]}")
    bugs = ctl("status").get("bugs", 0)
    if bugs:
        count.bad(f"the appliance noticed {bugs} bugs of its own")
    set_path(None)
    print(f"soak of {SECONDS} s: {len(count.wrong)} things wrong")
    return 1 if count.wrong else 0


sys.exit(main())
