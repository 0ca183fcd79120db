/**
 * stream: one byte stream in two directions, as TCP gives it and TLS gives it again on top.
 *
 * Whoever is above a stream is its owner. The owner reads by peeking at bytes where they lie and
 * consuming them, and writes by reserving room, filling it and committing. Nothing is ever dropped:
 * what is not consumed closes the peer's window.
 *
 * Events reach the owner at most once per stream and turn, with all bits that apply. They are hints:
 * the owner asks the stream how things are, and must not rely on a second event for the same bytes.
 *
 *   OPEN      connected (TCP) or handshake done (TLS); comes first
 *   READABLE  stream_readable() > 0
 *   WRITABLE  room again after stream_tx_space() was too small
 *   EOF       the peer will send nothing more; what came before is still readable
 *   CLOSED    the stream is dead in both directions (stream_why tells); what came before may still be read,
 *             and nothing more will be heard of it
 *
 * Life: close and abort give the stream back; the owner hears nothing more and must not touch it.
 * close sends what was committed and then ends in good order, discarding what still arrives.
 * Inside an event the owner may do anything to any stream, closing this one included.
 */
#ifndef SALLYPORT_STREAM_STREAM_H
#define SALLYPORT_STREAM_STREAM_H

#include "base/span.h"

enum stream_ev {
    STREAM_EV_OPEN = 1,
    STREAM_EV_READABLE = 2,
    STREAM_EV_WRITABLE = 4,
    STREAM_EV_EOF = 8,
    STREAM_EV_CLOSED = 16,
};

/* Why a stream is dead. */
#define STREAM_WHYS(X)                                 \
    X(NONE, "not closed")                              \
    X(DONE, "closed by both sides")                    \
    X(RESET, "reset by peer")                          \
    X(REFUSED, "connection refused")                   \
    X(UNREACHABLE, "no route or host unreachable")     \
    X(TIMEOUT, "timed out")                            \
    X(NO_PORT, "no free local port")                   \
    X(NO_MEMORY, "out of a bounded resource")          \
    X(PROTOCOL, "the peer broke the protocol")         \
    X(UNTRUSTED, "the peer's certificate was refused") \
    X(TRUNCATED, "ended without close_notify")         \
    X(LOCAL, "aborted by this side")

enum stream_why {
#define X(name, text) STREAM_WHY_##name,
    STREAM_WHYS(X)
#undef X
        STREAM_WHY_COUNT,
};

struct stream;

struct stream_owner {
    const char *name;
    void (*on_event)(void *owner, struct stream *s, uint32_t events);
};

struct stream_ops {
    const char *name;
    uint32_t (*readable)(struct stream *s);
    uint32_t (*peek)(struct stream *s, struct span *v, uint32_t max);
    void (*consume)(struct stream *s, uint32_t n);
    bool (*at_eof)(const struct stream *s);
    uint32_t (*tx_space)(struct stream *s);
    void *(*reserve)(struct stream *s, uint32_t want, uint32_t *got);
    void (*commit)(struct stream *s, uint32_t n);
    uint32_t (*unsent)(const struct stream *s);
    void (*again)(struct stream *s);
    void (*shutdown)(struct stream *s);
    void (*close)(struct stream *s);
    void (*abort)(struct stream *s);
    enum stream_why (*why)(const struct stream *s);
};

/* Embedded in what implements it; ops is set once, owner by whoever takes the stream. */
struct stream {
    const struct stream_ops *ops;
    const struct stream_owner *owner_ops;
    void *owner;
};

static inline void stream_set_owner(struct stream *s, const struct stream_owner *ops, void *owner)
{
    s->owner_ops = ops;
    s->owner = owner;
}

/* Bytes that can be peeked now. For TLS this decrypts at most one record. */
static inline uint32_t stream_readable(struct stream *s)
{
    return s->ops->readable(s);
}

/* Up to `max` spans of bytes in order; valid until the next call on this stream. Returns how many. */
static inline uint32_t stream_peek(struct stream *s, struct span *v, uint32_t max)
{
    return s->ops->peek(s, v, max);
}

/* Done with the first n bytes; n <= what peek showed. */
static inline void stream_consume(struct stream *s, uint32_t n)
{
    s->ops->consume(s, n);
}

/* All bytes were consumed and the peer ended its side in good order. */
static inline bool stream_at_eof(const struct stream *s)
{
    return s->ops->at_eof(s);
}

/**
 * Bytes that may be committed now: a promise, buffers included, until another stream of this core is
 * written to. When it is too small for the owner, WRITABLE follows.
 */
static inline uint32_t stream_tx_space(struct stream *s)
{
    return s->ops->tx_space(s);
}

/**
 * Room to write into, at least 1 and at most `want` bytes; valid until the next call on this stream.
 * Returns NULL when there is none (no space, or buffers are out: WRITABLE follows).
 */
static inline void *stream_reserve(struct stream *s, uint32_t want, uint32_t *got)
{
    return s->ops->reserve(s, want, got);
}

/* The first n bytes of the reservation are to be sent. They go out at the end of the turn. */
static inline void stream_commit(struct stream *s, uint32_t n)
{
    s->ops->commit(s, n);
}

/* Bytes committed and not yet acknowledged by the peer. */
static inline uint32_t stream_unsent(const struct stream *s)
{
    return s->ops->unsent(s);
}

/**
 * Send me an event with the present state in the next turn: for an owner that has used up its share of
 * this one. The way to be fair without losing work.
 */
static inline void stream_again(struct stream *s)
{
    s->ops->again(s);
}

/* No more writing: FIN (and close_notify) after what was committed. Reading goes on. */
static inline void stream_shutdown(struct stream *s)
{
    s->ops->shutdown(s);
}

static inline void stream_close(struct stream *s)
{
    s->ops->close(s);
}

static inline void stream_abort(struct stream *s)
{
    s->ops->abort(s);
}

static inline enum stream_why stream_why(const struct stream *s)
{
    return s->ops->why(s);
}

/* Copy all of `bytes` into the stream. False, and nothing written, when they do not fit. */
bool stream_write(struct stream *s, struct span bytes);

const char *stream_why_text(enum stream_why why);

#endif
