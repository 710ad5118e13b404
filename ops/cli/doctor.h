/* ops/cli/doctor.h - what the looks of `docket doctor` share: a part each, and what it finds
 *
 * Each part looks in a process of its own, all at once, and tells its findings as it makes them.  A
 * part that hangs, whatever it waits for, is ended after LOOK_S; what it had found is kept.  So no
 * part needs another one, and none can hold the command up.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "ops/cli/command.h"

enum finding { FINDING_OK, FINDING_WARN, FINDING_FAIL, FINDING_SKIP, FINDING_KINDS };

struct doctor {
    struct settings settings; /* what is not set: NULL, where it has no default */
    int64_t held_s;           /* a transaction is open for too long from here on */
    FILE *out;                /* to the parent: one finding a line */
};

/* `mend`: one sentence, or the command itself; not shown of what is ok. */
void doctor_tell(const struct doctor *doctor, const char *check, enum finding finding,
                 const char *mend, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The parts. */
void doctor_settings(struct doctor *doctor);
void doctor_api(struct doctor *doctor);
void doctor_postgres(struct doctor *doctor);
void doctor_broker(struct doctor *doctor);

/* What of an answer of /admin/status (or the rows of status.sql) needs a person. */
void doctor_work(const struct doctor *doctor, json_t *status);
