#include "crypto/der.h"
#include "crypto/sig.h"
#include "crypto/verdict.h"

#include <time.h>

/* The certificate at this depth of the path; the leaf where no path got so far. Null: nothing was sent. */
static const struct cert *cert_at(const struct verdict *v, const struct verdict_input *in,
                                  uint32_t depth)
{
    const struct trust_entry *e;
    int16_t ref;

    if (depth >= v->path_len)
        return in->chain_len ? &in->chain[0] : NULL;
    ref = v->path[depth];
    if (ref >= 0)
        return &in->chain[ref];
    e = trust_entry_at(in->trust, (uint32_t)(-1 - ref));
    return e ? &e->cert : NULL;
}

static void date(struct sb *s, int64_t t)
{
    time_t sec = (time_t)t;
    struct tm tm;
    char text[32];

    gmtime_r(&sec, &tm);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
    sb_str(s, text);
}

static void who(struct sb *s, const struct cert *c)
{
    cert_name_text(s, c->subject);
    sb_str(s, " (serial ");
    cert_serial_text(s, c->serial);
    sb_char(s, ')');
}

static const char *trust_label(const struct verdict_input *in)
{
    return in->trust ? trust_name(in->trust) : "none";
}

typedef void say_fn(struct sb *s, const struct verdict *v, const struct verdict_input *in,
                    const struct cert *c);

/* An anchor that the path touches and must not end in. */
static const struct cert *idle_anchor(const struct verdict *v, const struct verdict_input *in)
{
    const struct trust_entry *e;
    const struct cert *c;

    if (!in->trust || trust_partial_chain(in->trust))
        return NULL;
    for (uint32_t i = 0; i < v->path_len && (c = cert_at(v, in, i)); i++) {
        uint32_t it = 0;

        if ((e = trust_anchor_with(in->trust, c->der)))
            return &e->cert;
        while ((e = trust_by_subject(in->trust, c->issuer, &it))) {
            if (e->anchor && !cert_self_issued(&e->cert))
                return &e->cert;
        }
    }
    return NULL;
}

static void say_idle_anchor(struct sb *s, const struct verdict *v, const struct verdict_input *in)
{
    const struct cert *c = idle_anchor(v, in);

    if (!c)
        return;
    sb_str(s, "; ");
    cert_name_text(s, c->subject);
    sb_str(s,
           " is an anchor, but not self-signed: chains end there only with partial_chain = true");
}

static void say_issuer(struct sb *s, const struct verdict *v, const struct verdict_input *in,
                       const struct cert *c)
{
    sb_str(s, " is signed by ");
    cert_name_text(s, c->issuer);
    if (c->aki.len) {
        sb_str(s, " (key id ");
        sb_hex(s, span_first(c->aki, 8));
        sb_str(s, c->aki.len > 8 ? "..)" : ")");
    }
    sb_fmt(s, ", which is neither sent nor known: send it along, or add it to trust '%s'",
           trust_label(in));
    say_idle_anchor(s, v, in);
}

static void say_expired(struct sb *s, const struct verdict *v, const struct verdict_input *in,
                        const struct cert *c)
{
    (void)v, (void)in;
    sb_str(s, " ended on ");
    date(s, c->not_after_s);
    sb_str(s, ": a renewed one is needed");
}

static void say_early(struct sb *s, const struct verdict *v, const struct verdict_input *in,
                      const struct cert *c)
{
    (void)v, (void)in;
    sb_str(s, " begins on ");
    date(s, c->not_before_s);
    sb_str(s, ": wait, or set the clocks right");
}

static void say_too_long(struct sb *s, const struct verdict *v, const struct verdict_input *in,
                         const struct cert *c)
{
    (void)c;
    sb_fmt(s, ": %u issuers up to the anchor, %d are allowed: raise max_depth to %u", v->chain_len,
           in->max_depth, v->chain_len);
}

static void say_path_length(struct sb *s, const struct verdict *v, const struct verdict_input *in,
                            const struct cert *c)
{
    (void)v, (void)in;
    sb_fmt(s, " allows %d CAs below it, there are more", c->path_len);
}

static void say_weak_key(struct sb *s, const struct verdict *v, const struct verdict_input *in,
                         const struct cert *c)
{
    (void)v, (void)in;
    sb_fmt(s, " has a key of %u bits", c->key_bits);
}

static void say_critical(struct sb *s, const struct verdict *v, const struct verdict_input *in,
                         const struct cert *c)
{
    (void)v, (void)in;
    sb_str(s, " has the extension ");
    der_oid_text(s, c->unknown_critical_oid);
    sb_str(s, ", which is critical and not known here");
}

static void say_self_signed(struct sb *s, const struct verdict *v, const struct verdict_input *in,
                            const struct cert *c)
{
    (void)c;
    sb_fmt(s, " signs itself and is no anchor of trust '%s'", trust_label(in));
    say_idle_anchor(s, v, in);
}

static void say_not_a_ca(struct sb *s, const struct verdict *v, const struct verdict_input *in,
                         const struct cert *c)
{
    (void)v, (void)in, (void)c;
    sb_str(s, " is no CA and has signed the one below it");
}

static void say_purpose(struct sb *s, const struct verdict *v, const struct verdict_input *in,
                        const struct cert *c)
{
    (void)v, (void)c;
    sb_fmt(s, " names purposes, and %s is not among them",
           in->purpose == VERDICT_FOR_SERVER ? "serverAuth" : "clientAuth");
}

/* Is it lists that say nothing, or responders? */
static bool wants_list(const struct verdict *v, const struct verdict_input *in,
                       const struct cert *c)
{
    const struct revocation *r = in->trust ? trust_revocation(in->trust) : NULL;
    const struct cert *issuer = cert_at(v, in, v->depth + 1u);
    struct revocation_answer a;

    if (!r || !issuer)
        return r != NULL;
    revocation_ask(r, issuer, c, in->now_s, &a);
    return a.what == CRL_NO_LIST;
}

static void say_unknown(struct sb *s, const struct verdict *v, const struct verdict_input *in,
                        const struct cert *c)
{
    if (!wants_list(v, in, c)) {
        sb_str(s, ": by OCSP nothing that can be used is known of it from its issuer ");
        cert_name_text(s, c->issuer);
        sb_fmt(s,
               ", and trust '%s' asks for that: see that the responder answers, or "
               "ocsp_fail = \"allow\"",
               trust_label(in));
        return;
    }
    sb_str(s, ": there is no revocation list of its issuer ");
    cert_name_text(s, c->issuer);
    sb_fmt(s, " in trust '%s': add one, or %scrl_missing = \"allow\"", trust_label(in),
           c->crl_dp.len && !trust_learns(in->trust) ? "crl_learn = true, or " : "");
}

static void say_stale(struct sb *s, const struct verdict *v, const struct verdict_input *in,
                      const struct cert *c)
{
    (void)v, (void)in;
    sb_str(s, ": the time of the revocation list of ");
    cert_name_text(s, c->issuer);
    sb_str(s, " is over: a new one is needed");
}

static void say_revoked(struct sb *s, const struct verdict *v, const struct verdict_input *in,
                        const struct cert *c)
{
    (void)v, (void)in;
    sb_str(s, " is on the list of ");
    cert_name_text(s, c->issuer);
}

static void say_not_listed(struct sb *s, const struct verdict *v, const struct verdict_input *in,
                           const struct cert *c)
{
    const struct allow *narrow = trust_narrow(in->trust), *direct = trust_direct(in->trust);
    uint8_t hash[32];

    (void)v;
    sb_fmt(s, ": none of the %u entries in the lists of trust '%s' is its SHA-256 ",
           (narrow ? allow_count(narrow) : 0) + (direct ? allow_count(direct) : 0),
           trust_label(in));
    sha256(c->der, hash);
    sb_hex(s, span_of(hash, sizeof(hash)));
    sb_str(s, " or its key's ");
    sha256(c->spki, hash);
    sb_hex(s, span_of(hash, sizeof(hash)));
}

/* What would have to be different; codes without an entry say it all in their text. */
static say_fn *const SAY[VERDICT_CODE_COUNT] = {
    [VERDICT_ISSUER_UNKNOWN] = say_issuer,
    [VERDICT_EXPIRED] = say_expired,
    [VERDICT_NOT_YET_VALID] = say_early,
    [VERDICT_CHAIN_TOO_LONG] = say_too_long,
    [VERDICT_PATH_LENGTH] = say_path_length,
    [VERDICT_WEAK_KEY] = say_weak_key,
    [VERDICT_CRITICAL_EXTENSION] = say_critical,
    [VERDICT_SELF_SIGNED] = say_self_signed,
    [VERDICT_SELF_SIGNED_IN_CHAIN] = say_self_signed,
    [VERDICT_NOT_A_CA] = say_not_a_ca,
    [VERDICT_PURPOSE] = say_purpose,
    [VERDICT_REVOKED] = say_revoked,
    [VERDICT_REVOCATION_UNKNOWN] = say_unknown,
    [VERDICT_REVOCATION_STALE] = say_stale,
    [VERDICT_NOT_LISTED] = say_not_listed,
};

void verdict_explain(struct sb *s, const struct verdict *v, const struct verdict_input *in)
{
    bool ok = v->code == VERDICT_OK;
    const struct cert *c = cert_at(v, in, ok ? v->path_len - 1u : v->depth);

    sb_str(s, verdict_text(v->code));
    if (!c)
        return;
    if (ok)
        sb_str(s, v->anchor < 0 ? ": listed by itself: " : ": anchor ");
    else
        sb_fmt(s, " at depth %u: ", v->depth);
    who(s, c);
    if (ok) {
        sb_str(s, ", good until ");
        date(s, v->expires_s);
    } else if (SAY[v->code]) {
        SAY[v->code](s, v, in, c);
    }
}
