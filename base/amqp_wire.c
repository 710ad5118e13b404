#include "base/amqp_wire.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

enum { GOODBYE_MS = 1000, CALL_TURN_MS = 250 };
enum {
    FRAME_HEAD = 7,
    FRAME_FOOT = 1,
    METHOD_ROOM = 4096, /* no method of ours is longer: names are short strings */
    UNSENT_KEEP = 256 * 1024,
    BODY_BYTES_MAX = 1024 * 1024, /* what is longer is cut: nobody of ours wrote it */
};

static bool pump(struct amqp_wire *wire, struct fault *fault);
static bool on_frame(struct amqp_wire *wire, const amqp_frame_t *frame, struct fault *fault);
static bool on_connection_method(struct amqp_wire *wire, const amqp_method_t *method,
                                 struct fault *fault);
static bool on_channel_method(struct amqp_wire *wire, enum amqp_channel channel,
                              const amqp_method_t *method, struct fault *fault);
static void on_content(struct amqp_wire *wire, const amqp_frame_t *frame);
static bool keep_alive(struct amqp_wire *wire, struct fault *fault);

/* --- frames out ------------------------------------------------------------------------------ */

static uint8_t *reserve(struct amqp_buffer *buffer, size_t length)
{
    if (buffer->length + length > buffer->room) {
        buffer->room = (buffer->length + length) * 2;
        buffer->bytes = xrealloc(buffer->bytes, buffer->room);
    }
    return buffer->bytes + buffer->length;
}

static void put_big_endian(uint8_t *to, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--, value >>= 8)
        to[i] = (uint8_t)value;
}

/* Where the frame's payload goes, with `room` for it; end_frame says how long it became. */
static uint8_t *begin_frame(struct amqp_wire *wire, int type, int channel, size_t room)
{
    uint8_t *at = reserve(&wire->out, FRAME_HEAD + room + FRAME_FOOT);

    at[0] = (uint8_t)type;
    put_big_endian(at + 1, (uint64_t)channel, 2);
    return at + FRAME_HEAD;
}

static void end_frame(struct amqp_wire *wire, size_t payload)
{
    uint8_t *at = wire->out.bytes + wire->out.length;

    put_big_endian(at + 3, payload, 4);
    at[FRAME_HEAD + payload] = AMQP_FRAME_END;
    wire->out.length += FRAME_HEAD + payload + FRAME_FOOT;
}

/* What librabbitmq cannot encode would be our own bug: it would make a broken stream. */
static size_t encoded(int length)
{
    if (length < 0)
        abort();
    return (size_t)length;
}

void amqp_wire_method(struct amqp_wire *wire, enum amqp_channel channel, amqp_method_number_t id,
                      void *decoded)
{
    uint8_t *at = begin_frame(wire, AMQP_FRAME_METHOD, (int)channel, METHOD_ROOM);
    amqp_bytes_t room = {METHOD_ROOM - 4, at + 4};

    put_big_endian(at, id, 4);
    end_frame(wire, 4 + encoded(amqp_encode_method(id, decoded, room)));
}

static size_t room_of_properties(const amqp_basic_properties_t *properties)
{
    size_t room = METHOD_ROOM;

    for (int i = 0; i < properties->headers.num_entries; i++)
        room += properties->headers.entries[i].key.len +
                properties->headers.entries[i].value.value.bytes.len + 16;
    return room;
}

void amqp_wire_content(struct amqp_wire *wire, amqp_basic_properties_t *properties,
                       const void *body, size_t length)
{
    size_t room = room_of_properties(properties), piece,
           most = wire->frame_bytes_max - FRAME_HEAD - FRAME_FOOT;
    uint8_t *at = begin_frame(wire, AMQP_FRAME_HEADER, AMQP_CHANNEL_WORK, 12 + room);
    amqp_bytes_t bytes = {room, at + 12};

    put_big_endian(at, AMQP_BASIC_CLASS, 2);
    put_big_endian(at + 2, 0, 2); /* weight */
    put_big_endian(at + 4, length, 8);
    end_frame(wire, 12 + encoded(amqp_encode_properties(AMQP_BASIC_CLASS, properties, bytes)));
    for (size_t done = 0; done < length; done += piece) {
        piece = length - done < most ? length - done : most;
        at = begin_frame(wire, AMQP_FRAME_BODY, AMQP_CHANNEL_WORK, piece);
        memcpy(at, (const uint8_t *)body + done, piece);
        end_frame(wire, piece);
    }
}

size_t amqp_wire_unsent(const struct amqp_wire *wire)
{
    return wire->out.length - wire->out_sent;
}

static void forget_sent(struct amqp_wire *wire)
{
    size_t left = amqp_wire_unsent(wire);

    if (left > 0 && wire->out_sent < UNSENT_KEEP)
        return;
    if (left > 0)
        memmove(wire->out.bytes, wire->out.bytes + wire->out_sent, left);
    wire->out.length = left;
    wire->out_sent = 0;
}

bool amqp_wire_flush(struct amqp_wire *wire, struct fault *fault)
{
    while (amqp_wire_unsent(wire) > 0) {
        ssize_t sent = send(wire->fd, wire->out.bytes + wire->out_sent, amqp_wire_unsent(wire),
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (sent < 0)
            return fail(fault, FAULT_TRANSIENT, "RabbitMQ: write failed: %s", strerror(errno));
        wire->out_sent += (size_t)sent;
        wire->spoke_ms = clock_monotonic_ms();
    }
    forget_sent(wire);
    return true;
}

/* --- a turn ---------------------------------------------------------------------------------- */

static int rest_of(const struct amqp_wire *wire, uint64_t rest_ms)
{
    uint64_t pulse = wire->heartbeat_ms / 2;

    return (int)(rest_ms < pulse ? rest_ms : pulse);
}

bool amqp_wire_turn(struct amqp_wire *wire, uint64_t rest_ms, struct fault *fault)
{
    struct pollfd fds[2] = {{wire->fd, POLLIN, 0}, {wire->wake_fd, POLLIN, 0}};
    uint64_t wakes;

    if (!amqp_wire_flush(wire, fault))
        return false;
    if (amqp_wire_unsent(wire) > 0)
        fds[0].events |= POLLOUT;
    if (poll(fds, 2, rest_of(wire, rest_ms)) < 0 && errno != EINTR)
        return fail(fault, FAULT_BROKEN, "poll: %s", strerror(errno));
    if (fds[1].revents != 0 && read(wire->wake_fd, &wakes, sizeof(wakes)) < 0 && errno != EAGAIN)
        return fail(fault, FAULT_BROKEN, "eventfd: %s", strerror(errno));
    if (fds[0].revents & ~POLLOUT) {
        wire->heard_ms = clock_monotonic_ms();
        if (!pump(wire, fault))
            return false;
    }
    return keep_alive(wire, fault) && amqp_wire_flush(wire, fault);
}

/* Also what librabbitmq has read ahead: only TIMEOUT says that there is no more. */
static bool pump(struct amqp_wire *wire, struct fault *fault)
{
    const struct timeval at_once = {0, 0};
    amqp_frame_t frame;
    int status;

    while ((status = amqp_simple_wait_frame_noblock(wire->connection, &frame, &at_once)) ==
           AMQP_STATUS_OK) {
        if (!on_frame(wire, &frame, fault))
            return false;
    }
    if (status != AMQP_STATUS_TIMEOUT)
        return fail(fault, FAULT_TRANSIENT, "RabbitMQ: link lost: %s", amqp_error_string2(status));
    if (!wire->content.is_begun) /* half a message still points into the buffers */
        amqp_maybe_release_buffers(wire->connection);
    return true;
}

static bool keep_alive(struct amqp_wire *wire, struct fault *fault)
{
    uint64_t now = clock_monotonic_ms();

    if (now - wire->heard_ms > 2 * wire->heartbeat_ms)
        return fail(fault, FAULT_TRANSIENT, "RabbitMQ: silent for %llu ms",
                    (unsigned long long)(now - wire->heard_ms));
    /* Bytes that wait for the kernel are as good as a heartbeat, and must not pile up. */
    if (now - wire->spoke_ms < wire->heartbeat_ms / 2 || amqp_wire_unsent(wire) > 0)
        return true;
    begin_frame(wire, AMQP_FRAME_HEARTBEAT, 0, 0);
    end_frame(wire, 0);
    return true;
}

/* --- frames in ------------------------------------------------------------------------------- */

static bool on_frame(struct amqp_wire *wire, const amqp_frame_t *frame, struct fault *fault)
{
    if (frame->frame_type == AMQP_FRAME_METHOD && frame->channel == 0)
        return on_connection_method(wire, &frame->payload.method, fault);
    if (frame->channel >= AMQP_CHANNELS)
        return fail(fault, FAULT_BROKEN, "RabbitMQ: frame on channel %d", (int)frame->channel);
    if (frame->frame_type == AMQP_FRAME_METHOD)
        return on_channel_method(wire, (enum amqp_channel)frame->channel, &frame->payload.method,
                                 fault);
    if (frame->frame_type == AMQP_FRAME_HEADER || frame->frame_type == AMQP_FRAME_BODY)
        on_content(wire, frame);
    return true;
}

static void tell_incoming(struct amqp_wire *wire, const amqp_method_t *method)
{
    struct amqp_incoming incoming = {.method = method};

    wire->events->on_incoming(wire->owner, &incoming);
}

static bool is_awaited(const struct amqp_wire *wire, enum amqp_channel channel)
{
    return wire->answer.state == AMQP_WAITING && wire->answer.channel == channel;
}

static bool on_connection_closed(struct amqp_wire *wire, const amqp_connection_close_t *closed,
                                 struct fault *fault)
{
    amqp_connection_close_ok_t ok = {0};
    struct fault ignored;

    amqp_wire_method(wire, AMQP_CHANNEL_NONE, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
    (void)!amqp_wire_flush(wire, &ignored);
    return fail(fault, FAULT_TRANSIENT, "RabbitMQ closed the connection: %d %.*s",
                closed->reply_code, (int)closed->reply_text.len,
                (const char *)closed->reply_text.bytes);
}

static bool on_connection_method(struct amqp_wire *wire, const amqp_method_t *method,
                                 struct fault *fault)
{
    const amqp_connection_blocked_t *blocked = method->decoded;
    char reason[128];

    switch (method->id) {
    case AMQP_CONNECTION_BLOCKED_METHOD:
        snprintf(reason, sizeof(reason), "%.*s", (int)blocked->reason.len,
                 (const char *)blocked->reason.bytes);
        wire->is_blocked = true;
        wire->events->on_blocked(wire->owner, reason);
        return true;
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        wire->is_blocked = false;
        wire->events->on_blocked(wire->owner, NULL);
        return true;
    case AMQP_CONNECTION_CLOSE_METHOD:
        return on_connection_closed(wire, method->decoded, fault);
    case AMQP_CONNECTION_CLOSE_OK_METHOD:
        if (is_awaited(wire, AMQP_CHANNEL_NONE))
            wire->answer.state = AMQP_ANSWERED;
        return true;
    default:
        return true;
    }
}

/* A call's answer, taken down as far as anybody wants it. */
static void take_answer(struct amqp_wire *wire, const amqp_method_t *method)
{
    const amqp_queue_declare_ok_t *declared = method->decoded;

    wire->answer.state = AMQP_ANSWERED;
    if (method->id != AMQP_QUEUE_DECLARE_OK_METHOD)
        return;
    wire->answer.messages = declared->message_count;
    wire->answer.consumers = declared->consumer_count;
}

static bool on_channel_closed(struct amqp_wire *wire, enum amqp_channel channel,
                              const amqp_channel_close_t *closed, struct fault *fault)
{
    amqp_channel_close_ok_t ok = {0};

    wire->is_open[channel] = false;
    amqp_wire_method(wire, channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
    if (is_awaited(wire, channel)) {
        wire->answer.state = AMQP_REFUSED;
        wire->answer.code = closed->reply_code;
        snprintf(wire->answer.text, sizeof(wire->answer.text), "%.*s", (int)closed->reply_text.len,
                 (const char *)closed->reply_text.bytes);
    }
    if (channel == AMQP_CHANNEL_CONTROL)
        return true;
    return fail(fault, FAULT_TRANSIENT, "RabbitMQ closed the channel: %d %.*s", closed->reply_code,
                (int)closed->reply_text.len, (const char *)closed->reply_text.bytes);
}

static bool on_channel_method(struct amqp_wire *wire, enum amqp_channel channel,
                              const amqp_method_t *method, struct fault *fault)
{
    if (method->id == AMQP_CHANNEL_CLOSE_METHOD)
        return on_channel_closed(wire, channel, method->decoded, fault);
    if (is_awaited(wire, channel) && method->id == wire->answer.id) {
        take_answer(wire, method);
        return true;
    }
    if (method->id == AMQP_BASIC_RETURN_METHOD || method->id == AMQP_BASIC_DELIVER_METHOD) {
        wire->content.is_begun = true;
        wire->content.method = *method;
        wire->content.properties = NULL;
        wire->content.body.length = 0;
        return true;
    }
    tell_incoming(wire, method);
    return true;
}

static void end_content(struct amqp_wire *wire)
{
    struct amqp_incoming incoming = {.method = &wire->content.method,
                                     .properties = wire->content.properties,
                                     .body = wire->content.body.bytes,
                                     .body_length = wire->content.body.length};

    wire->content.is_begun = false;
    wire->events->on_incoming(wire->owner, &incoming);
}

static void take_body(struct amqp_wire *wire, amqp_bytes_t fragment)
{
    struct amqp_buffer *body = &wire->content.body;
    size_t length = fragment.len;

    wire->content.left -= length < wire->content.left ? length : wire->content.left;
    if (body->length + length > BODY_BYTES_MAX)
        length = BODY_BYTES_MAX - body->length;
    memcpy(reserve(body, length + 1), fragment.bytes, length);
    body->length += length;
}

static void on_content(struct amqp_wire *wire, const amqp_frame_t *frame)
{
    if (!wire->content.is_begun)
        return;
    if (frame->frame_type == AMQP_FRAME_HEADER) {
        wire->content.properties = frame->payload.properties.decoded;
        wire->content.left = frame->payload.properties.body_size;
    } else {
        take_body(wire, frame->payload.body_fragment);
    }
    if (wire->content.properties != NULL && wire->content.left == 0)
        end_content(wire);
}

/* --- calls ----------------------------------------------------------------------------------- */

static const amqp_method_number_t answers[][2] = {
    {AMQP_CHANNEL_OPEN_METHOD, AMQP_CHANNEL_OPEN_OK_METHOD},
    {AMQP_CONFIRM_SELECT_METHOD, AMQP_CONFIRM_SELECT_OK_METHOD},
    {AMQP_EXCHANGE_DECLARE_METHOD, AMQP_EXCHANGE_DECLARE_OK_METHOD},
    {AMQP_QUEUE_DECLARE_METHOD, AMQP_QUEUE_DECLARE_OK_METHOD},
    {AMQP_QUEUE_BIND_METHOD, AMQP_QUEUE_BIND_OK_METHOD},
    {AMQP_BASIC_QOS_METHOD, AMQP_BASIC_QOS_OK_METHOD},
    {AMQP_BASIC_CONSUME_METHOD, AMQP_BASIC_CONSUME_OK_METHOD},
    {AMQP_BASIC_CANCEL_METHOD, AMQP_BASIC_CANCEL_OK_METHOD},
    {AMQP_CONNECTION_CLOSE_METHOD, AMQP_CONNECTION_CLOSE_OK_METHOD},
};

static amqp_method_number_t answer_of(amqp_method_number_t id)
{
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        if (answers[i][0] == id)
            return answers[i][1];
    }
    abort(); /* a method that the table does not know */
}

static void ask(struct amqp_wire *wire, enum amqp_channel channel, amqp_method_number_t id,
                void *decoded)
{
    wire->answer.channel = channel;
    wire->answer.id = answer_of(id);
    wire->answer.state = AMQP_WAITING;
    amqp_wire_method(wire, channel, id, decoded);
}

/* A broker that gave signs of life since `began` but no answer will give none.  From a frozen one
 * an answer may still come; its silence is keep_alive's business. */
static bool is_vain(const struct amqp_wire *wire, uint64_t began, uint64_t now)
{
    return now - began >= wire->patience_ms &&
           (wire->heard_ms > began || now - began >= 2 * wire->patience_ms);
}

static bool await(struct amqp_wire *wire, struct fault *fault)
{
    uint64_t began = clock_monotonic_ms(), now = began;

    while (wire->answer.state == AMQP_WAITING) {
        if (is_vain(wire, began, now) || atomic_load(wire->is_given_up))
            return fail(fault, FAULT_TRANSIENT, "RabbitMQ: no answer to a call in %llu ms",
                        (unsigned long long)(now - began));
        if (!amqp_wire_turn(wire, CALL_TURN_MS, fault))
            return false;
        now = clock_monotonic_ms();
        /* A blocked connection is not read: the answer comes when the alarm is over. */
        if (wire->is_blocked)
            began = now;
    }
    return true;
}

bool amqp_wire_call(struct amqp_wire *wire, enum amqp_channel channel, amqp_method_number_t id,
                    void *decoded, struct fault *fault)
{
    ask(wire, channel, id, decoded);
    if (!await(wire, fault))
        return false;
    if (wire->answer.state == AMQP_REFUSED)
        return fail(fault, FAULT_TRANSIENT, "RabbitMQ refused: %d %s", wire->answer.code,
                    wire->answer.text);
    return true;
}

bool amqp_wire_open_channel(struct amqp_wire *wire, enum amqp_channel channel, struct fault *fault)
{
    amqp_channel_open_t open = {0};

    if (wire->is_open[channel])
        return true;
    wire->is_open[channel] = amqp_wire_call(wire, channel, AMQP_CHANNEL_OPEN_METHOD, &open, fault);
    return wire->is_open[channel];
}

void amqp_wire_goodbye(struct amqp_wire *wire)
{
    amqp_connection_close_t close = {.reply_code = AMQP_REPLY_SUCCESS,
                                     .reply_text = amqp_cstring_bytes("bye")};
    struct fault ignored;

    if (wire->is_blocked) /* nobody would read it */
        return;
    wire->patience_ms = GOODBYE_MS / 2;
    ask(wire, AMQP_CHANNEL_NONE, AMQP_CONNECTION_CLOSE_METHOD, &close);
    (void)!await(wire, &ignored);
}

void amqp_wire_finish(struct amqp_wire *wire)
{
    if (wire->connection == NULL)
        return;
    amqp_destroy_connection(wire->connection); /* without a word to the broker */
    free(wire->out.bytes);
    free(wire->content.body.bytes);
    *wire = (struct amqp_wire){.events = wire->events,
                               .owner = wire->owner,
                               .wake_fd = wire->wake_fd,
                               .is_given_up = wire->is_given_up,
                               .fd = -1};
}
