/* queue/service.h - what every program that runs on has: settings, signals, health, an orderly end
 *
 *     service_begin ─► (open what the program is made of) ─► service_run ─SIGTERM─► on_stop
 *                                                               … ─► service_ended ─► exit 0
 *
 * SIGUSR1 makes the log tell everything (debug), SIGUSR2 makes it as it was set: only who may
 * signal the process can, and nothing starts anew.
 *
 * /livez answers as long as the loop turns; /readyz says what is missing; /metrics is Prometheus'.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/log.h"
#include "base/text.h"
#include "queue/database.h"
#include "schema/settings.h"

enum { SERVICE_STOP_MS = 9000 }; /* SIGTERM to exit, at the very longest */

struct service {
    uv_loop_t loop;
    struct settings settings;
    struct database database;
    char process[64]; /* "payment-1234" */

    /* The program's: */
    void (*on_stop)(void *owner);                             /* SIGTERM or SIGINT, once */
    bool (*is_ready)(const void *owner, struct text *reason); /* reason: what is missing */
    void *owner;

    /* Private. */
    uv_signal_t signals[4];
    enum log_level log_level; /* the one that was set */
    uv_timer_t patience;
    struct http_server *health;
    bool is_stopping;
};

/* Reads the settings, opens the log, and prepares the loop.  --help, --metrics (all that were
 * registered until now), and a setting that is wrong, end the process here, before anything is
 * started. */
void service_begin(struct service *service, int argc, char **argv, enum program program,
                   const char *name);
/* Opens the health listener on settings.metrics_listen (NULL: none, the program has its own) and
 * runs until service_ended; returns the exit status. */
int service_run(struct service *service);
void service_ended(struct service *service);
bool service_is_stopping(const struct service *service);
