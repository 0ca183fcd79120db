"""The verdict engine against its rules (rules.py), and against openssl verify on chains mutated by seed.

    run.py SALLYCTL README [--seeds N] [--write]     --write: make README anew
"""

import calendar
import json
import os
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rules  # noqa: E402
from pki import NOW, SSL_CLIENT, SSL_SERVER, Cert, leaf, root, sub  # noqa: E402

HEAD = """# tests/verdict

`run.py` makes these chains and asks `sallyctl cert verify`, the code of the data plane, and `openssl verify -x509_strict`. The
first must say what the table says. The second must agree on yes or no, except where the table tells why it does not. Then
{seeds} more chains, mutated by seed, are judged by both (`--seeds N` for more).

| rule | RFC | chain | verdict | openssl says otherwise because |
|---|---|---|---|---|
"""


def write(folder, file, certs):
    path = f"{folder}/{file}"
    with open(path, "w") as f:
        f.write("".join(c.pem() for c in certs))
    return path


def ours(sallyctl, folder, c):
    o = c.options
    argv = [sallyctl, "--json", "cert", "verify", "--anchors", write(folder, "anchors.pem", c.anchors), "--at",
            str(calendar.timegm(o.get("at", NOW).timetuple())), "--purpose", o.get("purpose", "client")]
    if c.helpers:
        argv += ["--intermediates", write(folder, "helpers.pem", c.helpers)]
    if "name" in o:
        argv += ["--name", o["name"]]
    if "depth" in o:
        argv += ["--max-depth", str(o["depth"])]
    if o.get("partial"):
        argv += ["--partial-chain"]
    if "crls" in o:
        argv += ["--crl", write(folder, "crls.pem", o["crls"]), "--crl-check", "leaf" if o.get("leaf_only") else "chain"]
    done = subprocess.run(argv + [write(folder, "chain.pem", c.chain)], capture_output=True, text=True)
    if done.returncode > 1:
        return "error", done.stderr.strip()
    answer = json.loads(done.stdout)
    return answer["verdict"], answer["text"]


def openssl(folder, c):
    """True: it accepts."""
    o = c.options
    argv = ["openssl", "verify", "-x509_strict", "-CAfile", folder + "/anchors.pem", "-no-CApath", "-no-CAstore",
            "-attime", str(calendar.timegm(o.get("at", NOW).timetuple())),
            "-purpose", "sslserver" if o.get("purpose") == "server" else "sslclient"]
    if "name" in o:
        argv += ["-verify_ip" if ":" in o["name"] or o["name"][0].isdigit() else "-verify_hostname", o["name"]]
    if "depth" in o:  # it counts intermediates only
        argv += ["-verify_depth", str(max(o["depth"] - 1, 0))]
    if o.get("partial"):
        argv += ["-partial_chain"]
    if "crls" in o:
        argv += ["-CRLfile", folder + "/crls.pem", "-crl_check" if o.get("leaf_only") else "-crl_check_all",
                 "-extended_crl"]
    if c.chain[1:] + c.helpers:
        argv += ["-untrusted", write(folder, "untrusted.pem", c.chain[1:] + c.helpers)]
    done = subprocess.run(argv + [write(folder, "leaf.pem", c.chain[:1])], capture_output=True, text=True)
    return done.returncode == 0, (done.stdout + done.stderr).strip()


def check_rules(sallyctl, folder):
    bad = 0
    for c in rules.build():
        got, text = ours(sallyctl, folder, c)
        accepts, words = openssl(folder, c)
        if c.options.get("depth") == 0:  # nothing it could be asked
            accepts = c.want == "ok"
        if got != c.want or c.options.get("says", "") not in text:
            print(f"{c.rule} / {c.title}: {got}, expected {c.want}\n    {text}")
            bad += 1
        if (accepts == (c.want == "ok")) == bool(c.openssl):
            print(f"{c.rule} / {c.title}: openssl {'accepts' if accepts else 'refuses'}, "
                  f"{'which is explained but not so' if c.openssl else 'without an explanation'}\n    {words}")
            bad += 1
    return bad


# --- mutations ---

def mutated(seed):
    """A chain in which some things are as they should be and others not."""
    rng = random.Random(seed)

    def maybe(p, value, other):
        return value if rng.random() < p else other

    def dates():
        return maybe(0.06, rng.choice([dict(start=-9, end=-1), dict(start=1, end=9)]), {})

    def kind():
        return rng.choice(["p256", "p256", "p384", "rsa2048", "ed25519"])

    top = root(kind=kind(), path_len=maybe(0.1, rng.randrange(3), None))
    by, chain, pool = top, [], ["dns:a.example.com", "dns:b.example.org", "ip:10.1.2.3", "email:x@example.com"]
    for k in range(rng.randrange(4)):
        more = dates()
        more.update(kind=kind(), path_len=maybe(0.2, rng.randrange(3), None),
                    ku=maybe(0.05, ("crl_sign",), "usual"), break_sig=rng.random() < 0.03,
                    eku=maybe(0.15, (rng.choice([SSL_CLIENT, SSL_SERVER]),), ()),
                    unknown=maybe(0.05, rng.random() < 0.5, None))
        if rng.random() < 0.2:
            more[rng.choice(["permitted", "excluded"])] = (rng.choice(["dns:example.com", "ip:10.0.0.0/8",
                                                                        "email:example.com"]),)
        by = (sub if rng.random() > 0.04 else lambda n, b, **m: Cert(n, b, **{**m, "path_len": None, "permitted": (),
                                                                               "excluded": ()}))(f"Int {k}", by, **more)
        chain.insert(0, by)
    more = dates()
    more.update(kind=kind(), eku=rng.choice([(), (SSL_CLIENT,), (SSL_CLIENT,), (SSL_CLIENT,), (SSL_SERVER,)]),
                san=tuple(rng.sample(pool, rng.randrange(3))), break_sig=rng.random() < 0.04,
                unknown=maybe(0.05, rng.random() < 0.5, None))
    sent = [leaf("l", by, **more)] + chain
    if chain and rng.random() < 0.06:
        sent.remove(rng.choice(chain))
    if rng.random() < 0.3:
        rest = sent[1:] + [sub("Stranger", root("Elsewhere"))]
        rng.shuffle(rest)
        sent[1:] = rest
    anchors = [top] if rng.random() > 0.05 else [root("Other")]
    options = {"depth": rng.randrange(1, 6)} if rng.random() < 0.3 else {}
    return rules.Case("mutated", "", str(seed), None, sent, anchors, **options)


def check_mutations(sallyctl, folder, seeds):
    accepted = bad = 0
    for seed in range(seeds):
        c = mutated(seed)
        got, text = ours(sallyctl, folder, c)
        accepts, words = openssl(folder, c)
        accepted += accepts
        if (got == "ok") != accepts:
            print(f"seed {seed}: {got} ({text}); openssl {'accepts' if accepts else 'refuses'}: {words}")
            bad += 1
    print(f"{seeds} mutated chains, {accepted} of them good, {bad} disagreements")
    if not seeds // 5 < accepted < seeds * 4 // 5:
        print("too few of one sort: this shows little")
        bad += 1
    return bad


def table(seeds):
    rows = [f"| {c.rule} | {c.rfc} | {c.title} | `{c.want}` | {c.openssl or ''} |" for c in rules.CASES]
    return HEAD.format(seeds=seeds) + "\n".join(rows) + "\n"


def main():
    sallyctl, readme = sys.argv[1:3]
    seeds = int(sys.argv[sys.argv.index("--seeds") + 1]) if "--seeds" in sys.argv else 300
    with tempfile.TemporaryDirectory() as folder:
        bad = check_rules(sallyctl, folder)
        bad += check_mutations(sallyctl, folder, seeds)
    print(f"{len(rules.CASES)} chains by rule")
    if "--write" in sys.argv:
        with open(readme, "w") as f:
            f.write(table(300))
    elif open(readme).read() != table(300):
        print(f"{readme} is old: run.py SALLYCTL {readme} --write")
        bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
