/* api/glance.h - one order for a GET: its version from Postgres each time, its body from memory if
 * that version's is there
 *
 *     submit ─► face: whose, which version ─┬─► the client has that version: no body is needed
 *                                           ├─► its body was read lately
 *                                           └─► the reader: all of it, and its body is kept
 *
 * Nothing is answered from memory alone, so an answer is never older than what was committed when
 * its read began.
 */
#pragma once

#include "api/reader.h"

struct glance {
    struct reading reading; /* id and deadline_ms are the caller's; the rest is found */
    const char *etag;       /* what the client knows (If-None-Match), or NULL */
    void (*on_settled)(struct glance *glance);
    void (*on_released)(struct glance *glance); /* the memory is the caller's again */

    /* Private. */
    struct glances *glances;
    bool goes_on; /* to the reader */
};

struct glances *glances_create(uv_loop_t *loop, struct database *database, struct reader *reader,
                               int waiting_max);
void glances_destroy(struct glances *glances);
void glances_register_metrics(void);
/* False: too many are waiting. */
bool glances_submit(struct glances *glances, struct glance *glance)
    __attribute__((warn_unused_result));
int glances_waiting(const struct glances *glances);
