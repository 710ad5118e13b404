/* docket doctor: RabbitMQ, by AMQP; and by its management API, where that is set */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "base/amqp_look.h"
#include "base/amqp_wire.h"
#include "base/memory.h"
#include "base/text.h"
#include "ops/cli/doctor.h"
#include "queue/topology.h"

enum { ASK_MS = 4000, SLOW_MS = 1000, ANSWER_BYTES_MAX = 16 * 1024 * 1024, URL_BYTES_MAX = 4096 };

/* A policy may not do to our queues what loses messages, or dead-letters them early. */
static const char *const harmful[] = {
    "message-ttl",    "expires",  "max-length",           "max-length-bytes",
    "delivery-limit", "overflow", "dead-letter-exchange", "dead-letter-strategy"};

struct broker {
    struct doctor *doctor;
    const char *vhost;
    int wrong;
};

static const char mend_missing[] = "start docket-relay anew: each program puts the topology back "
                                   "when it connects";

static void tell_missing(struct broker *broker, const char *what, const struct amqp_sight *sight)
{
    broker->wrong++;
    doctor_tell(broker->doctor, "broker.topology", FINDING_FAIL, mend_missing,
                "%s is not to be had: %s", what, sight->text);
}

static void tell_queue(struct broker *broker, const struct amqp_sight *sight)
{
    char mend[300];

    if (sight->took_ms > SLOW_MS) {
        broker->wrong++;
        snprintf(mend, sizeof(mend),
                 "rabbitmq-queues quorum_status %s -p %s says which nodes are away; if none comes "
                 "back: rabbitmqctl delete_queue %s -p %s (the sweeper publishes again)",
                 sight->queue, broker->vhost, sight->queue, broker->vhost);
        doctor_tell(broker->doctor, "broker.leader", FINDING_FAIL, mend,
                    "queue %s answers for nobody: it seems to have no leader", sight->queue);
    } else if (strcmp(sight->queue, TOPOLOGY_DEAD) == 0 && sight->messages > 0 &&
               sight->consumers == 0) {
        broker->wrong++;
        doctor_tell(broker->doctor, "broker.dead", FINDING_WARN, "start docket-relay",
                    "%lld messages in %s, and no relay drains it", (long long)sight->messages,
                    sight->queue);
    } else if (strcmp(sight->queue, TOPOLOGY_DEAD) != 0 && sight->consumers == 0) {
        broker->wrong++;
        snprintf(mend, sizeof(mend),
                 "start docket-worker %s; if one runs, the queue has no leader: rabbitmqctl "
                 "delete_queue %s -p %s (it is made again, and the sweeper publishes again)",
                 sight->queue + strlen("docket."), sight->queue, broker->vhost);
        doctor_tell(broker->doctor, "broker.consumers", FINDING_FAIL, mend,
                    "nobody consumes %s (%lld messages)", sight->queue, (long long)sight->messages);
    }
}

static void on_sight(void *owner, const struct amqp_sight *sight)
{
    struct broker *broker = owner;
    char mend[300], what[100];

    snprintf(what, sizeof(what), "%s %.80s", sight->queue ? "queue" : "exchange",
             sight->queue ? sight->queue : TOPOLOGY_EXCHANGE);
    switch (sight->kind) {
    case AMQP_SEEN:
        if (sight->queue)
            tell_queue(broker, sight);
        break;
    case AMQP_UNSEEN:
        tell_missing(broker, what, sight);
        break;
    case AMQP_CONFLICT:
        broker->wrong++;
        snprintf(mend, sizeof(mend),
                 "rabbitmqctl delete_queue %s -p %s; it is made again as it "
                 "is to be, and the sweeper publishes again",
                 sight->queue, broker->vhost);
        doctor_tell(broker->doctor, "broker.topology", FINDING_FAIL, mend,
                    "%s has other arguments than ours (type, delivery limit, dead-lettering): %s",
                    what, sight->text);
        break;
    }
}

/* --- the management API --------------------------------------------------------------------------
 */

static size_t on_body(char *bytes, size_t size, size_t count, void *data)
{
    text_add_bytes(data, bytes, size * count);
    return ((struct text *)data)->cut ? 0 : size * count;
}

/* The answer as JSON, whatever its status; NULL: there was none, *why says why. */
static json_t *manage(const struct broker *broker, const char *path, const char **why)
{
    CURL *curl = curl_easy_init();
    struct text url, body;
    json_t *value = NULL;
    CURLcode result;

    text_init(&url, URL_BYTES_MAX);
    text_init(&body, ANSWER_BYTES_MAX);
    text_print(&url, "%s%s", broker->doctor->settings.management_url, path);
    curl_easy_setopt(curl, CURLOPT_URL, url.bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)ASK_MS);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    result = curl_easy_perform(curl);
    if (result == CURLE_OK)
        value = json_loadb(body.bytes ? body.bytes : "", body.length, 0, NULL);
    *why = result == CURLE_OK ? "it is no management API" : curl_easy_strerror(result);
    curl_easy_cleanup(curl);
    text_finish(&url);
    text_finish(&body);
    return value;
}

static void look_at_policy(struct broker *broker, const json_t *queue)
{
    const json_t *policy = json_object_get(queue, "effective_policy_definition");
    char mend[300];

    for (size_t i = 0; i < sizeof(harmful) / sizeof(harmful[0]); i++) {
        if (json_object_get(policy, harmful[i]) == NULL)
            continue;
        broker->wrong++;
        snprintf(mend, sizeof(mend), "rabbitmqctl clear_policy %s -p %s", text_of(queue, "policy"),
                 broker->vhost);
        doctor_tell(broker->doctor, "broker.policy", FINDING_FAIL, mend,
                    "policy %s sets %s on %s: messages can be lost or given up early",
                    text_of(queue, "policy"), harmful[i], text_of(queue, "name"));
    }
}

/* Fewer members online than a majority: no leader, or none soon. */
static void look_at_members(struct broker *broker, const json_t *queue)
{
    size_t members = json_array_size(json_object_get(queue, "members"));
    size_t online = json_array_size(json_object_get(queue, "online"));
    char mend[300];

    if (members == 0 || online == members)
        return;
    broker->wrong++;
    snprintf(mend, sizeof(mend),
             "start the nodes that are away: rabbitmq-queues quorum_status %s "
             "-p %s",
             text_of(queue, "name"), broker->vhost);
    doctor_tell(
        broker->doctor, "broker.members", online * 2 > members ? FINDING_WARN : FINDING_FAIL, mend,
        "%zu of %zu members of queue %s are online", online, members, text_of(queue, "name"));
}

static void look_at_alarms(struct broker *broker)
{
    const char *why;
    json_t *alarms = manage(broker, "/api/health/checks/alarms", &why);

    if (alarms && strcmp(text_of(alarms, "status"), "ok") != 0) {
        broker->wrong++;
        doctor_tell(broker->doctor, "broker.alarms", FINDING_FAIL,
                    "give it memory or disk: rabbitmqctl status says which",
                    "an alarm is on: the broker takes no messages (%s)", text_of(alarms, "reason"));
    }
    json_decref(alarms);
}

/* Looks at each of our queues as the management API lists them; false: it does not, which is told.
   `query`: "" or "?…". */
static bool look_at_queues(struct broker *broker, const char *query,
                           void (*look)(struct broker *broker, const json_t *queue))
{
    struct text path;
    const char *why;
    json_t *queues, *queue;
    size_t index;
    bool is_list;

    text_init(&path, URL_BYTES_MAX);
    text_add(&path, "/api/queues/");
    text_add_urlencoded(&path, broker->vhost);
    text_add(&path, query);
    queues = manage(broker, path.bytes, &why);
    text_finish(&path);
    is_list = json_is_array(queues);
    if (!is_list)
        doctor_tell(broker->doctor, "broker.management", FINDING_WARN,
                    "correct DOCKET_MANAGEMENT_URL: its user needs the tag `monitoring`",
                    "the management API does not answer: %s",
                    queues ? text_of(queues, "reason") : why);
    json_array_foreach(queues, index, queue)
    {
        if (strncmp(text_of(queue, "name"), "docket.", strlen("docket.")) == 0)
            look(broker, queue);
    }
    json_decref(queues);
    return is_list;
}

/* Who is online is asked without the statistics, which say what a leader said last, also of a
   queue that has none any more; policies come with the statistics only. */
static void manage_all(struct broker *broker)
{
    if (look_at_queues(broker, "", look_at_policy) &&
        look_at_queues(broker, "?disable_stats=true", look_at_members))
        look_at_alarms(broker);
}

void doctor_broker(struct doctor *doctor)
{
    struct broker broker = {.doctor = doctor, .vhost = "/"};
    struct amqp_connection_info address;
    struct fault fault;
    bool is_there;
    char *copy;

    if (doctor->settings.amqp == NULL) {
        doctor_tell(doctor, "broker", FINDING_SKIP, "set DOCKET_AMQP", "DOCKET_AMQP is not set");
        return;
    }
    copy = xstrdup(doctor->settings.amqp);
    if (amqp_address_parse(&address, copy, &fault))
        broker.vhost = address.vhost;
    is_there = amqp_look(doctor->settings.amqp, &topology, on_sight, &broker, &fault);
    if (!is_there)
        doctor_tell(doctor, "broker", FINDING_FAIL,
                    "start it, or correct DOCKET_AMQP; orders are accepted and wait meanwhile",
                    "%s", fault.text);
    if (doctor->settings.management_url && *doctor->settings.management_url)
        manage_all(&broker);
    else
        doctor_tell(doctor, "broker.policy", FINDING_SKIP, "set DOCKET_MANAGEMENT_URL to see it",
                    "policies, alarms and leaders are not seen by AMQP");
    if (is_there && broker.wrong == 0)
        doctor_tell(doctor, "broker", FINDING_OK, "",
                    "it is there, its exchange and queues are as we make them, and are consumed");
    free(copy);
}
