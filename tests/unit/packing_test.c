/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The packing property: however an upstream's response is cut into reads, the
 * client gets the same bytes, the ledger the same numbers, and the fallback the
 * same reason.  Every recorded stream of the tree, at every split into two, at
 * random splits into many, and whole; passed through, with the usage withheld,
 * and bridged; framed by a length, by chunks and by the connection's end; coded
 * or not.  What passes through is compared with a simple implementation of the
 * rules as well.
 *
 * PACKING_SECONDS: how long the random splits go on (default 5); PACKING_SEED;
 * PACKING_RANDOM: do nothing else, for builds with sanitizers.
 */
#include "config.h"

#include <dirent.h>
#include <inttypes.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "check.h"
#include "exchange.h"

#define NAMES_MAX 256

enum framing { BY_LENGTH, BY_CHUNKS, BY_CLOSE, FRAMINGS };
static const char *const framing_names[] = { "length", "chunks", "close" };

struct stream {
	char name[128];
	struct buf body;
};

static struct stream streams[NAMES_MAX];
static size_t nstreams;
static uint64_t seed, packings, differences;

/* xorshift64*: the same everywhere for one seed. */
static uint64_t
draw(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * UINT64_C(2685821657736338717);
}

/* ---- the streams ------------------------------------------------------ */

static void
read_file(const char *path, struct buf *out)
{
	char part[4096];
	FILE *f = fopen(path, "r");
	size_t n;

	buf_init(out, (size_t)1 << 24);
	if (f == NULL)
		return;
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		buf_add(out, part, n);
	fclose(f);
}

static void
add_stream(const char *name, struct buf *body)
{
	struct stream *s = &streams[nstreams];

	if (body->len == 0 || nstreams == NAMES_MAX) {
		buf_free(body);
		return;
	}
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->body = *body;
	nstreams++;
}

/* The files of a directory of the tree; or, with `inner`, that file of each
 * directory in it. */
static void
add_folder(
    const char *top, const char *folder, const char *ending, const char *inner)
{
	char path[1024];
	struct dirent *e;
	struct buf body;
	DIR *d;

	snprintf(path, sizeof(path), "%s/tests/%s", top, folder);
	if ((d = opendir(path)) == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		size_t n = strlen(e->d_name), end = strlen(ending);

		if (e->d_name[0] == '.' || n < end ||
		    strcmp(e->d_name + n - end, ending) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/tests/%s/%s%s%s", top, folder,
		    e->d_name, inner == NULL ? "" : "/",
		    inner == NULL ? "" : inner);
		read_file(path, &body);
		add_stream(e->d_name, &body);
	}
	closedir(d);
}

/* ---- on the wire ------------------------------------------------------ */

/* Encodes the body in one of the three codings that upstreams use; returns the
 * coding's name in the header. */
static const char *
code(struct span body, struct buf *out)
{
	static const struct {
		int bits;
		const char *name;
	} forms[] = { { 15 + 16, "gzip" }, { 15, "deflate" },
		{ -15, "deflate" } };
	static unsigned next;
	unsigned form = next++ % 3;
	z_stream z = { .next_in = (Bytef *)body.p, .avail_in = (uInt)body.len };
	unsigned char *room = malloc(body.len + 1024);

	if (deflateInit2(&z, 9, Z_DEFLATED, forms[form].bits, 8,
		Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	z.next_out = room;
	z.avail_out = (uInt)body.len + 1024;
	if (deflate(&z, Z_FINISH) != Z_STREAM_END)
		abort();
	buf_init(out, z.total_out + 1);
	buf_add(out, room, z.total_out);
	deflateEnd(&z);
	free(room);
	return forms[form].name;
}

static void
add_chunks(struct buf *wire, struct span body, bool random)
{
	while (body.len > 0) {
		size_t n = random ? 1 + draw() % body.len : body.len;

		buf_printf(wire, "%zx\r\n", n);
		buf_add(wire, body.p, n);
		buf_puts(wire, "\r\n");
		body.p += n;
		body.len -= n;
	}
	buf_puts(wire, "0\r\n\r\n");
}

static void
make_wire(struct buf *wire, struct span body, enum framing framing, bool coded,
    const char *type, bool random)
{
	struct buf packed = { 0 };
	const char *name = NULL;

	if (coded) {
		name = code(body, &packed);
		body = buf_span(&packed);
	}
	buf_init(wire, (size_t)1 << 24);
	buf_printf(wire, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n", type);
	if (coded)
		buf_printf(wire, "Content-Encoding: %s\r\n", name);
	if (framing == BY_LENGTH)
		buf_printf(wire, "Content-Length: %zu\r\n\r\n", body.len);
	else if (framing == BY_CHUNKS)
		buf_puts(wire, "Transfer-Encoding: chunked\r\n\r\n");
	else
		buf_puts(wire, "\r\n");
	if (framing == BY_CHUNKS)
		add_chunks(wire, body, random);
	else
		buf_add(wire, body.p, body.len);
	buf_free(&packed);
}

/* ---- cuts ------------------------------------------------------------- */

static size_t
whole(void *ctx, size_t left)
{
	(void)ctx;
	return left;
}

/* Cuts at one place. */
static size_t
in_two(void *ctx, size_t left)
{
	size_t *at = ctx, n = *at;

	*at = 0;
	return n > 0 && n < left ? n : left;
}

/* Pieces of up to *most bytes. */
static size_t
at_random(void *ctx, size_t left)
{
	size_t most = *(size_t *)ctx, n = 1 + draw() % most;

	return n < left ? n : left;
}

/* ---- what must be the same -------------------------------------------- */

static bool
same(const struct exchange_seen *a, const struct exchange_seen *b)
{
	return a->out.len == b->out.len &&
	    (a->out.len == 0 || memcmp(a->out.p, b->out.p, a->out.len) == 0) &&
	    a->result.end == b->result.end &&
	    a->result.reason == b->result.reason &&
	    a->result.health == b->result.health && a->ended == b->ended &&
	    a->usage.reported == b->usage.reported &&
	    a->usage.input == b->usage.input &&
	    a->usage.output == b->usage.output;
}

static void
show(const char *what, const struct exchange_seen *seen)
{
	printf("# %s: end %d, reason %u, %" PRIu64 " in, %" PRIu64 " out\n",
	    what, (int)seen->result.end, seen->result.reason, seen->usage.input,
	    seen->usage.output);
	for (size_t i = 0; i < seen->out.len; i++) {
		char c = seen->out.p[i];

		if (i == 0 || seen->out.p[i - 1] == '\n')
			printf("#   ");
		if (c == '\r')
			printf("\\r");
		else
			putchar(c);
	}
	putchar('\n');
}

static void
compare(const struct exchange_ask *ask, struct span wire,
    size_t (*cut)(void *, size_t), size_t arg, uint64_t from,
    const struct exchange_seen *want, const char *what)
{
	struct exchange_seen got;

	exchange_run(ask, wire, cut, &arg, &got);
	packings++;
	if (!same(want, &got) && differences++ < 3) {
		printf(
		    "# %s: a packing differs (seed %" PRIu64 ")\n", what, from);
		show("whole", want);
		show("cut", &got);
	}
	buf_free(&got.out);
}

/* ---- the modes -------------------------------------------------------- */

struct mode {
	const char *name;
	struct exchange_ask ask;
};

static const struct mode chat_modes[] = {
	{ "pass", { .endpoint = ENDPOINT_CHAT, .stream = true } },
	{ "withheld",
	    { .endpoint = ENDPOINT_CHAT, .stream = true, .withhold = true } },
	{ "responses",
	    { .endpoint = ENDPOINT_RESPONSES,
		.stream = true,
		.bridged = true } },
	{ "messages",
	    { .endpoint = ENDPOINT_MESSAGES,
		.stream = true,
		.bridged = true } },
	{ "not streamed", { .endpoint = ENDPOINT_CHAT } },
	{ "not streamed, bridged",
	    { .endpoint = ENDPOINT_RESPONSES, .bridged = true } },
};
static const struct mode responses_modes[] = {
	{ "pass", { .endpoint = ENDPOINT_RESPONSES, .stream = true } },
};
static const struct mode messages_modes[] = {
	{ "pass", { .endpoint = ENDPOINT_MESSAGES, .stream = true } },
};

/* Which API a recorded stream speaks, by its first words.  A bridge's stream is
 * a chat one whatever its directory is called. */
static size_t
modes_of(const struct stream *s, const struct mode **modes)
{
	bool events =
	    memmem(s->body.p, s->body.len, "chat.completion", 15) != NULL ||
	    memmem(s->body.p, s->body.len, "\"choices\"", 9) != NULL;

	*modes = chat_modes;
	if (!events && strncmp(s->name, "responses-", 10) == 0)
		*modes = responses_modes;
	else if (!events && strncmp(s->name, "messages-", 9) == 0)
		*modes = messages_modes;
	return *modes == chat_modes ? sizeof(chat_modes) / sizeof(*chat_modes)
				    : 1;
}

static void
each_mode(void (*f)(const struct stream *, const struct mode *, enum framing,
    bool coded, const char *type))
{
	static const char *const types[] = { "text/event-stream",
		"application/json", "text/plain; charset=utf-8" };
	const struct mode *modes;

	for (size_t i = 0; i < nstreams; i++) {
		size_t n = modes_of(&streams[i], &modes);

		for (size_t m = 0; m < n; m++)
			for (int k = 0; k < FRAMINGS * 2; k++)
				f(&streams[i], &modes[m], (enum framing)(k / 2),
				    k % 2 == 1, types[(i + m + (size_t)k) % 3]);
	}
}

static void
every_split(const struct stream *s, const struct mode *m, enum framing framing,
    bool coded, const char *type)
{
	struct exchange_seen want;
	struct buf wire;
	char what[256];

	snprintf(what, sizeof(what), "%s, %s, by %s, %s, %s", s->name, m->name,
	    framing_names[framing], coded ? "coded" : "plain", type);
	make_wire(&wire, buf_span(&s->body), framing, coded, type, false);
	exchange_run(&m->ask, buf_span(&wire), whole, NULL, &want);
	for (size_t at = 1; at < wire.len; at++)
		compare(&m->ask, buf_span(&wire), in_two, at, 0, &want, what);
	compare(&m->ask, buf_span(&wire), at_random, 1, 0, &want, what);
	buf_free(&want.out);
	buf_free(&wire);
}

static void
random_splits(const struct stream *s, const struct mode *m,
    enum framing framing, bool coded, const char *type)
{
	static const size_t most[] = { 2, 9, 40, 200, 3000 };
	struct exchange_seen want;
	struct buf wire;
	char what[256];
	uint64_t from = seed;

	snprintf(what, sizeof(what), "%s, %s, by %s, %s, %s, random", s->name,
	    m->name, framing_names[framing], coded ? "coded" : "plain", type);
	make_wire(&wire, buf_span(&s->body), framing, coded, type, false);
	exchange_run(&m->ask, buf_span(&wire), whole, NULL, &want);
	buf_free(&wire);
	make_wire(&wire, buf_span(&s->body), framing, coded, type, true);
	for (size_t i = 0; i < sizeof(most) / sizeof(*most); i++)
		compare(&m->ask, buf_span(&wire), at_random, most[i], from,
		    &want, what);
	buf_free(&want.out);
	buf_free(&wire);
}

/* ---- framings beside each other --------------------------------------- */

static bool
has_end(const struct stream *s)
{
	static const char *const ends[] = { "[DONE]", "response.completed",
		"message_stop" };

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (memmem(s->body.p, s->body.len, ends[i], strlen(ends[i])) !=
		    NULL)
			return true;
	return false;
}

/* A stream that is complete ends the same, whatever its framing. */
static void
test_framings(void)
{
	const struct mode *modes;
	size_t wrong = 0, tried = 0;

	for (size_t i = 0; i < nstreams; i++) {
		size_t n = modes_of(&streams[i], &modes);

		for (size_t m = 0; m < n; m++) {
			struct exchange_seen seen[FRAMINGS * 2];
			struct buf wire;

			for (int k = 0; k < FRAMINGS * 2; k++) {
				make_wire(&wire, buf_span(&streams[i].body),
				    (enum framing)(k / 2), k % 2 == 1,
				    "text/event-stream", false);
				exchange_run(&modes[m].ask, buf_span(&wire),
				    whole, NULL, &seen[k]);
				buf_free(&wire);
			}
			/* In [4], only the connection's end frames the stream:
			 * without an end of its own, it may have lost the
			 * rest. */
			for (int k = 1; k < FRAMINGS * 2; k++) {
				if (k == 4 && !has_end(&streams[i]))
					continue;
				tried++;
				if (same(&seen[0], &seen[k]) || wrong++ > 2)
					continue;
				printf("# %s, %s: framing %d differs\n",
				    streams[i].name, modes[m].name, k);
				show("by length", &seen[0]);
				show("so", &seen[k]);
			}
			for (int k = 0; k < FRAMINGS * 2; k++)
				buf_free(&seen[k].out);
		}
	}
	CHECK(wrong == 0 && tried > 0, "%zu framings, the same bytes", tried);
}

/* ---- the rules, read plainly ------------------------------------------ */

/* What a chat client gets of these bytes when the usage is withheld: all except
 * events that hold only usage, up to the end of [DONE], without blanks around
 * it. */
static void
plainly(struct span s, const char *blank, struct buf *out)
{
	size_t len = strlen(blank);

	while (s.len > 0) {
		const char *end = memmem(s.p, s.len, blank, len);
		size_t n = end == NULL ? s.len : (size_t)(end - s.p) + len;

		bool last = memmem(s.p, n, "[DONE]", 6) != NULL;

		if (last && end != NULL && n != 12 + len)
			buf_puts(out, "data: [DONE]\n\n");
		else if (memmem(s.p, n, "\"choices\":[],\"usage\"", 20) == NULL)
			buf_add(out, s.p, n);
		if (last)
			return;
		s.p += n;
		s.len -= n;
	}
}

static void
test_rules(void)
{
	static const struct {
		const char *name, *blank;
	} rows[] = { { "usage-last.sse", "\n\n" },
		{ "usage-crlf.sse", "\r\n\r\n" }, { "usage-cr.sse", "\r\r" },
		{ "usage-between.sse", "\n\n" }, { "pings.sse", "\n\n" },
		{ "lines.sse", "\n\n" }, { "no-done.sse", "\n\n" } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct exchange_seen seen;
		struct buf wire, want;
		const char *body = NULL;

		buf_init(&want, 1 << 20);
		for (size_t k = 0; k < nstreams; k++) {
			if (strcmp(streams[k].name, rows[i].name) != 0)
				continue;
			plainly(
			    buf_span(&streams[k].body), rows[i].blank, &want);
			make_wire(&wire, buf_span(&streams[k].body), BY_CHUNKS,
			    false, "text/event-stream", false);
			exchange_run(&chat_modes[1].ask, buf_span(&wire), whole,
			    NULL, &seen);
			buf_free(&wire);
			body = strstr(seen.out.p, "\r\n\r\n");
		}
		CHECK_STR(body == NULL ? NULL : body + 4, want.p,
		    "%s: the client gets all but the usage", rows[i].name);
		if (body != NULL)
			buf_free(&seen.out);
		buf_free(&want);
	}
}

/* ---- streams that break off ------------------------------------------- */

static bool
says_how_it_ended(const struct exchange_seen *seen)
{
	static const char *const ends[] = { "error", "message_stop",
		"response.completed", "response.incomplete",
		"response.failed" };

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (memmem(seen->out.p, seen->out.len, ends[i],
			strlen(ends[i])) != NULL)
			return true;
	return seen->out.len == 0 || seen->cut;
}

/* Wherever the stream breaks off, within an event or between two, a bridge's
 * client notices: by an error, or by a response that is cut. */
static void
test_broken_off(void)
{
	size_t tried = 0, silent = 0;

	for (size_t i = 0; i < nstreams; i++)
		for (size_t m = 2; m < 4; m++) {
			struct exchange_seen seen;
			struct buf wire;

			make_wire(&wire, buf_span(&streams[i].body), BY_CLOSE,
			    false, "text/event-stream", false);
			for (size_t n = 1; n < wire.len;
			     n += 1 + wire.len / 300) {
				exchange_run(&chat_modes[m].ask,
				    (struct span){ wire.p, n }, whole, NULL,
				    &seen);
				if (!says_how_it_ended(&seen) && silent++ < 3) {
					printf("# %s, %s, %zu bytes\n",
					    streams[i].name, chat_modes[m].name,
					    n);
					show("broken off", &seen);
				}
				buf_free(&seen.out);
				tried++;
			}
			buf_free(&wire);
		}
	CHECK(tried > 1000 && silent == 0,
	    "%zu bridged streams that break off: their clients are told",
	    tried);
}

/* ---- what comes last in a whole response ------------------------------ */

/* However large the response is, its failure counts against the provider. */
static void
test_late(void)
{
	static const struct {
		const char *name, *begin, *end;
		struct exchange_ask ask;
		bool failed;
	} rows[] = {
		{ "Responses, failed", "{\"output\":[{\"text\":\"",
		    "\"}],\"status\":\"failed\"}",
		    { .endpoint = ENDPOINT_RESPONSES }, true },
		{ "Responses, incomplete", "{\"output\":[{\"text\":\"",
		    "\"}],\"incomplete_details\":{\"reason\":"
		    "\"max_output_tokens\"},\"status\":\"incomplete\"}",
		    { .endpoint = ENDPOINT_RESPONSES }, false },
		{ "Messages, an error", "{\"content\":[{\"text\":\"",
		    "\"}],\"type\":\"error\",\"error\":{\"type\":"
		    "\"api_error\"}}",
		    { .endpoint = ENDPOINT_MESSAGES }, true },
		{ "chat, an error", "{\"choices\":[{\"text\":\"",
		    "\"}],\"error\":{\"code\":500}}",
		    { .endpoint = ENDPOINT_CHAT }, true },
		{ "chat, a reason", "{\"choices\":[{\"text\":\"",
		    "\",\"finish_reason\":\"error\"}]}",
		    { .endpoint = ENDPOINT_CHAT }, true },
	};
	static const size_t sizes[] = { 10, 70000, 200000 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (size_t k = 0; k < sizeof(sizes) / sizeof(*sizes); k++) {
			struct exchange_seen seen;
			struct buf body, wire;

			buf_init(&body, (size_t)1 << 20);
			buf_puts(&body, rows[i].begin);
			for (size_t n = 0; n < sizes[k]; n += 10)
				buf_puts(&body, "0123456789");
			buf_puts(&body, rows[i].end);
			make_wire(&wire, buf_span(&body), BY_CHUNKS, false,
			    "application/json", true);
			exchange_run(&rows[i].ask, buf_span(&wire), at_random,
			    &(size_t){ 4096 }, &seen);
			CHECK(seen.result.health ==
				    (rows[i].failed ? HEALTH_ERROR
						    : HEALTH_OK) &&
				(seen.result.end == RELAY_SERVED) ==
				    !rows[i].failed,
			    "%s after %zu bytes: end %d, health %d",
			    rows[i].name, sizes[k], (int)seen.result.end,
			    (int)seen.result.health);
			buf_free(&seen.out);
			buf_free(&wire);
			buf_free(&body);
		}
}

static void
test_in_order(void)
{
	test_rules();
	test_framings();
	test_broken_off();
	test_late();

	each_mode(every_split);
	CHECK(differences == 0, "%" PRIu64 " packings, every split into two",
	    packings);
	packings = 0;
}

int
main(void)
{
	const char *top = getenv("abs_srcdir"), *s = getenv("PACKING_SECONDS");
	long seconds = s == NULL ? 5 : strtol(s, NULL, 10);
	time_t until;

	if (top == NULL)
		top = ".";
	s = getenv("PACKING_SEED");
	seed = s != NULL ? strtoull(s, NULL, 10) : (uint64_t)time(NULL);
	seed = seed * 2 + 1;
	add_folder(top, "replies", ".body", NULL);
	add_folder(top, "packing", ".sse", NULL);
	add_folder(top, "bridge", "", "stream.sse");
	CHECK(nstreams >= 50, "%zu recorded streams", nstreams);
	if (getenv("PACKING_RANDOM") == NULL)
		test_in_order();
	printf("# seed %" PRIu64 "\n", seed);
	until = time(NULL) + seconds;
	do
		each_mode(random_splits);
	while (time(NULL) < until);
	CHECK(differences == 0, "%" PRIu64 " packings at random", packings);
	for (size_t i = 0; i < nstreams; i++)
		buf_free(&streams[i].body);
	return check_done();
}
