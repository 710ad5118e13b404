/* tests/base/http/stage.h - a server and its clients on one loop, so that a test reads as a
 * transcript
 *
 *     struct client *client = dial();
 *     must_send(client, GET("/wait/a"));
 *     must_be_held("a");
 *     answer("a", "first");
 *     must_receive(client, "first");
 *
 * must_… waits for what it names, running the loop, and fails after STAGE_WAIT_MS.  Nothing sleeps.
 *
 * Routes: GET /hello, POST /echo; GET and POST /wait/{name} is held until answer(); GET
 * /stream/{name} is held with its stream begun; GET /big answers with BIG_BYTES.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Before cmocka, which makes a macro of `fail`. */
#include "base/http/server.h"
#include "base/text.h"

#include <cmocka.h>

#define GET(path)         "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(path, field) "POST " path " HTTP/1.1\r\nHost: a\r\n" field "\r\n\r\n"

enum { STAGE_WAIT_MS = 5000, BIG_BYTES = 256 * 1024 };

struct client;

/* The stage is one, and global: a test has one server. */
extern struct stage {
    uv_loop_t loop;
    struct http_server *server; /* NULL once drained */
    int handled, answered, answered_gone, gone, drained;
    char last_method[16], last_error[64];
} stage;

void stage_open(const struct http_limits *limits); /* NULL: the defaults */
int stage_close(void **state);                     /* a teardown: nothing may be left on the loop */

struct client *dial(void);
void must_send(struct client *client, const char *bytes);
void send_what_fits(struct client *client, const char *bytes, size_t length);
/* The next bytes of the answer, passing over what is before them. */
void must_receive(struct client *client, const char *bytes);
void must_receive_bytes(struct client *client, size_t count); /* in all */
void must_not_have_received(struct client *client, const char *bytes);
void must_end(struct client *client);   /* a FIN comes; closes too, as clients do */
void must_break(struct client *client); /* an RST comes */
size_t received(const struct client *client);
int reads_of(const struct client *client); /* how many pieces it came in */
void stop_reading(struct client *client);
void read_on(struct client *client);
void half_close(struct client *client);
void hang_up(struct client *client, bool reset);

void must_be_held(const char *name);
struct http_request *held(const char *name); /* NULL: not */
void answer(const char *name, const char *body);
void forget(const char *name); /* the test ends it in its own way */

/* Runs the loop until `*number` is at least `least`. */
void must_reach(const int *number, int least);
/* Runs what can happen now: for saying that something did not. */
void settle_loop(void);
