#include "base/pg_params.h"

#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>
#include <string.h>

enum {
    BYTES_MAX = 512 * 1024 * 1024,
    ARRAY_HEADER_BYTES = 20,
    ARRAY_FLAGS_AT = 4,
    ARRAY_DIM_AT = 12
};

static const int64_t PG_BEGAN_US = INT64_C(946684800000000); /* 2000-01-01, where its times begin */

void pg_params_init(struct pg_params *params)
{
    params->count = 0;
    params->array = -1;
    params->array_length = 0;
    text_init(&params->bytes, BYTES_MAX);
}

void pg_params_clear(struct pg_params *params)
{
    params->count = 0;
    params->array = -1;
    text_clear(&params->bytes);
}

void pg_params_finish(struct pg_params *params)
{
    text_finish(&params->bytes);
}

static void add(struct pg_params *params, const void *value, size_t length)
{
    assert(params->count < PG_PARAMS_MAX && params->array < 0);
    params->offsets[params->count] = value ? (ptrdiff_t)params->bytes.length : -1;
    params->lengths[params->count++] = value ? (int)length : 0;
    if (value)
        text_add_bytes(&params->bytes, value, length);
}

void pg_add_i16(struct pg_params *params, int16_t value)
{
    uint16_t wire = htons((uint16_t)value);

    add(params, &wire, sizeof(wire));
}

void pg_add_i32(struct pg_params *params, int32_t value)
{
    uint32_t wire = htonl((uint32_t)value);

    add(params, &wire, sizeof(wire));
}

void pg_add_i64(struct pg_params *params, int64_t value)
{
    uint64_t wire = htobe64((uint64_t)value);

    add(params, &wire, sizeof(wire));
}

void pg_add_bool(struct pg_params *params, bool value)
{
    add(params, value ? "\1" : "\0", 1);
}

void pg_add_text(struct pg_params *params, const char *value)
{
    add(params, value, value ? strlen(value) : 0);
}

void pg_add_bytes(struct pg_params *params, const void *value, size_t length)
{
    add(params, value, length);
}

void pg_add_uuid(struct pg_params *params, const uint8_t *value)
{
    add(params, value, PG_UUID_BYTES);
}

static void put_i32(struct pg_params *params, int32_t value)
{
    uint32_t wire = htonl((uint32_t)value);

    text_add_bytes(&params->bytes, &wire, sizeof(wire));
}

void pg_array_begin(struct pg_params *params, enum pg_oid element)
{
    assert(params->count < PG_PARAMS_MAX && params->array < 0);
    params->array = (ptrdiff_t)params->bytes.length;
    params->array_length = 0;
    put_i32(params, 1); /* dimensions */
    put_i32(params, 0); /* becomes 1 when there is a NULL */
    put_i32(params, (int32_t)element);
    put_i32(params, 0); /* length, set at the end */
    put_i32(params, 1); /* lower bound */
}

static void put_element(struct pg_params *params, const void *value, size_t length)
{
    assert(params->array >= 0);
    put_i32(params, (int32_t)length);
    text_add_bytes(&params->bytes, value, length);
    params->array_length++;
}

void pg_array_i16(struct pg_params *params, int16_t value)
{
    uint16_t wire = htons((uint16_t)value);

    put_element(params, &wire, sizeof(wire));
}

void pg_array_i32(struct pg_params *params, int32_t value)
{
    uint32_t wire = htonl((uint32_t)value);

    put_element(params, &wire, sizeof(wire));
}

void pg_array_i64(struct pg_params *params, int64_t value)
{
    uint64_t wire = htobe64((uint64_t)value);

    put_element(params, &wire, sizeof(wire));
}

void pg_array_bool(struct pg_params *params, bool value)
{
    put_element(params, value ? "\1" : "\0", 1);
}

void pg_array_text(struct pg_params *params, const char *value)
{
    if (value == NULL)
        pg_array_null(params);
    else
        put_element(params, value, strlen(value));
}

void pg_array_bytes(struct pg_params *params, const void *value, size_t length)
{
    if (value == NULL)
        pg_array_null(params);
    else
        put_element(params, value, length);
}

void pg_array_uuid(struct pg_params *params, const uint8_t *value)
{
    pg_array_bytes(params, value, PG_UUID_BYTES);
}

void pg_array_null(struct pg_params *params)
{
    uint32_t one = htonl(1);

    assert(params->array >= 0);
    memcpy(params->bytes.bytes + params->array + ARRAY_FLAGS_AT, &one, sizeof(one));
    put_i32(params, -1);
    params->array_length++;
}

void pg_array_end(struct pg_params *params)
{
    uint32_t length = htonl((uint32_t)params->array_length);

    assert(params->array >= 0 && !params->bytes.cut);
    memcpy(params->bytes.bytes + params->array + ARRAY_DIM_AT, &length, sizeof(length));
    params->offsets[params->count] = params->array;
    params->lengths[params->count++] = (int)((ptrdiff_t)params->bytes.length - params->array);
    params->array = -1;
}

bool pg_is_null(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column);
}

static bool fetch(const PGresult *result, int row, int column, void *value, size_t size)
{
    if (PQgetisnull(result, row, column))
        return false;
    assert((size_t)PQgetlength(result, row, column) ==
           size); /* another type than the code thinks */
    memcpy(value, PQgetvalue(result, row, column), size);
    return true;
}

int16_t pg_i16(const PGresult *result, int row, int column)
{
    uint16_t wire = 0;

    fetch(result, row, column, &wire, sizeof(wire));
    return (int16_t)ntohs(wire);
}

int32_t pg_i32(const PGresult *result, int row, int column)
{
    uint32_t wire = 0;

    fetch(result, row, column, &wire, sizeof(wire));
    return (int32_t)ntohl(wire);
}

int64_t pg_i64(const PGresult *result, int row, int column)
{
    uint64_t wire = 0;

    fetch(result, row, column, &wire, sizeof(wire));
    return (int64_t)be64toh(wire);
}

int64_t pg_time_us(const PGresult *result, int row, int column)
{
    return pg_i64(result, row, column) + PG_BEGAN_US;
}

bool pg_bool(const PGresult *result, int row, int column)
{
    char wire = 0;

    fetch(result, row, column, &wire, sizeof(wire));
    return wire != 0;
}

const char *pg_text(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column);
}

const uint8_t *pg_bytes(const PGresult *result, int row, int column, size_t *length)
{
    *length = (size_t)PQgetlength(result, row, column);
    return (const uint8_t *)PQgetvalue(result, row, column);
}

static int32_t wire_i32(const uint8_t *bytes)
{
    uint32_t wire;

    memcpy(&wire, bytes, sizeof(wire));
    return (int32_t)ntohl(wire);
}

int32_t pg_array_count(const PGresult *result, int row, int column)
{
    size_t length;
    const uint8_t *bytes = pg_bytes(result, row, column, &length);

    return length < ARRAY_HEADER_BYTES ? 0 : wire_i32(bytes + ARRAY_DIM_AT);
}

const uint8_t *pg_array_element(const PGresult *result, int row, int column, int32_t index,
                                size_t *length)
{
    size_t size;
    const uint8_t *at = pg_bytes(result, row, column, &size) + ARRAY_HEADER_BYTES;

    for (; index > 0; index--)
        at += 4 + wire_i32(at);
    *length = (size_t)wire_i32(at);
    return at + 4;
}
