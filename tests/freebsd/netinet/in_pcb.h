/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/* As sys/sysctl.h here. */
#ifndef TESTS_FREEBSD_NETINET_IN_PCB_H
#define TESTS_FREEBSD_NETINET_IN_PCB_H

#include <netinet/in.h>
#include <sys/socketvar.h>

/* An IPv4 address lies in the last bytes of an IPv6 one. */
struct in_addr_4in6 {
	uint32_t ia46_pad32[3];
	struct in_addr ia46_addr4;
};

union in_dependaddr {
	struct in_addr_4in6 id46_addr;
	struct in6_addr id6_addr;
};

struct in_endpoints {
	uint16_t ie_fport, ie_lport;
	union in_dependaddr ie_dependfaddr, ie_dependladdr;
};

struct in_conninfo {
	uint8_t inc_flags, inc_len;
	uint16_t inc_fibnum;
	struct in_endpoints inc_ie;
};

#define inp_fport inp_inc.inc_ie.ie_fport
#define inp_lport inp_inc.inc_ie.ie_lport
#define inp_faddr inp_inc.inc_ie.ie_dependfaddr.id46_addr.ia46_addr4
#define inp_laddr inp_inc.inc_ie.ie_dependladdr.id46_addr.ia46_addr4
#define in6p_faddr inp_inc.inc_ie.ie_dependfaddr.id6_addr
#define in6p_laddr inp_inc.inc_ie.ie_dependladdr.id6_addr

#define INP_IPV4 0x1
#define INP_IPV6 0x2

struct xinpcb {
	ksize_t xi_len;
	struct xsocket xi_socket;
	struct in_conninfo inp_inc;
	uint64_t inp_gencnt;
	uint8_t inp_vflag;
};

struct xinpgen {
	ksize_t xig_len;
	uint32_t xig_count, xig_spare32;
	uint64_t xig_gen, xig_sogen;
};

#endif
