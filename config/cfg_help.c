/* docs/configuration.md, from the table: every key with its type, default, bounds and meaning. */
#include "config/cfg_value.h"
#include "config/logfmt.h"

static const char head[] =
    "# The configuration file\n"
    "\n"
    "This page is made by `sallyport --help-config`; `ninja -C build docs` writes it again.\n"
    "\n"
    "The file is in [libconfig](https://hyperrealm.github.io/libconfig/) syntax: `key = value;`, "
    "groups in\n"
    "`{ }`, lists in `( )` or `[ ]`, comments with `#`, `//` or `/* */`. A comma behind the last "
    "element of a\n"
    "list is allowed. `@include \"file\"` at the beginning of a line puts another file in its "
    "place. Where\n"
    "several values are allowed, one value may stand alone without brackets.\n"
    "\n"
    "- File names are relative to the configuration file.\n"
    "- Durations are seconds (`10`, `0.5`) or texts with a unit: `\"200ms\"`, `\"10s\"`, `\"5m\"`, "
    "`\"1h\"`, `\"1d\"`.\n"
    "- Sizes are bytes or texts with a unit: `\"8k\"`, `\"1m\"`, `\"2g\"` (1024 each).\n"
    "- Keys marked *restart* are fixed at start; a reload that changes them is refused. All others "
    "take effect\n"
    "  with the reload, for requests that begin after it.\n"
    "\n"
    "`sallyport -c FILE --check` says everything that is wrong with a file, with line, key and "
    "what was\n"
    "expected. A file with mistakes is never used, not even in part.\n";

static void key_type(const struct cfg_key *k, FILE *f)
{
    if (k->type == CFG_T_ENUM) {
        for (uint32_t i = 0; k->words[i]; i++)
            fprintf(f, "%s`\"%s\"`", i ? ", " : "", k->words[i]);
    } else if (k->type == CFG_T_GROUP || k->type == CFG_T_GROUPS) {
        fprintf(f, "[%s](#%s)%s", k->members->name, k->members->name,
                k->type == CFG_T_GROUPS ? " list" : "");
    } else if (k->type == CFG_T_REF) {
        fprintf(f, "name in `%s`", cfg_ns_key(k->ns));
    } else {
        fputs(cfg_type_word(k->type), f);
    }
    if (k->flags & CFG_LIST)
        fputs("; list", f);
}

static void key_bounds(const struct cfg_key *k, FILE *f)
{
    bool number = k->type == CFG_T_INT || k->type == CFG_T_SIZE || k->type == CFG_T_DURATION;

    if (number && k->min && k->max)
        fprintf(f, "; %s to %s", k->min, k->max);
    else if ((k->type == CFG_T_GROUPS || (k->flags & CFG_LIST)) && k->max)
        fprintf(f, "; at most %s", k->max);
}

static void key_default(const struct cfg_key *k, FILE *f)
{
    struct cfg_raw raw = k->def ? cfg_raw_of(k, k->def) : (struct cfg_raw){.kind = CFG_RAW_OTHER};

    if (k->flags & CFG_NEEDED)
        fputs("**needed**", f);
    else if (k->flags & CFG_INHERIT)
        fputs("inherited", f);
    else if (!k->def)
        fputs(k->type == CFG_T_GROUP && !(k->flags & CFG_OPTIONAL) ? "see there" : "none", f);
    else if (raw.kind == CFG_RAW_TEXT)
        fprintf(f, "`\"%s\"`", k->def);
    else
        fprintf(f, "`%s`", k->def);
}

static void group_help(const struct cfg_group *g, FILE *f)
{
    fprintf(f, "\n## %s\n\n%s\n\n| Key | Value | Default | Meaning |\n|---|---|---|---|\n",
            g == &cfg_group_root ? "Top level" : g->name,
            g == &cfg_group_root ? "The keys of the file itself." : g->help);
    for (uint32_t i = 0; i < g->count; i++) {
        const struct cfg_key *k = &g->keys[i];

        fprintf(f, "| `%s` | ", k->name);
        key_type(k, f);
        key_bounds(k, f);
        fputs(" | ", f);
        key_default(k, f);
        fprintf(f, " | %s%s |\n", k->help, k->flags & CFG_FIXED ? " (*restart*)" : "");
    }
}

void cfg_help(FILE *f)
{
    fputs(head, f);
    group_help(&cfg_group_root, f);
    for (uint32_t i = 0; i < cfg_group_count; i++) {
        if (cfg_groups[i] != &cfg_group_root)
            group_help(cfg_groups[i], f);
    }
    fputs("\n## Format of the access log\n\nText is written as it stands, `%%` is a `%`. A "
          "directive may have a "
          "condition:\n`%400,404{User-Agent}i` only for these statuses, `%!200{Referer}i` for all "
          "others; `-` "
          "stands where there is\nnothing. What clients send is escaped as Apache does it (`\\\"`, "
          "`\\\\`, `\\n`, "
          "`\\xhh`), so a line is always one line.\n\n",
          f);
    logfmt_help(f);
}
