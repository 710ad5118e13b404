#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "base/memory.h"

#include <cmocka.h>

enum { API = 1, RELAY = 2 };

struct settings {
    const char *address, *key, *unread;
    int64_t prefetch;
    bool single;
};

static const struct config_entry entries[] = {
    {"DOCKET_T_ADDRESS", CONFIG_TEXT, "127.0.0.1:80", 0, 0, "Where it listens.", API | RELAY,
     offsetof(struct settings, address)},
    {"DOCKET_T_KEY", CONFIG_SECRET, NULL, 0, 0, "The key.", API, offsetof(struct settings, key)},
    {"DOCKET_T_PREFETCH", CONFIG_NUMBER, "64", 1, 1000, "Messages at once.", API,
     offsetof(struct settings, prefetch)},
    {"DOCKET_T_SINGLE", CONFIG_FLAG, "0", 0, 0, "One machine only.", API,
     offsetof(struct settings, single)},
    {"DOCKET_T_UNREAD", CONFIG_TEXT, NULL, 0, 0, "Of another program.", RELAY,
     offsetof(struct settings, unread)},
};

static struct settings settings;
static struct fault fault;

static int clear(void **state)
{
    (void)state;
    assert_int_equal(clearenv(), 0);
    settings = (struct settings){0};
    fault = (struct fault){0};
    setenv("DOCKET_T_KEY", "s3cret", 1);
    return 0;
}

static int free_texts(void **state)
{
    (void)state;
    free((void *)(uintptr_t)settings.address);
    free((void *)(uintptr_t)settings.key);
    free((void *)(uintptr_t)settings.unread);
    return 0;
}

static bool load(unsigned program)
{
    return config_load(entries, ARRAY_SIZE(entries), program, &settings, &fault);
}

static void must_load(void)
{
    if (!load(API))
        fail_msg("%s", fault.text);
}

/* The text names the setting and says what is allowed. */
static void must_refuse(const char *code, const char *name, const char *allowed)
{
    assert_false(load(API));
    assert_int_equal(fault.kind, FAULT_REFUSED);
    assert_string_equal(fault.code, code);
    if (strstr(fault.text, name) == NULL || strstr(fault.text, allowed) == NULL)
        fail_msg("\"%s\" does not say \"%s\" and \"%s\"", fault.text, name, allowed);
    assert_null(strstr(fault.text, "s3cret"));
}

static void takes_the_defaults(void **state)
{
    (void)state;
    must_load();
    assert_string_equal(settings.address, "127.0.0.1:80");
    assert_string_equal(settings.key, "s3cret");
    assert_int_equal(settings.prefetch, 64);
    assert_false(settings.single);
    assert_null(settings.unread);
}

static void takes_what_the_environment_says(void **state)
{
    (void)state;
    setenv("DOCKET_T_ADDRESS", "", 1);
    setenv("DOCKET_T_PREFETCH", "1000", 1);
    setenv("DOCKET_T_SINGLE", "1", 1);
    must_load();
    assert_string_equal(settings.address, "");
    assert_int_equal(settings.prefetch, 1000);
    assert_true(settings.single);
}

static void refuses_numbers_out_of_range(void **state)
{
    static const char *const wrong[] = {"0", "1001", "-1",  "",
                                        "x", "1x",   "1.5", "99999999999999999999"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        setenv("DOCKET_T_PREFETCH", wrong[i], 1);
        must_refuse("setting_wrong", "DOCKET_T_PREFETCH", "from 1 to 1000");
        free_texts(NULL);
        settings = (struct settings){0};
    }
}

static void refuses_flags_other_than_0_and_1(void **state)
{
    (void)state;
    setenv("DOCKET_T_SINGLE", "yes", 1);
    must_refuse("setting_wrong", "DOCKET_T_SINGLE is \"yes\"", "must be 0 or 1");
}

static void refuses_what_must_be_set_and_is_not(void **state)
{
    (void)state;
    unsetenv("DOCKET_T_KEY");
    must_refuse("setting_missing", "DOCKET_T_KEY", "must be set: The key.");
    free_texts(NULL);
    settings = (struct settings){0};
    setenv("DOCKET_T_KEY", "", 1);
    must_refuse("setting_missing", "DOCKET_T_KEY", "must be set");
}

static void refuses_a_misspelt_setting(void **state)
{
    (void)state;
    setenv("DOCKET_T_PREFETCHES", "5", 1);
    must_refuse("setting_unknown", "DOCKET_T_PREFETCHES", "no setting of Docket");
    unsetenv("DOCKET_T_PREFETCHES");
    setenv("DOCKET_T_ADDRESS_FILE", "/x", 1);
    must_refuse("setting_unknown", "DOCKET_T_ADDRESS_FILE", "no setting of Docket");
}

static void knows_what_all_know_and_what_others_read(void **state)
{
    (void)state;
    setenv("DOCKET_HOME", "/x", 1);
    setenv("DOCKET_POINT", "x", 1);
    setenv("DOCKET_POINT_LOG", "x", 1);
    setenv("DOCKET_T_UNREAD", "x", 1);
    setenv("DOCKETX", "x", 1);
    must_load();
    assert_null(settings.unread);
}

static void reads_a_secret_from_its_file(void **state)
{
    char path[] = "/tmp/docket-config-test-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "from a file\r\n", 13), 13);
    close(fd);
    setenv("DOCKET_T_KEY_FILE", path, 1);
    must_refuse("setting_wrong", "DOCKET_T_KEY", "set twice");
    free_texts(NULL);
    settings = (struct settings){0};
    unsetenv("DOCKET_T_KEY");
    must_load();
    unlink(path);
    assert_string_equal(settings.key, "from a file");
}

static void says_which_secret_s_file_cannot_be_read(void **state)
{
    (void)state;
    unsetenv("DOCKET_T_KEY");
    setenv("DOCKET_T_KEY_FILE", "/nowhere/key", 1);
    must_refuse("setting_wrong", "DOCKET_T_KEY_FILE names /nowhere/key", "No such file");
}

static char *printed(void (*print)(FILE *out))
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    print(out);
    fclose(out);
    return text;
}

static void help(FILE *out)
{
    config_print_help(out, entries, ARRAY_SIZE(entries), API);
}

static void markdown(FILE *out)
{
    static const char *const programs[] = {"api", "relay", NULL};

    config_print_markdown(out, entries, ARRAY_SIZE(entries), programs);
}

static void helps_with_every_setting_of_the_program(void **state)
{
    char *text = printed(help);

    (void)state;
    assert_non_null(strstr(text, "DOCKET_T_PREFETCH  (1 to 1000; default 64)\n"
                                 "      Messages at once.\n"));
    assert_non_null(strstr(text, "DOCKET_T_KEY or ..._FILE  (secret; must be set)"));
    assert_null(strstr(text, "DOCKET_T_UNREAD"));
    free(text);
}

static void lists_every_setting_as_markdown(void **state)
{
    char *text = printed(markdown);

    (void)state;
    assert_non_null(strstr(
        text, "| `DOCKET_T_ADDRESS` | text | `127.0.0.1:80` | api, relay | Where it listens. |\n"));
    assert_non_null(strstr(text, "| `DOCKET_T_UNREAD` | text | must be set | relay | "));
    free(text);
}

int main(void)
{
#define IN(name) cmocka_unit_test_setup_teardown(name, clear, free_texts)
    static const struct CMUnitTest tests[] = {
        IN(takes_the_defaults),
        IN(takes_what_the_environment_says),
        IN(refuses_numbers_out_of_range),
        IN(refuses_flags_other_than_0_and_1),
        IN(refuses_what_must_be_set_and_is_not),
        IN(refuses_a_misspelt_setting),
        IN(knows_what_all_know_and_what_others_read),
        IN(reads_a_secret_from_its_file),
        IN(says_which_secret_s_file_cannot_be_read),
        IN(helps_with_every_setting_of_the_program),
        IN(lists_every_setting_as_markdown),
    };

    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
