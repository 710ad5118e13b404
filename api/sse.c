#include "api/sse.h"

#include <string.h>

#include "api/fields.h"

const char sse_heartbeat[] = "event: heartbeat\ndata: {}\n\n";

bool sse_parse_id(const char *value, int32_t *version)
{
    int64_t number;

    if (!field_number(value, 0, INT32_MAX, &number))
        return false;
    *version = (int32_t)number;
    return true;
}

void sse_add_event(struct text *out, int32_t version, const char *body, size_t length)
{
    text_print(out, "id: %d\nevent: order.updated\ndata: ", version);
    text_add_bytes(out, body, length);
    text_add(out, "\n\n");
}

void sse_add_retry(struct text *out, int64_t pause_ms)
{
    text_print(out, "retry: %lld\n\n", (long long)pause_ms);
}
