/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * `tailgate client list` and `client show`: the settings in effect of the
 * clients in both files.  They include the settings of the client's group and
 * of default_client.
 */
#ifndef CTL_CLIENT_SHOW_H
#define CTL_CLIENT_SHOW_H

#include "ctl/client_change.h"

/* Return the exit status. */
int client_list(const struct client_call *);
int client_show(const struct client_call *);

#endif
