#include "base/process_metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/metrics.h"

enum { US = 1000000 };

static struct metric cpu = {.type = METRIC_COUNTER,
                            .name = "process_cpu_seconds_total",
                            .help = "CPU time of the process, user and system.",
                            .is_us = true};
static struct metric started = {.type = METRIC_GAUGE,
                                .name = "process_start_time_seconds",
                                .help = "When the process began, in seconds since 1970.",
                                .is_us = true};
static struct metric resident =
    METRIC(METRIC_GAUGE, "process_resident_memory_bytes", "Memory that is in RAM.");
static struct metric virtual = METRIC(METRIC_GAUGE, "process_virtual_memory_bytes",
                                      "Size of the address space.");
static struct metric open_fds = METRIC(METRIC_GAUGE, "process_open_fds", "Open file descriptors.");
static struct metric max_fds =
    METRIC(METRIC_GAUGE, "process_max_fds", "How many file descriptors may be open.");

static void measure_cpu(void)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) == 0)
        metric_set(&cpu, (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * US +
                             usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void measure_memory(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long all = 0, in_ram = 0, page = sysconf(_SC_PAGESIZE);

    if (file == NULL)
        return;
    if (fscanf(file, "%ld %ld", &all, &in_ram) == 2) { /* NOLINT(cert-err34-c): the kernel's */
        metric_set(&virtual, all * page);
        metric_set(&resident, in_ram * page);
    }
    (void)fclose(file);
}

/* Newer kernels tell the number as the directory's size; with thousands of connections that is much
 * cheaper than reading it. */
static int64_t count_fds(void)
{
    struct stat about;
    int64_t count = 0;
    DIR *directory;

    if (stat("/proc/self/fd", &about) == 0 && about.st_size > 0)
        return about.st_size;
    if ((directory = opendir("/proc/self/fd")) == NULL)
        return 0;
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count - 3; /* ".", "..", and the directory itself */
}

static void measure(void *owner)
{
    struct rlimit limit;

    (void)owner;
    measure_cpu();
    measure_memory();
    metric_set(&open_fds, count_fds());
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        metric_set(&max_fds, (int64_t)limit.rlim_cur);
}

void process_metrics_register(void)
{
    static struct metric *const all[] = {&cpu, &started, &resident, &virtual, &open_fds, &max_fds};

    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        metric_register(all[i]);
    metric_set(&started, clock_wall_us());
    metrics_before_render(measure, NULL);
}
