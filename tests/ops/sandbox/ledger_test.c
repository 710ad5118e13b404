#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "ops/sandbox/ledger.h"

#include <cmocka.h> /* last: its fail() is a macro */

static char directory[64], path[96];
static uv_loop_t loop;
static uint64_t sequence;

static int setup(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/docket-ledger-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/side.jsonl", directory);
    sequence = 1;
    return uv_loop_init(&loop);
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    rmdir(directory);
    return uv_loop_close(&loop);
}

static struct ledger *must_open(const char *where)
{
    struct fault fault = {0};
    struct ledger *ledger = ledger_open(&loop, where, "side.jsonl", &sequence, &fault);

    if (!ledger)
        fail_msg("%s", fault.text);
    return ledger;
}

static void count_state(void *owner, const json_t *state)
{
    assert_true(json_is_object(state));
    ++*(int *)owner;
}

static void must_restore(struct ledger *ledger, int states)
{
    struct fault fault = {0};
    int found = 0;

    if (!ledger_restore(ledger, count_state, &found, &fault))
        fail_msg("%s", fault.text);
    assert_int_equal(found, states);
}

static void record(struct ledger *ledger, const char *order)
{
    const struct ledger_fact fact = {
        .kind = "charge", .order = order, .intent = "pi_1", .amount = 1250, .currency = "eur"};

    ledger_record(ledger, &fact, "\"x\":1");
}

struct told {
    struct ledger_wait wait;
    int times;
};

static void on_durable(struct ledger_wait *wait)
{
    container_of(wait, struct told, wait)->times++;
}

static long file_bytes(void)
{
    FILE *file = fopen(path, "r");
    long bytes;

    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    bytes = ftell(file);
    fclose(file);
    return bytes;
}

static void tells_of_a_line_only_when_the_file_has_it(void **state)
{
    struct ledger *ledger = must_open(directory);
    struct told told = {.wait.on_durable = on_durable};

    (void)state;
    assert_false(ledger_wait(ledger, &told.wait));
    record(ledger, "ord_1");
    assert_int_equal(file_bytes(), 0);
    assert_true(ledger_wait(ledger, &told.wait));
    assert_int_equal(told.times, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(told.times, 1);
    assert_true(file_bytes() > 100);
    assert_false(ledger_wait(ledger, &told.wait));
    ledger_close(ledger);
}

static void makes_who_comes_during_a_sync_wait_for_their_own_lines(void **state)
{
    struct ledger *ledger = must_open(directory);
    struct told first = {.wait.on_durable = on_durable}, second = first, reader = first;

    (void)state;
    record(ledger, "ord_1");
    assert_true(ledger_wait(ledger, &first.wait));
    assert_true(ledger_wait(ledger, &reader.wait)); /* nothing new: rides with the first */
    record(ledger, "ord_2");
    assert_true(ledger_wait(ledger, &second.wait));
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(first.times, 1);
    assert_int_equal(reader.times, 1);
    assert_int_equal(second.times, 1);
    assert_int_equal(ledger_count(ledger), 2);
    ledger_close(ledger);
}

static void comes_back_with_facts_states_and_sequence(void **state)
{
    struct ledger *ledger = must_open(directory);
    struct told told = {.wait.on_durable = on_durable};
    char before[500];

    (void)state;
    record(ledger, "ord_1");
    ledger_record_state(ledger, "\"y\":2");
    record(ledger, "ord_2");
    snprintf(before, sizeof(before), "%s", ledger_line(ledger, 1, NULL));
    assert_true(ledger_wait(ledger, &told.wait));
    uv_run(&loop, UV_RUN_DEFAULT);
    ledger_close(ledger);
    sequence = 1;
    ledger = must_open(directory);
    must_restore(ledger, 3);
    assert_int_equal(ledger_count(ledger), 2);
    assert_string_equal(ledger_line(ledger, 1, NULL), before);
    assert_null(strstr(before, "state"));
    assert_int_equal(sequence, 4);
    assert_null(ledger_line(ledger, 0, "ord_2"));
    assert_non_null(ledger_line(ledger, 1, "ord_2"));
    ledger_close(ledger);
}

static void append(const char *bytes)
{
    FILE *file = fopen(path, "a");

    assert_non_null(file);
    fputs(bytes, file);
    fclose(file);
}

static void cuts_off_a_torn_last_line(void **state)
{
    struct ledger *ledger;

    (void)state;
    append("{\"seq\":1,\"kind\":\"charge\",\"order\":\"o\",\"state\":{}}\n{\"seq\":2,\"kind");
    ledger = must_open(directory);
    must_restore(ledger, 1);
    assert_int_equal(ledger_count(ledger), 1);
    assert_int_equal(file_bytes(), 49);
    ledger_close(ledger);
}

static void refuses_a_file_that_is_no_ledger(void **state)
{
    struct fault fault = {0};
    struct ledger *ledger;
    int found = 0;

    (void)state;
    append("{\"seq\":1,\"kind\":\"charge\",\"order\":\"o\",\"state\":{}}\nhello\n");
    ledger = must_open(directory);
    assert_false(ledger_restore(ledger, count_state, &found, &fault));
    assert_non_null(strstr(fault.text, "line 2"));
    ledger_close(ledger);
}

static void is_durable_at_once_in_memory(void **state)
{
    struct ledger *ledger = must_open("");
    struct told told = {.wait.on_durable = on_durable};

    (void)state;
    record(ledger, "ord_1");
    ledger_record_state(ledger, "\"y\":2");
    assert_false(ledger_wait(ledger, &told.wait));
    assert_int_equal(ledger_count(ledger), 1);
    must_restore(ledger, 0);
    ledger_close(ledger);
}

static void belongs_to_one_sandbox_at_a_time(void **state)
{
    struct ledger *ledger = must_open(directory);
    struct fault fault = {0};

    (void)state;
    assert_null(ledger_open(&loop, directory, "side.jsonl", &sequence, &fault));
    assert_non_null(strstr(fault.text, "in use"));
    ledger_close(ledger);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(tells_of_a_line_only_when_the_file_has_it),
        CASE(makes_who_comes_during_a_sync_wait_for_their_own_lines),
        CASE(comes_back_with_facts_states_and_sequence),
        CASE(cuts_off_a_torn_last_line),
        CASE(refuses_a_file_that_is_no_ledger),
        CASE(is_durable_at_once_in_memory),
        CASE(belongs_to_one_sandbox_at_a_time),
    };

    return cmocka_run_group_tests_name("sandbox ledger", tests, NULL, NULL);
}
