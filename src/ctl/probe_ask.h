/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Asks one provider how it is and what it can do, by the requests that its kind
 * of server knows.
 *
 * Every provider: GET URL/models with its key.  A local one also: GET /health
 * at its root (llama.cpp, vLLM), and for what it can do: /props (llama.cpp),
 * max_model_len of /models (vLLM), /api/tags, /api/show and /api/ps (Ollama).
 * Nothing is generated, no model is loaded.
 *
 * Sources: llama.cpp tools/server/README.md; vLLM's OpenAI-compatible server;
 * Ollama docs/api.md.
 */
#ifndef CTL_PROBE_ASK_H
#define CTL_PROBE_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/watch.h"
#include "config/settings.h"
#include "policy/plan.h"
#include "state/health.h"
#include "wire/upstream.h"

#define PROBE_WHY_SIZE 160

struct probe {
	const struct provider *provider;
	bool ok; /* it responds, and accepts our key */
	bool unreachable; /* no connection could be made */
	char why[PROBE_WHY_SIZE]; /* if it is not ok; or what is odd */
	enum health_outcome outcome; /* for health_report */
	int64_t retry_after_ms;
	int64_t ms; /* until the list of models came; -1: none */
	size_t nmodels; /* that it lists */
	const char *server; /* "llama.cpp", "vLLM", "Ollama" or NULL */
	struct facts_learned *learned;
	size_t nlearned;
};

/* Blocks until it has responded, or for some 15 s for each request.  The watch
 * can end it early: outcome is HEALTH_ABANDONED then. */
void probe_ask(const struct config *, const struct provider *,
    struct upstream_pool *, const struct watch *, struct probe *);
void probe_free(struct probe *);
/* Of one whose host is woken: notes whether it is asleep, which is no failure
 * (outcome becomes HEALTH_ABANDONED): the next request wakes it. */
void probe_note_sleep(struct health *, struct probe *);

#endif
