/**
 * show: answers of the control socket for people.
 */
#ifndef SALLYPORT_CONTROL_SHOW_H
#define SALLYPORT_CONTROL_SHOW_H

#include <jansson.h>
#include <stdio.h>

/* What went well goes to `out`, mistakes and warnings to `err`. Texts are printed without control characters. */
void show_answer(const json_t *answer, FILE *out, FILE *err);

#endif
