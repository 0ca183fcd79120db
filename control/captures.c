#include "control/captures.h"

#include "base/arena.h"

_Static_assert(SNAP_CAPTURE_MAX == ACCESS_HEADERS_MAX && SNAP_CAPTURE_MAX == LOGFMT_HEADERS_MAX,
               "what the format asks for fits a snapshot and a record");

static bool same_list(const struct span *a, uint32_t na, const struct span *b, uint32_t nb)
{
    if (na != nb)
        return false;
    for (uint32_t i = 0; i < na; i++) {
        if (!span_eq(a[i], b[i]))
            return false;
    }
    return true;
}

static res copy_list(struct arena *a, struct span *to, const struct span *from, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        to[i] = arena_copy(a, from[i]);
        if (from[i].len && !to[i].p)
            return ERR(NOMEM);
    }
    return OK;
}

static void forget_oldest(struct captures *c)
{
    arena_fini(&c->v[0].arena);
    memmove(&c->v[0], &c->v[1], (c->count - 1) * sizeof(c->v[0]));
    c->count--;
}

res captures_add(struct captures *c, uint64_t gen, const struct snap_capture *capture)
{
    const struct capture_list *last = c->count ? &c->v[c->count - 1] : NULL;
    struct capture_list *l;

    if (last &&
        same_list(last->req, last->req_count, capture->request_headers,
                  capture->request_header_count) &&
        same_list(last->resp, last->resp_count, capture->response_headers,
                  capture->response_header_count))
        return OK;
    if (c->count == CAPTURES_MAX)
        forget_oldest(c);
    l = &c->v[c->count++];
    *l = (struct capture_list){.gen = gen,
                               .req_count = capture->request_header_count,
                               .resp_count = capture->response_header_count};
    arena_init(&l->arena);
    TRY(copy_list(&l->arena, l->req, capture->request_headers, l->req_count));
    return copy_list(&l->arena, l->resp, capture->response_headers, l->resp_count);
}

void captures_fini(struct captures *c)
{
    while (c->count)
        arena_fini(&c->v[--c->count].arena);
}

struct span captures_find(const struct captures *c, const struct access_rec *rec, bool response,
                          struct span name)
{
    for (uint32_t i = c->count; i-- > 0;) {
        const struct capture_list *l = &c->v[i];
        uint32_t n = response ? l->resp_count : l->req_count;

        if (l->gen > rec->gen)
            continue;
        for (uint32_t k = 0; k < n; k++) {
            if (span_eq(response ? l->resp[k] : l->req[k], name))
                return access_header(rec, k + (response ? rec->req_headers : 0));
        }
        break;
    }
    return SPAN_NONE;
}
