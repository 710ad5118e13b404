/* docket dead discard: looked at first, then done page by page; each page is a transaction with its
 * row in the audit, so an interruption leaves the rest open and the same command goes on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/dead.h"
#include "ops/cli/screen.h"

void dead_add_row(json_t *rows, const json_t *more, const char *by)
{
    size_t index;
    json_t *row;

    json_array_foreach(rows, index, row)
    {
        if (strcmp(text_of(row, by), text_of(more, by)) != 0 ||
            strcmp(text_of(row, "currency"), text_of(more, "currency")) != 0)
            continue;
        json_object_set_new(row, "count",
                            json_integer(number_of(row, "count") + number_of(more, "count")));
        json_object_set_new(row, "amount",
                            json_integer(number_of(row, "amount") + number_of(more, "amount")));
        return;
    }
    json_array_append_new(rows, json_deep_copy(more));
}

static json_t *count_all(const struct dead_words *words)
{
    json_t *rows = json_array(), *row, *page = NULL;
    char cursor[100] = "";
    int64_t seen = 0;
    size_t index;

    do {
        json_decref(page);
        page = dead_page("/admin/dead/count", words, *cursor ? cursor : NULL, 0);
        if (page == NULL) {
            json_decref(rows);
            return NULL;
        }
        json_array_foreach(json_object_get(page, "fates"), index, row)
            dead_add_row(rows, row, "fate");
        seen += number_of(page, "searched");
        snprintf(cursor, sizeof(cursor), "%s", text_of(page, "next"));
        progress("looked at", seen, 0);
    } while (*cursor);
    progress_end();
    json_decref(page);
    return rows;
}

static void print_rows(const json_t *rows)
{
    struct table *table = table_create();
    size_t index;
    const json_t *row;

    table_column(table, "letters", COLUMN_RIGHT);
    table_column(table, "money", COLUMN_RIGHT);
    table_column(table, "what a discard does", COLUMN_SHRINKS);
    json_array_foreach(rows, index, row)
    {
        table_cell(table, number_text(number_of(row, "count")));
        table_cell(table, money_text(number_of(row, "amount"), text_of(row, "currency")));
        table_cell(table, dead_fate_text(text_of(row, "fate")));
    }
    table_print(table);
}

static int preview(const struct call *call, const struct dead_words *words)
{
    json_t *rows = count_all(words);

    if (rows == NULL)
        return EXIT_REFUSED;
    if (call_flag(call, "json")) {
        json_t *answer = json_pack("{s:b, s:O}", "dry_run", 1, "fates", rows);

        print_json(answer);
        json_decref(answer);
    } else if (json_array_size(rows) == 0) {
        sayf("No dead letter fits.\n");
    } else {
        print_rows(rows);
        sayf("\nNothing was done; with --yes it is.\n");
    }
    json_decref(rows);
    return EXIT_SUCCESS;
}

struct sums {
    long long discarded, canceled;
    json_t *kept, *audits; /* {fate: count}, [id] */
};

static void add_page(struct sums *sums, const json_t *page)
{
    json_t *kept = json_object_get(page, "kept"), *count;
    const char *fate;

    sums->discarded += number_of(page, "discarded");
    sums->canceled += number_of(page, "orders_canceled");
    json_object_foreach(kept, fate, count) json_object_set_new(
        sums->kept, fate, json_integer(number_of(sums->kept, fate) + json_integer_value(count)));
    if (json_is_integer(json_object_get(page, "audit")))
        json_array_append(sums->audits, json_object_get(page, "audit"));
}

static bool discard_all(const struct call *call, const struct dead_words *words, struct sums *sums)
{
    char cursor[100] = "";

    do {
        json_t *wish = json_pack("{s:s, s:s, s:b}", "filter", words->filter.bytes, "reason",
                                 call_text(call, "reason"), "all", call_flag(call, "all"));
        json_t *page;

        if (*cursor)
            json_object_set_new(wish, "cursor", json_string(cursor));
        page = admin_call("POST", "/admin/dead/discard", wish);
        json_decref(wish);
        if (page == NULL)
            return false;
        add_page(sums, page);
        snprintf(cursor, sizeof(cursor), "%s", text_of(page, "next"));
        json_decref(page);
        progress("discarded", sums->discarded, 0);
    } while (*cursor);
    return true;
}

static void print_sums(const struct sums *sums)
{
    const char *fate;
    json_t *count;

    sayf("%s letters discarded; %s orders ended as canceled.\n", number_text(sums->discarded),
         number_text(sums->canceled));
    json_object_foreach(sums->kept, fate, count)
        sayf("%s %s.\n", number_text(json_integer_value(count)), dead_fate_text(fate));
}

static int discard(const struct call *call, const struct dead_words *words)
{
    struct sums sums = {0, 0, json_object(), json_array()};
    bool is_whole = discard_all(call, words, &sums);
    bool did = sums.discarded > 0 || !words->is_letter;

    progress_end();
    if (call_flag(call, "json")) {
        json_t *answer = json_pack(
            "{s:I, s:I, s:O, s:O, s:b}", "discarded", (json_int_t)sums.discarded, "orders_canceled",
            (json_int_t)sums.canceled, "kept", sums.kept, "audits", sums.audits, "whole", is_whole);

        print_json(answer);
        json_decref(answer);
    } else {
        print_sums(&sums);
        if (!is_whole)
            fprintf(stderr, "It stopped here; the same command goes on with the rest.\n");
    }
    json_decref(sums.kept);
    json_decref(sums.audits);
    return is_whole && did ? EXIT_SUCCESS : EXIT_REFUSED;
}

int dead_discard_run(const struct call *call)
{
    struct dead_words words;
    int code;

    if (!dead_words_read(call, &words))
        return EXIT_USAGE;
    if (words.is_empty && !call_flag(call, "all"))
        code = call_misused(call, "without a filter it is about every dead letter: say --all");
    else if (words.is_letter || call_flag(call, "yes"))
        code = discard(call, &words);
    else
        code = preview(call, &words);
    dead_words_finish(&words);
    return code;
}
