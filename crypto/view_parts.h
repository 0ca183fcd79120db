/* Shared by view.c, view_list.c and view_put.c only. */
#ifndef SALLYPORT_CRYPTO_VIEW_PARTS_H
#define SALLYPORT_CRYPTO_VIEW_PARTS_H

#include "crypto/view.h"

/* --- view_list.c: one element, or all with commas between. False: there is none --- */

bool view_list(struct sb *s, const struct view *v, const struct cert *c);
bool view_extension(struct sb *s, const struct cert *c, struct span oid);

/* --- view_put.c --- */

void view_put_time(struct sb *s, int64_t at_s);
/* Whole days until notAfter. */
void view_put_remain(struct sb *s, int64_t not_after_s, int64_t now_s);
void view_put_decimal(struct sb *s, struct span serial);
void view_put_cea(struct sb *s, const struct cert *c);
void view_put_sig_algorithm(struct sb *s, const struct cert *c);
void view_put_key_algorithm(struct sb *s, const struct cert *c);
void view_put_cert(struct sb *s, const struct cert *c, bool pem);
void view_put_sha256(struct sb *s, struct span in);
void view_put_sha1(struct sb *s, struct span in);

#endif
