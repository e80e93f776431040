/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Who is calling: by key digest, network and REMOTE_USER.
 */
#ifndef POLICY_IDENTIFY_H
#define POLICY_IDENTIFY_H

#include <stdint.h>

#include "base/net.h"
#include "base/span.h"
#include "config/settings.h"
#include "policy/refusal.h"

struct peer {
	struct span key;	/* as presented, p NULL: none */
	bool unread;		/* Authorization came, but not as Bearer */
	bool has_address;
	struct net address;
	const char *user;	/* REMOTE_USER, NULL or empty: none */
};

/* The client's real address: REMOTE_ADDR, or, if that is a trusted proxy,
 * the last entry of forwarded (X-Forwarded-For) that is not one. */
int identify_address(const struct config *, const char *remote_addr,
    const char *forwarded, struct net *out);

/* The client, or NULL and *refused.  All digests are compared, each in
 * constant time. */
const struct client *identify(const struct config *, const struct peer *,
    int64_t wall_ms, struct refused *);

/* The two refusals that follow from the client alone: false and *refused if it
 * has expired, or if it may not call the endpoint. */
bool identify_is_valid(
    const struct client *, int64_t wall_ms, struct refused *);
bool identify_may_call(const struct client *, enum endpoint, struct refused *);

/* May it use this model?  requested is the name it wrote; id the model's.
 * Its globs are matched against names: of a model whose id is a pattern
 * ("gpt-*") against the requested name, unless the client lists that very
 * pattern. */
bool identify_may_use(const struct client *, const char *requested,
    const char *id);
/* Could there be a name by which it may use it? */
bool identify_may_use_some(const struct client *, const char *id);

#endif
