/* base/process_metrics.h - what every process can say of itself: CPU, memory, files, start
 *
 * By the names that Prometheus' own client libraries use
 * (https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics), measured when
 * somebody looks.
 */
#pragma once

void process_metrics_register(void);
