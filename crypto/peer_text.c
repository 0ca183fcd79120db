#include "crypto/heap.h"
#include "crypto/peer_internal.h"

static struct span span_of_text(const struct text *t)
{
    return t->there ? span_of(t->p, t->len) : SPAN_NONE;
}

static void keep(struct peers *p, struct peer *peer, const struct view *v, const struct sb *text,
                 bool there)
{
    uint32_t size = (uint32_t)(sizeof(struct text) + text->len + 1);
    struct text *t;

    if (peer->texts_b + size > PEER_TEXTS_B || !(t = (struct text *)heap_get(p->heap, size)))
        return;
    *t = (struct text){peer->texts, v->key, (uint32_t)text->len, there};
    memcpy(t->p, text->p, text->len + 1);
    peer->texts = t;
    peer->texts_b += size;
}

struct span peer_view(struct peers *p, struct peer *peer, const struct view *v, int64_t now_s)
{
    struct sb s = sb_of(p->scratch, sizeof(p->scratch));
    bool there;

    for (const struct text *t = peer->texts; t; t = t->next) {
        if (t->key == v->key)
            return span_of_text(t);
    }
    there = cert_view(&s, v, peer->certs, peer->n, now_s);
    if (!cert_view_fleeting(v))
        keep(p, peer, v, &s, there);
    return there ? sb_span(&s) : SPAN_NONE;
}

const char *peer_subject(struct peers *p, struct peer *peer)
{
    struct view v;
    const char *why;
    struct span text;

    if (!view_compile(SPAN_LIT("SSL_CLIENT_S_DN"), &v, &why))
        return "";
    text = peer_view(p, peer, &v, 0);
    return text.p ? (const char *)text.p : "";
}
