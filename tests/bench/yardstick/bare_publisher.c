/* tests/bench/yardstick/bare_publisher.c - what librabbitmq alone publishes to a queue
 *
 *     bare_publisher URI QUEUE COUNT WINDOW BYTES
 *
 * Persistent messages, confirmed, at most WINDOW of them unconfirmed.  Prints the seconds it took.
 */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void must(int is_good, const char *what)
{
    if (is_good)
        return;
    fprintf(stderr, "bare_publisher: %s failed\n", what);
    exit(1);
}

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static amqp_connection_state_t connect_to(char *uri)
{
    struct amqp_connection_info about;
    amqp_connection_state_t link = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(link);

    amqp_default_connection_info(&about);
    must(amqp_parse_url(uri, &about) == AMQP_STATUS_OK, "the URI");
    must(amqp_socket_open(socket, about.host, about.port) == AMQP_STATUS_OK, "connect");
    must(amqp_login(link, about.vhost, 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, about.user,
                    about.password)
                 .reply_type == AMQP_RESPONSE_NORMAL,
         "login");
    amqp_channel_open(link, 1);
    must(amqp_get_rpc_reply(link).reply_type == AMQP_RESPONSE_NORMAL, "channel.open");
    amqp_confirm_select(link, 1);
    must(amqp_get_rpc_reply(link).reply_type == AMQP_RESPONSE_NORMAL, "confirm.select");
    return link;
}

/* Waits for the next confirm; how many messages are confirmed then. */
static long await_confirm(amqp_connection_state_t link, long confirmed)
{
    amqp_frame_t frame;
    const amqp_basic_ack_t *ack;

    for (;;) {
        amqp_maybe_release_buffers(link);
        must(amqp_simple_wait_frame(link, &frame) == AMQP_STATUS_OK, "a confirm");
        if (frame.frame_type != AMQP_FRAME_METHOD)
            continue;
        must(frame.payload.method.id == AMQP_BASIC_ACK_METHOD, "an ack");
        ack = frame.payload.method.decoded;
        return ack->multiple ? (long)ack->delivery_tag : confirmed + 1;
    }
}

static void publish(amqp_connection_state_t link, const char *queue, long count, long window,
                    size_t bytes)
{
    const amqp_basic_properties_t properties = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG,
                                                .delivery_mode = 2};
    amqp_bytes_t body = {bytes, calloc(1, bytes)};
    long sent = 0, confirmed = 0;

    while (confirmed < count) {
        for (; sent < count && sent - confirmed < window; sent++)
            must(amqp_basic_publish(link, 1, amqp_empty_bytes, amqp_cstring_bytes(queue), 1, 0,
                                    &properties, body) == AMQP_STATUS_OK,
                 "basic.publish");
        confirmed = await_confirm(link, confirmed);
    }
    free(body.bytes);
}

int main(int argc, char **argv)
{
    amqp_connection_state_t link;
    double began;

    must(argc == 6, "bare_publisher URI QUEUE COUNT WINDOW BYTES:");
    link = connect_to(argv[1]);
    began = now_s();
    publish(link, argv[2], strtol(argv[3], NULL, 10), strtol(argv[4], NULL, 10),
            strtoul(argv[5], NULL, 10));
    printf("%.6f\n", now_s() - began);
    amqp_connection_close(link, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(link);
    return 0;
}
