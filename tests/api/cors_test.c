#include "api/cors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

static void takes_what_a_browser_sends(void **state)
{
    static const char *const right[] = {
        "",
        " ",
        "*",
        " * ",
        "https://shop.example",
        "http://localhost:3000",
        "http://[::1]:8080",
        "https://xn--bcher-kva.example , https://a.example:8443",
        "capacitor://localhost",
        "https://a.example:80",
    };
    struct fault fault;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
        if (!cors_check(right[i], &fault))
            fail_msg("%s", fault.text);
    }
}

static void refuses_the_rest_by_name(void **state)
{
    static const struct {
        const char *origins, *named;
    } wrong[] = {
        {"https://shop.example/", "\"https://shop.example/\""},
        {"https://a.example,https://b.example/x", "\"https://b.example/x\""},
        {"https://a.example,", "\"\""},
        {"https://a.example,,https://b.example", "\"\""},
        {"https://a.example,*", "\"*\""},
        {"*,https://a.example", "\"*\""},
        {"shop.example", "scheme"},
        {"HTTPS://shop.example", "scheme"},
        {"https://Shop.example", "small letters"},
        {"https://b\xc3\xbc.example", "small letters"},
        {"https://", "host"},
        {"https://*.example", "host"},
        {"http://[::1", "host"},
        {"https://u:p@a.example", "port"},
        {"https://a.example:", "65535"},
        {"https://a.example:0", "65535"},
        {"https://a.example:65536", "65535"},
        {"https://a.example:443", "leave out the port"},
        {"http://a.example:80", "leave out the port"},
        {"null", "scheme"},
    };
    struct fault fault;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        if (cors_check(wrong[i].origins, &fault))
            fail_msg("\"%s\" was taken", wrong[i].origins);
        if (strstr(fault.text, wrong[i].named) == NULL ||
            strstr(fault.text, "DOCKET_CORS_ORIGINS") == NULL)
            fail_msg("\"%s\": %s", wrong[i].origins, fault.text);
    }
}

static void allows_exactly_what_is_listed(void **state)
{
    static const char list[] = "https://a.example , http://localhost:3000";

    (void)state;
    assert_string_equal(cors_allowed(list, "https://a.example"), "https://a.example");
    assert_string_equal(cors_allowed(list, "http://localhost:3000"), "http://localhost:3000");
    assert_null(cors_allowed(list, "https://a.example.evil"));
    assert_null(cors_allowed(list, "https://a.exampl"));
    assert_null(cors_allowed(list, "http://a.example"));
    assert_null(cors_allowed(list, "null"));
    assert_null(cors_allowed(list, ""));
    assert_null(cors_allowed(list, NULL));
    assert_null(cors_allowed("", ""));
    assert_string_equal(cors_allowed("*", NULL), "*");
    assert_string_equal(cors_allowed("*", "null"), "*");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_a_browser_sends),
        cmocka_unit_test(refuses_the_rest_by_name),
        cmocka_unit_test(allows_exactly_what_is_listed),
    };

    return cmocka_run_group_tests_name("cors", tests, NULL, NULL);
}
