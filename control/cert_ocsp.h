/**
 * cert_ocsp: OCSP responses in files, in the place of responders, for `sallyctl cert verify`: judged, put into a table
 * as those that were asked for are, and the verdict made again with it.
 */
#ifndef SALLYPORT_CONTROL_CERT_OCSP_H
#define SALLYPORT_CONTROL_CERT_OCSP_H

#include "base/report.h"
#include "crypto/verdict.h"

#include <jansson.h>

#define CERT_OCSP_MAX 8

struct cert_ocsp {
    const char *files[CERT_OCSP_MAX];
    uint32_t n;
    struct ocsp_table *table;
    json_t *said; /* what came of each file */
};

/**
 * `v` is what `in` gave without OCSP, and becomes what it gives with the responses. What no response tells of is as if
 * no responder had answered.
 * Returns  false: a file that cannot be read, or a set that does not ask by OCSP
 */
bool cert_ocsp_judge(struct cert_ocsp *o, const struct verdict_input *in, struct verdict *v,
                     struct report *r);
void cert_ocsp_fini(struct cert_ocsp *o);

#endif
