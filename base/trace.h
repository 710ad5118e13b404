/* base/trace.h - what took how long, told to a collector as OTLP/HTTP JSON
 *
 *     trace_begin ─► trace_end ─► gathered ┄┄ (once a second, or as soon as there are many) ┄┄►
 * POST
 *
 * A span belongs to the trace of a W3C traceparent (https://www.w3.org/TR/trace-context/) and is
 * told only if that says "sampled".  Nothing waits for the collector: while it is away a bounded
 * number of spans is kept, and what comes after is dropped and counted.  Without an endpoint all of
 * this costs one comparison.
 *
 * The form is that of https://opentelemetry.io/docs/specs/otlp/ (JSON protobuf encoding): answers
 * 429, 502, 503 and 504 are tried again, other refusals are not.  One loop, one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum { TRACE_PARENT_SIZE = 56 };

/* As OTLP numbers them. */
enum span_kind { SPAN_INTERNAL = 1, SPAN_SERVER, SPAN_CLIENT, SPAN_PRODUCER, SPAN_CONSUMER };

struct span {
    bool is_told; /* false: nothing else is set, and nothing is told of it */
    enum span_kind kind;
    const char *name; /* lives as long as the process */
    char trace[33], id[17], parent[17];
    int64_t begun_us;
};

struct span_note {
    const char *key, *value;
};

struct trace_options {
    const char *endpoint; /* "http://127.0.0.1:4318"; /v1/traces is added.  "": nothing is told */
    const char *header;   /* one more of the request ("Authorization: Bearer …"), or "" */
    const char *service, *instance;
};

void trace_open(uv_loop_t *loop, const struct trace_options *options);
/* Tells what is left; on_closed comes after the collector's answer or wait_ms at the latest, and
 * also where nothing was open.  Not from inside. */
void trace_close(uint64_t wait_ms, void (*on_closed)(void *owner), void *owner);
void trace_register_metrics(void);

/* traceparent: of the caller; "" or NULL: the span is not told.  The span is the caller's to keep
 * until it ends; one that never ends was never told. */
void trace_begin(struct span *span, enum span_kind kind, const char *name, const char *traceparent);
void trace_begin_under(struct span *span, enum span_kind kind, const char *name,
                       const struct span *parent);
/* What is done under this span is given this. */
void trace_write_parent(const struct span *span, char traceparent[TRACE_PARENT_SIZE]);
/* notes: ended by a NULL key; NULL: none.  fault: what went wrong, or NULL. */
void trace_end(struct span *span, const struct span_note *notes, const char *fault);
/* One that was over before it was known whose it is. */
void trace_tell(enum span_kind kind, const char *name, const char *traceparent, int64_t begun_us,
                const struct span_note *notes);
