/* Not SHA-256, but as wide: where fingerprints only have to differ. Goes with fake_sig.c. */
#include "crypto/sig.h"

#include <string.h>

void sha256(struct span in, uint8_t out[32])
{
    uint64_t h = 1469598103934665603u;

    for (size_t i = 0; i < in.len; i++)
        h = (h ^ in.p[i]) * 1099511628211u;
    for (int i = 0; i < 4; i++, h = h * 6364136223846793005u + 1)
        memcpy(out + 8 * i, &h, 8);
}

void sha1(struct span in, uint8_t out[20])
{
    uint8_t wide[32];

    sha256(in, wide);
    memcpy(out, wide, 20);
}
