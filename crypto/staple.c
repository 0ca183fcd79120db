#include "crypto/staple.h"

#include <stdlib.h>

#define WORDS (STAPLE_MAX_B / 8)
#define TRIES 8

struct staple {
    uint32_t refs; /* control side */
    uint32_t seq;  /* odd while it is being written */
    uint32_t len;
    int64_t until_s;
    uint64_t words[WORDS];
};

res staple_new(struct staple **out)
{
    *out = (struct staple *)calloc(1, sizeof(**out));
    if (!*out)
        return ERR(NOMEM);
    (*out)->refs = 1;
    return OK;
}

struct staple *staple_ref(struct staple *s)
{
    s->refs++;
    return s;
}

void staple_unref(struct staple *s)
{
    if (s && --s->refs == 0)
        free(s);
}

/**
 * Word by word and each one atomic: a reader at the same time gets a mixture, and sees by `seq` that it is. Words
 * are stored with release behind the odd `seq`, and loaded with acquire before it is looked at again: so no fence
 * is needed, which ThreadSanitizer would not know.
 */
void staple_put(struct staple *s, struct span der, int64_t until_s)
{
    uint32_t len = der.len <= STAPLE_MAX_B ? (uint32_t)der.len : 0;

    __atomic_store_n(&s->seq, s->seq + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&s->len, len, __ATOMIC_RELEASE);
    __atomic_store_n(&s->until_s, until_s, __ATOMIC_RELEASE);
    for (uint32_t i = 0; i < len; i += 8) {
        uint64_t w = 0;

        memcpy(&w, der.p + i, len - i < 8 ? len - i : 8);
        __atomic_store_n(&s->words[i / 8], w, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&s->seq, s->seq + 1, __ATOMIC_RELEASE);
}

uint32_t staple_len(const struct staple *s, int64_t now_s)
{
    uint32_t len = __atomic_load_n(&s->len, __ATOMIC_ACQUIRE);

    return now_s <= __atomic_load_n(&s->until_s, __ATOMIC_ACQUIRE) ? len : 0;
}

static uint32_t copy_once(const struct staple *s, int64_t now_s, uint8_t *out, uint32_t cap)
{
    uint32_t len = staple_len(s, now_s);

    if (len > cap)
        return 0;
    for (uint32_t i = 0; i < len; i += 8) {
        uint64_t w = __atomic_load_n(&s->words[i / 8], __ATOMIC_ACQUIRE);

        memcpy(out + i, &w, len - i < 8 ? len - i : 8);
    }
    return len;
}

uint32_t staple_copy(const struct staple *s, int64_t now_s, uint8_t *out, uint32_t cap)
{
    for (unsigned i = 0; i < TRIES; i++) {
        uint32_t seq = __atomic_load_n(&s->seq, __ATOMIC_ACQUIRE), len;

        if (seq & 1)
            continue;
        len = copy_once(s, now_s, out, cap);
        if (__atomic_load_n(&s->seq, __ATOMIC_RELAXED) == seq)
            return len;
    }
    return 0;
}
