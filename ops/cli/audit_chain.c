#include "ops/cli/audit_chain.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

enum { ROW_BYTES_MAX = 16 * 1024 * 1024 };

static void add_field(struct text *text, const char *field)
{
    text_print(text, "%zu:", strlen(field));
    text_add(text, field);
    text_add(text, ",");
}

static void add_form_2(struct text *text, const char *id, const struct audit_row *row)
{
    const char *const fields[] = {"docket audit 2", id,          row->at,     row->actor,
                                  row->act,         row->target, row->reason, row->detail};

    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        add_field(text, fields[i]);
}

static void add_form_1(struct text *text, const char *id, const struct audit_row *row)
{
    const char *const fields[] = {row->actor, row->act, row->target, row->reason};

    text_print(text, "%s|%.*s", id, (int)strcspn(row->at, "Z"), row->at);
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        text_add(text, "|");
        text_add(text, fields[i]);
    }
}

void audit_hash(const struct audit_row *row, const uint8_t *before, size_t before_length,
                uint8_t hash[AUDIT_HASH_BYTES])
{
    struct text text;
    char id[24];

    snprintf(id, sizeof(id), "%lld", (long long)row->id);
    text_init(&text, ROW_BYTES_MAX);
    text_add_bytes(&text, (const char *)before, before_length);
    if (row->form == 1)
        add_form_1(&text, id, row);
    else
        add_form_2(&text, id, row);
    SHA256((const uint8_t *)text.bytes, text.length, hash);
    text_finish(&text);
}

/* A row of form 1 hashes no detail, and had none. */
static bool is_form(const struct audit_row *row)
{
    return row->form == 2 || (row->form == 1 && strcmp(row->detail, "{}") == 0);
}

enum audit_finding audit_chain_add(struct audit_chain *chain, const struct audit_row *row)
{
    size_t before_length = chain->last_id ? AUDIT_HASH_BYTES : 0;
    bool is_next = row->id == chain->last_id + 1;
    uint8_t hash[AUDIT_HASH_BYTES];
    bool is_right;

    audit_hash(row, chain->hash, before_length, hash);
    is_right = is_form(row) && memcmp(hash, row->hash, sizeof(hash)) == 0;
    chain->last_id = row->id;
    memcpy(chain->hash, row->hash, sizeof(chain->hash));
    if (!is_next)
        return AUDIT_MISSING;
    return is_right ? AUDIT_RIGHT : AUDIT_CHANGED;
}

static int digit_of(char character)
{
    const char *const digits = "0123456789abcdef";
    const char *at = character ? strchr(digits, character) : NULL;

    return at ? (int)(at - digits) : -1;
}

bool audit_hash_parse(const char *text, uint8_t hash[AUDIT_HASH_BYTES])
{
    if (strlen(text) != 2 * (size_t)AUDIT_HASH_BYTES)
        return false;
    for (size_t i = 0; i < AUDIT_HASH_BYTES; i++) {
        int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        hash[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

void audit_hash_format(const uint8_t hash[AUDIT_HASH_BYTES], char text[AUDIT_HASH_TEXT_SIZE])
{
    for (size_t i = 0; i < AUDIT_HASH_BYTES; i++)
        sprintf(text + 2 * i, "%02x", hash[i]);
}

static const char *text_in(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));

    return text ? text : "";
}

bool audit_row_read(const json_t *json, struct audit_row *row)
{
    *row = (struct audit_row){
        .id = json_integer_value(json_object_get(json, "id")),
        .form = (int)json_integer_value(json_object_get(json, "form")),
        .at = text_in(json, "at"),
        .actor = text_in(json, "actor"),
        .act = text_in(json, "act"),
        .target = text_in(json, "target"),
        .reason = text_in(json, "reason"),
        .detail = text_in(json, "detail"),
    };
    return audit_hash_parse(text_in(json, "hash"), row->hash);
}
