/**
 * fake_sig: instead of crypto/sig.c, whose signatures no fuzzer ever gets right: here they are good or bad as the
 * target says. The hashes are another file's, because some targets need true ones.
 */
#ifndef SALLYPORT_TESTS_FAKE_SIG_H
#define SALLYPORT_TESTS_FAKE_SIG_H

#include "crypto/sig.h"

/* Every signature is taken for good. */
extern bool fake_sig_valid;

#endif
