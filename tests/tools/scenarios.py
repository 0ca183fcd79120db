#!/usr/bin/env python3
"""The table of TCP scenarios in tests/sim/README.md, from the scenarios themselves.

    scenarios.py            fails when the table is not what the scenarios say
    scenarios.py --write    writes it
"""

import glob
import re
import sys

README = "tests/sim/README.md"
BEGIN, END = "<!-- scenarios: generated -->", "<!-- end -->"

# Proven by tests of other kinds.
ELSEWHERE = [
    ("T-42", "RFC 894", "padding behind an IP packet is no data", "tests/unit/test_l3.c headers_are_judged"),
    ("T-57", "-", "segmentation offload", "all scenarios run a second time with it (scenarios_*_tso)"),
    ("T-120", "-", "many timers and a jump of the clock", "tests/unit/test_wheel.c a_call_fires_no_more_than_it_may"),
    ("T-121", "-", "timers against a sorted list", "tests/unit/test_wheel.c a_million_random_steps_agree_..."),
    ("T-122", "RFC 792, 4443", "echo", "tests/unit/test_l3.c echo_is_answered, tests/e2e/test_ip6.py"),
    ("T-125", "RFC 826, 5227", "ARP: resolving, silence, poison, announcements", "tests/unit/test_l3.c"),
    ("T-128", "RFC 5722", "fragments: dropped, or put together by `ip.reassembly`", "tests/unit/test_reasm.c, tests/e2e/test_fragments.py"),
    ("T-129", "RFC 8200 4", "IPv6 extension headers: walked up to four and 128 bytes, what must be discarded is", "tests/unit/test_ip6.c extension_headers"),
    ("T-138", "-", "slow client, fast backend: windows close, queues are bounded, every byte arrives", "tests/e2e/test_pressure.py SlowClient"),
    ("T-139", "-", "a backend that stalls for ever", "tests/e2e/test_proxy.py test_statuses"),
    ("T-140", "-", "all of a request is with us, the backend reads late: it goes on without another packet", "tests/e2e/test_pressure.py LateBackend"),
    ("T-141", "RFC 9293 3.6", "half close, then the response", "close.txt T-30h"),
    ("T-142", "RFC 9112 8", "a response is cut", "tests/e2e/test_proxy.py test_cut_response_is_seen_as_cut"),
    ("T-144", "-", "every n-th allocation fails", "test_transfer.c, by seed"),
    ("T-145", "-", "a hostile peer", "tests/fuzz/packet.c"),
    ("T-146", "-", "Linux as the peer, with loss", "tests/e2e/test_transfer.py"),
]


def found():
    for path in sorted(glob.glob("tests/sim/scenarios/*.txt")):
        for line in open(path):
            m = re.match(r"== (\S+) (?:v[46] )?(.*?): (.*)", line)
            if m:
                yield m[1], m[2], m[3].strip(), path[len("tests/sim/"):]
    for name in ("test_many.c", "test_cores.c"):
        text = open("tests/sim/" + name).read()
        for m in re.finditer(r"/\* (T-\S+) ((?:(?!\*/).)*?): ((?:(?!\*/).)*?)\s\*/\nstatic void (\w+)", text, re.S):
            yield m[1], m[2], re.sub(r"\s+\*?\s*", " ", m[3]), name + " " + m[4]
    yield from ELSEWHERE


def order(row):
    m = re.match(r"([A-Z])-(\d+)(.*)", row[0])
    return m[1] != "T", int(m[2]), m[3]


def table():
    rows = sorted(found(), key=order)
    out = ["| Scenario | Of | Shows | Where |", "|---|---|---|---|"]
    out += ["| %s | %s | %s | %s |" % row for row in rows]
    return "\n".join(out)


def main():
    text = open(README).read()
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    new = head + BEGIN + "\n" + table() + "\n" + END + tail
    if "--write" in sys.argv:
        open(README, "w").write(new)
    elif new != text:
        print("tests/sim/README.md: the table is old; run tests/tools/scenarios.py --write", file=sys.stderr)
        return 1
    return 0


sys.exit(main())
