#include "config/cfg.h"

#include "config/cfg_read.h"

#include <stdarg.h>
#include <stdlib.h>

void cfg_free(struct cfg *c)
{
    if (!c)
        return;
    if (c->more) {
        c->more--;
        return;
    }
    arena_fini(&c->arena);
    free(c);
}

struct cfg *cfg_ref(struct cfg *c)
{
    c->more++;
    return c;
}

void cfg_free_p(struct cfg **c)
{
    cfg_free(*c);
}

void cfg_mistake(struct report *r, enum report_level level, const struct cfg_node *node,
                 size_t member, const char *hint, const char *fmt, ...)
{
    const struct cfg_key *k = member == CFG_WHOLE ? NULL : cfg_key_at(node->group, member);
    struct cfg_pos at = node->pos[0];
    char text[1024];
    va_list args;

    if (k && node->pos[1 + (k - node->group->keys)].line)
        at = node->pos[1 + (k - node->group->keys)];
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    report_add(r, level, at.file, at.line, hint, "%s%s%s%s%s", node->path,
               k && *node->path ? "." : "", k ? k->name : "", k || *node->path ? ": " : "", text);
}

bool cfg_given(const struct cfg_node *node, size_t member)
{
    const struct cfg_key *k = cfg_key_at(node->group, member);

    return k && node->pos[1 + (k - node->group->keys)].line != 0;
}

/* Everything behind the text. The configuration is good when no mistake was added to the report. */
static res build(struct cfg *c, const struct cfg_src *src, bool no_files, struct report *report)
{
    struct cfg_reader rd = {
        .cfg = c,
        .report = report,
        .src = src,
        .want = {.arena = &c->arena, .file = c->file, .no_files = no_files},
    };
    uint32_t before = report->errors;

    rd.pending_end = &rd.pending;
    cfg_read(&rd);
    if (!c->node.group)
        return ERR(INVALID); /* no tree at all */
    if (!rd.out_of_memory)
        cfg_names(&rd);
    if (!rd.out_of_memory)
        cfg_check(c, report);
    if (rd.out_of_memory)
        report_add(report, REPORT_ERROR, c->file, 0, NULL, "out of memory");
    return report->errors == before ? OK : ERR(FAIL);
}

static res start(const char *file, struct cfg **out)
{
    struct cfg *c = (struct cfg *)calloc(1, sizeof(*c));

    *out = c;
    if (!c)
        return ERR(NOMEM);
    arena_init(&c->arena);
    c->file = arena_text(&c->arena, span_str(file));
    return c->file ? OK : ERR(NOMEM);
}

static res finish(struct cfg *c, struct cfg_src *src, res r, bool no_files, struct report *report,
                  struct cfg **out)
{
    if (IS_OK(r))
        r = build(c, src, no_files, report);
    cfg_src_fini(src);
    if (c && c->node.group) {
        *out = c;
    } else {
        cfg_free(c);
        *out = NULL;
    }
    return IS_OK(r) ? OK : ERR(FAIL);
}

res cfg_load(const char *path, struct report *report, struct cfg **out)
{
    struct cfg_src src = {0};
    struct cfg *c;
    res r = start(path, &c);

    if (IS_OK(r))
        r = cfg_src_load(&src, &c->arena, c->file, report);
    return finish(c, &src, r, false, report, out);
}

res cfg_parse(const struct cfg_input *in, struct report *report, struct cfg **out)
{
    struct cfg_src src = {0};
    struct cfg *c;
    struct cfg_input own = *in;
    res r = start(in->file, &c);

    if (IS_OK(r)) {
        own.file = c->file;
        r = cfg_src_text(&src, &c->arena, &own, report);
    }
    return finish(c, &src, r, in->no_files, report, out);
}
