/**
 * fake_crypto: trust sets, identities and TLS profiles made of the bytes of any files, for tests of control/.
 * A file that contains "bad" is a mistake; so is the cipher "NOPE".
 */
#ifndef SALLYPORT_TESTS_FAKE_CRYPTO_H
#define SALLYPORT_TESTS_FAKE_CRYPTO_H

#include <stdbool.h>
#include <stdint.h>

extern struct fake_crypto {
    uint32_t trusts, identities, profiles, crls; /* alive */
    uint32_t profiles_made, files_read;
    bool last_for_server, last_for_client;
    const char *points[4]; /* what crl_points finds in an extension that is not empty */
    bool path_bad;         /* what crl_path_ok says of all */
    uint32_t cas;          /* signers beside sets, with the last list that was read */
} fake_crypto;

/* Lists that were fetched for this set; UINT32_MAX: none are wanted. */
struct trust;
uint32_t fake_trust_lists(const struct trust *t);

#endif
