/**
 * res: the answer of everything on the cold path (boot, configuration, crypto, control).
 *
 * It says "may I go on?"; the words for the operator go into a struct report. A struct, so that it
 * cannot be mistaken for a count or a pointer, and must_check, so that it cannot be overlooked.
 * The hot path has no errors, only verdicts (CONTRIBUTING.md, 4).
 */
#ifndef SALLYPORT_BASE_RES_H
#define SALLYPORT_BASE_RES_H

#include <stdbool.h>
#include <stddef.h>

enum res_code {
    RES_OK = 0,
    RES_FAIL,    /* reported in words already */
    RES_NOMEM,   /* the general heap or a bound of ours is exhausted */
    RES_INVALID, /* the input is not of the form asked for */
    RES_IO,      /* the kernel said no; errno tells why */
    RES_TIMEOUT,
    RES_EXISTS,
    RES_ABSENT,
};

typedef struct res {
    enum res_code code;
} res;

#define OK                     ((res){RES_OK})
#define ERR(what)              ((res){RES_##what})
#define IS_OK(r)               ((r).code == RES_OK)

#define MUST_CHECK             __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* Pass a failure on to the caller. */
#define TRY(expr)              \
    do {                       \
        res try_res_ = (expr); \
        if (!IS_OK(try_res_))  \
            return try_res_;   \
    } while (0)

/* Run `fn(&variable)` when the variable goes out of scope. */
#define DEFER(fn) __attribute__((cleanup(fn)))

/* Move a pointer out of a variable and leave NULL behind: ownership goes to whoever takes it. */
#define TAKE(p)                                  \
    __extension__({                              \
        __typeof__(p) *take_from_ = &(p);        \
        __typeof__(p) take_value_ = *take_from_; \
        *take_from_ = NULL;                      \
        take_value_;                             \
    })

#define ARRAY_LEN(a)                    (sizeof(a) / sizeof((a)[0]))

#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

#endif
