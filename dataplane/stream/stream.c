#include "stream/stream.h"

#include "base/must.h"

const char *stream_why_text(enum stream_why why)
{
    static const char *const texts[STREAM_WHY_COUNT] = {
#define X(name, text) text,
        STREAM_WHYS(X)
#undef X
    };
    return texts[why];
}

bool stream_write(struct stream *s, struct span bytes)
{
    if (stream_tx_space(s) < bytes.len)
        return false;
    while (bytes.len) {
        uint32_t got;
        void *room = stream_reserve(s, (uint32_t)bytes.len, &got);

        if (!SHOULD(room != NULL))
            return false;
        memcpy(room, bytes.p, got);
        stream_commit(s, got);
        bytes = span_from(bytes, got);
    }
    return true;
}
