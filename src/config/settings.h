/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The configuration as the rest of tailgate sees it: const structs.
 *
 * config_load() reads tailgate.conf and the clients file through the schema
 * table (schema_table.c), reports every mistake of both in one run, and checks
 * everything that can be checked before the first request: no dangling name, no
 * model whose ceiling is local with an external target.  (The floor above
 * compiles the private patterns: `tailgate check` and the responder's start
 * call patterns_new() for that.)  After that nothing changes; a reload loads a
 * second one.
 */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/net.h"
#include "config/endpoint.h"

#define CONFIG_LIMITS_MAX 64
#define CONFIG_PROVIDERS_MAX 256
#define CONFIG_MODELS_MAX 4096
#define CONFIG_CLIENTS_MAX 65536	/* of both files together */
#define CONFIG_KEYS_MAX 8	/* of one provider */
#define CONFIG_RUNTIME_DIR_MAX 900 /* bytes of its path */
#define CONFIG_NAME_MAX 64	/* bytes of a name of ours (not a model id) */

/* Where work may go, narrowest first, so that the lesser of two wins. */
enum place { PLACE_LOCAL, PLACE_EXTERNAL };

/* How a process confines itself (src/sandbox). */
enum confine { CONFINE_ON, CONFINE_REQUIRE, CONFINE_OFF };

/* A bool that may not have been given. */
enum tri { TRI_UNSET, TRI_NO, TRI_YES };

/* Reasons for which the next target may be tried; a set is a mask. */
enum fallback {
	FALLBACK_BUSY = 1 << 0,		/* no slot in time */
	FALLBACK_UNAVAILABLE = 1 << 1,	/* connect failed, circuit open,
					   model loading */
	FALLBACK_ERROR = 1 << 2,	/* 5xx, or an error dressed as 200 */
	FALLBACK_TIMEOUT = 1 << 3,	/* no first byte in time */
	FALLBACK_RATE_LIMITED = 1 << 4,	/* 429 */
	FALLBACK_TOO_LONG = 1 << 5,
	FALLBACK_UNSUPPORTED = 1 << 6,
};
#define FALLBACK_COUNT 7
/* "busy" for FALLBACK_BUSY, and back; 0 if there is no such word. */
const char *fallback_name(enum fallback);

enum provider_kind { PROVIDER_OPENAI, PROVIDER_ECHO, PROVIDER_TAILGATE };
/* AUTH_CLIENT: with the client's own key (policy/credentials.h). */
enum provider_auth { AUTH_BEARER, AUTH_X_API_KEY, AUTH_NONE, AUTH_CLIENT };
/* What happens to requests while the ledger cannot be written. */
enum when_stuck { STUCK_REFUSE_EXTERNAL, STUCK_REFUSE, STUCK_COUNT };
enum select { SELECT_ORDER, SELECT_ROUND_ROBIN, SELECT_LEAST_BUSY,
	SELECT_CHEAPEST, SELECT_FASTEST };

/* SWAP_GROUP: the model in use goes first, for servers that load one. */
enum swap { SWAP_NONE, SWAP_GROUP };
/* What a shared limit does while the store is away. */
enum without_store { WITHOUT_STORE_REFUSE, WITHOUT_STORE_LOCAL };

/* Who keeps to a target: a client, or each session of its tools. */
enum sticky_by { STICKY_CLIENT, STICKY_SESSION };

struct limit {
	const char *name;
	size_t index;
	unsigned slots;		/* 1.. */
	unsigned queue;		/* waiters over all processes; 0: none waits */
	unsigned per_client;	/* slots one client may hold; 0: all */
	int64_t wait_ms;
	enum swap swap;		/* what the order among waiters knows */
	int64_t swap_wait_ms;	/* so long may others' models go first */
	bool shared;		/* over all hosts, through the store */
	enum without_store without_store;
};

struct header {
	const char *name;
	const char *value;
};

/* Where a provider's key comes from; one of them, or none. */
struct key_source {
	const char *file;
	const char *credential;	/* below $CREDENTIALS_DIRECTORY */
	const char *env;
};

struct timeouts {
	int64_t connect_ms, first_byte_ms, idle_ms, total_ms;
};

/* When a provider is left alone after failures. */
struct circuit {
	unsigned failures;	/* this many in a row open it; 0: never */
	int64_t cooldown_ms;	/* the first; doubles up to: */
	int64_t cooldown_max_ms;
};

/* How the host of a provider is woken; bytes are of mac. */
#define WAKE_MAC_BYTES 6
struct wake {
	const char *mac;	/* or NULL: by command */
	unsigned char bytes[WAKE_MAC_BYTES];
	const char *address;	/* that the packet is sent to */
	unsigned port;
	const char *const *command;	/* the program, by its absolute path,
					 * and its arguments */
	size_t ncommand;
	unsigned queue;		/* requests that may wait for it */
};

/* How a local server is asked how many tokens a chat request has. */
enum counts { COUNTS_NONE, COUNTS_INPUT_TOKENS, COUNTS_TOKENIZE };

struct provider {
	const char *name;
	size_t index;
	enum provider_kind kind;
	enum place place;
	const char *url;	/* no slash at the end; NULL for echo */
	const char *host;	/* of url, for the ledger */
	enum provider_auth auth;
	struct key_source key_source;	/* `key`, and `keys`: one of the two */
	const struct key_source *key_sources;
	size_t nkey_sources;
	const char **keys;	/* the secrets in their order, nkeys of them;
				 * NULL if not read; wiped at free */
	size_t nkeys;		/* 0: it has none */
	const struct header *headers;
	size_t nheaders;
	const struct limit *limit;	/* or NULL */
	struct timeouts timeouts;
	struct circuit circuit;
	unsigned retries;	/* after a failed connect, same target */
	int64_t keepalive_ms;	/* how long an idle connection is kept */
	const char *ca_file, *ca_path;	/* or NULL: the system's */
	const char *proxy;	/* or NULL; never for a local provider */
	const char *peer;	/* host of connections: its own or the proxy's;
				 * NULL: none */
	uint16_t port;		/* and its port; 0: none */
	const struct net *addresses;	/* where a local one may be, besides */
	size_t naddresses;		/* the private networks */
	struct wake wake;
	bool sleeps;		/* wake says how it is woken */
	int64_t wake_wait_ms;	/* so long may a request wait for that */
	bool learn;		/* believe what `tailgate probe` learns */
	bool fetches_media;	/* a local one may be sent media by URL */
	enum counts counts;	/* asked before a request is too long for it */
	uint64_t endpoints;	/* of targets without their own; 0: not given */
};

/* The Redis or Valkey server through which hosts share. */
struct store_settings {
	const char *url;	/* as written; NULL: there is none */
	const char *path;	/* of its socket, or NULL: */
	struct provider link;	/* how its host is connected, and the key */
	const char *user;	/* or NULL */
	const char *prefix;	/* of all names there */
	int64_t timeout_ms;	/* for one call */
	int64_t lease_ms;	/* how long a silent holder keeps its slots */
};

/* nano-USD per million tokens (or per unit); -1 if not given. */
struct price {
	int64_t input, cached, cache_write, cache_write_1h, output, reasoning;
	int64_t character;	/* nano-USD per million characters */
	int64_t second;		/* nano-USD per second of audio */
	int64_t request;	/* nano-USD each */
	int64_t image;		/* nano-USD each */
	bool known;		/* at least one was given */
	bool listed;		/* it comes from price_file */
	int64_t date;		/* when it was looked up, ms; 0: not said */
};

/* A row of price_file. */
struct listed_price {
	const struct provider *provider;
	const char *model;
	struct price price;
};

/* In what a chat upstream differs from the rest, for the bridges.  All zero
 * is the default. */
enum reasoning { REASONING_CALLS, REASONING_NONE, REASONING_ALL };
enum reasoning_as {
	REASONING_AS_CONTENT,	/* reasoning_content */
	REASONING_AS_REASONING,
	REASONING_AS_THINKING,	/* a part of the content */
};
enum user_as { USER_SHORT, USER_KEEP, USER_DROP };
struct dialect {
	enum reasoning reasoning;	/* which of the assistant's turns
					 * include theirs */
	enum reasoning_as reasoning_as;
	enum user_as user;
	bool max_completion_tokens;	/* not max_tokens */
	bool drop_strict;	/* of tools and response formats */
	bool keep_attribution;	/* Claude Code's billing line, passed through
				   to a local server */
};

/* Headers that rules look at, over the whole configuration. */
#define CONFIG_RULED_MAX 16

/* Which requests a target or a model is for; all conditions must match. */
struct when {
	bool set;		/* there is a condition */
	uint64_t max_tokens_in;	/* estimated; 0: any number */
	enum tri images, tools, thinking;
	uint64_t endpoints;	/* ENDPOINT_BIT set; 0: any */
	struct when_header {
		const char *name;	/* NULL: none */
		const char *value;	/* glob (fnmatch) */
		size_t index;		/* in config.ruled */
	} header;
};

struct target {
	const struct provider *provider;
	const char *model;	/* upstream's name; "*": the rest of the id */
	unsigned weight;	/* 1.. */
	uint64_t context;	/* tokens in + out; 0: not given */
	uint64_t max_output;	/* tokens; 0: not given */
	enum tri images, audio, files, tools, json_schema;
	uint64_t endpoints;	/* ENDPOINT_BIT set it serves itself */
	struct when when;
	bool ask_usage;		/* add stream_options.include_usage */
	struct dialect dialect;
	struct price price;
};

/* What a client or a model may spend; 0: no bound. */
struct budget {
	int64_t nanousd_per_day, nanousd_per_month;
	uint64_t requests_per_minute, tokens_per_minute, tokens_per_day;
	unsigned concurrent;
	bool shared;		/* over all hosts of the store, but for
				   concurrent */
};

struct model {
	const char *id;		/* "openrouter/" + "*": prefix is set */
	size_t index;
	bool prefix;		/* id ended in '*', which id still contains */
	const char *const *aliases;
	size_t naliases;
	enum place place;	/* ceiling; local unless given */
	const struct target *targets;
	size_t ntargets;
	unsigned fallback;	/* mask of enum fallback */
	unsigned max_attempts;
	enum select select;
	bool sticky;
	enum sticky_by sticky_by;
	struct when when;	/* for all its targets */
	struct budget budget;
};

struct client {
	const char *name;
	size_t index;
	/* How it is identified: everything that is set must match. */
	bool has_key;
	unsigned char key_digest[DIGEST_BYTES];
	bool has_old_key;	/* the previous one, accepted for a while */
	unsigned char old_key_digest[DIGEST_BYTES];
	int64_t old_key_expires_ms;	/* wall clock */
	const struct net *networks;
	size_t nnetworks;
	const char *user;	/* REMOTE_USER, or NULL */
	const char *group;	/* or NULL */

	const char *const *models;	/* globs (fnmatch) */
	size_t nmodels;
	uint64_t endpoints;	/* ENDPOINT_BIT set it may call */
	enum place place;	/* ceiling; local unless said */
	int64_t expires_wall_ms;	/* CLOCK_NEVER: never */
	unsigned priority;	/* weight in the queue, 1..100, default 10 */
	bool explain;		/* may send X-Tailgate-Explain */
	bool operator;		/* may read /metrics and the status page */
	bool relay;		/* a gateway that is trusted to name its
				 * clients: hop.h */
	struct budget budget;
};

/* A key that identifies a client. */
struct keyed {
	const unsigned char *digest;
	const struct client *client;
	int64_t expires_wall_ms;	/* of the key; CLOCK_NEVER: never */
};

/* A private pattern: what matches never leaves. */
struct private_rule {
	const char *name;
	const char *pattern;
	const char *where;	/* "tailgate.conf:41: private[0].pattern" */
};

/* All paths are absolute: relative ones were relative to the file. */
struct config {
	const char *path;
	const char *runtime_dir, *state_dir;
	const char *clients_file;	/* "": none */
	bool clients_read;	/* it was there */
	const char *price_file;		/* or NULL */
	const struct listed_price *prices; /* what it lists, in its order */
	size_t nprices;

	enum confine sandbox;
	unsigned processes, requests;
	bool requests_given;	/* requests is written in the file */
	unsigned threads; /* has no effect */
	int64_t drain_ms;
	int64_t commit_ms;	/* a waiting stream gets its head after this */
	int64_t heartbeat_ms;	/* between comments; 0: by web server */
	int64_t total_ms;	/* one request over all its attempts */
	size_t memory_bytes;	/* of all processes; 0: by the machine */
	bool watch_peer;	/* ask the kernel for clients that have gone */
	int64_t client_idle_ms;	/* a client that reads nothing, while others
				 * wait for what it holds */

	bool log_syslog;
	enum log_level log_level;

	size_t json_max_bytes;	/* body caps by endpoint_body */
	size_t multipart_max_bytes;
	size_t spool_bytes;	/* above this a body goes to a file */
	const char *spool_dir;

	const char *const *cors_origins;
	size_t ncors_origins;
	const char *const *hosts; /* our names: "ai.home", "*.home", "*" */
	size_t nhosts;
	const struct net *trusted_proxies;
	size_t ntrusted_proxies;
	const char *client_address_header;	/* CGI name, "HTTP_X_..." */

	bool ledger;
	const char *ledger_file;
	const char *gateway;	/* this host's name in its lines */
	enum when_stuck ledger_when_stuck;

	struct store_settings store;

	size_t private_max_bytes;	/* text searched for patterns */
	int64_t private_max_ms;

	const struct limit *limits;
	size_t nlimits;
	const struct provider *providers;
	size_t nproviders;
	const struct model *models;
	size_t nmodels;
	/* The headers that rules look at: names as written, and as CGI has
	 * them. */
	struct {
		const char *name, *param;
	} ruled[CONFIG_RULED_MAX];
	size_t nruled;
	const struct private_rule *privates;
	size_t nprivates;
	/* Only for their rights, which the clients have inherited. */
	struct client default_client;
	const struct client *client_groups;
	size_t nclient_groups;
	const struct client *clients;
	size_t nclients;
	/* All keys by their digest: config_keyed_find(). */
	const struct keyed *keyed;
	size_t nkeyed;

	struct config_memory *memory;	/* owns all of the above */
};

/* What a load may leave out. */
enum config_flags {
	CONFIG_NO_SECRETS = 1 << 0,	/* do not read key files (explain) */
	/* What it may do in addition, for `tailgate check`. */
	CONFIG_ADVISE = 1 << 1,		/* warn of what will surprise */
	CONFIG_JSON = 1 << 2,		/* mistakes as a JSON array of {"file",
					   "line", "level", "text"} */
	/* price_file need not be there yet (prices import). */
	CONFIG_NEW_PRICES = 1 << 3,
	/* A client may name a group that there is not (client set, rm). */
	CONFIG_ANY_GROUP = 1 << 4,
};

/* Checks a private pattern; -1 and a message if it cannot be used. */
typedef int config_pattern_check(const char *pattern, char *message,
    size_t size);

/* Reads and proves path.  Every mistake goes to err as one line
 * "FILE:LINE: SETTING: RULE"; warnings too, marked "warning: ".  NULL when
 * there was a mistake.  The caller frees. */
struct config *config_load(const char *path, unsigned flags, FILE *err);
/* The same, and it also checks the private patterns. */
struct config *config_load_all(
    const char *path, unsigned flags, config_pattern_check *, FILE *err);
/* Wipes the secrets, frees everything. */
void config_free(struct config *);

/* Wipes the providers' keys, so that a process that does not serve has none;
 * reads them again from their sources, in one that serves.  -1: err has the
 * mistakes, as from config_load(). */
void config_keys_forget(struct config *);
int config_keys_read(struct config *, FILE *err);

/* Where a provider's key comes from, whether `key` or `keys` says it; i is
 * below nkeys. */
const struct key_source *config_key_source(const struct provider *, size_t i);

/* The effective configuration in the file's own syntax, secrets as "***". */
void config_dump(const struct config *, FILE *out);

/* The keys that have this digest, in the clients' order; NULL and 0: none.
 * The loader makes the index after each client has its own. */
void config_keyed_make(struct config *, struct arena *);
const struct keyed *config_keyed_find(const struct config *,
    const unsigned char digest[DIGEST_BYTES], size_t *n);

/* NULL: none has this name (or name is NULL). */
const struct provider *config_provider(const struct config *, const char *name);
const struct limit *config_limit(const struct config *, const char *name);
const struct client *config_client(const struct config *, const char *name);
/* Is there a model that the glob of a client's `models` may match? */
bool config_has_match(const struct config *, const char *glob);

const char *place_name(enum place);

#endif
