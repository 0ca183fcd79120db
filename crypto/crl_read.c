/* A revocation list as it was signed (RFC 5280 5): what it says, and whether it is one that can be used. */
#include "crypto/crl_internal.h"
#include "crypto/der.h"
#include "crypto/oid.h"

#define OID_CRL_NUMBER OID("\x55\x1d\x14")
#define OID_CRL_REASON OID("\x55\x1d\x15")
#define OID_DELTA      OID("\x55\x1d\x1b")
#define OID_IDP        OID("\x55\x1d\x1c")
#define OID_CRL_ISSUER OID("\x55\x1d\x1d")
#define OID_CRL_AKI    OID("\x55\x1d\x23")

struct reading {
    struct crl_view *v;
    const char *why;
};

static bool no(struct reading *r, const char *why)
{
    if (!r->why)
        r->why = why;
    return false;
}

/* IssuingDistributionPoint (RFC 5280 5.2.5) */
static bool take_idp(struct reading *r, struct span value)
{
    struct span seq;
    struct der e;

    if (!der_get(&value, DER_SEQUENCE, &seq) || value.len)
        return no(r, "issuingDistributionPoint");
    while (der_next(&seq, &e)) {
        bool set = true;

        if (e.tag == (DER_CONTEXT_CONS | 0)) {
            struct span names;
            bool full;

            if (!der_maybe(&e.body, DER_CONTEXT_CONS | 0, &names, &full))
                return no(r, "issuingDistributionPoint");
            if (!full)
                return no(r, "a distribution point relative to its issuer");
            r->v->point = names;
            continue;
        }
        if (e.tag == (DER_CONTEXT | 3))
            return no(r, "it is for some reasons only");
        if (!der_boolean(e.body, &set))
            return no(r, "issuingDistributionPoint");
        if (e.tag == (DER_CONTEXT | 1))
            r->v->users_only = set;
        else if (e.tag == (DER_CONTEXT | 2))
            r->v->cas_only = set;
        else if (e.tag == (DER_CONTEXT | 4) && set)
            return no(r,
                      "it is an indirect list: lists are taken from the certificates' own issuers");
        else if (set)
            return no(r, "it is for attribute certificates");
    }
    return seq.len ? no(r, "issuingDistributionPoint") : true;
}

static bool take_number(struct reading *r, struct span value, struct span *out)
{
    if (!der_get(&value, DER_INTEGER, out) || value.len || !der_integer_ok(*out) ||
        out->p[0] & 0x80)
        return no(r, "its number");
    while (out->len > 1 && out->p[0] == 0)
        *out = span_from(*out, 1);
    return out->len <= CRL_SERIAL_MAX_B ? true : no(r, "its number");
}

static bool take_aki(struct reading *r, struct span value)
{
    struct span seq, id;
    bool there;

    if (!der_get(&value, DER_SEQUENCE, &seq) || value.len ||
        !der_maybe(&seq, DER_CONTEXT | 0, &id, &there))
        return no(r, "authorityKeyIdentifier");
    if (there)
        r->v->aki = id;
    return true;
}

/* Extension ::= SEQUENCE { OID, critical BOOLEAN DEFAULT FALSE, value OCTET STRING } */
static bool open_extension(struct span one, struct span *oid, bool *critical, struct span *value)
{
    struct span flag;
    bool there;

    *critical = false;
    return der_get(&one, DER_OID, oid) && der_maybe(&one, DER_BOOLEAN, &flag, &there) &&
           (!there || der_boolean(flag, critical)) && der_get(&one, DER_OCTET_STRING, value) &&
           one.len == 0;
}

static bool take_extensions(struct reading *r, struct span part)
{
    struct span seq, one, oid, value;
    bool critical;

    if (!der_get(&part, DER_SEQUENCE, &seq) || part.len)
        return no(r, "extensions");
    while (seq.len) {
        bool good = true;

        if (!der_get(&seq, DER_SEQUENCE, &one) || !open_extension(one, &oid, &critical, &value))
            return no(r, "extensions");
        if (span_eq(oid, OID_CRL_NUMBER))
            good = take_number(r, value, &r->v->number);
        else if (span_eq(oid, OID_DELTA))
            good = r->v->delta = take_number(r, value, &r->v->base_number);
        else if (span_eq(oid, OID_IDP))
            good = take_idp(r, value);
        else if (span_eq(oid, OID_CRL_AKI))
            good = take_aki(r, value);
        else if (critical)
            good = no(r, "a critical extension that is not known here");
        if (!good)
            return false;
    }
    return true;
}

static bool take_time(struct span *in, int64_t *out)
{
    struct der e;

    return der_next(in, &e) && (e.tag == DER_UTC_TIME || e.tag == DER_GENERAL_TIME) &&
           der_time(e.tag, e.body, out);
}

static bool take_tbs(struct reading *r, struct span tbs, struct span outer_alg)
{
    struct span part, alg;
    uint32_t version = 0;
    bool there;
    struct der e;

    if (!der_maybe(&tbs, DER_INTEGER, &part, &there) || (there && !der_small(part, &version)))
        return no(r, "version");
    if (version != 1)
        return no(r, "it is not of version 2");
    if (!der_get(&tbs, DER_SEQUENCE, &alg) || !span_eq(alg, outer_alg))
        return no(r, "signature algorithm");
    if (!der_next(&tbs, &e) || e.tag != DER_SEQUENCE || e.body.len == 0)
        return no(r, "issuer");
    r->v->issuer = e.whole;
    if (!take_time(&tbs, &r->v->this_s))
        return no(r, "thisUpdate");
    if (tbs.len && (tbs.p[0] == DER_UTC_TIME || tbs.p[0] == DER_GENERAL_TIME) &&
        !take_time(&tbs, &r->v->next_s))
        return no(r, "nextUpdate");
    if (!der_maybe(&tbs, DER_SEQUENCE, &part, &there))
        return no(r, "entries");
    r->v->entries = there ? part : SPAN_NONE;
    if (!der_maybe(&tbs, DER_CONTEXT_CONS | 0, &part, &there) || tbs.len)
        return no(r, "extensions");
    return !there || take_extensions(r, part);
}

/* The reason of an entry; an entry extension that is critical and not known makes the list unusable. */
static bool take_reason(struct span part, uint8_t *reason)
{
    struct span seq, one, oid, value, body;
    bool critical;

    if (!der_get(&part, DER_SEQUENCE, &seq) || part.len)
        return false;
    while (seq.len) {
        if (!der_get(&seq, DER_SEQUENCE, &one) || !open_extension(one, &oid, &critical, &value))
            return false;
        if (span_eq(oid, OID_CRL_REASON)) {
            if (!der_get(&value, DER_ENUMERATED, &body) || value.len || body.len != 1)
                return false;
            *reason = body.p[0];
        } else if (critical) {
            return false; /* certificateIssuer among them: an indirect list */
        }
    }
    return true;
}

bool crl_next_entry(struct span *rest, struct crl_entry *out)
{
    struct span seq, serial;
    int64_t when;

    if (!der_get(rest, DER_SEQUENCE, &seq))
        return false;
    if (!der_get(&seq, DER_INTEGER, &serial) || !der_integer_ok(serial) ||
        !take_time(&seq, &when) ||
        (*out = (struct crl_entry){0}, seq.len && !take_reason(seq, &out->reason))) {
        *rest = span_of(rest->p - 1, rest->len + 1); /* whatever it was, it is not the end */
        return false;
    }
    while (serial.len > 1 && serial.p[0] == 0)
        serial = span_from(serial, 1);
    out->len = (uint8_t)min_size(serial.len, CRL_SERIAL_MAX_B + 1);
    if (out->len <= CRL_SERIAL_MAX_B)
        memcpy(out->serial, serial.p, serial.len);
    return true;
}

res crl_parse(struct span der, struct crl_view *out, const char **why)
{
    struct reading r = {.v = out};
    struct span seq, alg, bits, rest;
    struct crl_entry e;
    struct der tbs;
    uint8_t unused;

    memset(out, 0, sizeof(*out));
    *why = "it is no SEQUENCE of three";
    if (!der_get(&der, DER_SEQUENCE, &seq) || der.len || !der_next(&seq, &tbs) ||
        tbs.tag != DER_SEQUENCE || !der_get(&seq, DER_SEQUENCE, &alg) ||
        !der_get(&seq, DER_BIT_STRING, &bits) || seq.len)
        return ERR(INVALID);
    out->tbs = tbs.whole;
    *why = "signature";
    if (!cert_alg_parse(alg, &out->alg) || !der_bits(bits, &out->sig, &unused) || unused)
        return ERR(INVALID);
    if (!take_tbs(&r, tbs.body, alg)) {
        *why = r.why;
        return ERR(INVALID);
    }
    rest = out->entries;
    while (crl_next_entry(&rest, &e))
        ;
    *why = "an entry";
    return rest.len ? ERR(INVALID) : OK;
}
