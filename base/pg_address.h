/* base/pg_address.h - a conninfo whose host names were looked up off the loop
 *
 * libpq resolves names with a blocking getaddrinfo() and ignores connect_timeout when it connects
 * asynchronously, so names are resolved here (uv_getaddrinfo) and handed over as hostaddr.  Socket
 * directories and addresses pass as they are.
 */
#pragma once

#include <uv.h>

#include "base/fault.h"

struct pg_address;

struct pg_address *pg_address_create(uv_loop_t *loop, const char *conninfo);
void pg_address_destroy(struct pg_address *address);

/* on_resolved comes on a later turn of the loop: conninfo (lent for the call), or NULL and why. */
void pg_address_resolve(struct pg_address *address,
                        void (*on_resolved)(void *owner, const char *conninfo,
                                            const struct fault *fault),
                        void *owner);
void pg_address_cancel(struct pg_address *address); /* on_resolved will not come */
