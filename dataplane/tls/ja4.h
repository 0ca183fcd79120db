/**
 * ja4: what a client's software looks like by its ClientHello: "t13d1516h2_8daaf6152771_e5627efa2ab1" (FoxIO's
 * description of JA4 for TLS over TCP). Not a proof of anything: who wants to look like another can.
 */
#ifndef SALLYPORT_TLS_JA4_H
#define SALLYPORT_TLS_JA4_H

#include "base/sb.h"
#include "tls/hello.h"

#define JA4_B 36 /* as text */

/* 22 bytes, embedded in struct tls_conn. a[0] == 0: it was never made. */
struct ja4 {
    char a[10];
    uint8_t b[6], c[6]; /* of two SHA-256 */
};

_Static_assert(sizeof(struct ja4) == 22, "one for each connection");

/**
 * Borrows  h       as hello_parse() has left it, with the bytes it points to
 * Bound    O(length of the ClientHello); 33 KB of stack, allocates nothing
 */
void ja4_of(const struct hello *h, struct ja4 *out);

/* Nothing when it was never made. */
void ja4_text(struct sb *s, const struct ja4 *j);

#endif
