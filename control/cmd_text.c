#include "control/cmd.h"

json_t *cmd_text(const char *p, size_t len)
{
    json_t *o = json_stringn(p, len);
    char *copy = o ? NULL : strndup(p, len);

    if (o || !copy)
        return o;
    for (char *at = copy; *at; at++) {
        if (*at & 0x80)
            *at = '?';
    }
    o = json_string(copy);
    free(copy);
    return o;
}
