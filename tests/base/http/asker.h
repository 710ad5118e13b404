/* tests/base/http/asker.h - a client that asks a rude server, on one loop, until all is answered */
#pragma once

#include "base/http/client.h"
#include "tests/base/http/rude_server.h"

enum { DEADLINE_MS = 8000, MANY = 600 };

struct scene {
    uv_loop_t loop;
    uv_timer_t deadline;
    struct rude_server server;
    struct http_client *client;
    int waited_for; /* calls that are not done */
};

struct asked {
    struct http_call call;
    struct scene *scene;
    char url[128];
    char answer[64];
    int done, may_send_asked;
    bool is_sending;
};

int asker_set_up(void **state);
int asker_tear_down(void **state);
void use_connections(struct scene *scene, int most);
void asker_on_done(struct http_call *call);
void ask_at(struct asked *asked, struct scene *scene, const char *method, const char *url);
void ask(struct asked *asked, struct scene *scene, const char *method, const char *path);
void wait_for_all(struct scene *scene);
struct asked must_ask(struct scene *scene, const char *path);
void expect_unknown(struct scene *scene, const char *path, const char *code);
void expect_not_sent(const struct asked *asked, const char *code);
void expect_answer(const struct asked *asked);

#define CASE(name) cmocka_unit_test_setup_teardown(name, asker_set_up, asker_tear_down)
