/**
 * pem: text files of certificates and keys (RFC 7468) into DER. Control side only.
 */
#ifndef SALLYPORT_CRYPTO_PEM_H
#define SALLYPORT_CRYPTO_PEM_H

#include "base/arena.h"
#include "base/report.h"
#include "base/span.h"

#define PEM_FILE_MAX (64u * 1024 * 1024)

struct pem_block {
    struct span label; /* "CERTIFICATE", "PRIVATE KEY", ... */
    struct span der;
    int line; /* of its BEGIN */
};

/**
 * All blocks of a text. A file that is one DER SEQUENCE and no PEM comes back as one block with an
 * empty label. Memory is the arena's. Mistakes are reported with file and line.
 */
MUST_CHECK res pem_parse(struct arena *a, const char *file, struct span text, struct report *report,
                         struct pem_block **blocks, size_t *count);
/* A whole file. */
MUST_CHECK res pem_read(struct arena *a, const char *file, struct report *report, struct span *out);
MUST_CHECK res pem_load(struct arena *a, const char *file, struct report *report,
                        struct pem_block **blocks, size_t *count);

#endif
