#!/usr/bin/env python3
"""Holds the table of who may include whom (CONTRIBUTING.md, 1). Runs in `meson test`.

Checks every #include of every .c and .h file: ours against the folder's row, foreign ones against
the folder's list. A rule may be broken where the line says why: /* layers: reason */.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# folder: (what of ours it may include, which foreign headers besides libc)
TABLE = {
    "dataplane/base": ([], []),
    "dataplane/stream": (["base"], []),
    "dataplane/net": (["base"], ["rte_"]),
    "dataplane/tcp": (["base", "stream", "net/nbuf.h"], []),
    "dataplane/snap": (["base", "crypto"], []),
    "dataplane/tls": (["base", "stream", "snap", "crypto"], ["wolfssl/"]),
    "dataplane/http": (["base"], []),
    "dataplane/proxy": (["base", "stream", "snap", "crypto", "tls", "http"], []),
    "dataplane/core": (["base", "net", "stream", "tcp", "snap", "tls", "http", "proxy", "core",
                        "crypto", "dp.h"], ["rte_"]),
    "dataplane": (["base", "snap"], []),
    "crypto": (["base"], ["wolfssl/"]),
    "config": (["base"], ["libconfig.h"]),
    "control": (["base", "crypto", "config", "snap", "dp.h"],
                ["jansson.h", "curl/", "microhttpd.h"]),
}
# The one file that puts the two flavours of a packet buffer together may know both.
NET_ALWAYS = {"net/nbuf_rte.h": ["rte_"]}
FOREIGN_MARKS = ("rte_", "wolfssl/", "libconfig.h", "jansson.h", "curl/", "microhttpd.h", "nghttp2/",
                 "CUnit/", "pcre2.h", "seccomp.h", "cap-ng.h", "openssl/")
OURS = ("base", "net", "stream", "tcp", "snap", "tls", "http", "proxy", "core", "crypto", "config",
        "control")
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"](.*)$')


def row_of(path):
    rel = path.relative_to(ROOT)
    folder = str(rel.parent)
    while folder not in TABLE and "/" in folder:
        folder = folder.rsplit("/", 1)[0]
    return folder


def allowed_ours(folder, target):
    own = folder.rsplit("/", 1)[-1]
    may = TABLE[folder][0] + [own]
    top = target.split("/", 1)[0]
    return top in may or target in may


def check(path):
    folder = row_of(path)
    errors = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        hit = INCLUDE.match(line)
        if not hit or "layers:" in hit.group(3):
            continue
        kind, target = hit.group(1), hit.group(2)
        where = f"{path.relative_to(ROOT)}:{number}"
        if kind == '"':
            if target.split("/", 1)[0] not in OURS and target != "dp.h":
                errors.append(f'{where}: "{target}" is not named from one of our folders')
            elif not allowed_ours(folder, target):
                errors.append(f'{where}: {folder} may not include "{target}"')
        elif target.startswith(FOREIGN_MARKS):
            rel = str(path.relative_to(ROOT / "dataplane")) if folder.startswith("dataplane/") else ""
            may = TABLE[folder][1] + NET_ALWAYS.get(rel, [])
            if not target.startswith(tuple(may)) or not may:
                errors.append(f"{where}: {folder} may not include <{target}>")
    return errors


def main():
    errors, files = [], 0
    for top in ("dataplane", "crypto", "config", "control"):
        for path in sorted((ROOT / top).rglob("*.[ch]")):
            files += 1
            errors += check(path)
    for line in errors:
        print(line)
    print(f"{files} files, {len(errors)} forbidden includes")
    return 1 if errors or files == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
