#!/usr/bin/env python3
"""The table of bounds in docs/control.md, from dataplane/base/bound.def.

    bounds.py            fails when the table is not what the file says, or a counter or a setting does not exist
    bounds.py --write    writes it
"""

import glob
import re
import sys

DOC = "docs/control.md"
BEGIN, END = "<!-- bounds: generated -->", "<!-- end -->"
LINE = re.compile(r'^BOUND\((\w+), (\w+), "([^"]*)", "([^"]*)", "([^"]*)", "([^"]*)"\)$', re.M)


def bounds():
    return LINE.findall(open("dataplane/base/bound.def").read())


def unknown():
    counters = set()
    for path in glob.glob("dataplane/*/*_ctr.def"):
        counters |= set(re.findall(r'^CTR\(\w+, "([^"]+)"', open(path).read(), re.M))
    text = open("config/cfg_keys.def").read()
    lists = {"upstreams.members": "upstream, members", "cores": "root, cores"}
    for _, _, name, counter, setting, _ in bounds():
        if counter not in counters:
            yield f"bound {name}: no counter is called {counter}"
        if setting and f"KEY({lists.get(setting, setting.replace('.', ', '))}," not in text:
            yield f"bound {name}: no setting is called {setting}"


def table():
    out = ["| Event | Level | Counter | Setting | What happens |", "|---|---|---|---|---|"]
    for _, level, name, counter, setting, effect in bounds():
        out.append(f"| `bound.{name}` | {level} | `{counter}` | {f'`{setting}`' if setting else ''} | {effect} |")
    return "\n".join(out)


def main():
    text = open(DOC).read()
    head, rest = text.split(BEGIN)
    tail = rest.split(END, 1)[1]
    new = head + BEGIN + "\n" + table() + "\n" + END + tail
    wrong = list(unknown())
    if "--write" in sys.argv:
        open(DOC, "w").write(new)
    elif new != text:
        wrong.append(f"{DOC}: the table is old; run tests/tools/bounds.py --write")
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


sys.exit(main())
