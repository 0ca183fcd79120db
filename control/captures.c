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
    struct span views[LOGFMT_VIEWS_MAX];
    struct capture_list *l;

    for (uint32_t i = 0; i < capture->view_count; i++)
        views[i] = capture->views[i].name;
    if (last &&
        same_list(last->req, last->req_count, capture->request_headers,
                  capture->request_header_count) &&
        same_list(last->resp, last->resp_count, capture->response_headers,
                  capture->response_header_count) &&
        same_list(last->views, last->view_count, views, capture->view_count))
        return OK;
    if (c->count == CAPTURES_MAX)
        forget_oldest(c);
    l = &c->v[c->count++];
    *l = (struct capture_list){.gen = gen,
                               .req_count = capture->request_header_count,
                               .resp_count = capture->response_header_count,
                               .view_count = capture->view_count};
    arena_init(&l->arena);
    TRY(copy_list(&l->arena, l->req, capture->request_headers, l->req_count));
    TRY(copy_list(&l->arena, l->resp, capture->response_headers, l->resp_count));
    return copy_list(&l->arena, l->views, views, l->view_count);
}

void captures_fini(struct captures *c)
{
    while (c->count)
        arena_fini(&c->v[--c->count].arena);
}

/* The lists that were in force when the record was made. */
static const struct capture_list *list_of(const struct captures *c, const struct access_rec *rec)
{
    for (uint32_t i = c->count; i-- > 0;) {
        if (c->v[i].gen <= rec->gen)
            return &c->v[i];
    }
    return NULL;
}

static uint32_t index_in(const struct span *list, uint32_t n, struct span name)
{
    uint32_t i = 0;

    while (i < n && !span_eq(list[i], name))
        i++;
    return i;
}

struct span captures_find(const struct captures *c, const struct access_rec *rec, bool response,
                          struct span name)
{
    const struct capture_list *l = list_of(c, rec);
    uint32_t n = l ? (response ? l->resp_count : l->req_count) : 0;
    uint32_t i = l ? index_in(response ? l->resp : l->req, n, name) : 0;

    return i < n ? access_header(rec, i + (response ? rec->req_headers : 0)) : SPAN_NONE;
}

struct span captures_find_view(const struct captures *c, const struct access_rec *rec,
                               struct span name)
{
    const struct capture_list *l = list_of(c, rec);
    uint32_t i = l ? index_in(l->views, l->view_count, name) : 0;

    return l && i < l->view_count ? access_view(rec, i) : SPAN_NONE;
}
