/* queue/database.h - is this a Postgres that keeps promises, and has it our schema?
 *
 * Asked of every server that a link connects to, before it is used.  Refused: fsync,
 * full_page_writes or synchronous_commit off; no synchronous standby unless DOCKET_SINGLE_NODE=1
 * says that one disk is enough; a standby; no schema, or one that this binary does not know.
 *
 *     database_init(&database, settings.pg, settings.single_node);
 *     struct group_options options = {.server = &database.server, …};
 */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/pg_link.h"

struct database {
    struct pg_server server; /* for links */
    bool is_single_node_allowed;

    /* As the last server answered. */
    bool is_single_node;
    int64_t ahead_us;   /* its clock, minus ours */
    int64_t began_us;   /* when our machine began, by our clock then; 0: none has answered */
    struct fault fault; /* why it was refused; FAULT_NONE: it was not */
};

/* It must not move afterwards; conninfo outlives it. */
void database_init(struct database *database, const char *conninfo, bool is_single_node_allowed);
int64_t database_now_us(const struct database *database); /* the database's date */
/* Its clock, minus ours as it is now: a step of ours since then shows. */
int64_t database_ahead_us(const struct database *database);

/* The schema that this binary was built with: the number of its last migration. */
int32_t database_schema_version(void);
