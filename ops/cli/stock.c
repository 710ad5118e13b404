/* docket stock, and docket catalogue show: what can be sold */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/act.h"
#include "ops/cli/screen.h"
#include "ops/cli/stock.h"

enum { PATH_BYTES_MAX = 4096 };

/* One page; its products are moved into `all`.  False: the API did not answer. */
static bool read_page(const char *sku, const char *after, json_t **first, json_t *all)
{
    struct text path;
    json_t *page;

    text_init(&path, PATH_BYTES_MAX);
    text_add(&path, "/admin/catalogue");
    admin_query(&path, "after", after);
    admin_query(&path, "sku", sku);
    page = admin_call("GET", path.bytes, NULL);
    text_finish(&path);
    if (page == NULL)
        return false;
    json_array_extend(all, json_object_get(page, "products"));
    if (*first == NULL)
        *first = json_incref(page);
    json_decref(page);
    return true;
}

json_t *catalogue_read(const char *sku)
{
    json_t *all = json_array(), *first = NULL;
    size_t before;

    do {
        before = json_array_size(all);
        if (!read_page(sku, before ? text_of(json_array_get(all, before - 1), "sku") : NULL, &first,
                       all)) {
            json_decref(all);
            json_decref(first);
            return NULL;
        }
    } while (sku == NULL && json_array_size(all) > before);
    json_object_set_new(first, "products", all);
    return first;
}

static void print_stock(const json_t *products)
{
    struct table *table = table_create();
    size_t index;
    const json_t *product;

    table_column(table, "sku", COLUMN_LEFT);
    table_column(table, "available", COLUMN_RIGHT);
    table_column(table, "name", COLUMN_SHRINKS);
    json_array_foreach(products, index, product)
    {
        bool is_none = number_of(product, "available") == 0;

        table_cell(table, text_of(product, "sku"));
        table_paint(table, is_none ? RED : PLAIN, number_text(number_of(product, "available")));
        table_cell(table, text_of(product, "name"));
    }
    table_print(table);
}

static int show(const struct call *call)
{
    const char *sku = call_operand(call, 0);
    json_t *catalogue = catalogue_read(sku);
    int code = EXIT_SUCCESS;

    if (catalogue == NULL)
        return EXIT_REFUSED;
    if (sku && json_array_size(json_object_get(catalogue, "products")) == 0)
        code = refuse("docket catalogue show lists them all.", "the catalogue has no sku %s", sku);
    else if (call_flag(call, "json"))
        print_json(json_object_get(catalogue, "products"));
    else
        print_stock(json_object_get(catalogue, "products"));
    json_decref(catalogue);
    return code;
}

static void say_changed(const struct call *call, const json_t *answer)
{
    sayf("%s: %s can be sold from now on.\n", call_operand(call, 0),
         number_text(number_of(answer, "available")));
}

static int change(const struct call *call, const char *how)
{
    const char *sku = call_operand(call, 0), *text = call_operand(call, 1);
    size_t sign = *text == '-' || *text == '+';

    if (strspn(text + sign, "0123456789") != strlen(text) - sign || strlen(text) <= sign ||
        strlen(text) > 15 || (sign && strcmp(how, "set") == 0))
        return call_misused(call, "%s is no number of pieces", text);
    return act_send(call, "POST", "/admin/stock",
                    json_pack("{s:s, s:I}", "sku", sku, how, (json_int_t)strtoll(text, NULL, 10)),
                    say_changed);
}

static int set(const struct call *call)
{
    return change(call, "set");
}

static int add(const struct call *call)
{
    return change(call, "add");
}

static const struct command command_show = {
    .name = "show",
    .summary = "Show what can be sold of each product, or of one.",
    .operands = "[SKU]",
    .run = show,
};
static const struct command command_set = {
    .name = "set",
    .summary = "Set what can be sold of a product from now on; what is reserved is reserved.",
    .operands = "SKU PIECES",
    .options = act_options,
    .examples = "docket stock set TEA 120 --reason \"counted\"",
    .run = set,
};
static const struct command command_add = {
    .name = "add",
    .summary = "Add pieces to what can be sold, or take some away; never below zero.",
    .operands = "SKU PIECES",
    .options = act_options,
    .examples = "docket stock add TEA 40 --reason \"delivery 77\"\n"
                "docket stock add TEA -5 --reason \"broken\"",
    .run = add,
};
static const struct command *const commands[] = {&command_show, &command_set, &command_add, NULL};

const struct command command_stock = {
    .name = "stock",
    .summary = "Show, set or add to what can be sold.",
    .commands = commands,
};
