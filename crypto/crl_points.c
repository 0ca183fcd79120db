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
static bool point(struct span seq, struct span *url)
{
    struct span name, full;
    bool there;

    if (!der_maybe(&seq, DER_CONTEXT_CONS | 0, &name, &there) || !there || seq.len)
        return false; /* for some reasons, or by somebody else: such lists are not taken */
    return der_maybe(&name, DER_CONTEXT_CONS | 0, &full, &there) && there && name_of(full, url);
}

size_t crl_points(struct span extension, struct span *urls, size_t max)
{
    struct span all, one;
    size_t n = 0;

    if (!der_get(&extension, DER_SEQUENCE, &all) || extension.len)
        return 0;
    while (n < max && der_get(&all, DER_SEQUENCE, &one))
        n += point(one, &urls[n]);
    return n;
}
