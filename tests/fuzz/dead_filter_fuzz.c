/* Filters of dead letters, as wild as they are typed.  Besides not crashing: what is refused says
 * where and why, what is taken is one JSON object with states and without a text that Postgres
 * would not take. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "schema/dead_filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

static void check(const struct dead_filter *filter)
{
    json_t *json = json_loads(filter->json, JSON_REJECT_DUPLICATES, NULL);
    const json_t *least, *most;

    must(json_is_object(json));
    must(json_array_size(json_object_get(json, "states")) > 0);
    must(filter->is_empty == (json_object_size(json) == 1));
    least = json_object_get(json, "amount_min");
    most = json_object_get(json, "amount_max");
    must((least || most) == (json_object_get(json, "currency") != NULL));
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = xcalloc(1, size + 1);
    struct dead_filter filter;
    struct fault fault = {.kind = FAULT_NONE};

    memcpy(text, data, size);
    if (dead_filter_parse(text, &filter, &fault)) {
        check(&filter);
    } else {
        must(fault.kind == FAULT_REFUSED && fault.text[0]);
        must(filter.error_at <= strlen(text));
    }
    free(text);
    return 0;
}
