/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * May the web server pass a WebSocket on (/v1/realtime)?  FastCGI can't carry
 * one, so the web server does that itself, and asks before: as an authorizer
 * (lighttpd), by a subrequest (nginx) or by forward_auth (Caddy).  The FastCGI
 * parameter TAILGATE_PROVIDER, which no client can set, names the provider that
 * it would pass it on to.
 */
#ifndef SERVE_REALTIME_H
#define SERVE_REALTIME_H

#include "serve/request.h"

/* The last step of such a request, after its plan: 200, or false with a
 * refusal.  It counts as a request in budgets, and has a line in the ledger
 * that says where it went; what is said then is not measured. */
bool realtime_serve(struct request *);

#endif
