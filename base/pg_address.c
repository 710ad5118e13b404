#include "base/pg_address.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

enum { HOSTS_MAX = 8, CONNINFO_BYTES_MAX = 8192 };

struct lookup {
    uv_getaddrinfo_t request;
    struct pg_address *address; /* NULL: nobody waits for it any more */
};

struct pg_address {
    uv_loop_t *loop;
    char *conninfo;
    char *hosts[HOSTS_MAX]; /* the entries of host=; empty when hostaddr= is given already */
    int host_count, next;   /* next: the one that is looked up next */
    struct text resolved;   /* hostaddr= as far as it is known */
    struct lookup *lookup;
    uv_timer_t *soon; /* so that an answer never comes from inside pg_address_resolve() */
    struct fault fault;
    void (*on_resolved)(void *owner, const char *conninfo, const struct fault *fault);
    void *owner;
};

static void look_up_next(struct pg_address *address);
static void add_resolved(struct pg_address *address, const char *numeric);
static void tell(struct pg_address *address);

static void on_soon(uv_timer_t *timer)
{
    look_up_next(timer->data);
}

void pg_address_resolve(struct pg_address *address,
                        void (*on_resolved)(void *owner, const char *conninfo,
                                            const struct fault *fault),
                        void *owner)
{
    address->on_resolved = on_resolved;
    address->owner = owner;
    address->next = 0;
    address->fault.kind = FAULT_NONE;
    text_clear(&address->resolved);
    uv_timer_start(address->soon, on_soon, 0, 0);
}

static bool is_numeric(const char *host)
{
    struct in6_addr any;

    return inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1;
}

static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct lookup *lookup = container_of(request, struct lookup, request);
    struct pg_address *address = lookup->address;
    char numeric[INET6_ADDRSTRLEN] = "";

    if (status == 0 && getnameinfo(found->ai_addr, found->ai_addrlen, numeric, sizeof(numeric),
                                   NULL, 0, NI_NUMERICHOST) != 0)
        status = UV_EAI_FAIL;
    uv_freeaddrinfo(found);
    free(lookup);
    if (address == NULL)
        return;
    address->lookup = NULL;
    if (status != 0) {
        fail_as(&address->fault, FAULT_TRANSIENT, "postgres_unknown_host",
                "the host \"%s\" of DOCKET_PG cannot be resolved: %s",
                address->hosts[address->next], uv_strerror(status));
        tell(address);
        return;
    }
    add_resolved(address, numeric);
}

/* Each host in its turn: the list is short, and its order is the order of preference. */
static void look_up_next(struct pg_address *address)
{
    static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    const char *host;

    if (address->next == address->host_count) {
        tell(address);
        return;
    }
    host = address->hosts[address->next];
    if (host[0] == '/' || host[0] == '\0' || is_numeric(host)) {
        add_resolved(address, host[0] == '/' ? "" : host);
        return;
    }
    address->lookup = xcalloc(1, sizeof(*address->lookup));
    address->lookup->address = address;
    if (uv_getaddrinfo(address->loop, &address->lookup->request, on_looked_up, host, NULL, &hints) <
        0)
        abort(); /* only for a host of over 255 bytes or without memory */
}

static void add_resolved(struct pg_address *address, const char *numeric)
{
    if (address->next > 0)
        text_add(&address->resolved, ",");
    text_add(&address->resolved, numeric);
    address->next++;
    look_up_next(address);
}

/* conninfo strings are key=value words, and a later word wins over an earlier one; a URI is given
 * its additions as parameters. */
static void tell(struct pg_address *address)
{
    struct text conninfo;
    bool is_uri = strncmp(address->conninfo, "postgres", 8) == 0;

    if (address->fault.kind != FAULT_NONE) {
        address->on_resolved(address->owner, NULL, &address->fault);
        return;
    }
    text_init(&conninfo, CONNINFO_BYTES_MAX);
    text_add(&conninfo, address->conninfo);
    if (address->host_count > 0 &&
        strspn(address->resolved.bytes, ",") < address->resolved.length) {
        if (is_uri)
            text_print(&conninfo, "%chostaddr=", strchr(address->conninfo, '?') ? '&' : '?');
        else
            text_add(&conninfo, " hostaddr=");
        text_add(&conninfo, address->resolved.bytes);
    }
    address->on_resolved(address->owner, conninfo.bytes, NULL);
    text_finish(&conninfo);
}

void pg_address_cancel(struct pg_address *address)
{
    uv_timer_stop(address->soon);
    if (address->lookup) {
        address->lookup->address = NULL;
        uv_cancel((uv_req_t *)&address->lookup->request);
        address->lookup = NULL;
    }
}

static void read_hosts(struct pg_address *address)
{
    PQconninfoOption *options = PQconninfoParse(address->conninfo, NULL);
    const char *host = NULL, *hostaddr = NULL;

    for (PQconninfoOption *o = options; o && o->keyword; o++) {
        if (strcmp(o->keyword, "host") == 0)
            host = o->val;
        if (strcmp(o->keyword, "hostaddr") == 0)
            hostaddr = o->val;
    }
    while (host && !hostaddr && address->host_count < HOSTS_MAX) {
        size_t length = strcspn(host, ",");

        address->hosts[address->host_count++] = strndup(host, length);
        host = host[length] == ',' ? host + length + 1 : NULL;
    }
    PQconninfoFree(options);
}

struct pg_address *pg_address_create(uv_loop_t *loop, const char *conninfo)
{
    struct pg_address *address = xcalloc(1, sizeof(*address));

    address->loop = loop;
    address->conninfo = xstrdup(conninfo);
    address->soon = xcalloc(1, sizeof(*address->soon));
    address->soon->data = address;
    uv_timer_init(loop, address->soon);
    text_init(&address->resolved, CONNINFO_BYTES_MAX);
    text_add(&address->resolved, "");
    read_hosts(address);
    return address;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void pg_address_destroy(struct pg_address *address)
{
    pg_address_cancel(address);
    uv_close((uv_handle_t *)address->soon, free_handle);
    for (int i = 0; i < address->host_count; i++)
        free(address->hosts[i]);
    text_finish(&address->resolved);
    free(address->conninfo);
    free(address);
}
