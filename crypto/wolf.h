/**
 * wolf: what wolfSSL wants from the process: its memory and its randomness.
 *
 * Both hooks of the library carry no context, so the calling thread's come from a thread-local pointer:
 * the one place where we need one. A thread that binds (a core) gets memory from its own heap and
 * bytes from its own generator; any other thread (control) gets malloc and getrandom.
 */
#ifndef SALLYPORT_CRYPTO_WOLF_H
#define SALLYPORT_CRYPTO_WOLF_H

#include "base/rng.h"
#include "base/sb.h"
#include "crypto/heap.h"

/* Secret: the generator. */
struct wolf_thread {
    struct heap *heap;
    struct rng *rng;
};

/**
 * Once per process, before any other use of wolfSSL. Also checks that the library is the one this
 * program was compiled for, with the options that our safety hangs on.
 */
MUST_CHECK res wolf_init(void);

/* `t` stays valid as long as the thread uses wolfSSL; NULL unbinds. */
void wolf_bind(struct wolf_thread *t);

/* The hook compiled into wolfSSL (deploy/setup.sh). 0: done. */
int sallyport_random_block(unsigned char *out, unsigned int len);

/* "wolfSSL 5.9.2"; verbose: which CPU paths its assembly takes on this machine, one a line. */
void wolf_text(struct sb *s, bool verbose);

#endif
