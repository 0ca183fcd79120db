"""Keys of session tickets: given by file or over the socket, rotated, shared by all that have them."""

import json
import os
import secrets
import socket
import unittest

from lib import RUN, TLS12, TLS13, Case, Reader, connect, context, ctl, reconfigure

HOST = "api.gw.example"
FILE = RUN + "/ticket.keys"
ASK = b"GET /health HTTP/1.1\r\nHost: api.gw.example\r\n\r\n"


def use(*keys):
    with open(FILE, "w") as f:
        os.fchmod(f.fileno(), 0o600)
        f.write("# keys\n" + "".join(k + "\n" for k in keys))
    return ctl("reload", ok=False)


def session(ctx, old=None):
    """A session of a new connection, and whether it was resumed."""
    with connect(HOST, ctx, session=old) as s:
        s.sendall(ASK)
        assert Reader(s).response().status == 200
        return s.session, s.session_reused


class Tickets(Case):
    @classmethod
    def setUpClass(cls):
        cls.a, cls.b, cls.c = (secrets.token_hex(32) for _ in range(3))
        with open(FILE, "w") as f:
            f.write(cls.a + "\n")
        cls.before = reconfigure(lambda old: f'ticket_keys = "{FILE}";\n' + old)

    @classmethod
    def tearDownClass(cls):
        reconfigure(lambda _: cls.before)

    def versions(self):
        for v in (TLS12, TLS13):
            for cert in (None, "good"):
                yield context(cert, v)

    def test_rotation(self):
        for ctx in self.versions():
            use(self.a)
            old, _ = session(ctx)
            use(self.b, self.a)
            self.assertEqual(ctl("status")["ticket_keys"], 2)
            self.assertTrue(session(ctx, old)[1])
            new, _ = session(ctx)
            use(self.c, self.b)  # a is gone
            self.assertFalse(session(ctx, old)[1])
            self.assertTrue(session(ctx, new)[1])

    def test_identity_goes_from_session_to_session(self):
        """A ticket that was given out in a resumed session is as good as the first."""
        who = ASK.replace(b"/health", b"/protected/whoami")
        for v in (TLS12, TLS13):
            ctx, old = context("good", v), None
            for n in range(4):
                with connect(HOST, ctx, session=old) as s:
                    s.sendall(who)
                    self.assertEqual(Reader(s).response().status, 200, (v, n))
                    self.assertEqual(s.session_reused, n > 0)
                    old = s.session

    def test_the_same_keys_again(self):
        """As another appliance would have them."""
        for ctx in self.versions():
            use(self.a)
            old, _ = session(ctx)
            use(self.b)
            self.assertFalse(session(ctx, old)[1])
            use(self.a)
            self.assertTrue(session(ctx, old)[1])

    def test_pushed(self):
        ctx = context("good", TLS13)
        use(self.a)
        from_file, _ = session(ctx)
        s = socket.socket(socket.AF_UNIX)
        s.connect(RUN + "/control.sock")
        with s, s.makefile("rw") as f:
            f.write(json.dumps({"cmd": "tickets", "keys": self.b + "\n" + self.c}) + "\n")
            f.flush()
            said = f.readline()
        self.assertEqual(json.loads(said)["ticket_keys"], 2)
        self.assertNotIn(self.b, said)
        pushed, reused = session(ctx, from_file)
        self.assertFalse(reused)
        ctl("reload")  # does not bring the file's back
        self.assertTrue(session(ctx, pushed)[1])
        self.assertEqual(ctl("tickets")["ticket_keys"], 1)
        self.assertFalse(session(ctx, pushed)[1])
        self.assertTrue(session(ctx, from_file)[1])

    def test_mistakes_change_nothing(self):
        ctx = context(None, TLS13)
        use(self.a)
        old, _ = session(ctx)
        for bad in (("zz" * 32,), ("00" * 31,), ("00" * 33,), (), (self.a,) * 5):
            said = use(*bad)
            self.assertFalse(said.get("ok"))
            self.assertNotIn("zz" * 32, json.dumps(said))
        self.assertTrue(session(ctx, old)[1])
        use(self.a)


if __name__ == "__main__":
    unittest.main(verbosity=2)
