/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * How a provider's host is woken: hides how a network card's address is
 * written, and which settings exclude each other.
 */
#include "config.h"

#include <string.h>

#include "base/hex.h"
#include "config/load.h"

/* "aa:bb:cc:dd:ee:ff", or with hyphens. */
static bool
mac_parse(const char *text, unsigned char out[WAKE_MAC_BYTES])
{
	for (size_t i = 0; i < WAKE_MAC_BYTES; i++) {
		const char *p = text + 3 * i;
		int high = hex_value(p[0]), low = hex_value(p[1]);

		if (high == -1 || low == -1 ||
		    (i < WAKE_MAC_BYTES - 1 && p[2] != ':' && p[2] != '-'))
			return false;
		out[i] = (unsigned char)(high << 4 | low);
	}
	return text[3 * WAKE_MAC_BYTES - 1] == '\0';
}

void
finish_wake(struct provider *p)
{
	p->sleeps = p->wake.mac != NULL || p->wake.ncommand > 0;
	if (p->wake.mac != NULL)
		(void)mac_parse(p->wake.mac, p->wake.bytes);
}

static void
prove_packet(struct load *load, const struct wake *w)
{
	unsigned char bytes[WAKE_MAC_BYTES];
	struct net address;

	if (w->mac == NULL)
		return;
	if (!mac_parse(w->mac, bytes))
		mistake_of(load, w, "wake", "mac",
		    "must be six bytes such as \"aa:bb:cc:dd:ee:ff\", is %s",
		    mistake_quote(load, w->mac));
	/* net_parse() also accepts networks. */
	if (strchr(w->address, '/') != NULL ||
	    net_parse(w->address, &address) == -1)
		mistake_of(load, w, "wake", "address",
		    "must be one address, of the host or the broadcast address "
		    "of its network, such as \"192.168.1.255\", is %s",
		    mistake_quote(load, w->address));
}

void
prove_wake(struct load *load, const struct provider *p)
{
	const struct wake *w = &p->wake;

	prove_packet(load, w);
	if (w->mac != NULL && w->ncommand > 0)
		mistake_of(load, w, "wake", "command",
		    "is instead of mac, not beside it; remove one of them");
	if (!p->sleeps && origin_has(load, p, "providers", "wake"))
		mistake_of(load, w, "wake", NULL, "needs a mac or a command");
	if (w->ncommand > 0 && *w->command[0] != '/')
		mistake_of(load, w, "wake", "command",
		    "must begin with a program's absolute path, not %s",
		    mistake_quote(load, w->command[0]));
	if (p->sleeps && p->kind == PROVIDER_ECHO)
		mistake_of(load, p, "providers", "wake",
		    "an echo provider has no host; remove it");
	if (p->sleeps && p->wake_wait_ms >= load->config->total_ms)
		mistake_of(load, p, "providers", "wake_wait",
		    "must be less than total (%g seconds)",
		    (double)load->config->total_ms / 1000);
}
