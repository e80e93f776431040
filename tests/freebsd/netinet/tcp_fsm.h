/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/* As sys/sysctl.h here. */
#ifndef TESTS_FREEBSD_NETINET_TCP_FSM_H
#define TESTS_FREEBSD_NETINET_TCP_FSM_H

#define TCPS_CLOSED 0
#define TCPS_LISTEN 1
#define TCPS_SYN_SENT 2
#define TCPS_SYN_RECEIVED 3
#define TCPS_ESTABLISHED 4
#define TCPS_CLOSE_WAIT 5
#define TCPS_FIN_WAIT_1 6
#define TCPS_TIME_WAIT 10

#endif
