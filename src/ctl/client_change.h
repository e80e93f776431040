/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The options of `tailgate client` that are settings of a client.
 */
#ifndef CTL_CLIENT_CHANGE_H
#define CTL_CLIENT_CHANGE_H

#include "config/clients.h"
#include "config/settings.h"

#define CLIENT_CHANGES_MAX 24

/* One call of the command. */
struct client_call {
	const struct config *config;
	const char *name;
	struct clients_change changes[CLIENT_CHANGES_MAX];
	size_t nchanges;
	const char *group, *models; /* as they were given, or NULL */
	int64_t overlap_ms;
	bool json;
};

/* Adds the option with this letter.  -1: a line on stderr says what is
 * wrong. */
int client_change(struct client_call *, int letter, const char *value);
/* Checks that the group is in the configuration, -1 likewise, and warns of
 * models that are not. */
int client_change_check(const struct client_call *);
void client_change_free(struct client_call *);

#endif
