/* API keys: made, listed, revoked.  The key itself is shown once, to who makes it, and never
 * stored. */
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "api/admin/admin.h"
#include "schema/json_fields.h"
#include "schema/statements.h"

enum { RANDOM_BYTES = 32, PREFIX_CHARACTERS = 9, ANSWER_BYTES_MAX = 256 };

struct wish {
    const char *name, *account, *scope;
    const json_t *scopes;
};

static bool is_scope(const char *text)
{
    return strcmp(text, "checkout") == 0 || strcmp(text, "orders:read") == 0 ||
           strcmp(text, "operator") == 0;
}

static const struct json_field wish_fields[] = {
    {"name", FIELD_TEXT, true, 1, 100, NULL, NULL, offsetof(struct wish, name)},
    {"account", FIELD_TEXT, false, 1, 100, NULL, NULL, offsetof(struct wish, account)},
    {"scopes", FIELD_LIST, true, 1, 3, NULL, NULL, offsetof(struct wish, scopes)},
    {.name = NULL},
};

static void make_key(char key[3 + 2 * RANDOM_BYTES + 1])
{
    uint8_t random[RANDOM_BYTES];
    char *at = key;

    if (RAND_bytes(random, sizeof(random)) != 1)
        abort();
    at += sprintf(at, "dk_");
    for (int i = 0; i < RANDOM_BYTES; i++)
        at += sprintf(at, "%02x", random[i]);
}

struct created {
    struct pulse_wait wait;
    struct http_request *request;
    char answer[ANSWER_BYTES_MAX];
};

static void on_round(struct pulse_wait *wait, bool is_fresh)
{
    struct created *created = container_of(wait, struct created, wait);

    (void)is_fresh; /* it is stored; this process will know it as the others do */
    admin_reply_json(created->request, 201, created->answer);
}

/* Answered when this process knows the key; others look it up when they first meet it. */
static void on_created(struct admin_errand *errand, const PGresult *rows)
{
    struct created *created = arena_alloc(http_arena(errand->request), sizeof(*created));

    created->request = errand->request;
    created->wait.on_round = on_round;
    snprintf(created->answer, sizeof(created->answer),
             "{\"id\":%lld,\"account_id\":%lld,\"key\":\"%s\"}", (long long)pg_i64(rows, 0, 0),
             (long long)pg_i64(rows, 0, 1), (const char *)errand->more);
    pulse_wait(api_of(errand->request)->pulse, &created->wait);
}

static void add_scopes(struct pg_params *params, const json_t *scopes,
                       struct problem_items *problems)
{
    size_t index;
    const json_t *scope;

    pg_array_begin(params, PG_TEXT);
    json_array_foreach(scopes, index, scope)
    {
        const char *name = json_string_value(scope);

        if (name && is_scope(name))
            pg_array_text(params, name);
        else
            problem_note(problems, "/scopes", "invalid_value",
                         "a scope is checkout, orders:read or operator");
    }
    pg_array_end(params);
}

static bool fill(struct admin_errand *errand, struct problem_items *problems)
{
    struct wish wish = {.account = "default"};
    struct pg_params *params = &errand->ticket.params;
    char key[3 + 2 * RANDOM_BYTES + 1];
    uint8_t hash[KEY_HASH_BYTES];

    json_fields_read(errand->body, "", wish_fields, &wish, problems);
    if (problems->count > 0)
        return true;
    make_key(key);
    key_hash(key, hash);
    errand->more = arena_copy(&errand->arena, key, strlen(key));
    pg_add_text(params, wish.account);
    pg_add_text(params, wish.name);
    pg_add_text(params, arena_copy(&errand->arena, key, PREFIX_CHARACTERS));
    pg_add_bytes(params, hash, sizeof(hash));
    add_scopes(params, wish.scopes, problems);
    return true;
}

/* The name says what the key is for; a reason may say more. */
void admin_keys_post(struct http_request *request)
{
    admin_act_begin(request,
                    &(struct admin_act){&sql_key_create, REASON_OPTIONAL, fill, on_created});
}

void admin_keys_get(struct http_request *request)
{
    struct admin_errand *errand = admin_errand_create(request, &sql_key_list, admin_on_json);

    if (errand)
        admin_errand_send(errand, api_of(request)->operators);
}

static void on_revoked(struct admin_errand *errand, const PGresult *rows)
{
    if (PQntuples(rows) == 0)
        problem_reply(errand->request,
                      &(struct problem){.code = "not_found", .detail = "there is no such key"});
    else
        admin_on_json(errand, rows);
}

void admin_key_revoke(struct http_request *request)
{
    admin_act_begin(
        request, &(struct admin_act){&sql_key_revoke, REASON_REQUIRED, admin_fill_id, on_revoked});
}
