/* Where certificates say that their lists are to be had (RFC 5280 4.2.1.13). */
#include "crypto/crl.h"
#include "crypto/der.h"

#define NAME_URI (DER_CONTEXT | 6)

static bool is_http(struct span url)
{
    return span_ieq(span_first(url, 7), SPAN_LIT("http://")) ||
           span_ieq(span_first(url, 8), SPAN_LIT("https://"));
}

/* The first of its names that can be fetched; the others lead to the same list. */
static bool name_of(struct span names, struct span *url)
{
    struct der e;

    while (der_next(&names, &e)) {
        if (e.tag == NAME_URI && is_http(e.body)) {
            *url = e.body;
            return true;
        }
    }
    return false;
}

/* DistributionPoint ::= SEQUENCE { [0] { [0] fullName }, [1] reasons, [2] cRLIssuer }, all optional */
static bool full_name(struct span seq, struct span *names)
{
    struct span name;
    bool there;

    if (!der_maybe(&seq, DER_CONTEXT_CONS | 0, &name, &there) || !there || seq.len)
        return false; /* for some reasons, or by somebody else: such lists are not taken */
    return der_maybe(&name, DER_CONTEXT_CONS | 0, names, &there) && there;
}

size_t crl_points(struct span extension, struct span *urls, size_t max)
{
    struct span all, one, names;
    size_t n = 0;

    if (!der_get(&extension, DER_SEQUENCE, &all) || extension.len)
        return 0;
    while (n < max && der_get(&all, DER_SEQUENCE, &one))
        n += full_name(one, &names) && name_of(names, &urls[n]);
    return n;
}

static bool has_name(struct span names, struct span name)
{
    struct der e;

    while (der_next(&names, &e)) {
        if (span_eq(e.whole, name))
            return true;
    }
    return false;
}

#define NAMES_MAX 16u /* of one point that are compared */

static bool one_in_common(struct span a, struct span b)
{
    struct der e;

    for (uint32_t i = 0; i < NAMES_MAX && der_next(&a, &e); i++) {
        if (has_name(b, e.whole))
            return true;
    }
    return false;
}

bool crl_point_named(struct span extension, struct span names)
{
    struct span all, one, theirs;

    if (!der_get(&extension, DER_SEQUENCE, &all) || extension.len)
        return false;
    while (der_get(&all, DER_SEQUENCE, &one)) {
        if (full_name(one, &theirs) && one_in_common(names, theirs))
            return true;
    }
    return false;
}
