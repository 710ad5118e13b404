#include "queue/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The window, and what fell due since the last page began. */
static int64_t window(int64_t since_ms)
{
    return -(SCAN_WINDOW_MS + since_ms) * 1000;
}

static struct scan begun(void)
{
    struct scan scan = {.rest_ms_least = 200, .rest_ms_most = 1000};

    scan_reset(&scan);
    return scan;
}

static void everything_is_looked_at_first(void **state)
{
    struct scan scan = begun();

    (void)state;
    assert_int_equal(scan_begin(&scan, 1000), SCAN_BEGINNING);
    scan_end(&scan, 1010, 3, 500, 7);
    assert_int_equal(scan_begin(&scan, 1300), window(300));
    scan_end(&scan, 1310, 0, 500, 0);
    assert_int_equal(scan_begin(&scan, 1800), window(500));
}

static void what_fell_due_while_pages_failed_is_read_too(void **state)
{
    struct scan scan = begun();

    (void)state;
    scan_begin(&scan, 1000);
    scan_end(&scan, 1010, 3, 500, 7);
    for (uint64_t now_ms = 2000; now_ms < 9000; now_ms += 1000) {
        assert_int_equal(scan_begin(&scan, now_ms), window((int64_t)now_ms - 1000));
        scan_end(&scan, now_ms + 1, -1, 500, 0);
    }
}

static void a_look_goes_on_where_its_last_page_ended(void **state)
{
    struct scan scan = begun();

    (void)state;
    assert_int_equal(scan_begin(&scan, 1000), SCAN_BEGINNING);
    for (int64_t reached = 1000; reached < 5000; reached += 1000) {
        scan_end(&scan, 1001, 500, 500, reached);
        assert_int_equal(scan_begin(&scan, 1002), reached);
    }
    scan_end(&scan, 1003, 499, 500, 6000);
    assert_int_equal(scan_begin(&scan, 1004), window(2));
}

/* Who was passed over, or came late, does not wait until a flood is over. */
static void a_look_that_does_not_end_begins_at_the_beginning_now_and_then(void **state)
{
    struct scan scan = begun();

    (void)state;
    scan_begin(&scan, 1000);
    scan_end(&scan, 1000, 500, 500, 7);
    assert_int_equal(scan_begin(&scan, 999 + SCAN_WHOLE_MS), 7);
    scan_end(&scan, 999 + SCAN_WHOLE_MS, 500, 500, 8);
    assert_int_equal(scan_begin(&scan, 1000 + SCAN_WHOLE_MS), SCAN_BEGINNING);
}

static void everything_is_looked_at_again_now_and_then(void **state)
{
    struct scan scan = begun();

    (void)state;
    scan_begin(&scan, 1000);
    scan_end(&scan, 1000, 0, 500, 0);
    assert_int_equal(scan_begin(&scan, 999 + SCAN_WHOLE_MS), window(SCAN_WHOLE_MS - 1));
    scan_end(&scan, 999 + SCAN_WHOLE_MS, 0, 500, 0);
    assert_int_equal(scan_begin(&scan, 1000 + SCAN_WHOLE_MS), SCAN_BEGINNING);
}

static void everything_is_looked_at_the_less_often_the_longer_it_takes(void **state)
{
    static const struct {
        uint64_t took_ms, rest_ms;
    } looks[] = {{500, SCAN_WHOLE_MS}, {900, 18000}, {60000, SCAN_SHARE_MS_MOST}};

    (void)state;
    for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
        struct scan scan = begun();
        uint64_t ended_ms = 1000 + looks[i].took_ms;

        scan_begin(&scan, 1000);
        scan_end(&scan, ended_ms, 0, 500, 0);
        assert_int_equal(scan_begin(&scan, ended_ms + looks[i].rest_ms - 1),
                         window((int64_t)(looks[i].took_ms + looks[i].rest_ms) - 1));
        assert_int_equal(scan_begin(&scan, ended_ms + looks[i].rest_ms), SCAN_BEGINNING);
    }
    assert_int_equal(scan_rest_ms(86400000, 5000), 86400000); /* what is rare stays so */
}

static void a_full_page_is_followed_after_as_long_as_it_took(void **state)
{
    struct scan scan = begun();

    (void)state;
    scan_begin(&scan, 1000);
    assert_int_equal(scan_end(&scan, 1070, 500, 500, 7), 70);
}

static void looks_that_find_nothing_become_rarer(void **state)
{
    static const uint64_t rests_ms[] = {400, 800, 1000, 1000};
    struct scan scan = begun();

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        scan_begin(&scan, 1000);
        assert_int_equal(scan_end(&scan, 1001, 0, 500, 0), rests_ms[i]);
    }
    assert_int_equal(scan_end(&scan, 1001, 1, 500, 7), 200);
}

static void a_page_that_failed_is_read_again_not_at_once(void **state)
{
    struct scan scan = begun();

    (void)state;
    scan_begin(&scan, 1000);
    assert_int_equal(scan_end(&scan, 1001, -1, 500, 0), 1000);
    assert_int_equal(scan_begin(&scan, 2001), SCAN_BEGINNING);
    scan_end(&scan, 2001, 500, 500, 7);
    scan_begin(&scan, 2002);
    scan_end(&scan, 2003, -1, 500, 0);
    assert_int_equal(scan_begin(&scan, 3003), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_looked_at_first),
        cmocka_unit_test(what_fell_due_while_pages_failed_is_read_too),
        cmocka_unit_test(a_look_goes_on_where_its_last_page_ended),
        cmocka_unit_test(a_look_that_does_not_end_begins_at_the_beginning_now_and_then),
        cmocka_unit_test(everything_is_looked_at_again_now_and_then),
        cmocka_unit_test(everything_is_looked_at_the_less_often_the_longer_it_takes),
        cmocka_unit_test(a_full_page_is_followed_after_as_long_as_it_took),
        cmocka_unit_test(looks_that_find_nothing_become_rarer),
        cmocka_unit_test(a_page_that_failed_is_read_again_not_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
