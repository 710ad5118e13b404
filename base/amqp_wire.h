/* base/amqp_wire.h - one connection to RabbitMQ, none of whose calls waits longer than it says
 *
 * librabbitmq does the handshake and takes apart what comes in.  What goes out is put into frames
 * here and written without blocking: amqp_basic_publish has no time-out, so a broker that is frozen
 * or out of memory would hold the thread for ever (traps.md §1.2).  A turn's frames leave in one
 * system call.  For the same reason librabbitmq's own heartbeat is off and kept here instead.
 *
 * Everything belongs to the link's thread.  After any failure the wire is dead: finish it.  Work
 * (publishing, deliveries) has one channel; declarations have another, so that a queue that is
 * missing or conflicts costs the messages in flight nothing.
 */
#pragma once

#include <amqp.h>
#include <amqp_framing.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/amqp.h"
#include "base/fault.h"

enum amqp_channel { AMQP_CHANNEL_NONE, AMQP_CHANNEL_WORK, AMQP_CHANNEL_CONTROL, AMQP_CHANNELS };

struct amqp_buffer {
    uint8_t *bytes;
    size_t length, room;
};

/* A method on the work channel.  Lent for the call. */
struct amqp_incoming {
    const amqp_method_t *method;
    const amqp_basic_properties_t *properties; /* NULL: a method without content */
    const void *body;
    size_t body_length;
};

struct amqp_wire_events {
    void (*on_incoming)(void *owner, const struct amqp_incoming *incoming);
    void (*on_blocked)(void *owner, const char *reason); /* NULL: blocked no more */
};

struct amqp_wire {
    const struct amqp_wire_events *events;
    void *owner;
    int wake_fd;                    /* an eventfd that ends a turn early; not owned */
    const atomic_bool *is_given_up; /* the owner waits no longer: every wait ends */

    amqp_connection_state_t connection; /* NULL: not open */
    int fd;
    struct amqp_buffer out;
    size_t out_sent; /* of out, what the kernel has */
    size_t frame_bytes_max;
    uint64_t heartbeat_ms, heard_ms, spoke_ms;
    bool is_blocked, is_open[AMQP_CHANNELS];
    uint64_t patience_ms; /* of a call */

    struct { /* the answer that amqp_wire_call waits for */
        enum amqp_channel channel;
        amqp_method_number_t id;
        enum { AMQP_WAITING, AMQP_ANSWERED, AMQP_REFUSED } state;
        int code; /* refused: AMQP reply code and text */
        char text[256];
        uint32_t messages, consumers; /* of queue.declare-ok */
    } answer;

    struct { /* content on its way in: method, header, body frames */
        bool is_begun;
        amqp_method_t method;
        const amqp_basic_properties_t *properties;
        uint64_t left;
        struct amqp_buffer body;
    } content;
};

/* host, port, user, password and vhost of a uri; they point into `copy`, which is the caller's and
 * is changed.  Refuses what is no amqp:// uri. */
bool amqp_address_parse(struct amqp_connection_info *address, char *copy, struct fault *fault);

/* TCP only, 3 s at most (names: as long as the resolver takes).  The caller owns *fd. */
bool amqp_dial(const struct amqp_connection_info *address, const struct amqp_wire *wire, int *fd,
               struct fault *fault) __attribute__((warn_unused_result));

/* Login and both channels, 5 s at most.  The fd stays the caller's, who closes it after
 * amqp_wire_finish. */
bool amqp_wire_open(struct amqp_wire *wire, int fd, const struct amqp_connection_info *address,
                    struct fault *fault) __attribute__((warn_unused_result));
void amqp_wire_finish(struct amqp_wire *wire); /* says nothing; harmless on one that is not open */

/* Waits up to rest_ms for something to happen, then reads all there is (events are called) and
 * writes what can be written.  False: the link is lost. */
bool amqp_wire_turn(struct amqp_wire *wire, uint64_t rest_ms, struct fault *fault)
    __attribute__((warn_unused_result));
bool amqp_wire_flush(struct amqp_wire *wire, struct fault *fault)
    __attribute__((warn_unused_result));
size_t amqp_wire_unsent(const struct amqp_wire *wire); /* bytes that the kernel did not take */

/* Appends to what is to be sent. */
void amqp_wire_method(struct amqp_wire *wire, enum amqp_channel channel, amqp_method_number_t id,
                      void *decoded);
void amqp_wire_content(struct amqp_wire *wire, amqp_basic_properties_t *properties,
                       const void *body, size_t length);

/* Sends a method and takes turns until it is answered.  That takes patience_ms at most, twice as
 * long if the broker is silent altogether, and as long as an alarm if it blocks us.  False: refused
 * (answer.state says so, the wire lives, the channel is closed) or lost. */
bool amqp_wire_call(struct amqp_wire *wire, enum amqp_channel channel, amqp_method_number_t id,
                    void *decoded, struct fault *fault) __attribute__((warn_unused_result));
bool amqp_wire_open_channel(struct amqp_wire *wire, enum amqp_channel channel, struct fault *fault)
    __attribute__((warn_unused_result));
/* connection.close, and the answer to it if it comes within a second. */
void amqp_wire_goodbye(struct amqp_wire *wire);
