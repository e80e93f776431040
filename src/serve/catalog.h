/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * GET /v1/models and /v1/models/{id}: the models of one client, in the shape
 * that the request indicates.
 *
 * 	header anthropic-version	Anthropic's list (Claude Code, its SDKs)
 * 	query client_version		Codex's catalogue (model_catalog_url)
 * 	anything else			OpenAI's list, with the members that
 * 					OpenRouter adds to it
 *
 * Sources: Anthropic's "List Models"; OpenRouter's "List available models";
 * what Codex 0.169.0 and Claude Code 2.1.330 asked for and accepted.
 */
#ifndef SERVE_CATALOG_H
#define SERVE_CATALOG_H

#include "base/buf.h"
#include "serve/request.h"

void catalog_list(struct request *, const struct facts *, struct buf *);
/* By r->rest, its name.  False: refused, no such model for this client. */
bool catalog_one(struct request *, const struct facts *, struct buf *);

#endif
