/* base/amqp_publish.h - a message that was handed over, with all that it points to
 *
 * Its sender may forget its own at once; free() ends it.
 */
#pragma once

#include <sys/queue.h>

#include "base/amqp.h"

struct amqp_publish {
    STAILQ_ENTRY(amqp_publish) entry;
    struct amqp_message message; /* points into this very allocation */
};
STAILQ_HEAD(amqp_publish_list, amqp_publish);

struct amqp_publish *amqp_publish_copy(const struct amqp_message *message);
