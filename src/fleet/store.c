/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The store's two connections: the handshake, the engine that is found, the
 * channels that are listened to, and what is logged.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "fleet/store_internal.h"

/* A silence of this many call timeouts ends a connection. */
#define PATIENCE_TIMES 4
#define PATIENCE_MIN_MS 1000
/* The watcher is called at most this often, except when the store goes up or
 * away. */
#define NOTE_MS 500
/* A right that is missing is said so often. */
#define RIGHT_EVERY_MS 600000

int64_t
store_patience_ms(const struct store *s)
{
	int64_t ms = s->settings->timeout_ms * PATIENCE_TIMES;

	return ms > PATIENCE_MIN_MS ? ms : PATIENCE_MIN_MS;
}

/* ---- logging ----------------------------------------------------------- */

void
store_failed(struct store *s, const char *fmt, ...)
{
	char why[sizeof(s->why)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	if (s->ending)
		return;
	/* Logs each new failure once, not each try. */
	if (s->said_up || strcmp(why, s->why) != 0)
		log_warn("store: away: %s", why);
	s->said_up = false;
	strlcpy(s->why, why, sizeof(s->why));
}

static void
say_up(struct store *s)
{
	s->since_wall_ms = clock_wall_ms();
	s->nmoves = 0;
	if (!s->said_up)
		log_info("store: %s, run %.8s", s->version, s->run);
	s->said_up = true;
}

/* ---- the handshake ----------------------------------------------------- */

static void
greet_key(struct store_link *l, bool calls)
{
	const struct store_settings *settings = l->store->settings;
	struct span auth[3] = { { "AUTH", 4 } };
	size_t n = 1;

	if (settings->link.nkeys == 0 || settings->link.keys[0] == NULL)
		return;
	if (settings->user != NULL)
		auth[n++] = span_of(settings->user);
	auth[n++] = span_of(settings->link.keys[0]);
	if (calls)
		store_ask(l->store, STORE_CALL_AUTH, auth, n);
	else
		resp_command(&l->out, auth, n);
}

static int
greet_calls(struct store_link *l)
{
	static const struct span info = { "INFO", 4 },
				 may_wait[] = { { "WAIT", 4 }, { "0", 1 },
					 { "1", 1 } };
	struct span find[] = { { "EXISTS", 6 }, { NULL, 0 } };
	char name[STORE_KEY_SIZE];

	l->store->generation++;
	greet_key(l, true);
	store_ask(l->store, STORE_CALL_INFO, &info, 1);
	store_ask(l->store, STORE_CALL_MAY_WAIT, may_wait, 3);
	/* Asks whether this node of a cluster has our names, and whether the
	 * user may use them. */
	find[1] = store_key(l->store, name, "here", "here", NULL);
	store_ask(l->store, STORE_CALL_FIND, find, 2);
	store_link_flush(l);
	return 0;
}

/* Only the first word, such as "NOAUTH": an engine that does not know AUTH may
 * repeat the password after it. */
static void
error_word(const char *error, char *out, size_t size)
{
	log_escape(error, strcspn(error, " "), out, size);
}

/* What to do about an error, if its first word tells. */
static const char *
advice_on(const char *word)
{
	if (strcmp(word, "NOAUTH") == 0)
		return "; it wants a password: store.key, and store.user";
	if (strcmp(word, "DENIED") == 0)
		return "; without a password it serves its own host only: give "
		       "it one, or set its protected-mode to no";
	if (strcmp(word, "NOPERM") == 0)
		return "; the rights that its user needs are in "
		       "tailgate.conf(5), STORE";
	return "";
}

static void
greeting_failed(struct store *s, enum store_call_kind kind, const char *error)
{
	static const char *const whats[] = {
		[STORE_CALL_AUTH] = "the password is not accepted",
		[STORE_CALL_INFO] = "INFO",
		[STORE_CALL_FIND] = "names with the prefix can't be used",
	};
	char text[160];

	error_word(error, text, sizeof(text));
	store_failed(s, "%s: %s%s", whats[kind], text, advice_on(text));
	s->calls_link.useless = true;
}

/* All but a part of a shared budget works without. */
static void
may_not_wait(struct store *s, const char *error)
{
	char text[160];

	error_word(error, text, sizeof(text));
	if (log_due(&s->right_warned_ms, RIGHT_EVERY_MS))
		log_warn("store: WAIT: %s%s; while the engine has replicas, "
			 "shared budgets get nothing more",
		    text, advice_on(text));
}

void
store_greeted(
    struct store *s, enum store_call_kind kind, const struct store_reply *reply)
{
	struct store_link *l = &s->calls_link;
	const char *error = resp_error(reply), *wrong;

	if (l->useless)
		return;
	if (error != NULL && store_is_moved(error)) {
		l->moved = store_move(s, error);
		l->useless = !l->moved;
	} else if (error != NULL && kind == STORE_CALL_MAY_WAIT)
		may_not_wait(s, error);
	else if (error != NULL)
		greeting_failed(s, kind, error);
	else if (kind == STORE_CALL_INFO) {
		if ((wrong = store_read_info(s, reply)) != NULL) {
			store_failed(s, "%s", wrong);
			l->useless = true;
		}
	} else if (kind == STORE_CALL_FIND) {
		l->up = true;
		say_up(s);
	}
}

static void
ping_calls(struct store_link *l)
{
	static const struct span ping[] = { { "PING", 4 } };

	store_ask(l->store, STORE_CALL_PING, ping, 1);
	store_link_flush(l);
}

/* ---- messages ---------------------------------------------------------- */

static int
greet_messages(struct store_link *l)
{
	struct store *s = l->store;

	s->nsubscribed = 0;
	greet_key(l, false);
	for (size_t i = 0; i < s->nchannels; i++) {
		struct span subscribe[] = { { "SUBSCRIBE", 9 },
			span_of(s->channels[i].name) };

		resp_command(&l->out, subscribe, 2);
	}
	l->asked_ms = clock_now_ms();
	store_link_flush(l);
	return 0;
}

static void
ping_messages(struct store_link *l)
{
	static const struct span ping[] = { { "PING", 4 } };

	resp_command(&l->out, ping, 1);
	store_link_flush(l);
}

static void
hand_on(struct store *s, struct span channel, struct span message)
{
	for (size_t i = 0; i < s->nchannels; i++)
		if (span_is(channel, s->channels[i].name))
			s->channels[i].fn(s->channels[i].ctx, message);
}

static void
take_message(struct store_link *l, struct store_reply *reply)
{
	struct store *s = l->store;
	struct span kind = store_reply_text(store_reply_at(reply, 0));
	struct span channel = store_reply_text(store_reply_at(reply, 1));

	if (resp_error(reply) != NULL) {
		char text[160];

		error_word(resp_error(reply), text, sizeof(text));
		/* If calls fail as well, their connection has logged why. */
		if (s->calls_link.up)
			store_failed(
			    s, "messages: %s%s", text, advice_on(text));
		l->useless = true;
	} else if (span_is(kind, "subscribe")) {
		l->up = ++s->nsubscribed == s->nchannels;
		hand_on(s, channel, (struct span){ NULL, 0 });
	} else if (span_is(kind, "message"))
		hand_on(s, channel, store_reply_text(store_reply_at(reply, 2)));
	store_reply_free(reply);
}

static void
lost_messages(struct store_link *l)
{
	l->store->nsubscribed = 0;
}

void
store_listen(struct store *s, const char *channel,
    void (*fn)(void *, struct span), void *ctx)
{
	if (s->nchannels == STORE_CHANNELS_MAX)
		fatal("store: too many channels");
	s->channels[s->nchannels++] =
	    (struct store_channel){ channel, fn, ctx };
}

static bool
is_listening(const struct store *s)
{
	return s->messages_link.up && s->messages_link.asked_ms == 0;
}

/* ---- the whole --------------------------------------------------------- */

struct store *
store_new(const struct config *config)
{
	struct store *s;

	if (config->store.url == NULL)
		return NULL;
	s = memory_zero(sizeof(*s));
	s->config = config;
	s->settings = &config->store;
	TAILQ_INIT(&s->calls);
	store_link_init(&s->calls_link, s, "calls");
	s->calls_link.greet = greet_calls;
	s->calls_link.take = store_take_reply;
	s->calls_link.lost = store_drop_calls;
	s->calls_link.ping = ping_calls;
	store_link_init(&s->messages_link, s, "messages");
	s->messages_link.greet = greet_messages;
	s->messages_link.take = take_message;
	s->messages_link.lost = lost_messages;
	s->messages_link.ping = ping_messages;
	return s;
}

void
store_start(struct store *s)
{
	store_link_start(&s->calls_link);
	if (s->nchannels > 0)
		store_link_start(&s->messages_link);
}

void
store_end(struct store *s)
{
	if (s == NULL)
		return;
	s->ending = true;
	if (s->calls_link.task != NULL)
		task_wake(s->calls_link.task);
	if (s->messages_link.task != NULL)
		task_wake(s->messages_link.task);
}

bool
store_has_ended(const struct store *s)
{
	return s->calls_link.task == NULL && s->messages_link.task == NULL &&
	    !s->calls_link.started && !s->messages_link.started;
}

void
store_free(struct store *s)
{
	if (s == NULL)
		return;
	store_link_free(&s->calls_link);
	store_link_free(&s->messages_link);
	free(s);
}

const char *
store_prefix(const struct store *s)
{
	return s->settings->prefix;
}

int64_t
store_lease_ms(const struct store *s)
{
	return s->settings->lease_ms;
}

bool
store_is_up(const struct store *s)
{
	return s->calls_link.up && !s->calls_link.broken && !s->late &&
	    !s->ending;
}

struct span
store_key(const struct store *s, char out[STORE_KEY_SIZE], const char *kind,
    const char *name, const char *part)
{
	int n =
	    snprintf(out, STORE_KEY_SIZE, "%s:{%s:%s}%s%s", s->settings->prefix,
		kind, name, part == NULL ? "" : ":", part == NULL ? "" : part);

	if (n < 0 || n >= STORE_KEY_SIZE)
		fatal("store: a name of %d bytes", n);
	return (struct span){ out, (size_t)n };
}

struct span
store_number(char out[STORE_NUMBER_SIZE], int64_t n)
{
	int len = snprintf(out, STORE_NUMBER_SIZE, "%lld", (long long)n);

	return (struct span){ out, (size_t)len };
}

void
store_facts(const struct store *s, struct store_facts *f)
{
	*f = (struct store_facts){ .up = store_is_up(s),
		.listens = is_listening(s),
		.since_wall_ms = s->since_wall_ms,
		.why = s->why,
		.version = s->version,
		.run = s->run,
		.calls = s->ncalls,
		.failed = s->nfailed,
		.mean_us = s->mean_us };
}

void
store_watch(
    struct store *s, void (*fn)(void *, const struct store_facts *), void *ctx)
{
	s->watch = fn;
	s->watch_ctx = ctx;
}

void
store_note(struct store *s)
{
	int64_t now_ms = clock_now_ms();
	struct store_facts facts;

	if (s->watch == NULL ||
	    (store_is_up(s) == s->watched_up && s->watched_ms != 0 &&
		now_ms - s->watched_ms < NOTE_MS))
		return;
	store_facts(s, &facts);
	s->watched_ms = now_ms;
	s->watched_up = facts.up;
	s->watch(s->watch_ctx, &facts);
}
