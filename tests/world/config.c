/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The configuration of a world.  Each life may have another one: a reload is a
 * worker that ends and a new one with other settings.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "world.h"

static void
write_clients(void)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/clients.conf", world_dir);
	if ((f = fopen(path, "w")) == NULL)
		abort();
	fprintf(f, "clients = (");
	for (unsigned i = 0; i < 3; i++)
		fprintf(f,
		    "%s{ name = \"client%u\"; networks = [ \"10.0.%u.0/24\" ]; "
		    "place = \"external\"; operator = true; "
		    "budget = { usd_per_day = 1000000.0; "
		    "tokens_per_day = 1000000000; }; }",
		    i > 0 ? ", " : "", i, i);
	fprintf(f, ");\n");
	fclose(f);
	if (chmod(path, 0600) == -1)
		abort();
}

static void
write_providers(FILE *f, bool calm)
{
	static const char timeouts[] = "timeouts = { connect = 2.0; first_byte "
				       "= 4.0; idle = 3.0; total = 30.0; };";

	fprintf(f,
	    "providers = ("
	    "{ name = \"a\"; place = \"local\"; url = "
	    "\"http://127.0.0.1:8000/v1\"; limit = \"gpu\"; %s },"
	    "{ name = \"b\"; place = \"local\"; url = "
	    "\"http://127.0.0.1:8001/v1\"; retries = %d; %s },"
	    "{ name = \"c\"; place = \"external\"; url = "
	    "\"https://192.0.2.1:8002/v1\"; auth = \"none\"; %s },"
	    "{ name = \"d\"; place = \"local\"; url = "
	    "\"http://127.0.0.1:8003/v1\"; endpoints = [ \"chat\" ]; %s }"
	    ");\n",
	    timeouts, calm ? 1 : (int)world_below(3), timeouts, timeouts,
	    timeouts);
}

static void
write_models(FILE *f)
{
	static const char price[] = "price = { input = 3.0; output = 15.0; };";
	const char *fallback = world->calm || world_chance(700)
	    ? "fallback = [ \"busy\", \"unavailable\", \"error\", "
	      "\"timeout\", \"rate_limited\" ];"
	    : "fallback = [ \"unavailable\" ];";

	fprintf(f,
	    "models = ("
	    "{ id = \"m/*\"; %s targets = ("
	    "{ provider = \"a\"; model = \"*\"; %s },"
	    "{ provider = \"b\"; model = \"*\"; %s } ); },"
	    "{ id = \"x/*\"; place = \"external\"; targets = ("
	    "{ provider = \"c\"; model = \"*\"; %s } ); },"
	    "{ id = \"d/*\"; targets = ("
	    "{ provider = \"d\"; model = \"*\"; %s } ); }"
	    ");\n",
	    fallback, price, price, price, price);
}

void
config_write(void)
{
	char path[512];
	FILE *f;

	write_clients();
	snprintf(path, sizeof(path), "%s/tailgate.conf", world_dir);
	if ((f = fopen(path, "w")) == NULL)
		abort();
	fprintf(f,
	    "runtime_dir = \"%s/run\";\nstate_dir = \"%s/state\";\n"
	    "clients_file = \"%s/clients.conf\";\nsandbox = \"off\";\n"
	    "watch_peer = false;\nprocesses = 1;\nrequests = 1000;\n"
	    "drain = %.1f;\n"
	    "body = { spool_dir = \"%s/spool\"; spool_over = %u; };\n"
	    "ledger = { when_stuck = \"%s\"; };\n"
	    "limits = ( { name = \"gpu\"; slots = %u; queue = %u; wait = %.1f; "
	    "} );\n",
	    world_dir, world_dir, world_dir, (double)world->drain_ms / 1000,
	    world_dir,
	    world_chance(300) ? (unsigned)world_below(100000) : 16777216,
	    world->calm || world_chance(512) ? "count" : "refuse_external",
	    world->slots, world->queue,
	    world->calm ? 3000.0 : (double)world_size(1, 100) / 10);
	if (world->private_text)
		fprintf(f,
		    "private = ( { name = \"never\"; pattern = "
		    "\"zzz[0-9]{9}zzz\"; } );\n");
	write_providers(f, world->calm);
	write_models(f);
	fclose(f);
}
