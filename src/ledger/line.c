/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a line is parsed quickly: members come in the order of draft.c, so
 * the next name is usually the first guess; strings are skipped by words.
 */
#include "config.h"

#include <stddef.h>
#include <string.h>

#include "ledger/read.h"

enum kind { TEXT, FLAG, NUMBER, TRIES };

struct member {
	const char *name;
	unsigned char len;
	unsigned char kind;
	unsigned short offset;
};

#define MEMBER(name, kind, of, member) \
	name, sizeof(name) - 1, kind, offsetof(of, member)
#define LINE(name, kind, member) MEMBER(name, kind, struct ledger_line, member)
#define TRY(name, kind, member) MEMBER(name, kind, struct ledger_try, member)

/* In the order of draft.c; members of version 1 are at their old places. */
static const struct member line_members[] = {
	{ LINE("v", NUMBER, v) },
	{ LINE("time", TEXT, time) },
	{ LINE("id", TEXT, id) },
	{ LINE("client", TEXT, client) },
	{ LINE("session", TEXT, session) },
	{ LINE("endpoint", TEXT, endpoint) },
	{ LINE("model", TEXT, model) },
	{ LINE("route", TEXT, route) },
	{ LINE("provider", TEXT, provider) },
	{ LINE("upstream_model", TEXT, upstream_model) },
	{ LINE("place", TEXT, place) },
	{ LINE("sent", FLAG, sent) },
	{ LINE("external", FLAG, external) },
	{ LINE("host", TEXT, host) },
	{ LINE("allowed_by", TEXT, allowed_by) },
	{ LINE("private", TEXT, private_rule) },
	{ LINE("tries", TRIES, first) },
	{ LINE("fallback", TEXT, fallback) },
	{ LINE("bridge", TEXT, bridge) },
	{ LINE("stream", FLAG, stream) },
	{ LINE("status", NUMBER, status) },
	{ LINE("refusal", TEXT, refusal) },
	{ LINE("client_gone", FLAG, client_gone) },
	{ LINE("cut", FLAG, cut) },
	{ LINE("bytes_in", NUMBER, bytes_in) },
	{ LINE("bytes_out", NUMBER, bytes_out) },
	{ LINE("bytes_sent", NUMBER, bytes_sent) },
	{ LINE("usage", TEXT, usage) },
	{ LINE("input", NUMBER, input) },
	{ LINE("cached", NUMBER, cached) },
	{ LINE("cache_write", NUMBER, cache_write) },
	{ LINE("output", NUMBER, output) },
	{ LINE("reasoning", NUMBER, reasoning) },
	{ LINE("characters", NUMBER, characters) },
	{ LINE("audio_ms", NUMBER, audio_ms) },
	{ LINE("images", NUMBER, images) },
	{ LINE("cost_nanousd", NUMBER, cost_nanousd) },
	{ LINE("queue_ms", NUMBER, queue_ms) },
	{ LINE("first_byte_ms", NUMBER, first_byte_ms) },
	{ LINE("total_ms", NUMBER, total_ms) },
	{ LINE("gap", FLAG, gap) },
	{ LINE("until", TEXT, until) },
	{ LINE("lost", NUMBER, lost) },
	{ LINE("lost_external", NUMBER, lost_external) },
	{ LINE("gateway", TEXT, gateway) },
	{ LINE("n", NUMBER, n) },
};
static const struct member try_members[] = {
	{ TRY("provider", TEXT, provider) },
	{ TRY("upstream_model", TEXT, upstream_model) },
	{ TRY("place", TEXT, place) },
	{ TRY("host", TEXT, host) },
	{ TRY("allowed_by", TEXT, allowed_by) },
	{ TRY("outcome", TEXT, outcome) },
	{ TRY("sent", FLAG, sent) },
	{ TRY("bytes_sent", NUMBER, bytes_sent) },
	{ TRY("usage", TEXT, usage) },
	{ TRY("input", NUMBER, input) },
	{ TRY("cached", NUMBER, cached) },
	{ TRY("cache_write", NUMBER, cache_write) },
	{ TRY("output", NUMBER, output) },
	{ TRY("reasoning", NUMBER, reasoning) },
	{ TRY("characters", NUMBER, characters) },
	{ TRY("audio_ms", NUMBER, audio_ms) },
	{ TRY("images", NUMBER, images) },
	{ TRY("cost_nanousd", NUMBER, cost_nanousd) },
	{ TRY("first_byte_ms", NUMBER, first_byte_ms) },
	{ TRY("at_ms", NUMBER, at_ms) },
	{ TRY("queue_ms", NUMBER, queue_ms) },
	{ TRY("ms", NUMBER, ms) },
};
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static int64_t
two_digits(const char *p)
{
	return (p[0] - '0') * 10 + (p[1] - '0');
}

static bool
has_shape(const char *p, const char *shape)
{
	for (; *shape != '\0'; p++, shape++)
		if (*shape == '0' ? *p < '0' || *p > '9' : *p != *shape)
			return false;
	return true;
}

/* Days since 1970-01-01 of a day of the Gregorian calendar (Howard Hinnant's
 * days_from_civil). */
static int64_t
days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = y / 400, of_era = y - era * 400;
	int64_t of_year =
	    (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
	    of_year - 719468;
}

/* "2026-11-22T18:47:00.123Z", and no other form. */
static int64_t
time_of(struct span s)
{
	const char *p = s.p;
	int64_t day, second;

	if (s.len != 24 || !has_shape(p, "0000-00-00T00:00:00.000Z"))
		return -1;
	day = days_of(two_digits(p) * 100 + two_digits(p + 2),
	    two_digits(p + 5), two_digits(p + 8));
	second = two_digits(p + 11) * 3600 + two_digits(p + 14) * 60 +
	    two_digits(p + 17);
	return (day * 86400 + second) * 1000 + (p[20] - '0') * 100 +
	    two_digits(p + 21);
}

int64_t
ledger_line_time(struct span line)
{
	static const char shape[] = "{\"v\":0,\"time\":\"";
	const size_t len = sizeof(shape) - 1;

	if (line.len < len + 24 || !has_shape(line.p, shape))
		return -1;
	return time_of((struct span){ line.p + len, 24 });
}

struct cursor {
	const char *p, *end;
	const struct member *members;
	size_t nmembers;
	size_t guess; /* the member that should come next */
};

/* Is one of a word's bytes the repeated one? */
static bool
has_byte(uint64_t word, uint64_t repeated)
{
	uint64_t x = word ^ repeated;

	return ((x - UINT64_C(0x0101010101010101)) & ~x &
		   UINT64_C(0x8080808080808080)) != 0;
}

static const char *
pass_plain(const char *p, const char *end)
{
	uint64_t word;

	for (; (size_t)(end - p) >= sizeof(word); p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		if (has_byte(word, UINT64_C(0x2222222222222222)) ||
		    has_byte(word, UINT64_C(0x5c5c5c5c5c5c5c5c)))
			break;
	}
	return p;
}

/* The inside of the string that begins at the cursor's quote. */
static bool
take_string(struct cursor *c, struct span *out)
{
	const char *p = pass_plain(++c->p, c->end);

	for (; p < c->end && *p != '"'; p++)
		if (*p == '\\')
			p++;
	if (p >= c->end)
		return false;
	*out = (struct span){ c->p, (size_t)(p - c->p) };
	c->p = p + 1;
	return true;
}

/* Skips an object or an array. */
static bool
skip_nested(struct cursor *c)
{
	struct span ignored;
	unsigned depth = 0;

	while (c->p < c->end) {
		switch (*c->p) {
		case '"':
			if (!take_string(c, &ignored))
				return false;
			continue;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			depth--;
			break;
		}
		c->p++;
		if (depth == 0)
			return true;
	}
	return false;
}

/* Is it the member that should come next?  Nothing has to be searched then. */
static const struct member *
take_guessed(struct cursor *c)
{
	const struct member *m = &c->members[c->guess];

	if ((size_t)(c->end - c->p) < m->len + sizeof("\"\":") - 1 ||
	    c->p[0] != '"' || memcmp(c->p + 1, m->name, m->len) != 0 ||
	    c->p[m->len + 1] != '"')
		return NULL;
	c->p += m->len + 2;
	c->guess = c->guess + 1 == c->nmembers ? 0 : c->guess + 1;
	return m;
}

static const struct member *
find_member(struct cursor *c, struct span name)
{
	for (size_t tried = 0; tried < c->nmembers; tried++) {
		const struct member *m = &c->members[c->guess];

		c->guess = c->guess + 1 == c->nmembers ? 0 : c->guess + 1;
		if (m->len == name.len &&
		    memcmp(m->name, name.p, name.len) == 0)
			return m;
	}
	return NULL;
}

/* A number, true, false or null. */
static void
take_bare(struct cursor *c, const struct member *m, void *out)
{
	const char *from = c->p;
	bool digits = false;
	int64_t v = 0;

	for (; c->p < c->end && *c->p != ',' && *c->p != '}'; c->p++)
		if (*c->p >= '0' && *c->p <= '9' && v < INT64_MAX / 20) {
			v = v * 10 + (*c->p - '0');
			digits = true;
		}
	if (m == NULL || c->p == from)
		return;
	if (m->kind == FLAG)
		*(bool *)((char *)out + m->offset) = *from == 't';
	else if (m->kind == NUMBER && digits && *from != '-')
		*(int64_t *)((char *)out + m->offset) = v;
}

static bool take_tries(struct cursor *, struct ledger_line *);

static bool
take_value(struct cursor *c, const struct member *m, void *out)
{
	struct span text;

	switch (*c->p) {
	case '"':
		if (!take_string(c, &text))
			return false;
		if (m != NULL && m->kind == TEXT)
			*(struct span *)((char *)out + m->offset) = text;
		return true;
	case '{':
	case '[':
		return m != NULL && m->kind == TRIES ? take_tries(c, out)
						     : skip_nested(c);
	default:
		take_bare(c, m, out);
		return true;
	}
}

/* The name that begins at the cursor, which moves after it; *m NULL: not one
 * that is wanted. */
static bool
take_name(struct cursor *c, const struct member **m)
{
	struct span name;

	if ((*m = take_guessed(c)) != NULL)
		return true;
	if (c->p >= c->end || *c->p != '"' || !take_string(c, &name))
		return false;
	*m = find_member(c, name);
	c->guess = *m == NULL ? 0 : c->guess;
	return true;
}

/* The object that begins at the cursor, which moves after it. */
static bool
take_object(struct cursor *c, void *out)
{
	const struct member *m;

	if (c->p >= c->end || *c->p++ != '{')
		return false;
	for (;;) {
		if (!take_name(c, &m) || c->p + 1 >= c->end || *c->p != ':')
			return false;
		c->p++;
		if (!take_value(c, m, out) || c->p >= c->end)
			return false;
		if (*c->p == '}') {
			c->p++;
			return true;
		}
		if (*c->p++ != ',')
			return false;
	}
}

/* Where the try's object that begins at p ends; NULL: it is none. */
static const char *
take_try(const char *p, const char *end, struct ledger_try *t)
{
	struct cursor c = { p, end, try_members, LENGTH(try_members), 0 };

	memset(t, 0, sizeof(*t));
	t->cost_nanousd = t->at_ms = t->queue_ms = -1;
	t->first_byte_ms = t->ms = -1;
	return take_object(&c, t) ? c.p : NULL;
}

/* The array that begins at the cursor. */
static bool
take_tries(struct cursor *c, struct ledger_line *l)
{
	const char *behind = take_try(c->p + 1, c->end, &l->first);

	l->tried = behind != NULL;
	if (l->tried && behind < c->end && *behind == ']') {
		l->more_tries = (struct span){ behind, 1 };
		c->p = behind + 1;
		return true;
	}
	if (!skip_nested(c))
		return false;
	if (l->tried)
		l->more_tries =
		    (struct span){ behind, (size_t)(c->p - behind) };
	return true;
}

bool
ledger_line_parse(struct span line, struct ledger_line *out)
{
	struct cursor c = { line.p, line.p + line.len, line_members,
		LENGTH(line_members), 0 };

	memset(out, 0, sizeof(*out));
	out->cost_nanousd = out->queue_ms = -1;
	out->first_byte_ms = out->total_ms = -1;
	if (!take_object(&c, out) || c.p != c.end)
		return false;
	out->wall_ms = time_of(out->time);
	if (out->v == 1)
		out->external = out->sent && span_is(out->place, "external");
	return out->wall_ms >= 0;
}

/* ---- Its tries ---- */

static void
try_of_line(const struct ledger_line *l, struct ledger_try *t)
{
	*t = (struct ledger_try){ .provider = l->provider,
		.upstream_model = l->upstream_model,
		.place = l->place,
		.host = l->host,
		.allowed_by = l->allowed_by,
		.usage = l->usage,
		.sent = l->sent,
		.bytes_sent = l->bytes_sent,
		.input = l->input,
		.cached = l->cached,
		.cache_write = l->cache_write,
		.output = l->output,
		.reasoning = l->reasoning,
		.characters = l->characters,
		.audio_ms = l->audio_ms,
		.images = l->images,
		.cost_nanousd = l->cost_nanousd,
		.at_ms = 0,
		.queue_ms = l->queue_ms,
		.first_byte_ms = l->first_byte_ms,
		.ms = l->total_ms };
}

bool
ledger_try_next(struct ledger_tries *tries, const struct ledger_line *l,
    struct ledger_try *t)
{
	if (!tries->begun) {
		tries->begun = true;
		tries->at = l->more_tries.p;
		if (l->v == 1)
			try_of_line(l, t);
		else
			*t = l->first;
		return l->v == 1 ? l->provider.p != NULL : l->tried;
	}
	if (l->v == 1 || tries->at == NULL || *tries->at != ',')
		return false;
	tries->at =
	    take_try(tries->at + 1, l->more_tries.p + l->more_tries.len, t);
	return tries->at != NULL;
}
