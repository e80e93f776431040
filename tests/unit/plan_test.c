/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * policy/plan against tests/plan.cases, the policy's specification.
 * tests/explain.sh runs the same cases through `tailgate explain --json`.
 */
#include "config.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "ctl/explain_facts.h"
#include "policy/models.h"
#include "policy/offer.h"
#include "policy/owner.h"
#include "policy/plan.h"
#include "check.h"

/* One block of the file; lines without their first word. */
struct kase {
	char name[256];
	char as[256];
	char send[4096];
	char when[1024];
	char plan[1024];
};

static struct config *config;
static struct patterns *patterns;

static const char *
file_in_source(const char *name)
{
	static char path[4096];
	const char *dir = getenv("abs_srcdir");

	snprintf(path, sizeof(path), "%s/%s", dir == NULL ? "." : dir, name);
	return path;
}

/* Puts the rest of "keyword rest" into the field for the keyword; false: an
 * unknown one. */
static bool
take_line(struct kase *k, const char *line)
{
	const struct {
		const char *word;
		char *to;
		size_t size;
	} fields[] = {
		{ "case ", k->name, sizeof(k->name) },
		{ "as ", k->as, sizeof(k->as) },
		{ "send ", k->send, sizeof(k->send) },
		{ "when ", k->when, sizeof(k->when) },
		{ "plan ", k->plan, sizeof(k->plan) },
	};
	size_t i, n;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		n = strlen(fields[i].word);
		if (strncmp(line, fields[i].word, n) != 0)
			continue;
		line += n;
		line += strspn(line, " ");
		n = strcspn(line, "\n");
		if (n >= fields[i].size)
			return false;
		memcpy(fields[i].to, line, n);
		fields[i].to[n] = '\0';
		return true;
	}
	return false;
}

static const struct client *
client_of(const char *name)
{
	size_t i;

	for (i = 0; i < config->nclients; i++)
		if (strcmp(config->clients[i].name, name) == 0)
			return &config->clients[i];
	return NULL;
}

static int
facts_of(const char *json, struct arena *arena, struct facts *facts)
{
	char file[] = "/tmp/tailgate-plan.XXXXXX";
	int fd, rc = -1;

	*facts = (struct facts){ .wall_ms = 0 };
	if (*json == '\0')
		return 0;
	if ((fd = mkstemp(file)) == -1)
		return -1;
	if (write(fd, json, strlen(json)) == (ssize_t)strlen(json))
		rc = explain_facts_load(config, file, arena, facts);
	close(fd);
	unlink(file);
	return rc;
}

static void
put_candidate(const struct candidate *c, struct buf *out)
{
	static const char *const bridges[] = { "", " via responses",
		" via messages" };
	const char *mark = " > ";
	unsigned i;

	buf_printf(out, "%s/%s %s%s", c->target->provider->name, c->model,
	    verdict_name(c->verdict), bridges[c->bridge]);
	for (i = 0; i < FALLBACK_COUNT; i++) {
		if (!(c->next_on & 1u << i))
			continue;
		buf_printf(
		    out, "%s%s", mark, fallback_name((enum fallback)(1u << i)));
		mark = ",";
	}
}

/* A plan in the words of the cases file. */
static void
put_plan(const struct plan *plan, struct buf *out)
{
	const struct refusal_spec *spec = refusal_spec(plan->refused.refusal);
	size_t i;

	if (plan->ncandidates > 0) {
		buf_puts(out, place_name(plan->ceiling));
		if (plan->ceiling_by != NULL)
			buf_printf(out, " by %s", plan->ceiling_by);
	}
	for (i = 0; i < plan->ncandidates; i++) {
		buf_puts(out, i == 0 ? ": " : "; ");
		put_candidate(&plan->candidates[i], out);
	}
	if (spec->id != REFUSE_NONE)
		buf_printf(out, "%s! %d %s", out->len > 0 ? " " : "",
		    spec->status, spec->code);
}

/* What must hold for any plan, whatever the case expects. */
static bool
holds_together(const struct plan *plan)
{
	size_t i, nin = 0;

	for (i = 0; i < plan->ncandidates; i++) {
		const struct candidate *c = &plan->candidates[i];

		if (c->verdict == VERDICT_IN) {
			nin++;
			if (c->target->provider->place > plan->ceiling ||
			    c->refusal != REFUSE_NONE)
				return false;
		} else if (c->refusal == REFUSE_NONE || c->next_on != 0)
			return false;
		if (c->reason == NULL || *c->reason == '\0')
			return false;
	}
	return nin == plan->nin &&
	    (nin > 0) == (plan->refused.refusal == REFUSE_NONE) &&
	    (plan->ceiling == PLACE_EXTERNAL || plan->ncandidates == 0 ||
		plan->ceiling_by != NULL);
}

/* Without a body, the query is sent. */
static int
parse(enum endpoint endpoint, const char *sent, struct arena *arena,
    struct call *call, struct refused *refused)
{
	if (endpoint_spec(endpoint)->body == ENDPOINT_BODY_NONE)
		return call_parse_bare(
		    config, patterns, endpoint, sent, arena, call, refused);
	return call_parse_json(
	    config, patterns, endpoint, span_of(sent), arena, call, refused);
}

static void
run(const struct kase *k)
{
	struct arena *arena = arena_new();
	char client[64] = "", endpoint[64] = "", place[64] = "";
	struct call call = { .endpoint = ENDPOINT_NONE };
	struct plan plan = { .model = NULL };
	struct facts facts;
	struct buf out;

	sscanf(k->as, "%63s %63s %63s", client, endpoint, place);
	call.header_local = strcmp(place, "local") == 0;
	buf_init(&out, 65536);
	CHECK(
	    client_of(client) != NULL && facts_of(k->when, arena, &facts) == 0,
	    "%s: client and facts", k->name);
	if (parse(endpoint_by_name(span_of(endpoint)), k->send, arena, &call,
		&plan.refused) == 0 &&
	    owner_find(
		config, client_of(client), &call, arena, &plan.refused) == 0)
		plan_make(
		    config, client_of(client), &call, &facts, arena, &plan);
	put_plan(&plan, &out);
	CHECK_STR(out.p, k->plan, "%s", k->name);
	CHECK(holds_together(&plan), "%s: the plan holds together", k->name);
	buf_free(&out);
	arena_free(arena);
}

static void
run_all(FILE *in)
{
	struct kase k = { .name = "" };
	char line[8192];
	unsigned n = 0;

	while (fgets(line, sizeof(line), in) != NULL) {
		if (line[0] == '\n' || line[0] == '#')
			continue;
		if (strncmp(line, "case ", 5) == 0)
			k = (struct kase){ .name = "" };
		if (!take_line(&k, line))
			CHECK(false, "a line of the file: %.40s", line);
		if (strncmp(line, "plan ", 5) == 0) {
			run(&k);
			n++;
		}
	}
	CHECK(n >= 60, "the file has %u cases", n);
}

static bool
visible(
    const char *client, const char *model, enum place *place, uint64_t *context)
{
	struct offer offer;
	bool is = offer_make(
	    client_of(client), models_find(config, model), NULL, &offer);

	*place = offer.place;
	*context = offer.context;
	return is;
}

static void
test_visible(void)
{
	enum place place;
	uint64_t context;

	CHECK(visible("owner", "short", &place, &context) &&
		place == PLACE_EXTERNAL && context == 1000,
	    "the owner sees a model as far as it goes");
	CHECK(visible("guest", "short", &place, &context) &&
		place == PLACE_LOCAL && context == 100,
	    "a guest sees its local part");
	CHECK(!visible("guest", "away", &place, &context),
	    "and not what is only away");
	CHECK(visible("kid", "both", &place, &context),
	    "a model is seen by an alias one may use");
	CHECK(!visible("kid", "free", &place, &context), "and not without any");
}

static void
test_upstream_model(void)
{
	struct arena *arena = arena_new();
	const struct model *hub = models_find(config, "hub/a/b");

	CHECK_STR(models_upstream_name(hub, hub->targets, "hub/a/b", arena),
	    "a/b", "the rest of a name is handed on");
	CHECK(models_find(config, "") == NULL, "the empty name is no model");
	arena_free(arena);
}

int
main(void)
{
	FILE *in = fopen(file_in_source("tests/plan.cases"), "r");
	char *mistakes = NULL;
	size_t len;
	FILE *err = open_memstream(&mistakes, &len);

	config = config_load(
	    file_in_source("tests/plan.conf"), CONFIG_NO_SECRETS, err);
	fclose(err);
	if (config == NULL || in == NULL) {
		printf("Bail out! tests/plan.cases, tests/plan.conf: %s\n",
		    mistakes);
		return 99;
	}
	free(mistakes);
	patterns = patterns_new(config, stderr);
	run_all(in);
	test_visible();
	test_upstream_model();
	fclose(in);
	patterns_free(patterns);
	config_free(config);
	return check_done();
}
