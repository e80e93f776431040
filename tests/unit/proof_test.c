/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A proof by search: thousands of random configurations and requests.
 *
 *  - No plan ever lets an external target be tried if the client, the model,
 *    the header or a private pattern says local; and none is left out by place
 *    without one of them.
 *  - config_load() refuses a configuration exactly if a local model names an
 *    external target, and it names that path.
 *
 * The test works out what may leave from the draft that the configuration was
 * made from, not from anything in the plan.  TAILGATE_SEED sets the seed.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "policy/plan.h"
#include "check.h"

#define PROVIDERS 5
#define MODELS 4
#define TARGETS 4
#define CLIENTS 3
#define LOADS 400 /* configurations through config_load() */
#define IN_MEMORY 4000 /* configurations as structs */
#define REQUESTS 10 /* for each configuration */
#define SECRET "TOPSECRET-1"

enum said { UNSAID, SAID_LOCAL, SAID_EXTERNAL };

struct draft_target {
	unsigned provider, context, weight;
	enum tri images, tools;
	bool priced;
};

struct draft {
	bool external[PROVIDERS];
	struct {
		enum said place;
		unsigned ntargets, fallback, attempts, select;
		bool sticky, prefix;
		struct draft_target targets[TARGETS];
	} models[MODELS];
	enum said clients[CLIENTS];
};

struct request {
	unsigned client, model;
	bool header_local, private;
	unsigned max_tokens, hiding;
	bool images, tools;
};

static uint64_t state;

static unsigned
dice(unsigned sides)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)((state >> 11) % sides);
}

static void
draw_target(struct draft_target *t)
{
	t->provider = dice(PROVIDERS);
	t->context = dice(2) ? 0 : 50 + dice(2000);
	t->weight = 1 + dice(3);
	t->images = (enum tri)dice(3);
	t->tools = (enum tri)dice(3);
	t->priced = dice(2);
}

static void
draw(struct draft *d)
{
	unsigned i, j;

	for (i = 0; i < PROVIDERS; i++)
		d->external[i] = dice(2);
	for (i = 0; i < MODELS; i++) {
		/* Seldom local, or hardly any draft would be accepted. */
		d->models[i].place = dice(4) ? SAID_EXTERNAL
		    : dice(2)                ? SAID_LOCAL
					     : UNSAID;
		d->models[i].ntargets = 1 + dice(TARGETS);
		d->models[i].fallback = 1 + dice((1u << FALLBACK_COUNT) - 1);
		d->models[i].attempts = 1 + dice(5);
		d->models[i].select = dice(5);
		d->models[i].sticky = dice(2);
		d->models[i].prefix = dice(4) == 0;
		for (j = 0; j < d->models[i].ntargets; j++)
			draw_target(&d->models[i].targets[j]);
		/* Often all targets are local, for the same reason. */
		for (j = 0; d->models[i].place != SAID_EXTERNAL && dice(4) &&
		     j < d->models[i].ntargets;
		     j++)
			while (d->external[d->models[i].targets[j].provider] &&
			    dice(20))
				d->models[i].targets[j].provider =
				    dice(PROVIDERS);
	}
	for (i = 0; i < CLIENTS; i++)
		d->clients[i] = dice(2) ? SAID_EXTERNAL
		    : dice(2)           ? SAID_LOCAL
					: UNSAID;
}

/* Is there a local model that names an external target? */
static bool
leaks(const struct draft *d, unsigned *model, unsigned *provider)
{
	unsigned i, j;

	for (i = 0; i < MODELS; i++)
		for (j = 0; d->models[i].place != SAID_EXTERNAL &&
		     j < d->models[i].ntargets;
		     j++)
			if (d->external[d->models[i].targets[j].provider]) {
				*model = i;
				*provider = d->models[i].targets[j].provider;
				return true;
			}
	return false;
}

static bool
may_leave(const struct draft *d, const struct request *r)
{
	return d->clients[r->client] == SAID_EXTERNAL &&
	    d->models[r->model].place == SAID_EXTERNAL && !r->header_local &&
	    !r->private;
}

static const char *const selects[] = { "order", "round_robin", "least_busy",
	"cheapest", "fastest" };

static void
write_place(struct buf *out, enum said said)
{
	if (said != UNSAID)
		buf_printf(out, " place = \"%s\";",
		    said == SAID_LOCAL ? "local" : "external");
}

static void
write_target(
    struct buf *out, const struct draft_target *t, unsigned j, bool prefix)
{
	static const char *const tri[] = { NULL, "false", "true" };

	buf_printf(out, "%s { provider = \"p%u\"; weight = %u;",
	    j == 0 ? "" : ",", t->provider, t->weight);
	if (prefix && j == 0)
		buf_puts(out, " model = \"*\";");
	else
		buf_printf(out, " model = \"t%u\";", j);
	if (t->context != 0)
		buf_printf(out, " context = %u;", t->context);
	if (t->images != TRI_UNSET)
		buf_printf(out, " images = %s;", tri[t->images]);
	if (t->tools != TRI_UNSET)
		buf_printf(out, " tools = %s;", tri[t->tools]);
	if (t->priced)
		buf_puts(out, " price = { input = 1.0; output = 2.0; };");
	buf_puts(out, " }");
}

static void
write_model(struct buf *out, const struct draft *d, unsigned i)
{
	unsigned j;

	buf_printf(out, "%s { id = \"m%u%s\";", i == 0 ? "" : ",\n", i,
	    d->models[i].prefix ? "/*" : "");
	write_place(out, d->models[i].place);
	buf_printf(out, " max_attempts = %u; select = \"%s\"; sticky = %s;",
	    d->models[i].attempts, selects[d->models[i].select],
	    d->models[i].sticky ? "true" : "false");
	buf_puts(out, " fallback = [");
	for (j = 0; j < FALLBACK_COUNT; j++)
		if (d->models[i].fallback & 1u << j)
			buf_printf(out, "%s \"%s\"",
			    d->models[i].fallback & ((1u << j) - 1) ? "," : "",
			    fallback_name((enum fallback)(1u << j)));
	buf_puts(out, " ]; targets = (");
	for (j = 0; j < d->models[i].ntargets; j++)
		write_target(
		    out, &d->models[i].targets[j], j, d->models[i].prefix);
	buf_puts(out, " ); }");
}

static void
write_config(struct buf *out, const struct draft *d)
{
	unsigned i;

	buf_puts(out,
	    "runtime_dir = \"/nonexistent\"; state_dir = \"/nonexistent\";\n"
	    "private = ( { name = \"s\"; pattern = \"TOPSECRET-[0-9]\"; } "
	    ");\nproviders = (");
	for (i = 0; i < PROVIDERS; i++)
		buf_printf(out,
		    "%s { name = \"p%u\"; place = \"%s\"; url = \"%s\"; }",
		    i == 0 ? "" : ",", i, d->external[i] ? "external" : "local",
		    d->external[i] ? "https://away.example/v1"
				   : "http://127.0.0.1:1/v1");
	buf_puts(out, " );\nmodels = (");
	for (i = 0; i < MODELS; i++)
		write_model(out, d, i);
	buf_puts(out, " );\nclients = (");
	for (i = 0; i < CLIENTS; i++) {
		buf_printf(out, "%s { name = \"c%u\"; user = \"c%u\";",
		    i == 0 ? "" : ",", i, i);
		write_place(out, d->clients[i]);
		buf_puts(out, " }");
	}
	buf_puts(out, " );\n");
}

/* The same as structs, without the loader, so that drafts that it refuses are
 * planned as well. */
struct memory {
	struct config config;
	struct provider providers[PROVIDERS];
	struct model models[MODELS];
	struct target targets[MODELS][TARGETS];
	struct client clients[CLIENTS];
	struct private_rule rule;
	char names[PROVIDERS + MODELS + CLIENTS][8];
};

static const char *const any[] = { "*" };

static void
fill_target(struct target *t, const struct draft_target *d,
    const struct provider *providers, bool star)
{
	*t = (struct target){ .provider = &providers[d->provider],
		.model = star ? "*" : "t",
		.weight = d->weight,
		.context = d->context,
		.images = d->images,
		.tools = d->tools,
		.endpoints = endpoint_all_upstream(),
		.price = { 1, 1, 1, 1, 1, 1, 1, 1, d->priced } };
}

static void
fill_model(struct memory *m, const struct draft *d, unsigned i)
{
	unsigned j;

	snprintf(m->names[PROVIDERS + i], 8, "m%u%s", i,
	    d->models[i].prefix ? "/*" : "");
	m->models[i] = (struct model){ .id = m->names[PROVIDERS + i],
		.index = i,
		.prefix = d->models[i].prefix,
		.place = d->models[i].place == SAID_EXTERNAL ? PLACE_EXTERNAL
							     : PLACE_LOCAL,
		.targets = m->targets[i],
		.ntargets = d->models[i].ntargets,
		.fallback = d->models[i].fallback,
		.max_attempts = d->models[i].attempts,
		.select = (enum select)d->models[i].select,
		.sticky = d->models[i].sticky };
	for (j = 0; j < d->models[i].ntargets; j++)
		fill_target(&m->targets[i][j], &d->models[i].targets[j],
		    m->providers, d->models[i].prefix && j == 0);
}

static void
fill(struct memory *m, const struct draft *d)
{
	unsigned i;

	memset(m, 0, sizeof(*m));
	for (i = 0; i < PROVIDERS; i++) {
		snprintf(m->names[i], 8, "p%u", i);
		m->providers[i] = (struct provider){ .name = m->names[i],
			.index = i,
			.learn = true,
			.place =
			    d->external[i] ? PLACE_EXTERNAL : PLACE_LOCAL };
	}
	for (i = 0; i < MODELS; i++)
		fill_model(m, d, i);
	for (i = 0; i < CLIENTS; i++) {
		char *name = m->names[PROVIDERS + MODELS + i];

		snprintf(name, 8, "c%u", i);
		m->clients[i] = (struct client){ .name = name,
			.index = i,
			.models = any,
			.nmodels = 1,
			.endpoints = UINT32_MAX,
			.place = d->clients[i] == SAID_EXTERNAL ? PLACE_EXTERNAL
								: PLACE_LOCAL };
	}
	m->rule = (struct private_rule){ "s", "TOPSECRET-[0-9]", NULL };
	m->config = (struct config){ .providers = m->providers,
		.nproviders = PROVIDERS,
		.models = m->models,
		.nmodels = MODELS,
		.clients = m->clients,
		.nclients = CLIENTS,
		.privates = &m->rule,
		.nprivates = 1,
		.private_max_bytes = 1 << 20,
		.private_max_ms = 60000 };
}

static void
draw_request(struct request *r)
{
	r->client = dice(CLIENTS);
	r->model = dice(MODELS);
	r->header_local = dice(4) == 0;
	r->private = dice(4) == 0;
	r->max_tokens = dice(2) ? 0 : dice(3000);
	r->hiding = dice(6);
	r->images = dice(4) == 0;
	r->tools = dice(4) == 0;
}

/* Puts the secret, if there is one, somewhere in the body. */
static void
write_body(struct buf *out, const struct draft *d, const struct request *r)
{
	static const char *const places[] = {
		",\"user\":\"" SECRET "\"",
		",\"metadata\":{\"" SECRET "\":1}",
		",\"x\":[[[{\"y\":\"a " SECRET " b\"}]]]",
		",\"stop\":[\"\\u0054OPSECRET\\u002D1\"]",
		",\"prediction\":{\"content\":\"\\n" SECRET "\"}",
		",\"messages\":[{\"role\":\"tool\",\"content\":[{\"type\":"
		"\"text\",\"text\":\"" SECRET "\"}]}]",
	};

	buf_printf(out, "{\"model\":\"m%u%s\"", r->model,
	    d->models[r->model].prefix ? "/x" : "");
	if (r->max_tokens != 0)
		buf_printf(out, ",\"max_tokens\":%u", r->max_tokens);
	if (r->tools)
		buf_puts(out, ",\"tools\":[{}]");
	if (r->images)
		buf_puts(out,
		    ",\"input\":[{\"content\":[{\"type\":"
		    "\"image_url\",\"image_url\":\"x\"}]}]");
	if (r->private)
		buf_puts(out, places[r->hiding]);
	buf_puts(out, "}");
}

static struct tally {
	unsigned plans, left, narrowed, refused, wrong_out, wrong_place,
	    wrong_ceiling, wrong_parse, too_many;
} tally;

static void
judge(const struct plan *plan, bool allowed, unsigned attempts)
{
	bool left = false;
	size_t i;

	for (i = 0; i < plan->ncandidates; i++) {
		const struct candidate *c = &plan->candidates[i];
		bool external = c->target->provider->place == PLACE_EXTERNAL;

		if (c->verdict == VERDICT_IN && external && !allowed)
			tally.wrong_out++;
		if ((c->verdict == VERDICT_PLACE) != (external && !allowed))
			tally.wrong_place++;
		left |= c->verdict == VERDICT_IN && external;
		if (c->verdict == VERDICT_PLACE && i == 0)
			tally.narrowed++;
	}
	tally.plans++;
	tally.left += left;
	tally.refused += plan->nin == 0;
	tally.too_many += plan->nin > attempts;
	tally.wrong_ceiling += (plan->ceiling == PLACE_EXTERNAL) != allowed ||
	    (plan->ceiling_by == NULL) != allowed;
}

static void
draw_facts(struct facts_provider rows[PROVIDERS], struct facts_limit *limit,
    struct facts *facts)
{
	unsigned i;

	for (i = 0; i < PROVIDERS; i++)
		rows[i] = (struct facts_provider){
			.open_ms = dice(4) ? 0 : (int64_t)dice(9000) - 1,
			.in_flight = dice(9),
			.first_byte_ms = dice(900),
		};
	*limit = (struct facts_limit){ .used = 0 };
	*facts = (struct facts){
		.providers = rows, .limits = limit, .rotation = dice(1000)
	};
}

static void
run_request(const struct config *config, const struct patterns *patterns,
    const struct draft *d, struct arena *arena)
{
	struct facts_provider rows[PROVIDERS];
	struct facts_limit limit;
	struct call call = { .header_local = false };
	struct refused refused;
	struct request r;
	struct facts facts;
	struct plan plan;
	struct buf body;

	draw_request(&r);
	draw_facts(rows, &limit, &facts);
	buf_init(&body, 65536);
	write_body(&body, d, &r);
	call.header_local = r.header_local;
	if (call_parse_json(config, patterns, ENDPOINT_CHAT, buf_span(&body),
		arena, &call, &refused) == 0) {
		plan_make(config, &config->clients[r.client], &call, &facts,
		    arena, &plan);
		if (plan.model == NULL)
			tally.wrong_parse++;
		judge(&plan, may_leave(d, &r), d->models[r.model].attempts);
	} else
		tally.wrong_parse++;
	buf_free(&body);
	arena_reset(arena);
}

static void
run_requests(const struct config *config, const struct draft *d)
{
	struct patterns *patterns = patterns_new(config, stderr);
	struct arena *arena = arena_new();
	unsigned i;

	for (i = 0; i < REQUESTS; i++)
		run_request(config, patterns, d, arena);
	arena_free(arena);
	patterns_free(patterns);
}

static void
report(const char *what)
{
	printf("# %s: %u plans, %u may leave, %u narrowed at once, %u "
	       "refused\n",
	    what, tally.plans, tally.left, tally.narrowed, tally.refused);
	CHECK(tally.wrong_out == 0,
	    "%s: no external target under a local ceiling", what);
	CHECK(tally.wrong_place == 0,
	    "%s: out by place exactly where a ceiling says so", what);
	CHECK(
	    tally.wrong_ceiling == 0, "%s: the ceiling is the narrowest", what);
	CHECK(tally.wrong_parse == 0, "%s: every request was understood", what);
	CHECK(tally.too_many == 0, "%s: never more than max_attempts", what);
	CHECK(tally.left > 100 && tally.narrowed > 100 && tally.refused > 100,
	    "%s: the search saw all sides", what);
	tally = (struct tally){ 0 };
}

static struct config *
load(const struct draft *d, char **mistakes)
{
	char file[] = "/tmp/tailgate-proof.XXXXXX";
	struct config *config = NULL;
	size_t len;
	FILE *err = open_memstream(mistakes, &len);
	int fd = mkstemp(file);
	struct buf text;

	buf_init(&text, 1 << 20);
	write_config(&text, d);
	if (fd != -1 && write(fd, text.p, text.len) == (ssize_t)text.len)
		config = config_load(file, CONFIG_NO_SECRETS, err);
	fclose(err);
	close(fd);
	unlink(file);
	buf_free(&text);
	return config;
}

/* Does a line name the whole path, and no line say anything else? */
static bool
names_path(const char *mistakes, unsigned model, unsigned provider)
{
	char id[32], name[32];
	bool found = false;
	const char *line, *end;

	snprintf(id, sizeof(id), "model \"m%u", model);
	snprintf(name, sizeof(name), "provider p%u", provider);
	for (line = mistakes; *line != '\0'; line = end) {
		char text[1024];

		end = line + strcspn(line, "\n");
		snprintf(text, sizeof(text), "%.*s", (int)(end - line), line);
		end += *end == '\n';
		if (strstr(text, "warning: ") != NULL)
			continue;
		if (strstr(text, " -> target ") == NULL)
			return false;
		found |= strstr(text, id) != NULL && strstr(text, name) != NULL;
	}
	return found;
}

static void
prove_loader(void)
{
	unsigned i, accepted = 0, refused = 0, wrong = 0, unnamed = 0;
	unsigned model, provider;

	for (i = 0; i < LOADS; i++) {
		struct draft d;
		char *mistakes = NULL;
		struct config *config;

		draw(&d);
		config = load(&d, &mistakes);
		if ((config == NULL) != leaks(&d, &model, &provider)) {
			wrong++;
			printf("# %s", mistakes);
		} else if (config == NULL) {
			refused++;
			unnamed += !names_path(mistakes, model, provider);
		} else {
			accepted++;
			run_requests(config, &d);
		}
		config_free(config);
		free(mistakes);
	}
	printf("# %u accepted, %u refused\n", accepted, refused);
	CHECK(wrong == 0, "refused exactly where a local model leads out");
	CHECK(unnamed == 0, "and each time the path is named");
	CHECK(
	    accepted >= LOADS / 10 && refused >= LOADS / 10, "enough of both");
	report("loaded");
}

static void
prove_plan(void)
{
	static struct memory memory;
	struct draft d;
	unsigned i;

	for (i = 0; i < IN_MEMORY; i++) {
		draw(&d);
		fill(&memory, &d);
		run_requests(&memory.config, &d);
	}
	report("in memory");
}

int
main(void)
{
	const char *seed = getenv("TAILGATE_SEED");

	state = seed == NULL ? 20261122 : strtoull(seed, NULL, 10);
	if (state == 0)
		state = 1;
	printf("# seed %" PRIu64 "\n", state);
	prove_loader();
	prove_plan();
	return check_done();
}
