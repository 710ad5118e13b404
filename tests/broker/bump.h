/* tests/broker/bump.h - a wire between a link and RabbitMQ that a test can hold still or cut
 *
 * Listens on a port of its own on a thread of its own.
 */
#pragma once

enum bump_mode {
    BUMP_FLOWING,
    BUMP_FROZEN, /* reads and writes nothing, in either direction, as a stopped broker does */
    BUMP_CUT,    /* resets what is there and refuses what comes */
};

struct bump;
struct bump *bump_open(const char *host, int port); /* of the broker */
int bump_port(const struct bump *bump);
void bump_set(struct bump *bump, enum bump_mode mode);
void bump_close(struct bump *bump);
