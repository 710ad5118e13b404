#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

#include <cmocka.h>

static void reads_what_it_wrote(void **state)
{
    static const int64_t times[] = {1, 1764022444123456, 4102444799999999};

    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        char text[CLOCK_RFC3339_SIZE];

        clock_format(times[i], text, sizeof(text));
        assert_int_equal(clock_parse(text), times[i]);
    }
}

static void refuses_what_is_no_time(void **state)
{
    static const char *const texts[] = {"",
                                        "now",
                                        "2026-11-24T22:14:04Z",
                                        "2026-11-24T22:14:04.123456",
                                        "2026-11-24T22:14:04.123456Z ",
                                        "2026-11-24T22:14:04.12Z"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(clock_parse(texts[i]), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_it_wrote),
        cmocka_unit_test(refuses_what_is_no_time),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
