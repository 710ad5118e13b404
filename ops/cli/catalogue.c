/* docket catalogue: what can be ordered */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/act.h"
#include "ops/cli/screen.h"
#include "ops/cli/stock.h"

static json_t *read_file(const char *path)
{
    json_error_t error;
    json_t *value = strcmp(path, "-") == 0 ? json_loadf(stdin, JSON_REJECT_DUPLICATES, &error)
                                           : json_load_file(path, JSON_REJECT_DUPLICATES, &error);

    if (value == NULL && error.line < 1)
        refuse("docket catalogue load --help shows what is in such a file.", "%s", error.text);
    else if (value == NULL)
        refuse("docket catalogue load --help shows what is in such a file.", "%s, line %d: %s",
               path, error.line, error.text);
    return value;
}

static void say_loaded(const struct call *call, const json_t *answer)
{
    (void)call;
    sayf("Loaded %lld products and %lld shipping methods.\n", number_of(answer, "products"),
         number_of(answer, "shipping_methods"));
}

static int load(const struct call *call)
{
    json_t *catalogue = read_file(call_operand(call, 0));

    if (catalogue == NULL)
        return EXIT_REFUSED;
    return act_send(call, "PUT", "/admin/catalogue", catalogue, say_loaded);
}

static const struct command command_load = {
    .name = "load",
    .summary = "Add or replace products (with their stock) and shipping methods from a file.",
    .about =
        "FILE - reads standard input. What it names is added, or takes the place of what has "
        "the same code; the rest stays. `stock` sets what can be sold from now on; without it "
        "the stock stays as it is.\n"
        "{\"products\": [{\"sku\": \"TEA\", \"name\": \"Tea\", \"stock\": 10, \"active\": true, "
        "\"price\": {\"amount\": 1290, \"currency\": \"EUR\"}}], \"shipping_methods\": [{\"code\": "
        "\"standard\", \"name\": \"Standard\", \"price\": {\"amount\": 490, \"currency\": "
        "\"EUR\"}}]}",
    .operands = "FILE",
    .options = act_options,
    .examples = "docket catalogue load autumn.json --reason \"autumn prices\"",
    .run = load,
};
static void print_items(const json_t *items, const char *code)
{
    struct table *table = table_create();
    size_t index;
    const json_t *item;

    table_column(table, code, COLUMN_LEFT);
    table_column(table, "price", COLUMN_RIGHT);
    table_column(table, "sold", COLUMN_LEFT);
    table_column(table, "name", COLUMN_SHRINKS);
    json_array_foreach(items, index, item)
    {
        bool is_active = is_true(item, "active");

        table_cell(table, text_of(item, code));
        table_cell(table, money_text(number_of(item, "amount"), text_of(item, "currency")));
        table_paint(table, is_active ? GREEN : DIM, is_active ? "yes" : "no");
        table_cell(table, text_of(item, "name"));
    }
    table_print(table);
}

static int show(const struct call *call)
{
    json_t *catalogue = catalogue_read(NULL);

    if (catalogue == NULL)
        return EXIT_REFUSED;
    if (call_flag(call, "json")) {
        print_json(catalogue);
    } else {
        print_items(json_object_get(catalogue, "products"), "sku");
        sayf("\n");
        print_items(json_object_get(catalogue, "shipping_methods"), "code");
    }
    json_decref(catalogue);
    return EXIT_SUCCESS;
}

static const struct command command_show = {
    .name = "show",
    .summary = "Show products and shipping methods with their prices.",
    .run = show,
};
static const struct command *const commands[] = {&command_load, &command_show, NULL};

const struct command command_catalogue = {
    .name = "catalogue",
    .summary = "Load what can be ordered: products, stock, shipping methods.",
    .commands = commands,
};
