"""Bounds that are reached: counted each time, told of in the error log once in ten seconds."""

import datetime
import re
import socket
import unittest

from lib import GATEWAY, RUN, Case, counter, get, log_has, restart, tcp, until


def lines(event):
    with open(RUN + "/error.log", errors="replace") as f:
        return re.findall(rf"^.* {re.escape(event)} .*$", f.read(), re.M)


def when(line):
    return datetime.datetime.fromisoformat(line.split(" ")[0].replace("Z", "+00:00"))


class PerPrefix(Case):
    @classmethod
    def setUpClass(cls):
        restart(lambda text: text + "tcp = { connections_per_prefix = 3; };\n")

    @classmethod
    def tearDownClass(cls):
        restart()

    def test_said_once_and_added_up(self):
        drops = counter("tcp", "TcpExtPrefixDrop")
        held = [tcp() for _ in range(3)]
        extra = []
        for _ in range(6):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(GATEWAY)
            extra.append(s)
        line = log_has("error.log", r"bound\.connections_per_prefix")
        self.assertRegex(line, r" PEER bound\.connections_per_prefix peer=10\.77\.0\.100 counter=TcpExtPrefixDrop "
                               r"setting=tcp\.connections_per_prefix$")
        for s in extra:
            s.close()
        told = until(lambda: [n for n in lines("bound.connections_per_prefix") if "swallowed=" in n])
        first, second = lines("bound.connections_per_prefix")
        self.assertNotIn("swallowed=", first)
        self.assertGreater((when(second) - when(first)).total_seconds(), 9.5)
        swallowed = int(re.search(r"swallowed=(\d+)$", told[0]).group(1))
        self.assertIn(" counter=TcpExtPrefixDrop ", told[0])
        dropped = counter("tcp", "TcpExtPrefixDrop") - drops
        self.assertGreaterEqual(dropped, 6)
        # The second line is no hit of its own, but the last of those it tells of.
        self.assertEqual(1 + swallowed + 1, dropped)
        for s in held:
            s.close()
        until(lambda: get("/health").status == 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
