/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Decides whether the web server may pass a WebSocket on (/v1/realtime).
 * FastCGI can't carry a WebSocket, so the web server passes it on itself, and
 * asks tailgate before: as an authorizer (lighttpd), by a subrequest (nginx) or
 * by forward_auth (Caddy).  The FastCGI parameter TAILGATE_PROVIDER, which no
 * client can set, names the provider to which the web server would pass it on.
 */
#ifndef SERVE_REALTIME_H
#define SERVE_REALTIME_H

#include "serve/request.h"

/* The last step of such a request, after its plan: 200, or false with a
 * refusal.  It counts as a request in budgets, and its line in the ledger says
 * where it went.  What the WebSocket then carries is not measured. */
bool realtime_serve(struct request *);

#endif
