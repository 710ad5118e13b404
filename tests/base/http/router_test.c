#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Before cmocka, which makes a macro of `fail`. */
#include "base/http/router.h"

#include <cmocka.h>

static struct arena arena;

static void handle(struct http_request *request)
{
    (void)request;
}

static const struct http_route routes[] = {
    {"GET", "/", handle},
    {"GET", "/v1/orders", handle},
    {"POST", "/v1/orders", handle},
    {"POST", "/v1/orders/abandon", handle},
    {"GET", "/v1/orders/{id}", handle},
    {"GET", "/v1/orders/{id}/lines/{number}", handle},
    {"DELETE", "/v1/orders/{id}", handle},
    {0},
};

static int finish_arena(void **state)
{
    (void)state;
    arena_finish(&arena);
    return 0;
}

static struct http_match match(const char *method, const char *target)
{
    struct http_match found;
    struct http_target parts;

    assert_true(http_target_split(target, &parts));
    http_router_match(routes, method, &parts, &arena, &found);
    return found;
}

static void expect_route(const char *method, const char *target, const char *path)
{
    struct http_match found = match(method, target);

    assert_string_equal(found.route ? found.route->path : "none", path);
}

static void expect_param(const struct http_match *found, int i, const char *name, const char *value)
{
    assert_true(i < found->param_count);
    assert_int_equal(found->params[i].name_length, strlen(name));
    assert_memory_equal(found->params[i].name, name, strlen(name));
    assert_string_equal(
        http_target_decode(&arena, found->params[i].raw, found->params[i].raw_length, false),
        value);
}

static void finds_the_route_of_method_and_path(void **state)
{
    (void)state;
    expect_route("GET", "/", "/");
    expect_route("GET", "/v1/orders", "/v1/orders");
    expect_route("GET", "/v1/orders?limit=1", "/v1/orders");
    expect_route("POST", "/v1/orders", "/v1/orders");
    expect_route("DELETE", "/v1/orders/x", "/v1/orders/{id}");
    expect_route("GET", "http://a.example/v1/orders", "/v1/orders");
    expect_route("GET", "http://a.example", "/");
    expect_route("GET", "http://a.example?x", "/");
}

static void a_name_matches_one_segment_that_is_not_empty(void **state)
{
    struct http_match found = match("GET", "/v1/orders/ord_1/lines/2");

    (void)state;
    assert_int_equal(found.param_count, 2);
    expect_param(&found, 0, "id", "ord_1");
    expect_param(&found, 1, "number", "2");
    expect_route("GET", "/v1/orders/", "none");
    expect_route("GET", "/v1/orders//lines/2", "none");
    expect_route("GET", "/v1/orders/a/b", "none");
}

static void takes_the_first_route_that_matches(void **state)
{
    (void)state;
    expect_route("POST", "/v1/orders/abandon", "/v1/orders/abandon");
    expect_route("GET", "/v1/orders/abandon", "/v1/orders/{id}");
}

static void makes_no_two_segments_of_an_escaped_slash(void **state)
{
    struct http_match found = match("GET", "/v1/orders/a%2Fb");

    (void)state;
    expect_param(&found, 0, "id", "a/b");
    expect_route("GET", "/v1%2Forders", "none");
    expect_route("GET", "/v1/%6frders", "/v1/orders");
}

static void normalises_nothing(void **state)
{
    (void)state;
    expect_route("GET", "/v1/orders/x/..", "none");
    expect_route("GET", "/v1/./orders", "none");
    expect_route("GET", "//v1/orders", "none");
    expect_route("GET", "/v1//orders", "none");
    expect_route("GET", "/v1/orders/x/", "none");
    expect_route("GET", "/V1/orders", "none");
    expect_route("GET", "/v1", "none");
}

static void gives_head_the_route_of_get(void **state)
{
    (void)state;
    expect_route("HEAD", "/v1/orders", "/v1/orders");
    expect_route("HEAD", "/v1/orders/abandon", "/v1/orders/{id}");
    expect_route("HEAD", "/nothing", "none");
}

static void tells_another_method_from_no_path(void **state)
{
    struct http_target parts;

    (void)state;
    assert_true(match("PUT", "/v1/orders").path_exists);
    assert_false(match("PUT", "/v1/nothing").path_exists);
    assert_true(http_target_split("/v1/orders/x", &parts));
    assert_string_equal(http_router_methods(routes, &parts, &arena), "GET, HEAD, DELETE");
    assert_true(http_target_split("/nothing", &parts));
    assert_string_equal(http_router_methods(routes, &parts, &arena), "");
}

static void refuses_targets_that_are_no_path(void **state)
{
    static const char *const wrong[] = {"a",      "a.example:80", "/%", "/%4", "/%zz",
                                        "/a%00b", "/?%0",         "?a", "*a",  "ftp://a/b"};
    struct http_target parts;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        if (http_target_split(wrong[i], &parts))
            fail_msg("\"%s\" was taken", wrong[i]);
    }
    assert_true(http_target_split("*", &parts));
    assert_true(http_target_split("/?", &parts));
}

static void finds_a_query_s_first_value_decoded(void **state)
{
    static const char query[] = "a=1&b=x%20y+z&created%5Bgte%5D=5&a=2&empty=&bare&%C3%A4=u";

    (void)state;
    assert_string_equal(http_target_query(&arena, query, "a"), "1");
    assert_string_equal(http_target_query(&arena, query, "b"), "x y z");
    assert_string_equal(http_target_query(&arena, query, "created[gte]"), "5");
    assert_string_equal(http_target_query(&arena, query, "empty"), "");
    assert_string_equal(http_target_query(&arena, query, "bare"), "");
    assert_string_equal(http_target_query(&arena, query, "\xc3\xa4"), "u");
    assert_null(http_target_query(&arena, query, "c"));
    assert_null(http_target_query(&arena, query, "bar"));
    assert_null(http_target_query(&arena, NULL, "a"));
    assert_null(http_target_query(&arena, "&&", "a"));
}

int main(void)
{
#define IN(name) cmocka_unit_test_teardown(name, finish_arena)
    static const struct CMUnitTest tests[] = {
        IN(finds_the_route_of_method_and_path),
        IN(a_name_matches_one_segment_that_is_not_empty),
        IN(takes_the_first_route_that_matches),
        IN(makes_no_two_segments_of_an_escaped_slash),
        IN(normalises_nothing),
        IN(gives_head_the_route_of_get),
        IN(tells_another_method_from_no_path),
        IN(refuses_targets_that_are_no_path),
        IN(finds_a_query_s_first_value_decoded),
    };

    return cmocka_run_group_tests_name("http router", tests, NULL, NULL);
}
