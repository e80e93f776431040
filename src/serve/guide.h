/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * GET /v1/tailgate/setup: how a client points its tools at this gateway, as
 * `tailgate setup` would.
 *
 *	(nothing)			the tools, as JSON
 *	?tool=NAME&url=URL		a shell script (src/setup), with the
 *	    [&model=NAME]		models that the client may use
 */
#ifndef SERVE_GUIDE_H
#define SERVE_GUIDE_H

#include "base/buf.h"
#include "serve/request.h"

/* False: refused. */
bool guide_serve(struct request *, struct buf *);

#endif
