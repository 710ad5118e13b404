#include "api/admin/dead_query.h"

#include <string.h>

static bool refuse(struct http_request *request, const char *detail)
{
    problem_reply(request, &(struct problem){.code = "invalid_query", .detail = detail});
    return false;
}

bool dead_query_read(struct http_request *request, const char *text, struct dead_filter *filter)
{
    struct fault fault;

    return dead_filter_parse(text ? text : "", filter, &fault) || refuse(request, fault.text);
}

/* Three numbers of at most 18 digits, with a '-' between. */
static bool is_cursor(const char *text)
{
    for (int part = 0; part < 3; part++) {
        size_t digits = strspn(text, "0123456789");

        if (digits == 0 || digits > 18 || text[digits] != (part < 2 ? '-' : '\0'))
            return false;
        text += digits + 1;
    }
    return true;
}

static bool add(struct admin_errand *errand, const struct dead_filter *filter, const char *cursor)
{
    if (cursor && !is_cursor(cursor))
        return refuse(errand->request, "the cursor is none that an answer had as `next`");
    dead_filter_bind(filter, &errand->ticket.params);
    pg_add_text(&errand->ticket.params, cursor);
    return true;
}

bool dead_query_add(struct admin_errand *errand, const char *filter, const char *cursor)
{
    struct dead_filter read;

    return dead_query_read(errand->request, filter, &read) && add(errand, &read, cursor);
}

bool dead_query_add_act(struct admin_errand *errand, const char *filter, const char *cursor,
                        bool wants_all)
{
    struct dead_filter read;

    if (!dead_query_read(errand->request, filter, &read))
        return false;
    if (read.is_empty && !wants_all)
        return refuse(errand->request,
                      "an empty filter is every dead letter; say `all` if that is meant");
    return add(errand, &read, cursor);
}
