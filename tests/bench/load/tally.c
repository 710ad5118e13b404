#include "tests/bench/load/tally.h"

#include "base/memory.h"

enum { SECOND_NS = 1000000000 };

static const char *const fate_names[FATES] = {"good", "refused", "failed",
                                              "late", "lost",    "unsent"};

struct tally_second *tally_second(struct tally *tally, uint64_t since_begin_ns)
{
    uint64_t second = since_begin_ns / SECOND_NS;

    return &tally->seconds[second < SECONDS_MAX ? second : SECONDS_MAX - 1];
}

static void print_count(FILE *out, const char *name, uint64_t count)
{
    fprintf(out, "\"%s\":%llu,", name, (unsigned long long)count);
}

static void print_histogram(FILE *out, const char *name, const struct histogram *histogram)
{
    fprintf(out, ",\"%s\":", name);
    histogram_print(histogram, out);
}

static void print_phase(const struct tally_phase *phase, const struct load_phase *asked, FILE *out)
{
    fprintf(out, "{\"rate\":%.1f,", asked->rate);
    print_count(out, "offered", phase->offered);
    print_count(out, "sent", phase->sent);
    for (int i = 0; i < FATES; i++)
        print_count(out, fate_names[i], phase->fates[i]);
    print_count(out, "stale", phase->stale);
    fprintf(out, "\"seconds\":%.3f", asked->seconds);
    print_histogram(out, "answered", &phase->good);
    print_histogram(out, "turned_away", &phase->refused);
    print_histogram(out, "whole", &phase->whole);
    print_histogram(out, "sent_after", &phase->sent_after);
    fprintf(out, "}");
}

void tally_print(const struct tally *tally, const struct load_options *options, FILE *out)
{
    fprintf(out, "{");
    print_count(out, "connects", tally->connects);
    print_count(out, "left", tally->left);
    fprintf(out, "\"statuses\":{");
    for (size_t i = 0, count = 0; i < ARRAY_SIZE(tally->statuses); i++) {
        if (tally->statuses[i] > 0)
            fprintf(out, "%s\"%zu\":%llu", count++ ? "," : "", i,
                    (unsigned long long)tally->statuses[i]);
    }
    fprintf(out, "},\"phases\":[");
    for (int i = 0; i < options->phase_count; i++) {
        fprintf(out, i ? "," : "");
        print_phase(&tally->phases[i], &options->phases[i], out);
    }
    fprintf(out, "]}\n");
}

void tally_print_series(const struct tally *tally, FILE *out)
{
    for (int i = 0; i < SECONDS_MAX; i++) {
        const struct tally_second *second = &tally->seconds[i];

        if (second->offered + second->good + second->refused + second->failed > 0)
            fprintf(out,
                    "{\"second\":%d,\"offered\":%llu,\"good\":%llu,\"refused\":%llu,"
                    "\"failed\":%llu}\n",
                    i, (unsigned long long)second->offered, (unsigned long long)second->good,
                    (unsigned long long)second->refused, (unsigned long long)second->failed);
    }
}
