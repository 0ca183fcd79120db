"""Each rule of path validation, with chains that keep it and chains that break it. README.md is made of this table."""

from cryptography import x509

from pki import ANY_EKU, DAY, NOW, SSL_CLIENT, SSL_SERVER, Cert, Crl, Eku, leaf, name, root, sub, with_exponent

CASES = []
LEVEL = "without -auth_level it looks neither at hashes nor at key sizes"


class Case:
    """What is sent (leaf first), who is trusted, and what must come out: "ok" or a verdict's name."""

    def __init__(self, rule, rfc, title, want, chain, anchors, helpers=(), openssl=None, **options):
        self.rule, self.rfc, self.title, self.want = rule, rfc, title, want
        self.chain, self.anchors, self.helpers = list(chain), list(anchors), list(helpers)
        self.openssl = openssl  # why openssl verify says otherwise, and why ours is right
        self.options = options  # purpose, name, depth, at, partial; says: a part of the text


def case(*args, **more):
    CASES.append(Case(*args, **more))


def build():
    r = root()
    i = sub("Int", r)
    good = leaf("good", i)

    rule = ("basic path", "5280 6.1")
    case(*rule, "leaf, intermediate, root", "ok", [good, i], [r])
    case(*rule, "sent in another order, with strangers among them", "ok", [good, sub("X", root("Y")), i, r], [r])
    case(*rule, "leaf directly below the root", "ok", [leaf("direct", r)], [r])
    case(*rule, "intermediate is ours and not sent", "ok", [good], [r], helpers=[i])
    case(*rule, "intermediate missing", "issuer_unknown", [good], [r])
    case(*rule, "unknown root", "issuer_unknown", [good, i], [root("Other")])
    case(*rule, "unknown root that is sent", "self_signed_in_chain", [good, i, r], [root("Other")])
    case(*rule, "another root of the same name", "issuer_unknown", [good, i], [root()])
    case(*rule, "another root of the same name, no key identifiers", "bad_signature",
         *_with(root(), sub("Int", r, aki=False)))
    two = root()
    case(*rule, "two roots of the same name, the second is the one", "ok", [good, i], [two, r])
    case(*rule, "five intermediates", "ok", *_deep(5))
    for kind in ("p384", "p521", "rsa2048", "rsa3072", "ed25519"):
        k = root(kind=kind)
        ki = sub("Int", k, kind=kind)
        case("keys", "5280 4.1.2.7", kind, "ok", [leaf("l", ki, kind=kind), ki], [k])

    rule = ("signature", "5280 6.1.3 (a)(1)")
    case(*rule, "leaf's is wrong", "bad_signature", [leaf("l", i, break_sig=True), i], [r])
    bad_i = sub("Int", r, break_sig=True, own_key=i.key)
    case(*rule, "intermediate's is wrong", "bad_signature", [good, bad_i], [r])
    case(*rule, "signed by another key", "bad_signature", [leaf("l", i, sign_with=root().key, aki=False), i], [r])
    for h, want in (("SHA384", "ok"), ("SHA512", "ok"), ("SHA1", "algorithm_refused"), ("MD5", "algorithm_refused")):
        rr = root(kind="rsa2048")
        case("hash", "5280 4.1.1.2; 8446 4.2.3", h, want, [leaf("l", rr, hash=h)], [rr], openssl=None if want == "ok" else LEVEL)

    rule = ("key size", "CA/B BR 6.1.5")
    small = root(kind="rsa2048")
    case(*rule, "RSA 1024 leaf", "weak_key", [leaf("l", small, kind="rsa1024")], [small], openssl=LEVEL)
    weak_root = root(kind="rsa1024")
    case(*rule, "RSA 1024 intermediate", "weak_key", *_with(small, sub("Int", small, kind="rsa1024")),
         openssl=LEVEL)
    case(*rule, "RSA 1024 anchor", "weak_key", [leaf("l", weak_root)], [weak_root], openssl=LEVEL)
    case(*rule, "curve P-224", "weak_key", [leaf("l", i, kind="p224"), i], [r],
         openssl=LEVEL)

    rule = ("RSA exponent", "8017 3.1")
    for e, want in ((65537, "ok"), (2**64 - 59, "ok"), (3, "ok"), (1, "error"), (65536, "error"), (2**64 + 13, "error")):
        case(*rule, f"of the leaf: {e}", want, [with_exponent(leaf("l", i, kind="rsa2048"), e), i], [r],
             openssl=None if want == "ok" else "it does not look at exponents before it uses them")
    one = with_exponent(sub("One", r, kind="rsa2048"), 1)
    case(*rule, "of the intermediate: 1", "error", [leaf("l", one), one], [r])

    rule = ("validity", "5280 4.1.2.5, 6.1.3 (a)(2)")
    case(*rule, "leaf expired", "cert_expired", [leaf("l", i, start=-30, end=-1), i], [r])
    case(*rule, "leaf not yet valid", "cert_not_yet_valid", [leaf("l", i, start=2, end=9), i], [r])
    case(*rule, "intermediate expired", "cert_expired", *_with(r, sub("Int", r, start=-30, end=-1)))
    old = root(start=-100, end=-1)
    case(*rule, "anchor expired", "cert_expired", [leaf("l", old)], [old])
    at = NOW + 365 * DAY
    case(*rule, "the last second", "ok", [good, i], [r], at=at,
         openssl="it takes notAfter for the first moment that is too late; RFC 5280 4.1.2.5 includes it")
    case(*rule, "one second later", "cert_expired", [good, i], [r], at=at.replace(second=1))

    rule = ("basic constraints", "5280 4.2.1.9, 6.1.4 (k)")
    case(*rule, "a leaf as issuer", "not_a_ca", *_with(r, leaf("Int", r, ku=("key_cert_sign",))))
    case(*rule, "issuer without the extension", "not_a_ca", *_with(r, Cert("Int", r, bc=None, ku=("key_cert_sign",))))
    case(*rule, "not critical in a CA", "ok", *_with(r, sub("Int", r, bc_critical=False)),
         openssl="x509_strict insists on it being critical; RFC 5280 asks CAs for it, not those who validate")
    case(*rule, "leaf without the extension", "ok", [leaf("l", i, bc=None), i], [r])

    rule = ("path length", "5280 4.2.1.9, 6.1.4 (l)(m)")
    zero = sub("Zero", r, path_len=0)
    case(*rule, "0 above a leaf", "ok", [leaf("l", zero), zero], [r])
    below = sub("Below", zero)
    case(*rule, "0 above a CA", "path_length", [leaf("l", below), below, zero], [r])
    one = sub("One", r, path_len=1)
    b1 = sub("B1", one)
    case(*rule, "1 above one CA", "ok", [leaf("l", b1), b1, one], [r])
    b2 = sub("B2", b1)
    case(*rule, "1 above two CAs", "path_length", [leaf("l", b2), b2, b1, one], [r])
    tight = root(path_len=0)
    ti = sub("Int", tight)
    case(*rule, "of the anchor", "path_length", [leaf("l", ti), ti], [tight])
    same = sub("Zero", zero, subject=zero.subject)
    case(*rule, "self-issued ones do not count", "ok", [leaf("l", same), same, zero], [r])

    rule = ("key usage", "5280 4.2.1.3, 6.1.4 (n)")
    case(*rule, "CA without keyCertSign", "key_usage", *_with(r, sub("Int", r, ku=("crl_sign",))))
    case(*rule, "CA without the extension", "ok", *_with(r, sub("Int", r, ku=None)),
         openssl="x509_strict insists on it; RFC 5280 asks CAs for it, not those who validate")
    case(*rule, "leaf for encipherment only", "key_usage", [leaf("l", i, ku=("key_encipherment",)), i], [r])
    case(*rule, "leaf without the extension", "ok", [leaf("l", i, ku=None), i], [r])

    rule = ("extended key usage", "5280 4.2.1.12")
    case(*rule, "clientAuth", "ok", [leaf("l", i, eku=(SSL_CLIENT,)), i], [r])
    case(*rule, "serverAuth for a client", "wrong_purpose", [leaf("l", i, eku=(SSL_SERVER,)), i], [r])
    case(*rule, "serverAuth for a server", "ok", [leaf("l", i, eku=(SSL_SERVER,), san=("dns:a.example",)), i], [r],
         purpose="server")
    case(*rule, "both", "ok", [leaf("l", i, eku=(SSL_SERVER, SSL_CLIENT)), i], [r])
    case(*rule, "any", "ok", [leaf("l", i, eku=(ANY_EKU,)), i], [r],
         openssl="it does not count anyExtendedKeyUsage for a purpose; RFC 5280 4.2.1.12 does")
    case(*rule, "none", "ok", [leaf("l", i, eku=()), i], [r])
    case(*rule, "other only", "wrong_purpose", [leaf("l", i, eku=(Eku.EMAIL_PROTECTION,)), i], [r])
    case(*rule, "intermediate for servers only", "wrong_purpose", *_with(r, sub("Int", r, eku=(SSL_SERVER,))))
    case(*rule, "intermediate for clients", "ok", *_with(r, sub("Int", r, eku=(SSL_CLIENT,))))

    _constraints(r)
    _policies(r)

    rule = ("critical extensions", "5280 4.2, 6.1.5 (f)")
    case(*rule, "unknown and critical in the leaf", "critical_extension", [leaf("l", i, unknown=True), i], [r])
    case(*rule, "unknown and not critical", "ok", [leaf("l", i, unknown=False), i], [r])
    case(*rule, "unknown and critical in a CA", "critical_extension", *_with(r, sub("Int", r, unknown=True)))
    strange = root(unknown=True)
    case(*rule, "unknown and critical in the anchor", "critical_extension", [leaf("l", strange)], [strange])
    plain = root(unknown=False)
    case(*rule, "unknown and not critical in the anchor", "ok", [leaf("l", plain)], [plain])
    pinned = Cert("pinned", eku=(SSL_CLIENT,), unknown=True)
    case(*rule, "unknown and critical in a leaf that is an anchor", "critical_extension", [pinned], [pinned])

    rule = ("self-signed", "5280 6.1")
    own = Cert("self", eku=(SSL_CLIENT,), ku=("digital_signature", "key_cert_sign"))
    case(*rule, "leaf", "self_signed", [own], [r])
    case(*rule, "leaf that is an anchor", "ok", [own], [own])

    rule = ("anchors", "5280 6.1.1 (d)")
    hint = dict(says="partial_chain = true")
    case(*rule, "an intermediate as anchor", "issuer_unknown", [good, i], [i], **hint)
    case(*rule, "an intermediate as anchor, partial chains allowed", "ok", [good, i], [i], partial=True)
    case(*rule, "an intermediate as anchor, its root sent along", "self_signed_in_chain", [good, i, r], [i],
         **hint)
    far = root("Far")
    case(*rule, "an anchor that another CA has issued, and a way round it", "issuer_unknown",
         [good, i, sub("Root", sub("Far", root("Root", own_key=r.key)), own_key=r.key)],
         [sub("Root", far, own_key=r.key)], **hint)

    rule = ("cross-signing", "4158 2.4")
    a, b = root("A"), root("B")
    ia = sub("Int", a)
    ib = sub("Int", b, own_key=ia.key)
    l = leaf("l", ia)
    case(*rule, "only the second one's root is trusted", "ok", [l, ia, ib], [b],
         openssl="it follows the first issuer it finds; ours looks for a path that holds")
    case(*rule, "the first way is expired", "ok", [l, sub("Int", a, own_key=ia.key, start=-9, end=-1), ib], [a, b])
    case(*rule, "a loop", "issuer_unknown", _loop(), [root("Z")])

    rule = ("depth", "Apache SSLVerifyDepth")
    for n in range(4):
        chain, anchors = _deep(n)
        for depth in range(5):
            case(*rule, f"{n + 1} issuers, at most {depth}", "ok" if depth >= n + 1 else "chain_too_long", chain, anchors,
                 depth=depth)

    rule = ("names of servers", "9525 6; 2818")
    server = dict(eku=(SSL_SERVER,))
    s1 = leaf("cn.example", i, san=("dns:a.example", "dns:*.b.example", "ip:10.1.2.3", "ip:2001:db8::1"), **server)
    for n, want in (("a.example", "ok"), ("A.EXAMPLE", "ok"), ("x.a.example", "name_mismatch"), ("x.b.example", "ok"),
                    ("x.y.b.example", "name_mismatch"), ("b.example", "name_mismatch"), ("10.1.2.3", "ok"),
                    ("10.1.2.4", "name_mismatch"), ("2001:db8::1", "ok"), ("2001:db8::2", "name_mismatch"),
                    ("cn.example", "name_mismatch")):
        case(*rule, n, want, [s1, i], [r], purpose="server", name=n)
    case(*rule, "the common name is none", "name_mismatch", [leaf("c.example", i, **server), i], [r], purpose="server",
         name="c.example", openssl="it falls back to the common name when there is no subjectAltName; RFC 9525 does not")
    case(*rule, "a wildcard within a label", "name_mismatch", [leaf("w", i, san=("dns:f*.w.example",), **server), i], [r],
         purpose="server", name="foo.w.example",
         openssl="it takes partial wildcards; RFC 9525 6.3 does not")

    _revocation(r, i, good)

    rule = ("rogue chain", "wolfSSL's trap")
    rogue = root("Rogue")
    ri = sub("Int", rogue)
    case(*rule, "intermediate of the same name under a stranger", "bad_signature", [leaf("l", ri, aki=False), i], [r])
    case(*rule, "its leaf alone", "bad_signature", [leaf("l", ri, aki=False)], [r], helpers=[i])
    return CASES


def _with(anchor, intermediate):
    return [leaf("l", intermediate), intermediate], [anchor]


def _deep(n):
    top = root()
    chain, by = [], top
    for k in range(n):
        by = sub(f"Int {k}", by)
        chain.insert(0, by)
    return [leaf("l", by)] + chain, [top]


def _loop():
    a = sub("A", root("B"))
    b = sub("B", a)
    a2 = sub("A", b, own_key=a.key)
    return [leaf("l", a), a2, b]


def _constraints(r):
    rule = ("name constraints", "5280 4.2.1.10, 6.1.4 (g), 6.1.3 (b)(c)")

    def ca(**more):
        return sub("NC", r, **more)

    for form, inside, outside in (("dns:example.com", "dns:a.example.com", "dns:example.org"),
                                  ("dns:example.com", "dns:example.com", "dns:badexample.com"),
                                  ("email:example.com", "email:x@example.com", "email:x@example.org"),
                                  ("email:x@example.com", "email:x@example.com", "email:y@example.com"),
                                  ("uri:.example.com", "uri:https://a.example.com/x", "uri:https://example.org/"),
                                  ("ip:10.0.0.0/8", "ip:10.1.2.3", "ip:11.1.2.3"),
                                  ("ip:2001:db8::/32", "ip:2001:db8::1", "ip:2001:db9::1")):
        p, e = ca(permitted=(form,)), ca(excluded=(form,))
        case(*rule, f"permitted {form}: {inside}", "ok", [leaf("l", p, san=(inside,)), p], [r])
        case(*rule, f"permitted {form}: {outside}", "name_not_permitted", [leaf("l", p, san=(outside,)), p], [r])
        case(*rule, f"excluded {form}: {inside}", "name_not_permitted", [leaf("l", e, san=(inside,)), e], [r])
        case(*rule, f"excluded {form}: {outside}", "ok", [leaf("l", e, san=(outside,)), e], [r])
    _unjudgeable(r)
    p = ca(permitted=("dns:example.com",))
    case(*rule, "no name of that form", "ok", [leaf("l", p, san=("ip:10.1.1.1",)), p], [r])
    from cryptography import x509
    from cryptography.x509.oid import NameOID
    base = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
                      x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Verdict tests")])
    d = _dir_constrained(r, base, True)
    case(*rule, "permitted directory name", "ok", [leaf("l", d), d], [r])
    case(*rule, "directory name outside", "name_not_permitted", [leaf("l", d, subject=name("l", o="Others")), d], [r])
    d = _dir_constrained(r, base, False)
    case(*rule, "excluded directory name", "name_not_permitted", [leaf("l", d), d], [r])
    m = ca(permitted=("email:example.com",))
    for mail, want in (("x@example.com", "ok"), ("x@example.org", "name_not_permitted")):
        who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "l"), x509.NameAttribute(NameOID.EMAIL_ADDRESS, mail)])
        case(*rule, f"{mail} in the subject", want, [leaf("l", m, subject=who), m], [r])
        case(*rule, f"{mail} in the subject, another beside it", want,
             [leaf("l", m, subject=who, san=("email:x@example.com",)), m], [r])
    n1 = ca(permitted=("dns:example.com",))
    n2 = sub("N2", n1, permitted=("dns:a.example.com",))
    case(*rule, "two of them: inside of both", "ok", [leaf("l", n2, san=("dns:a.example.com",)), n2, n1], [r])
    case(*rule, "two of them: inside of one", "name_not_permitted", [leaf("l", n2, san=("dns:b.example.com",)), n2, n1],
         [r])


def _unjudgeable(r):
    """What cannot be told to lie inside or outside is refused, and so is a tree without a sensible root."""
    rule = ("names that cannot be judged", "5280 4.2.1.6, 4.2.1.10")
    bytes_only = "it compares bytes, whatever they mean"
    no_url = "it takes an address for a host's name; RFC 5280 4.2.1.10 refuses it"
    for how, form, bad, openssl in (
            ("permitted", "dns:example.com", "dns:.example.com", bytes_only),
            ("permitted", "dns:example.com", "dns:a..example.com", bytes_only),
            ("permitted", "dns:example.com", "dns:a b.example.com", bytes_only),
            ("excluded", "dns:example.com", "dns:a.example.com.", bytes_only),
            ("permitted", "email:example.com", "email:a@b@example.com", bytes_only),
            ("permitted", "email:example.com", "email:@example.com", bytes_only),
            ("permitted", "email:example.com", 'email:"a"@b"@example.com', bytes_only),
            ("excluded", "email:example.com", "email:a@example.com.", bytes_only),
            ("permitted", "uri:.example.com", "uri:https://a@b@c.example.com/", bytes_only),
            ("excluded", "uri:.example.com", "uri:https://a.example.com./", bytes_only),
            ("excluded", "uri:.example.com", "uri:https://10.1.2.3/", no_url),
            ("excluded", "uri:.example.com", "uri:https://0xa.66051/", no_url),
            ("excluded", "uri:.example.com", "uri:https://[2001:db8::1]/", no_url),
            ("excluded", "uri:.example.com", "uri:urn:example:a", None),
            ("excluded", "uri:", "uri:https://a.example.com/", "for it an empty tree is no tree")):
        c = sub("NC", r, **{how: (form,)})
        case(*rule, f"{how} {form}: {bad}", "name_not_permitted", [leaf("l", c, san=(bad,)), c], [r], openssl=openssl)
    for form, name in (("dns:*.example.com", "dns:a.example.com"), ("dns:example.com.", "dns:a.example.com"),
                       ("email:a@b@example.com", "email:b@example.com"), ("uri:https://example.com", "uri:https://example.com/")):
        c = sub("NC", r, excluded=(form,))
        case(*rule, f"excluded {form}", "cert_malformed", [leaf("l", c, san=(name,)), c], [r], openssl=bytes_only)
        case(*rule, f"excluded {form}, no name of that form", "ok", [leaf("l", c, san=("ip:10.1.2.3",)), c], [r])
    c = sub("NC", r, permitted=("dns:example.com", "email:example.com", "uri:.example.com"))
    for fine in ("dns:*.example.com", "dns:a_b.example.com", "dns:xn--bcher-kva.example.com", "email:a.b+c@example.com",
                 'email:"a@b"@example.com', "uri:https://u@a.example.com:8443/x?y#z", "uri:spiffe://td.example.com/ns/a"):
        case(*rule, f"{fine} can be", "ok", [leaf("l", c, san=(fine,)), c], [r])


def _dir_constrained(r, base, permitted):
    from cryptography import x509
    import pki
    saved = pki.names
    pki.names = lambda *texts: [x509.DirectoryName(base)] if texts else []
    try:
        return sub("NC", r, **({"permitted": ("x",)} if permitted else {"excluded": ("x",)}))
    finally:
        pki.names = saved


def _revocation(r, i, good):
    rule = ("revocation", "5280 5, 6.3")
    here = dict(helpers=[i])
    chain = [good, i]
    clean_r = Crl(r)

    def said(title, want, *crls, **more):
        case(*rule, title, want, more.pop("chain", chain), [r], **{**here, **more}, crls=list(crls))

    said("on no list", "ok", Crl(i), clean_r)
    said("leaf revoked", "cert_revoked", Crl(i, [good]), clean_r)
    said("another one revoked", "ok", Crl(i, [leaf("x", i), 5, 2**158]), clean_r)
    said("intermediate revoked", "cert_revoked", Crl(i), Crl(r, [i]))
    said("intermediate revoked, only leafs are checked", "ok", Crl(i), Crl(r, [i]), leaf_only=True)
    said("no list for the leaf's issuer", "revocation_unknown", clean_r)
    said("no list for the intermediate's issuer", "revocation_unknown", Crl(i))
    said("no list for it, only leafs are checked", "ok", Crl(i), leaf_only=True)
    said("list expired", "revocation_stale", Crl(i, end=-1, start=-8), clean_r)
    said("list expired, and the leaf is on it", "cert_revoked", Crl(i, [good], end=-1, start=-8), clean_r)
    said("list of tomorrow", "revocation_stale", Crl(i, start=1, end=8), clean_r)
    said("an old and a new list", "ok", Crl(i, end=-1, start=-8), Crl(i, number=2), clean_r)
    said("for users only", "ok", Crl(i, users=True), clean_r)
    said("for CAs only", "revocation_unknown", Crl(i, cas=True), clean_r)
    at = "http://crl.example/1"
    pointed = leaf("pointed", i, point=at)
    said("for its distribution point", "ok", Crl(i, point=at), clean_r, chain=[pointed, i])
    said("for its distribution point, revoked", "cert_revoked", Crl(i, [pointed], point=at), clean_r, chain=[pointed, i])
    said("for another distribution point", "revocation_unknown", Crl(i, point="http://crl.example/2"), clean_r,
         chain=[pointed, i])
    off = "it takes deltas only when told to (-use_deltas), which this run does not"
    said("delta revokes", "cert_revoked", Crl(i, number=3), Crl(i, [good], number=4, base=3), clean_r, openssl=off)
    said("delta takes off", "ok", Crl(i, [good], number=3), Crl(i, removed=[good], number=4, base=3), clean_r, openssl=off)
    for title, crl in (("signed by another key", Crl(i, sign_with=r.key)),
                       ("indirect", Crl(i, indirect=True)),
                       ("for some reasons only", Crl(i, reasons=frozenset([x509.ReasonFlags.key_compromise]))),
                       ("unknown critical extension", Crl(i, unknown=True)),
                       ("SHA-1", Crl(r, hash="SHA1")),
                       ("of a stranger", Crl(root("Stranger"))),
                       ("a delta without its list", Crl(i, number=9, base=8))):
        case("lists that are refused", "5280 5.2", title, "error", chain, [r], **here, crls=[crl, clean_r],
             openssl="it follows indirect lists with -extended_crl; ours says that it does not"
             if title == "indirect" else None)
    mute = sub("Mute", r, ku=("key_cert_sign",))
    case("lists that are refused", "5280 6.3.3 (f)", "of a CA without cRLSign", "error", [leaf("l", mute), mute], [r],
         helpers=[mute], crls=[Crl(mute), clean_r])


def _policies(r):
    rule = ("policies", "5280 4.2.1.4, 4.2.1.11, 4.2.1.14, 6.1")
    p = "1.3.6.1.4.1.99999.7"
    req = sub("Req", r, policies=(p,), require_policy=0)
    case(*rule, "required and there", "ok", [leaf("l", req, policies=(p,)), req], [r])
    case(*rule, "required and missing", "policy", [leaf("l", req), req], [r],
         openssl="it checks policies only when asked to (-policy_check)")
    case(*rule, "required and another", "policy", [leaf("l", req, policies=("1.3.6.1.4.1.99999.8",)), req], [r],
         openssl="it checks policies only when asked to (-policy_check)")
    anyp = sub("Any", r, policies=("2.5.29.32.0",), require_policy=0)
    case(*rule, "any policy allows each", "ok", [leaf("l", anyp, policies=(p,)), anyp], [r])
    inh = sub("Inh", r, policies=(p,), require_policy=0, inhibit_any=0)
    case(*rule, "any policy inhibited", "policy", [leaf("l", inh, policies=("2.5.29.32.0",)), inh], [r],
         openssl="it checks policies only when asked to (-policy_check)")
    case(*rule, "not required", "ok", *_with(r, sub("P", r, policies=(p,))))
