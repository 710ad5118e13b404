#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "base/memory.h"
#include "ops/sandbox/table.h"

#include <cmocka.h> /* last: its fail() is a macro */

enum { MANY = 1000 };

struct thing {
    struct table_item item;
    char key[16];
};

static void must_find(const struct table *table, const char *key, const struct thing *thing)
{
    assert_ptr_equal(table_find(table, key), thing ? &thing->item : NULL);
}

static void finds_nothing_in_an_empty_table(void **state)
{
    struct table table = {0};

    (void)state;
    must_find(&table, "a", NULL);
}

static void finds_each_of_many(void **state)
{
    static struct thing things[MANY];
    struct table table = {0};

    (void)state;
    for (int i = 0; i < MANY; i++) {
        snprintf(things[i].key, sizeof(things[i].key), "key %d", i);
        table_add(&table, &things[i].item, things[i].key);
    }
    for (int i = 0; i < MANY; i++)
        must_find(&table, things[i].key, &things[i]);
    must_find(&table, "key 1000", NULL);
    table_finish(&table);
}

static void forgets_what_was_removed_and_nothing_else(void **state)
{
    static struct thing things[MANY];
    struct table table = {0};

    (void)state;
    for (int i = 0; i < MANY; i++) {
        snprintf(things[i].key, sizeof(things[i].key), "key %d", i);
        table_add(&table, &things[i].item, things[i].key);
    }
    for (int i = 0; i < MANY; i += 2)
        table_remove(&table, &things[i].item);
    for (int i = 0; i < MANY; i++)
        must_find(&table, things[i].key, i % 2 ? &things[i] : NULL);
    assert_int_equal(table.count, MANY / 2);
    table_finish(&table);
}

static void keeps_items_of_one_key_newest_first_however_it_grows(void **state)
{
    static struct thing things[MANY], twins[3];
    struct table table = {0};

    (void)state;
    for (int i = 0; i < 3; i++)
        table_add(&table, &twins[i].item, "twin");
    for (int i = 0; i < MANY; i++) {
        snprintf(things[i].key, sizeof(things[i].key), "key %d", i);
        table_add(&table, &things[i].item, things[i].key);
    }
    must_find(&table, "twin", &twins[2]);
    assert_ptr_equal(table_next(&twins[2].item), &twins[1].item);
    assert_ptr_equal(table_next(&twins[1].item), &twins[0].item);
    assert_null(table_next(&twins[0].item));
    table_finish(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_nothing_in_an_empty_table),
        cmocka_unit_test(finds_each_of_many),
        cmocka_unit_test(forgets_what_was_removed_and_nothing_else),
        cmocka_unit_test(keeps_items_of_one_key_newest_first_however_it_grows),
    };

    return cmocka_run_group_tests_name("sandbox table", tests, NULL, NULL);
}
