/* base/config.h - settings from the environment, by one table
 *
 * A table of entries names every setting of a program; --help and the page in docs/ are printed
 * from it, so none of the three can say something else than the code does.  A secret may also come
 * from the file that NAME_FILE names (trailing line end removed).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/fault.h"

enum config_type {
    CONFIG_TEXT,   /* const char *  */
    CONFIG_SECRET, /* const char *, also NAME_FILE; never printed */
    CONFIG_NUMBER, /* int64_t, least..most */
    CONFIG_FLAG,   /* bool: 0 or 1 */
};

struct config_entry {
    const char *name; /* DOCKET_… */
    enum config_type type;
    const char *fallback; /* NULL: must be set */
    int64_t least, most;  /* of a number */
    const char *help;     /* one sentence, with the unit */
    unsigned programs;    /* bit mask: which programs read it */
    size_t offset;        /* of the field in the settings struct */
};

/* Fills every field that `program` (one bit) reads.  The first wrong one is refused by name, with
 * what is allowed.  Also refuses a DOCKET_… variable that no entry knows (a misspelling would
 * otherwise go unnoticed); DOCKET_HOME, DOCKET_POINT and DOCKET_POINT_LOG are known to all.
 * Texts live until the process ends. */
bool config_load(const struct config_entry *entries, size_t count, unsigned program, void *settings,
                 struct fault *fault) __attribute__((warn_unused_result));

/* The same of a whole environment, whichever program it is for: every field is filled, what must be
 * set and is not is NULL, and each thing that is wrong is told (NULL: not), an unknown name with
 * the code "setting_unknown". */
void config_check(const struct config_entry *entries, size_t count, void *settings,
                  void (*on_fault)(void *owner, const char *name, const struct fault *fault),
                  void *owner);

void config_print_help(FILE *out, const struct config_entry *entries, size_t count,
                       unsigned program);
/* The Markdown table of docs/configuration.md; program_names[i] names bit i, NULL ends. */
void config_print_markdown(FILE *out, const struct config_entry *entries, size_t count,
                           const char *const *program_names);
