#include "snap/snap.h"

#include "base/siphash.h"

#define NAME_MAX_B 255

uint64_t snap_name_hash(struct span lower)
{
    /* Only the operator puts names in, so nobody can steer the table: the key need not be secret. */
    static const struct sip_key key = {0x6e616d65736f6668, 0x6f73747320696e20};

    return siphash13(&key, lower.p, lower.len);
}

void snap_name_put(struct snap *s, struct span lower, uint32_t host)
{
    uint64_t hash = snap_name_hash(lower);
    uint32_t i = (uint32_t)hash & s->name_mask;

    while (s->names[i].name.len)
        i = (i + 1) & s->name_mask;
    s->names[i] = (struct snap_name){hash, host, lower};
}

uint64_t snap_header_hash(struct span name)
{
    /* Over what counts of a name; only the operator's are put in, a client's are looked up. */
    uint64_t h = 0xcbf29ce484222325ULL;

    for (size_t i = 0; i < name.len; i++)
        h = (h ^ (name.p[i] == '_' ? '-' : ascii_lower(name.p[i]))) * 0x100000001b3ULL;
    return h ? h : 1;
}

void snap_header_put(struct snap *s, struct span name)
{
    uint64_t h = snap_header_hash(name);
    uint32_t i = (uint32_t)h & s->set_name_mask;

    while (s->set_names[i] && s->set_names[i] != h)
        i = (i + 1) & s->set_name_mask;
    s->set_names[i] = h;
}

bool snap_header_is_set(const struct snap *s, struct span name)
{
    uint64_t h;

    if (!s->set_names)
        return false;
    h = snap_header_hash(name);
    for (uint32_t i = (uint32_t)h & s->set_name_mask; s->set_names[i];
         i = (i + 1) & s->set_name_mask) {
        if (s->set_names[i] == h)
            return true;
    }
    return false;
}

static uint32_t find(const struct snap *s, struct span lower)
{
    uint64_t hash = snap_name_hash(lower);

    for (uint32_t i = (uint32_t)hash & s->name_mask; s->names[i].name.len;
         i = (i + 1) & s->name_mask) {
        if (s->names[i].hash == hash && span_eq(s->names[i].name, lower))
            return s->names[i].host;
    }
    return SNAP_NONE;
}

uint32_t snap_host_by_name(const struct snap *s, struct span name)
{
    uint8_t lower[NAME_MAX_B];
    struct span text = span_of(lower, name.len);
    uint32_t host;

    if (name.len == 0 || name.len > sizeof(lower) || !s->names)
        return SNAP_NONE;
    for (size_t i = 0; i < name.len; i++)
        lower[i] = ascii_lower(name.p[i]);
    /* "gw.example." is the same name, written as DNS would. */
    if (text.p[text.len - 1] == '.')
        text.len--;
    if (text.len == 0 || text.p[0] == '.')
        return SNAP_NONE; /* ".example" is how wildcards are kept */
    host = find(s, text);
    if (host == SNAP_NONE && span_find(text, '.') < text.len)
        host = find(s, span_from(text, span_find(text, '.')));
    return host;
}

const struct snap_listener *snap_listener_for(const struct snap *s, const struct endpoint *local)
{
    const struct snap_listener *any = NULL;

    for (uint32_t i = 0; i < s->listener_count; i++) {
        const struct snap_listener *l = &s->listeners[i];

        if (l->local.port != local->port)
            continue;
        if (ip_eq(&l->local.addr, &local->addr))
            return l;
        if (ip_is_any(&l->local.addr) && ip_is_v4(&l->local.addr) == ip_is_v4(&local->addr))
            any = l;
    }
    return any;
}

/* "/a" is the prefix of "/a" and "/a/b", not of "/ab"; "/a/" of "/a/b" only. */
static bool prefix_of(struct span prefix, struct span path)
{
    return span_starts(path, prefix) &&
           (prefix.len == path.len || prefix.p[prefix.len - 1] == '/' || path.p[prefix.len] == '/');
}

const struct snap_location *snap_location_for(const struct snap_host *h, struct span path)
{
    for (uint32_t i = 0; i < h->location_count; i++) {
        const struct snap_location *l = &h->locations[i];

        if (l->kind == SNAP_LOC_EXACT ? span_eq(l->path, path) : prefix_of(l->path, path))
            return l;
    }
    return NULL;
}

uint32_t snap_held(const struct snap *s)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < SNAP_CORES_MAX; i++)
        n += __atomic_load_n(&s->refs[i].n, __ATOMIC_ACQUIRE);
    return n;
}
