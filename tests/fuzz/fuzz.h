/**
 * fuzz: what every fuzz target needs. A target defines LLVMFuzzerTestOneInput; built with -Dfuzz=true it is a
 * libFuzzer program, else it runs over the files it is given (tests/fuzz/corpus.c), as a test.
 */
#ifndef SALLYPORT_TESTS_FUZZ_H
#define SALLYPORT_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Something that must hold whatever the input is. */
#define FUZZ_MUST(x)                                                               \
    do {                                                                           \
        if (!(x)) {                                                                \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #x); \
            abort();                                                               \
        }                                                                          \
    } while (0)

#endif
