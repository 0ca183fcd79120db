/**
 * secret: memory for keys: locked, left out of core dumps, wiped when given back.
 */
#ifndef SALLYPORT_CRYPTO_SECRET_H
#define SALLYPORT_CRYPTO_SECRET_H

#include "base/span.h"

/* Zeroed, page-rounded; NULL when the system has none left. */
void *secret_get(size_t len);
void secret_put(void *p, size_t len);

/* Not removed by the optimiser. */
void secret_wipe(void *p, size_t len);

/* Constant time in the content. */
bool secret_eq(const void *a, const void *b, size_t len);

#endif
