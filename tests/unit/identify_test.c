/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * policy/identify: keys, networks, users, two of them, expiry, and the
 * client's address behind proxies.
 */
#include "config.h"

#include "base/clock.h"
#include "policy/identify.h"
#include "check.h"

#define NOW 1000000

enum {
	KEYED,
	TIED,
	GONE,
	OFFICE,
	OFFICE_LATER,
	USER,
	USER_OFFICE,
	EMPTY,
	SHARED_HOME,
	SHARED_WORK,
	CLIENTS
};

static struct net office, home, proxies[2];
static struct client clients[CLIENTS] = {
	[KEYED] = { .name = "keyed" },
	[TIED] = { .name = "tied" },
	[GONE] = { .name = "gone" },
	[OFFICE] = { .name = "office" },
	[OFFICE_LATER] = { .name = "office-later" },
	[USER] = { .name = "user", .user = "ann" },
	[USER_OFFICE] = { .name = "user-office", .user = "ann" },
	[EMPTY] = { .name = "empty" },
	[SHARED_HOME] = { .name = "shared-home" },
	[SHARED_WORK] = { .name = "shared-work" },
};
static struct config config = { .clients = clients,
	.nclients = CLIENTS,
	.trusted_proxies = proxies,
	.ntrusted_proxies = 2 };

static void
give_key(struct client *client, const char *key)
{
	client->has_key = true;
	digest_make(key, strlen(key), client->key_digest);
}

static struct arena *indexes;

static void
set_up(void)
{
	indexes = arena_new();
	net_parse("10.1.0.0/16", &office);
	net_parse("192.168.7.0/24", &home);
	net_parse("127.0.0.0/8", &proxies[0]);
	net_parse("fd00:1::/32", &proxies[1]);
	for (int i = 0; i < CLIENTS; i++)
		clients[i].expires_wall_ms = CLOCK_NEVER;
	give_key(&clients[KEYED], "tg-keyed");
	give_key(&clients[TIED], "tg-tied");
	give_key(&clients[GONE], "tg-gone");
	give_key(&clients[SHARED_HOME], "tg-shared");
	give_key(&clients[SHARED_WORK], "tg-shared");
	for (size_t i = 0; i < CLIENTS; i++)
		clients[i].index = i;
	config_keyed_make(&config, indexes);
	clients[GONE].expires_wall_ms = NOW;
	clients[TIED].networks = clients[OFFICE].networks =
	    clients[OFFICE_LATER].networks = clients[USER_OFFICE].networks =
		clients[SHARED_WORK].networks = &office;
	clients[SHARED_HOME].networks = &home;
	clients[TIED].nnetworks = clients[OFFICE].nnetworks =
	    clients[OFFICE_LATER].nnetworks = clients[USER_OFFICE].nnetworks =
		clients[SHARED_WORK].nnetworks =
		    clients[SHARED_HOME].nnetworks = 1;
}

/* The client's name, or the refusal's code. */
static const char *
who(const char *key, const char *address, const char *user)
{
	struct peer peer = { .key = span_of(key), .user = user };
	struct refused refused = { .refusal = REFUSE_NONE };
	const struct client *client;

	if (address != NULL)
		peer.has_address = net_parse(address, &peer.address) == 0;
	client = identify(&config, &peer, NOW, &refused);
	if (client != NULL)
		return client->name;
	if (refused.message == NULL ||
	    (key != NULL && *key != '\0' &&
		strstr(refused.message, key) != NULL))
		return "a message that is missing or holds the key";
	return refusal_spec(refused.refusal)->code;
}

static void
test_who(void)
{
	static const struct {
		const char *key, *address, *user, *want, *what;
	} cases[] = {
		{ "tg-keyed", "8.8.8.8", NULL, "keyed", "a key, anywhere" },
		{ "tg-keyed", NULL, NULL, "keyed", "a key without an address" },
		{ "tg-keyed", "10.1.2.3", "ann", "keyed",
		    "a key comes before a network and a user" },
		{ "tg-keye", "8.8.8.8", NULL, "invalid_api_key",
		    "a part of a key" },
		{ "tg-keyed ", "8.8.8.8", NULL, "invalid_api_key",
		    "a key and a space" },
		{ NULL, "8.8.8.8", NULL, "invalid_api_key", "nothing" },
		{ "", "8.8.8.8", NULL, "invalid_api_key", "an empty key" },
		{ NULL, NULL, "", "invalid_api_key", "an empty user" },
		{ "tg-tied", "10.1.2.3", NULL, "tied", "key and network" },
		{ "tg-tied", "10.2.2.3", NULL, "invalid_api_key",
		    "the key from another network" },
		{ "tg-tied", NULL, NULL, "invalid_api_key",
		    "the key from nowhere" },
		{ "tg-gone", "8.8.8.8", NULL, "invalid_api_key",
		    "an expired key" },
		{ "tg-gone", "10.1.2.3", NULL, "invalid_api_key",
		    "an expired key where the network alone would do" },
		{ NULL, "10.1.2.3", NULL, "office",
		    "a network, the first entry of two" },
		{ "dummy", "10.1.2.3", NULL, "office",
		    "a network, with the key an SDK must send" },
		{ NULL, "::ffff:10.1.2.3", NULL, "office",
		    "a network, mapped into IPv6" },
		{ NULL, "8.8.8.8", "ann", "user", "a user" },
		{ NULL, "10.1.2.3", "ann", "user-office",
		    "user and network before either" },
		{ NULL, "8.8.8.8", "Ann", "invalid_api_key",
		    "a user in another case" },
		{ "tg-shared", "10.1.2.3", NULL, "shared-work",
		    "one key, two entries, by network: work" },
		{ "tg-shared", "192.168.7.9", NULL, "shared-home",
		    "one key, two entries, by network: home" },
		{ "tg-shared", "8.8.8.8", NULL, "invalid_api_key",
		    "one key, two entries, neither" },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK_STR(who(cases[i].key, cases[i].address, cases[i].user),
		    cases[i].want, "%s", cases[i].what);
}

/* An entry without a key has a digest of zeros: nothing may match it. */
static void
test_no_key(void)
{
	unsigned char zeros[DIGEST_BYTES] = { 0 };
	struct client bare = { .name = "bare", .expires_wall_ms = CLOCK_NEVER };
	struct config one = { .clients = &bare, .nclients = 1 };
	struct peer peer = { .key = { (const char *)zeros, DIGEST_BYTES } };
	struct refused refused;

	CHECK(identify(&one, &peer, NOW, &refused) == NULL,
	    "an entry that asks for nothing is nobody");
}

#define CROWD 5000

/* Each of many clients is found by its own key, and by no other. */
static void
test_crowd(void)
{
	static struct client crowd[CROWD + 1];
	struct config many = { .clients = crowd, .nclients = CROWD + 1 };
	struct arena *arena = arena_new();
	struct refused refused;
	size_t found = 0, strangers = 0, n;
	char key[32];

	for (size_t i = 0; i <= CROWD; i++) {
		crowd[i] = (struct client){ .index = i,
			.expires_wall_ms = CLOCK_NEVER };
		snprintf(key, sizeof(key), "tg-crowd-%zu", i);
		if (i < CROWD)
			give_key(&crowd[i], key);
	}
	config_keyed_make(&many, arena);
	for (size_t i = 0; i <= CROWD; i++) {
		struct peer peer = { .key = { key, 0 } };

		peer.key.len =
		    (size_t)snprintf(key, sizeof(key), "tg-crowd-%zu", i);
		found += i < CROWD &&
		    identify(&many, &peer, NOW, &refused) == &crowd[i];
		key[0] = 'T';
		strangers += identify(&many, &peer, NOW, &refused) != NULL;
	}
	CHECK(found == CROWD, "each of %d keys finds its client", CROWD);
	CHECK(strangers == 0, "a wrong key finds none");
	CHECK(many.nkeyed == CROWD &&
		config_keyed_find(&many, crowd[CROWD].key_digest, &n) == NULL &&
		n == 0,
	    "nor do the zeros of one without a key");
	for (size_t i = 0; i < 2; i++) {
		unsigned char digest[DIGEST_BYTES];

		memset(digest, i == 0 ? 0 : 0xff, sizeof(digest));
		CHECK(config_keyed_find(&many, digest, &n) == NULL,
		    "before the first and after the last is none");
	}
	memcpy(crowd[7].key_digest, crowd[4000].key_digest, DIGEST_BYTES);
	config_keyed_make(&many, arena);
	config_keyed_find(&many, crowd[7].key_digest, &n);
	CHECK(n == 2 &&
		config_keyed_find(&many, crowd[7].key_digest, &n)->client ==
		    &crowd[7],
	    "one key, two entries: both, the first in the file first");
	arena_free(arena);
}

static const char *
address(const char *remote, const char *forwarded)
{
	static char text[NET_TEXT_SIZE];
	struct net net;

	if (identify_address(&config, remote, forwarded, &net) == -1)
		return "none";
	net_text(&net, text);
	return text;
}

static void
test_address(void)
{
	static const struct {
		const char *remote, *forwarded, *want, *what;
	} cases[] = {
		{ "8.8.8.8", NULL, "8.8.8.8", "no header" },
		{ "8.8.8.8", "1.2.3.4", "8.8.8.8",
		    "a header from one who is not trusted" },
		{ "127.0.0.1", NULL, "127.0.0.1", "a proxy's own request" },
		{ "127.0.0.1", "", "127.0.0.1", "an empty header" },
		{ "127.0.0.1", "1.2.3.4", "1.2.3.4", "one hop" },
		{ "127.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4",
		    "what a client puts in itself is not believed" },
		{ "127.0.0.1", "6.6.6.6, 1.2.3.4 , 127.0.0.9", "1.2.3.4",
		    "two proxies" },
		{ "127.0.0.1", "127.0.0.2,127.0.0.3", "127.0.0.2",
		    "proxies only: the first" },
		{ "127.0.0.1", "1.2.3.4:5678", "1.2.3.4", "with a port" },
		{ "127.0.0.1", "2001:db8::7", "2001:db8::7", "IPv6" },
		{ "127.0.0.1", "[2001:db8::7]:443", "2001:db8::7",
		    "IPv6 with a port" },
		{ "fd00:1::5", "1.2.3.4", "1.2.3.4", "an IPv6 proxy" },
		{ "127.0.0.1", "unknown", "none", "no address" },
		{ "127.0.0.1", "1.2.3.4, ", "none", "an empty entry" },
		{ "127.0.0.1", "10.0.0.0/8", "none", "a network" },
		{ "127.0.0.1", "1.2.3.4.5", "none", "nonsense" },
		{ "", NULL, "none", "no remote address" },
		{ NULL, NULL, "none", "none at all" },
		{ "unix:", NULL, "none", "a socket's name" },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK_STR(address(cases[i].remote, cases[i].forwarded),
		    cases[i].want, "address: %s", cases[i].what);
}

static void
test_may_use(void)
{
	static const char *const globs[] = { "chat", "open*/meta-*", "g?t" };
	static const char *const letter[] = { "gpt-?" },
				 *const star[] = { "gpt-*" };
	const struct client client = { .models = globs, .nmodels = 3 };
	const struct client one = { .models = letter, .nmodels = 1 };
	const struct client all = { .models = star, .nmodels = 1 };

	CHECK(identify_may_use(&client, "chat", "chat"), "its model");
	CHECK(identify_may_use(&client, "alias", "chat"),
	    "its model by an alias");
	CHECK(identify_may_use(&client, "got", "other"), "an alias of it");
	CHECK(identify_may_use(
		  &client, "openrouter/meta-llama/x", "openrouter/*"),
	    "a star crosses slashes");
	CHECK(!identify_may_use(&client, "openrouter/qwen", "openrouter/*"),
	    "a prefix model is not allowed by its stars");
	CHECK(!identify_may_use(&client, "chat2", "chat2"), "another");
	CHECK(identify_may_use(&one, "gpt-4", "gpt-*"), "one letter more");
	CHECK(!identify_may_use(&one, "gpt-4o", "gpt-*"),
	    "a pattern's star is not that letter");
	CHECK(!identify_may_use(&one, "gpt-*", "gpt-*"), "nor asked for so");
	CHECK(!identify_may_use(&one, "best", "gpt-*"), "nor by an alias");
	CHECK(identify_may_use(&all, "best", "gpt-*"),
	    "but the very pattern is meant with its aliases");
	CHECK(identify_may_use(&all, "gpt-4o", "gpt-*"), "and its names");
	CHECK(identify_may_use_some(&one, "gpt-*") &&
		identify_may_use_some(&all, "gpt-*") &&
		!identify_may_use_some(&one, "claude-*") &&
		!identify_may_use_some(&one, "gpt-4o"),
	    "whether there is any name");
	CHECK(!identify_may_use(&client, "", ""), "nothing");
}

int
main(void)
{
	set_up();
	test_who();
	test_no_key();
	test_crowd();
	test_address();
	test_may_use();
	arena_free(indexes);
	return check_done();
}
