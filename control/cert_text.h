/**
 * cert_text: what stands in a certificate, as JSON whose texts can be printed. For cert_cli.
 */
#ifndef SALLYPORT_CONTROL_CERT_TEXT_H
#define SALLYPORT_CONTROL_CERT_TEXT_H

#include "crypto/cert.h"

#include <jansson.h>

json_t *cert_json(const struct sb *s);
json_t *cert_day(int64_t t);
void cert_put_text(json_t *o, const char *key, void (*write)(struct sb *, struct span),
                   struct span in);
json_t *cert_describe(const struct cert *c);

#endif
