/* docket order list: orders of every account, the newest first, by what is known of them */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ops/cli/order_list.h"
#include "ops/cli/screen.h"
#include "schema/value_text.h"

enum { LIMIT_DEFAULT = 50, PAGE_MAX = 100, PATH_BYTES_MAX = 16 * 1024 };

/* A time option as the API reads it. */
static void add_time(const struct call *call, const char *option, struct text *path,
                     const char *name)
{
    char stamp[CLOCK_RFC3339_SIZE];
    int64_t unix_s;

    if (!call_time(call, option, &unix_s))
        return;
    clock_format(unix_s * 1000000, stamp, sizeof(stamp));
    admin_query(path, name, stamp);
}

/* --at-least and --at-most.  False: said what is wrong. */
static bool add_money(const struct call *call, struct text *path)
{
    static const char *const options[] = {"at-least", "at-most"};
    static const char *const names[] = {"least", "most"};
    char currency[CURRENCY_SIZE] = "";
    int64_t least = 0;

    for (int i = 0; i < 2; i++) {
        const char *text = call_text(call, options[i]);
        struct money money;

        if (text == NULL)
            continue;
        if (!value_money(text, &money)) {
            (void)call_misused(call, "--%s %s: an amount with its currency, as 50.00EUR",
                               options[i], text);
            return false;
        }
        if (*currency && (strcmp(currency, money.currency) != 0 || money.amount < least)) {
            (void)call_misused(call, "--at-least %s and --at-most %s: no total is both",
                               call_text(call, "at-least"), text);
            return false;
        }
        least = money.amount;
        admin_query_number(path, names[i], money.amount);
        if (*currency == '\0')
            admin_query(path, "currency", money.currency);
        snprintf(currency, sizeof(currency), "%s", money.currency);
    }
    return true;
}

static bool check_times(const struct call *call)
{
    int64_t since, until;

    if (!call_time(call, "since", &since) || !call_time(call, "until", &until) || since < until)
        return true;
    (void)call_misused(call, "--since %s and --until %s: nothing lies between them",
                       call_text(call, "since"), call_text(call, "until"));
    return false;
}

static bool add_filters(const struct call *call, struct text *path)
{
    if (!check_times(call))
        return false;
    text_add(path, "/admin/orders");
    admin_query(path, "status", call_text(call, "status"));
    admin_query(path, "reason", call_text(call, "reason"));
    admin_query(path, "account", call_text(call, "account"));
    admin_query(path, "cart_id", call_text(call, "cart"));
    admin_query(path, "sku", call_text(call, "sku"));
    admin_query(path, "email", call_text(call, "email"));
    if (call_flag(call, "open"))
        admin_query(path, "final", "false");
    add_time(call, "since", path, "created_after");
    add_time(call, "until", path, "created_before");
    return add_money(call, path);
}

json_t *orders_find(const char *filters, const char *cursor, long long limit)
{
    json_t *found = json_object(), *orders = json_array();
    char next[64];
    long long pages = 0;

    snprintf(next, sizeof(next), "%s", cursor ? cursor : "");
    json_object_set_new(found, "orders", orders);
    do {
        long long left = limit - (long long)json_array_size(orders);
        struct text path;
        json_t *page;

        text_init(&path, PATH_BYTES_MAX);
        text_add(&path, filters);
        admin_query_number(&path, "limit", left < PAGE_MAX ? left : PAGE_MAX);
        admin_query(&path, "cursor", *next ? next : NULL);
        page = admin_call("GET", path.bytes, NULL);
        text_finish(&path);
        if (page == NULL) {
            json_decref(found);
            return NULL;
        }
        json_array_extend(orders, json_object_get(page, "orders"));
        snprintf(next, sizeof(next), "%s", text_of(page, "next"));
        json_decref(page);
        progress("pages of orders looked at", ++pages, 0);
    } while (*next && (long long)json_array_size(orders) < limit);
    progress_end();
    json_object_set_new(found, "next", *next ? json_string(next) : json_null());
    return found;
}

void orders_print(const json_t *orders)
{
    struct table *table = table_create();
    size_t index;
    const json_t *order;

    table_column(table, "order", COLUMN_LEFT);
    table_column(table, zone_text(), COLUMN_LEFT);
    table_column(table, "status", COLUMN_LEFT);
    table_column(table, "total", COLUMN_RIGHT);
    table_column(table, "account", COLUMN_SHRINKS);
    table_column(table, "reason", COLUMN_SHRINKS);
    json_array_foreach(orders, index, order)
    {
        table_cell(table, text_of(order, "order"));
        table_cell(table, time_short(text_of(order, "accepted_at")));
        table_paint(table, is_true(order, "final") ? GREEN : YELLOW, text_of(order, "status"));
        table_cell(table, money_text(number_of(order, "total"), text_of(order, "currency")));
        table_cell(table, text_of(order, "account"));
        table_cell(table, text_of(order, "reason"));
    }
    table_print(table);
}

static void print_found(const json_t *found)
{
    const json_t *orders = json_object_get(found, "orders");

    if (json_array_size(orders) == 0)
        sayf("No order fits.\n");
    else
        orders_print(orders);
    if (*text_of(found, "next"))
        sayf("\nThere may be more: --cursor %s goes on.\n", text_of(found, "next"));
}

static int list(const struct call *call)
{
    long long limit = call_number(call, "limit", LIMIT_DEFAULT);
    struct text filters;
    json_t *found = NULL;
    bool is_sound;

    if (limit == 0)
        return call_misused(call, "--limit 0 lists nothing");
    text_init(&filters, PATH_BYTES_MAX);
    is_sound = add_filters(call, &filters);
    if (is_sound)
        found = orders_find(filters.bytes, call_text(call, "cursor"), limit);
    text_finish(&filters);
    if (found == NULL)
        return is_sound ? EXIT_REFUSED : EXIT_USAGE;
    if (call_flag(call, "json"))
        print_json(found);
    else
        print_found(found);
    json_decref(found);
    return EXIT_SUCCESS;
}

static const struct option options[] = {
    {"status", "STATUS[,…]", "Only these: processing, on_hold, …", OPTION_TEXT, false},
    {"open", NULL, "Only orders that are not final.", OPTION_FLAG, false},
    {"reason", "REASON", "Only those that wait for this: payment_outcome_unknown, …", OPTION_TEXT,
     false},
    {"since", "TIME", "Accepted from then on: 2h, 2026-11-24, \"2026-11-24 22:31\".", OPTION_TIME,
     false},
    {"until", "TIME", "Accepted before then.", OPTION_TIME, false},
    {"account", "NAME", "Of this account.", OPTION_TEXT, false},
    {"cart", "ID", "Of this cart.", OPTION_TEXT, false},
    {"sku", "SKU", "With this product.", OPTION_TEXT, false},
    {"at-least", "MONEY", "With a total from this on: 50.00EUR.", OPTION_TEXT, false},
    {"at-most", "MONEY", "With a total up to this: 70EUR.", OPTION_TEXT, false},
    {"email", "ADDRESS", "Of this e-mail address, in any case.", OPTION_TEXT, false},
    {"limit", "N", "So many at most (50).", OPTION_NUMBER, false},
    {"cursor", "CURSOR", "Go on where a list ended.", OPTION_TEXT, false},
    {.name = NULL},
};

const struct command command_order_list = {
    .name = "list",
    .summary = "List orders of every account, the newest first, by what is known of them.",
    .about = "All that is given must fit. There is no index for these but time: 10,000 orders are "
             "looked at in each call, as many calls as it takes; --since and --until bound it. "
             "Nothing of the persons who ordered is shown.",
    .options = options,
    .examples = "docket order list --open --since 2h\n"
                "docket order list --reason payment_outcome_unknown\n"
                "docket order list --email ada@example.com --since 30d\n"
                "docket order list --sku TEA-EARL-250 --at-least 50.00EUR --json",
    .run = list,
};
