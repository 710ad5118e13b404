/* api/tls.h - the certificate of the listeners: read at start, and again at each SIGHUP */
#pragma once

#include "api/api.h"

void tls_register_metrics(void);
/* api->tls stays NULL where no certificate is configured.  False: what is configured is wrong. */
bool tls_open(struct api *api, struct fault *fault) __attribute__((warn_unused_result));
void tls_close(struct api *api);
void tls_refresh(const struct api *api); /* the gauge, before it is read */
