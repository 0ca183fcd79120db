"""Control while traffic flows: reloads, broken files, logs, signals, the end."""

import ctypes
import datetime
import os
import random
import re
import signal
import threading
import unittest

from lib import BUILD, RUN, TOP, Case, Reader, connect, context, ctl, get, log_has, requests, run, until

CONF = RUN + "/sallyport.conf"
RELOADS = int(os.environ.get("E2E_RELOADS", "2000"))


def pid():
    with open(RUN + "/sallyport.pid") as f:
        return int(f.read())


def core_thread(number):
    """The thread of the process that is the first core."""
    for tid in os.listdir(f"/proc/{number}/task"):
        with open(f"/proc/{number}/task/{tid}/comm") as f:
            if re.search("worker|lcore", f.read()):
                return int(tid)
    raise AssertionError("no thread of a core")


class Stopped:
    """One thread of a process stands still, as it does when others have all CPUs."""

    SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17

    def __init__(self, tid):
        self.tid = tid

    def trace(self, what):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        if libc.ptrace(what, self.tid, None, None) != 0:
            raise OSError(ctypes.get_errno(), f"ptrace {what:#x}")

    def __enter__(self):
        try:
            self.trace(self.SEIZE)
        except PermissionError:
            raise unittest.SkipTest("no ptrace here")
        self.trace(self.INTERRUPT)
        os.waitpid(self.tid, 0x40000000)  # __WALL

    def __exit__(self, *_):
        self.trace(self.DETACH)


class Load:
    """Clients that ask all the time, on kept and on new connections; what went wrong is in .errors."""

    def __init__(self, kept=4, fresh=2):
        self.stop, self.errors, self.done = False, [], 0
        self.threads = [threading.Thread(target=self.keep) for _ in range(kept)]
        self.threads += [threading.Thread(target=self.renew) for _ in range(fresh)]

    def keep(self):
        try:
            with connect(ctx=context("good")) as s:
                r = Reader(s)
                while not self.stop:
                    s.sendall(b"GET /protected/protected.html HTTP/1.1\r\nHost: gw.example\r\n\r\n")
                    got = r.response()
                    if got.status != 200:
                        self.errors.append(got.status)
                    self.done += 1
        except Exception as e:
            self.errors.append(repr(e))

    def renew(self):
        ctx = context("good")
        try:
            while not self.stop:
                got = get("/main.html", ctx=ctx)
                if got.status != 200:
                    self.errors.append(got.status)
                self.done += 1
        except Exception as e:
            self.errors.append(repr(e))

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stop = True
        for t in self.threads:
            t.join()


class Reloads(Case):
    def test_a_many_reloads_lose_nothing(self):
        before = ctl("status")["generation"]
        with Load() as load:
            for _ in range(RELOADS):
                self.assertTrue(ctl("reload")["ok"])
        self.assertEqual(load.errors, [])
        self.assertGreater(load.done, RELOADS // 10)
        self.assertEqual(ctl("status")["generation"], before + RELOADS)
        until(lambda: ctl("status")["generations_in_use"] == 1)

    def broken(self):
        """50 ways of being wrong: some by hand, the rest the good file with a piece cut out or changed."""
        with open(CONF) as f:
            good = f.read()
        swap = [("mode = \"optional\"", "mode = \"perhaps\""), ("max_depth = 2", "max_depth = 99"),
                ("upstream = \"plain\"", "upstream = \"nowhere\""), ("cores = 1;", "cores = one;"),
                ("server.key", "good.key"), ("server.crt", "missing.crt"), ("root.crt", "good.key"),
                ("10.77.0.11:80", "10.77.0.11"), ("10.77.0.11:80", "web.example:80"), ("listeners", "listener"),
                ("default_host = \"gw.example\"", "default_host = \"other.example\""), ("name = \"gw\"", "nom = \"gw\""),
                ("path = \"/\"", "path = \"x\""), ("header = 60", "header = \"soon\""), ("retry = 1", "retry = -1"),
                ("%h %t", "%h %Q"), ("mode = \"require\"", "mode = 1"), ("tls = false", "tls = \"no\""),
                ("identities = [ \"gw\" ]", "identities = [ \"none\" ]"), ("weight = 3", "weight = 3.5"),
                ("trust = [ \"clients\" ]", "trust = [ ]"), ("hosts = (", "hosts = ("  "\n{ name = \"gw.example\"; },")]
        out = ["", "{", "\0" * 100, "cores = ;", good + good, good[: len(good) // 2], "@include \"/nonexistent\"\n"]
        for old, new in swap:
            self.assertIn(old, good)
            out.append(good.replace(old, new, 1))
        rng = random.Random(7)
        # Not in comments, nor in the log's format, where nearly everything means something.
        marks = [m.start() for m in re.finditer(r'[{}"()=]', re.sub(r"#.*|format = .*", lambda m: " " * len(m.group(0)), good))]
        while len(out) < 50:
            at = rng.choice(marks)
            out.append(good[:at] + rng.choice(["", "}" + good[at] + "{", "= ="]) + good[at + 1:])
        return good, out

    def test_b_broken_files_change_nothing(self):
        good, files = self.broken()
        before, config = ctl("status")["generation"], run(*self.sallyctl("config")).stdout
        with Load(2, 1) as load:
            for i, text in enumerate(files):
                path = f"{RUN}/broken.conf"
                with open(path, "w") as f:
                    f.write(text)
                done = run(*self.sallyctl("reload", path), ok=False)
                self.assertNotEqual(done.returncode, 0, f"file {i} was taken")
                self.assertRegex(done.stdout, r"(?m)^/\S+(:\d+)?: ", i)
        self.assertEqual(load.errors, [])
        self.assertEqual(ctl("status")["generation"], before)
        self.assertEqual(run(*self.sallyctl("config")).stdout, config)
        os.unlink(path)

    def sallyctl(self, *argv):
        return (BUILD + "/control/sallyctl", "-s", RUN + "/control.sock", *argv)

    def test_c_a_core_that_has_no_cpu_is_late(self):
        """What was handed to the cores cannot be taken back: it is in force, and the operator is told of who is late."""
        before = ctl("status")["generation"]
        with Stopped(core_thread(pid())):
            done = ctl("reload")
            self.assertEqual((done["ok"], done["generation"], done["effect_cores_left"]), (True, before + 1, 1))
            self.assertIn("1 of 1 cores did not take the new configuration", done["warnings"][0]["what"])
            self.assertEqual((ctl("status")["generation"], ctl("status")["generations_in_use"]), (before + 1, 2))
            log_has("error.log", f"OPER generation.late gen={before + 1} cores=1$")
        log_has("error.log", "OPER generation.taken cores=all$")
        self.assertEqual(get("/health").status, 200)
        until(lambda: ctl("status")["generations_in_use"] == 1)

    def test_c_policy_changes_at_once(self):
        """The next request on an open connection meets the new rules."""
        with open(CONF) as f:
            good = f.read()
        try:
            with connect() as s:
                r = Reader(s)
                ask = b"GET /main.html HTTP/1.1\r\nHost: gw.example\r\n\r\n"
                s.sendall(ask)
                self.assertEqual(r.response().status, 200)
                with open(CONF, "w") as f:
                    f.write(good.replace('{ path = "/";          upstream = "plain"; },',
                                         '{ path = "/"; upstream = "plain"; require = "cert"; },', 1))
                self.assertTrue(ctl("reload")["ok"])
                s.sendall(ask)
                self.assertEqual(r.response().status, 403)
        finally:
            with open(CONF, "w") as f:
                f.write(good)
            self.assertTrue(ctl("reload")["ok"])

    def test_d_hup(self):
        before = ctl("status")["generation"]
        os.kill(pid(), signal.SIGHUP)
        until(lambda: ctl("status")["generation"] == before + 1)

    def test_e_logs_move(self):
        os.rename(RUN + "/access.log", RUN + "/access.log.1")
        ctl("reopen")
        get("/health", fields=["User-Agent: after-the-move"])
        log_has("access.log", "after-the-move")


class Stop(unittest.TestCase):
    """The last one: it starts the appliance again."""

    def again(self):
        run(TOP + "/deploy/demo.sh", "restart")

    def last(self, event):
        """When that was said, the last time."""
        with open(RUN + "/error.log") as f:
            found = re.findall(rf"^(\S+) \S+ {re.escape(event)}$", f.read(), re.M)
        return datetime.datetime.fromisoformat(found[-1].replace("Z", "+00:00"))

    def test_a_term_finishes_what_runs(self):
        number = pid()
        with connect("odd.example", context(verify=False)) as s, connect() as idle:
            idle.sendall(b"GET /health HTTP/1.1\r\nHost: gw.example\r\n\r\n")
            self.assertEqual(Reader(idle).response().status, 200)
            s.sendall(b"GET /odd/slow HTTP/1.1\r\nHost: odd.example\r\n\r\n")
            until(lambda: requests() == 1)
            os.kill(number, signal.SIGTERM)
            self.assertEqual(Reader(s).response().body, b"." * 10)
            self.assertEqual(idle.recv(10), b"")
        until(lambda: not os.path.exists(f"/proc/{number}"))
        self.again()
        self.assertEqual(get("/health").status, 200)

    def test_b_stop_has_a_deadline(self):
        number = pid()
        with connect("odd.example", context(verify=False)) as s:
            s.sendall(b"GET /odd/silent HTTP/1.1\r\nHost: odd.example\r\n\r\n")
            until(lambda: requests() == 1)
            ctl("stop", "1", ok=False)
            until(lambda: not os.path.exists(f"/proc/{number}"))
            begun, done = (self.last(what) for what in ("stop.begun deadline_ms=1000", 'stop.done connections="aborted at the deadline"'))
            self.assertGreaterEqual((done - begun).total_seconds(), 0.9)
        self.again()


if __name__ == "__main__":
    unittest.main(verbosity=2)
