#include "base/pg_blame.h"

#include <stddef.h>
#include <string.h>

#include "base/memory.h"

enum pg_blame pg_blame_of(const char *sqlstate)
{
    /* The first that is a prefix decides. */
    static const struct {
        const char *prefix;
        enum pg_blame blame;
    } table[] = {
        {"40", PG_BLAMES_LOCK},    /* deadlock, serialization failure */
        {"55P03", PG_BLAMES_LOCK}, /* lock_timeout */
        {"08", PG_BLAMES_SERVER},  /* connection */
        {"25", PG_BLAMES_SERVER},  /* read-only after a failover */
        {"53", PG_BLAMES_SERVER},  /* out of memory, disk, connections */
        {"57", PG_BLAMES_SERVER},  /* canceled, shutting down */
        {"58", PG_BLAMES_SERVER},  /* input/output */
        {"XX", PG_BLAMES_SERVER},  /* internal, corrupted */
    };

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (strncmp(sqlstate, table[i].prefix, strlen(table[i].prefix)) == 0)
            return table[i].blame;
    }
    return PG_BLAMES_CONTENT;
}
