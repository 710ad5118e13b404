#include "ops/cli/order_hops.h"

#include <stdio.h>

#include "base/memory.h"
#include "ops/cli/command.h"
#include "ops/cli/screen.h"

/* A pause between two events that is longer is marked: a step that nothing held up is faster. */
static const double slow_s = 5;

static const struct {
    const char *key, *name;
} hops[] = {
    {"outbox_ms", "in the outbox"},
    {"queue_ms", "in the queue"},
    {"outside_ms", "outside"},
    {"work_ms", "at work"},
};

static double seconds_of(const json_t *event, size_t hop)
{
    return json_number_value(json_object_get(json_object_get(event, "hops"), hops[hop].key)) / 1000;
}

/* How long after the event before; 0 for the first. */
static double pause_of(const json_t *events, size_t index)
{
    double before, at;

    if (index == 0 ||
        !time_parse_stamp(text_of(json_array_get(events, index - 1), "at"), &before) ||
        !time_parse_stamp(text_of(json_array_get(events, index), "at"), &at))
        return 0;
    return at > before ? at - before : 0;
}

void order_hops_sum(const json_t *events)
{
    double sums[ARRAY_SIZE(hops)] = {0}, waits = 0, whole = 0;
    struct text line;
    bool is_told = false;
    size_t index;
    const json_t *event;

    json_array_foreach(events, index, event)
    {
        double pause = pause_of(events, index);
        bool has_hops = json_is_object(json_object_get(event, "hops"));

        is_told |= has_hops;
        waits += has_hops ? 0 : pause;
        whole += pause;
        for (size_t i = 0; i < ARRAY_SIZE(hops); i++)
            sums[i] += seconds_of(event, i);
    }
    if (!is_told)
        return;
    text_init(&line, 1000);
    for (size_t i = 0; i < ARRAY_SIZE(hops); i++)
        text_print(&line, "%s%s %s", i ? ", " : "", hops[i].name, span_text(sums[i]));
    say_line("time", "%s: %s, waiting %s", span_text(whole), line.bytes, span_text(waits));
    text_finish(&line);
}

/* Above the event, in the order in which it went by. */
static void add_hops(struct table *table, const json_t *event)
{
    const json_t *told = json_object_get(event, "hops");

    if (json_object_size(told) < 2)
        return; /* the pause says it all */
    for (size_t i = 0; i < ARRAY_SIZE(hops); i++) {
        if (json_object_get(told, hops[i].key) == NULL)
            continue;
        table_cell(table, "");
        table_cell(table, "");
        table_paint(table, seconds_of(event, i) > slow_s ? YELLOW : DIM,
                    span_text(seconds_of(event, i)));
        table_paint(table, DIM, hops[i].name);
        table_cell(table, "");
        table_cell(table, "");
    }
}

void order_hops_print(const json_t *events)
{
    struct table *table = table_create();
    size_t index;
    const json_t *event;

    table_column(table, "", COLUMN_RIGHT);
    table_column(table, "when", COLUMN_LEFT);
    table_column(table, "after", COLUMN_RIGHT);
    table_column(table, "event", COLUMN_LEFT);
    table_column(table, "status", COLUMN_LEFT);
    table_column(table, "process", COLUMN_SHRINKS);
    json_array_foreach(events, index, event)
    {
        double pause = pause_of(events, index);

        add_hops(table, event);
        table_cell(table, number_text(number_of(event, "version")));
        table_cell(table, time_text(text_of(event, "at")));
        table_paint(table, pause > slow_s ? YELLOW : PLAIN, index > 0 ? span_text(pause) : "");
        table_cell(table, text_of(event, "kind"));
        table_cell(table, text_of(event, "status"));
        table_cell(table, text_of(event, "process"));
    }
    table_print(table);
}
