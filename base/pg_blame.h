/* base/pg_blame.h - whom does an SQLSTATE blame?  (PostgreSQL manual, appendix A)
 *
 * The answer decides what is done with a batch that was rolled back.
 */
#pragma once

enum pg_blame {
    PG_BLAMES_LOCK,   /* somebody held a lock, or the server chose a victim: again, apart, later */
    PG_BLAMES_SERVER, /* resources, disk, shut-down, cancellation, read-only: again, as it is, later
                       */
    PG_BLAMES_CONTENT, /* what was sent: one of the batch is at fault */
};

enum pg_blame pg_blame_of(const char *sqlstate); /* five characters, or "" */
