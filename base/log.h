/* base/log.h - one JSON object per line on stderr
 *
 *     {"ts":"…","level":"info","process":"relay","event":"broker_lost","order":"ord_…","trace":"…","text":"…"}
 *
 * `event` is a stable snake_case name; `text` is for people.  Before a line is written, what looks
 * like a secret or a card number (dk_…, sk_…, pm_…, cs_…, 13 to 19 digits that pass the Luhn check)
 * is overwritten with asterisks, so that a careless format string cannot leak one.  Safe from any
 * thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_about {
    const char *order; /* public order id, or NULL */
    const char *trace; /* 32 hex digits of the trace id, or NULL */
};

void log_open(const char *process, enum log_level least); /* once, before any thread */
void log_set_level(enum log_level least);                 /* at any time, from any thread */
bool log_level_parse(const char *name, enum log_level *level);

void log_write(enum log_level level, const char *event, const struct log_about *about,
               const char *format, ...) __attribute__((format(printf, 4, 5)));

#define log_debug(event, ...) log_write(LOG_DEBUG, event, NULL, __VA_ARGS__)
#define log_info(event, ...)  log_write(LOG_INFO, event, NULL, __VA_ARGS__)
#define log_warn(event, ...)  log_write(LOG_WARN, event, NULL, __VA_ARGS__)
#define log_error(event, ...) log_write(LOG_ERROR, event, NULL, __VA_ARGS__)

/* Overwrites secrets and card-like numbers in place (exported for its unit test and for texts that
 * are stored). */
void log_redact(char *text);
bool log_looks_like_card(const char *text); /* 13-19 digits, spaces and hyphens allowed, Luhn */
