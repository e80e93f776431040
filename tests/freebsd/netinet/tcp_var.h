/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/* As sys/sysctl.h here. */
#ifndef TESTS_FREEBSD_NETINET_TCP_VAR_H
#define TESTS_FREEBSD_NETINET_TCP_VAR_H

#include <netinet/in_pcb.h>

struct xtcpcb {
	ksize_t xt_len;
	struct xinpcb xt_inp;
	char xt_stack[32];
	int32_t t_state;
};

#endif
