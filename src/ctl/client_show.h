/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * `tailgate client list` and `client show`: what is in effect, with what a
 * client has from its group and from default_client, of both files.
 */
#ifndef CTL_CLIENT_SHOW_H
#define CTL_CLIENT_SHOW_H

#include "ctl/client_change.h"

/* Return the exit status. */
int client_list(const struct client_call *);
int client_show(const struct client_call *);

#endif
