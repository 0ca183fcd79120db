#!/usr/bin/env python3
"""The control process from outside: options, exit codes, signals, socket, logs.

usage: daemon.py SALLYPORT SALLYCTL SOURCE_ROOT    (SALLYPORT is linked with the fake data plane)
"""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

SALLYPORT, SALLYCTL = (os.path.abspath(path) for path in sys.argv[1:3])
ROOT = pathlib.Path(sys.argv[3])
FILES = ("ca.pem", "be.pem", "gw.pem", "gw.key", "c.pem", "c.key")
CONF = """
cores = 1;
ports = ( { device = "tap:t0"; addresses = "10.77.0.1/24"; } );
control = { socket = "c.sock"; };
trust = ( { name = "staff"; anchors = "ca.pem"; }, { name = "backends"; anchors = "be.pem"; } );
identities = ( { name = "gw"; cert = "gw.pem"; key = "gw.key"; }, { name = "c"; cert = "c.pem"; key = "c.key"; } );
listeners = ( { address = "10.77.0.1:443"; } );
hosts = ( { name = "gw.example"; identities = "gw"; client_cert = { mode = "optional"; trust = "staff"; };
  locations = ( { path = "/"; upstream = "web"; } ); } );
upstreams = ( { name = "web"; tls = { identity = "c"; trust = "backends"; }; members = ( { address = "10.77.0.11:443"; } ); } );
access_log = { path = "a.log"; format = "%r %>s"; };
error_log = { path = "e.log"; };
timeouts = { drain = 7; };
"""


def wait_for(what, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.01)
    return False


class Site(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.TemporaryDirectory()
        self.dir = pathlib.Path(self.tmp.name)
        for name in FILES:
            (self.dir / name).write_text(name)
        self.conf(CONF)
        self.process = None

    def tearDown(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process:
            self.process.stdout.close()
            self.process.stderr.close()
        self.tmp.cleanup()

    def conf(self, text):
        (self.dir / "sp.conf").write_text(text)

    def sallyport(self, *args):
        return subprocess.run([SALLYPORT, *args], capture_output=True, text=True, timeout=60)

    def ctl(self, *args, sock="c.sock"):
        return subprocess.run([SALLYCTL, "-s", str(self.dir / sock), *args], capture_output=True, text=True,
                              timeout=60, cwd=self.dir)

    def start(self, **env):
        if self.process:
            self.process.stdout.close()
            self.process.stderr.close()
        self.process = subprocess.Popen([SALLYPORT, "-c", str(self.dir / "sp.conf")], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env={**os.environ, **env})
        line = self.process.stdout.readline()
        self.assertEqual(line, "sallyport: ready, 1 core, listening on 10.77.0.1:443\n")

    def end(self):
        return self.process.wait(timeout=60)

    def log(self, name):
        return (self.dir / name).read_text()


class Options(Site):
    def test_version_and_help(self):
        r = self.sallyport("--version")
        self.assertEqual((r.returncode, r.stdout), (0, "sallyport 0.1.0\nfake 1.0\n"))
        self.assertIn("verbose", self.sallyport("--version", "--verbose").stdout)
        r = self.sallyport("--help")
        self.assertEqual(r.returncode, 0)
        self.assertIn("--check", r.stdout)

    def test_unknown_options(self):
        for args in ([], ["--chek"], ["-c"], ["-c", "x", "y"], ["--check"], ["--version", "-c", "x"]):
            r = self.sallyport(*args)
            self.assertEqual(r.returncode, 2, args)
            self.assertIn("usage:", r.stderr)

    def test_the_manual_is_current(self):
        r = self.sallyport("--help-config")
        self.assertEqual(r.returncode, 0)
        page = (ROOT / "docs" / "configuration.md").read_text()
        self.assertEqual(page, r.stdout, "docs/configuration.md is old: ninja -C build docs")

    def test_check(self):
        r = self.sallyport("-c", str(self.dir / "sp.conf"), "--check")
        self.assertEqual((r.returncode, r.stdout, r.stderr), (0, "configuration ok\n", ""))
        self.conf(CONF.replace("poll", "") + "\ncorse = 1;\nmin_rsa_bits = 5;\n")
        (self.dir / "ca.pem").write_text("bad")
        r = self.sallyport("-c", str(self.dir / "sp.conf"), "--check")
        self.assertEqual((r.returncode, r.stdout), (1, ""))
        self.assertIn('sp.conf:15: corse: unknown key (did you mean "cores"?)\n', r.stderr)
        self.assertIn("sp.conf:16: min_rsa_bits: 5 is below 1024\n", r.stderr)
        self.assertIn("ca.pem:1: fake: this file is bad\n", r.stderr)
        self.assertIn("3 mistakes\n", r.stderr)

    def test_the_example_is_good_apart_from_its_files(self):
        r = self.sallyport("-c", str(ROOT / "deploy" / "sallyport.conf.example"), "--check")
        self.assertEqual(r.returncode, 1)
        lines = [l for l in r.stderr.splitlines() if not l.endswith("mistakes")]
        self.assertEqual(len(lines), 7, r.stderr)
        for line in lines:
            self.assertIn("No such file or directory", line)
        folder = self.dir / "pki"
        folder.mkdir()
        text = (ROOT / "deploy" / "sallyport.conf.example").read_text()
        self.conf(text)
        for name in ("clients-root.pem", "clients-int.pem", "backends-root.pem", "gw.pem", "gw.key",
                     "gw-client.pem", "gw-client.key"):
            (folder / name).write_text(name)
        r = self.sallyport("-c", str(self.dir / "sp.conf"), "--check")
        self.assertEqual((r.returncode, r.stderr), (0, ""))


class Starting(Site):
    def test_mistakes_end_it(self):
        self.conf(CONF + "corse = 1;\n")
        r = self.sallyport("-c", str(self.dir / "sp.conf"))
        self.assertEqual((r.returncode, r.stdout), (1, ""))
        self.assertIn("corse: unknown key", r.stderr)

    def test_a_data_plane_that_does_not_start(self):
        r = subprocess.run([SALLYPORT, "-c", str(self.dir / "sp.conf")], capture_output=True, text=True,
                           env={**os.environ, "FAKE_START_FAILS": "1"}, timeout=60)
        self.assertEqual((r.returncode, r.stdout), (3, ""))
        self.assertIn("fake: no such device", r.stderr)
        self.assertFalse((self.dir / "c.sock").exists())

    def test_the_service_manager_is_told(self):
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        manager.bind(str(self.dir / "notify"))
        manager.settimeout(60)
        self.start(NOTIFY_SOCKET=str(self.dir / "notify"))
        self.assertEqual(manager.recv(100), b"READY=1")
        self.process.send_signal(signal.SIGHUP)
        self.assertTrue(manager.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC="))
        self.assertEqual(manager.recv(100), b"READY=1")
        self.process.send_signal(signal.SIGTERM)
        self.assertEqual(manager.recv(100), b"STOPPING=1")
        self.assertEqual(self.end(), 0)
        manager.close()


class Running(Site):
    def generation(self):
        return json.loads(self.ctl("--json", "status").stdout)["generation"]

    def test_commands(self):
        self.start()
        r = self.ctl("status")
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        self.assertIn("state               running\n", r.stdout)
        self.assertIn("10.77.0.1:443", r.stdout)
        self.assertIn("resets", self.ctl("stats", "tcp", "0").stdout)
        self.assertIn('name = "gw.example";', self.ctl("config").stdout)
        r = self.ctl("reload")
        self.assertEqual((r.returncode, r.stdout.split()[:2]), (0, ["generation", "2"]))
        self.assertIn("fake 1.0\nverbose\n", self.ctl("version", "verbose").stdout)
        self.assertEqual(self.ctl("check").returncode, 0)
        self.assertEqual(self.ctl("help").returncode, 0)

    def test_refusals(self):
        self.start()
        self.conf(CONF + "corse = 1;\n")
        r = self.ctl("reload")
        self.assertEqual((r.returncode, r.stdout), (1, ""))
        self.assertEqual(r.stderr, f'{self.dir}/sp.conf:14: corse: unknown key (did you mean "cores"?)\n')
        r = self.ctl("--json", "reload")
        self.assertEqual((r.returncode, json.loads(r.stdout)["ok"]), (1, False))
        self.assertEqual(self.ctl("relaod").returncode, 2)
        self.assertEqual(self.ctl("status", "x").returncode, 2)
        self.assertEqual(self.ctl("--what").returncode, 2)
        self.assertEqual(self.ctl().returncode, 2)
        self.assertEqual(self.ctl("stats", "tcp", "x").returncode, 1)
        self.assertEqual(self.ctl("status", sock="nobody").returncode, 3)
        self.assertEqual(self.generation(), 1)

    def test_another_file(self):
        self.start()
        (self.dir / "b.conf").write_text(CONF)
        self.assertEqual(self.ctl("reload", "b.conf").returncode, 0)
        self.assertTrue(json.loads(self.ctl("--json", "status").stdout)["file"].endswith("/b.conf"))

    def test_hangup_reads_the_file_and_opens_the_logs(self):
        self.start()
        self.assertTrue(wait_for(lambda: "GET /fake HTTP/1.1 200\n" in self.log("a.log")))
        self.assertIn("PEER fake.adopted n=7", self.log("e.log"))
        (self.dir / "a.log").rename(self.dir / "a.1")
        self.process.send_signal(signal.SIGHUP)
        self.assertTrue(wait_for(lambda: (self.dir / "a.log").exists()))
        self.assertTrue(wait_for(lambda: self.generation() == 2))
        self.conf("corse = 1;")
        self.process.send_signal(signal.SIGHUP)
        self.assertTrue(wait_for(lambda: "reload.refused" in self.log("e.log")))
        self.assertEqual(self.generation(), 2)

    def test_reopen(self):
        self.start()
        (self.dir / "a.log").rename(self.dir / "a.1")
        self.assertEqual(self.ctl("reopen").returncode, 0)
        self.assertTrue((self.dir / "a.log").exists())

    def test_logs_are_not_written_later_than_they_may(self):
        self.start()
        self.assertTrue(wait_for(lambda: "GET /fake" in self.log("a.log")))


class Stopping(Site):
    def test_terminate(self):
        for how in (signal.SIGTERM, signal.SIGINT):
            self.start()
            self.process.send_signal(how)
            self.assertEqual(self.end(), 0)
            self.assertFalse((self.dir / "c.sock").exists())
            self.assertIn("INFO stop.begun deadline_ms=7000\n", self.log("e.log"))
            self.assertIn('INFO stop.done connections="all finished"\n', self.log("e.log"))
            self.tearDown()
            self.setUp()

    def test_status_while_draining_and_a_second_signal(self):
        self.start(FAKE_STOP_MS="100000")
        self.process.send_signal(signal.SIGTERM)
        self.assertTrue(wait_for(lambda: "draining" in self.ctl("status").stdout))
        self.assertEqual(self.ctl("reload").returncode, 1)
        self.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.end(), 4)
        self.assertFalse((self.dir / "c.sock").exists())

    def test_stop_waits_for_the_end(self):
        self.start(FAKE_STOP_MS="300")
        r = self.ctl("stop", "2s")
        self.assertEqual(r.returncode, 0)
        self.assertIn("2000", r.stdout)
        self.assertIn("INFO stop.done", self.log("e.log"))  # by now
        self.assertEqual(self.end(), 0)

    def test_a_socket_left_behind_is_no_obstacle(self):
        self.start()
        self.process.kill()
        self.end()
        self.assertTrue((self.dir / "c.sock").exists())
        self.start()
        r = self.sallyport("-c", str(self.dir / "sp.conf"))
        self.assertEqual(r.returncode, 3)
        self.assertIn("another process listens there", r.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
