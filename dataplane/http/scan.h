/**
 * scan: which bytes may stand where (RFC 9110 5.5, 5.6.2; RFC 3986). Tables, no branches per byte.
 */
#ifndef SALLYPORT_HTTP_SCAN_H
#define SALLYPORT_HTTP_SCAN_H

#include "base/span.h"

/* Length of the token that `s` begins with. */
size_t scan_token(struct span s);

/* No controls but tab, no DEL; bytes >= 0x80 are obs-text and pass. */
bool scan_value_ok(struct span s);

/* Visible ASCII only: what a request target may consist of, so nothing has to be guessed later. */
bool scan_target_ok(struct span s);

/* Value of a hexadecimal digit; -1: none. */
int scan_hex(uint8_t c);

#endif
