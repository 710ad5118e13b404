#include "schema/dead_filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

static struct dead_filter filter;
static struct fault fault;

static void must_parse(const char *text, const char *json)
{
    if (!dead_filter_parse(text, &filter, &fault))
        fail_msg("%s: %s", text, fault.text);
    assert_string_equal(filter.json, json);
}

/* `where`: what the text has at the place that is complained of. */
static void must_complain(const char *text, const char *where, const char *why)
{
    if (dead_filter_parse(text, &filter, &fault))
        fail_msg("taken: %s as %s", text, filter.json);
    assert_int_equal(fault.kind, FAULT_REFUSED);
    assert_string_equal(text + filter.error_at, where);
    if (strstr(fault.text, why) == NULL)
        fail_msg("%s: said “%s”, not “%s”", text, fault.text, why);
}

static void reads_each_field(void **state)
{
    (void)state;
    must_parse("stage:payment code:gone text~\"timed out\" sku:MUG-1 attempts>=3",
               "{\"stages\":[1],\"codes\":[\"gone\"],\"texts\":[\"timed out\"],"
               "\"skus\":[\"MUG-1\"],\"attempts_min\":3,\"states\":[\"open\"]}");
    must_parse("fault:broken,unknown id:7,8 incident:inc_0123456789ab",
               "{\"kinds\":[\"broken\",\"unknown\"],\"ids\":[7,8],"
               "\"incidents\":[\"inc_0123456789ab\"],\"states\":[\"open\"]}");
    must_parse("order:019ab5e0-1234-7abc-8def-0123456789ab stage:none,fulfilment",
               "{\"orders\":[\"019ab5e0-1234-7abc-8def-0123456789ab\"],\"stages\":[0,2],"
               "\"states\":[\"open\"]}");
}

static void an_empty_one_is_about_all_that_is_open(void **state)
{
    (void)state;
    must_parse("", "{\"states\":[\"open\"]}");
    assert_true(filter.is_empty);
    must_parse("  state:all ", "{\"states\":[\"open\",\"replaying\",\"resolved\",\"discarded\"]}");
    assert_true(filter.is_empty);
    must_parse("code:gone", "{\"codes\":[\"gone\"],\"states\":[\"open\"]}");
    assert_false(filter.is_empty);
}

static void money_is_read_with_the_decimals_of_its_currency(void **state)
{
    (void)state;
    must_parse("amount>=50.00EUR",
               "{\"currency\":\"EUR\",\"amount_min\":5000,\"states\":[\"open\"]}");
    must_parse("amount>50EUR amount<=60.5EUR",
               "{\"currency\":\"EUR\",\"amount_min\":5001,\"amount_max\":6050,"
               "\"states\":[\"open\"]}");
    must_parse("amount:7JPY",
               "{\"currency\":\"JPY\",\"amount_min\":7,\"amount_max\":7,\"states\":[\"open\"]}");
    must_parse("amount<1.005KWD",
               "{\"currency\":\"KWD\",\"amount_max\":1004,\"states\":[\"open\"]}");
    must_complain("amount>=50", "50", "with the currency");
    must_complain("amount>=50.001EUR", "50.001EUR", "no amount");
    must_complain("amount>=5.0JPY", "5.0JPY", "no amount");
    must_complain("amount>=99999999999999999EUR", "99999999999999999EUR", "no amount");
    must_complain("amount>1EUR amount<2USD", "2USD", "no letter has both");
}

static void times_are_spans_or_stamps(void **state)
{
    (void)state;
    must_parse("age>1d12h age<2w",
               "{\"age_min_s\":129600,\"age_max_s\":1209600,\"states\":[\"open\"]}");
    must_parse("since:2026-02-28 until:2026-03-01T10:30:05+01:00",
               "{\"since\":\"2026-02-28T00:00:00Z\",\"until\":\"2026-03-01T10:30:05+01:00\","
               "\"states\":[\"open\"]}");
    must_complain("age>2", "2", "no time span");
    must_complain("age>2y", "2y", "s, m, h, d, w");
    must_complain("age:2h", ":2h", "does not go with age");
    must_complain("age>99999999999w", "99999999999w", "no time span");
    must_complain("since:2026-02-30", "2026-02-30", "no time");
    must_complain("since:2026-02-28T25:00", "2026-02-28T25:00", "no time");
    must_complain("since:yesterday", "yesterday", "2026-11-24");
    must_complain("since:2026-01-01 since:2026-01-02", "2026-01-02", "twice");
}

static void ranges_keep_the_closer_bound(void **state)
{
    (void)state;
    must_parse("attempts>3 attempts>=2 attempts<9 attempts<=20",
               "{\"attempts_min\":4,\"attempts_max\":8,\"states\":[\"open\"]}");
}

static void says_where_it_went_wrong_and_what_is_allowed(void **state)
{
    (void)state;
    must_complain("stage:payment stag:x", "stag:x", "there is no field “stag”; fields are age,");
    must_complain("code:gone payment", "payment", "no field “payment”");
    must_complain("stage:paymnt", "paymnt", "“paymnt” is no stage; allowed: stage:payment, ful");
    must_complain("stage:payment stage:fulfilment", "stage:fulfilment", "stage:a,b");
    must_complain("text:gone", ":gone", "text~");
    must_complain("text~\"timed out", "\"timed out", "no end");
    must_complain("code:", "", "lacks its value");
    must_complain("code:a,", "", "lacks its value");
    must_complain("text~\"a\"b", "b", "a blank is missing");
    must_complain("state:closed", "closed", "open, replaying, resolved, discarded, all");
    must_complain("order:7", "7", "ord_");
    must_complain("incident:inc_7", "inc_7", "docket dead list");
    must_complain("id:x", "x", "id:7,8");
    must_complain("code:a\tb", "\tb", "control");
    must_complain("age>1h é:x", "é:x", "at character 8");
    must_complain("text~é stag:x", "stag:x", "at character 8");
    must_complain("code:\xff", "code:\xff", "UTF-8");
}

static void quotes_hold_what_would_end_a_value(void **state)
{
    (void)state;
    must_parse("text~\"a \\\"b\\\" \\\\ c\" code:\"x,y\",z",
               "{\"texts\":[\"a \\\"b\\\" \\\\ c\"],\"codes\":[\"x,y\",\"z\"],"
               "\"states\":[\"open\"]}");
}

static void everything_has_a_limit(void **state)
{
    char *text = xcalloc(1, DEAD_FILTER_TEXT_MAX + 20);

    (void)state;
    memset(text, ' ', DEAD_FILTER_TEXT_MAX + 1);
    must_complain(text, " ", "at most 2000 bytes");
    memset(text, 0, DEAD_FILTER_TEXT_MAX + 20);
    strcpy(text, "id:1");
    for (int i = 1; i < 101; i++)
        strcat(text, ",1");
    must_complain(text, "1", "at most 100 values");
    strcpy(text, "text~");
    memset(text + strlen(text), 'x', 256);
    must_complain(text, text + 5, "longer than 255 bytes");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_each_field),
        cmocka_unit_test(an_empty_one_is_about_all_that_is_open),
        cmocka_unit_test(money_is_read_with_the_decimals_of_its_currency),
        cmocka_unit_test(times_are_spans_or_stamps),
        cmocka_unit_test(ranges_keep_the_closer_bound),
        cmocka_unit_test(says_where_it_went_wrong_and_what_is_allowed),
        cmocka_unit_test(quotes_hold_what_would_end_a_value),
        cmocka_unit_test(everything_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
