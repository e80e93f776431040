/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The table of all settings: a new setting is one row here.  schema.c looks
 * names up in it when a configuration is loaded.
 */
#include "config.h"

#include <stddef.h>

#include "base/clock.h"
#include "config/settings.h"
#include "config/load.h"
#include "config/schema.h"

#ifndef RUNSTATEDIR
#define RUNSTATEDIR "/run"
#endif
#ifndef LOCALSTATEDIR
#define LOCALSTATEDIR "/var"
#endif

#define DAY 86400
#define GIB (1024.0 * 1024 * 1024)
#define USD_MAX 1000000
#define TOKENS_MAX 1e15
#define NAMES 1, CONFIG_NAME_MAX

#define WORDS_PLACE "local external"
#define WORDS_ENDPOINTS                                                       \
	"chat completions embeddings rerank responses messages count_tokens " \
	"speech transcriptions translations images image_edits "              \
	"image_variations moderations voices responses_get "                  \
	"responses_delete responses_cancel responses_items "                  \
	"responses_compact responses_tokens chat_tokens infill realtime"

/* Where a setting is kept: in a struct, with the count if it is a list. */
#define IN(s, m) offsetof(struct s, m), sizeof(((struct s *)NULL)->m), 0
#define MANY(s, m) offsetof(struct s, m), 0, offsetof(struct s, n##m)
#define LIST(s, m, element) \
	offsetof(struct s, m), sizeof(struct element), offsetof(struct s, n##m)
#define NOWHERE 0, 0, 0 /* a group that only orders its parent's settings */

/* Rows by type, so that the table says only what differs. */
#define NUMBER(g, n, type, min, max, preset, text, ...)                \
	{                                                              \
		g, n, type, min, max, preset, NULL, NULL, false, text, \
		    __VA_ARGS__                                        \
	}
#define TEXT(g, n, type, min, max, preset, required, text, ...)           \
	{                                                                 \
		g, n, type, min, max, preset, NULL, NULL, required, text, \
		    __VA_ARGS__                                           \
	}
#define BOOL(g, n, preset, text, ...)                                     \
	{                                                                 \
		g, n, SCHEMA_BOOL, 0, 1, preset, NULL, NULL, false, text, \
		    __VA_ARGS__                                           \
	}
#define WORD(g, n, type, preset, words, text, ...)                  \
	{                                                           \
		g, n, type, 0, 0, preset, words, NULL, false, text, \
		    __VA_ARGS__                                     \
	}
#define GROUP(g, n, of, text, ...)                                     \
	{                                                              \
		g, n, SCHEMA_GROUP, 0, 0, NULL, NULL, of, false, text, \
		    __VA_ARGS__                                        \
	}
#define ELEMENTS(g, n, of, min, max, required, text, ...)                    \
	{                                                                    \
		g, n, SCHEMA_LIST, min, max, NULL, NULL, of, required, text, \
		    __VA_ARGS__                                              \
	}
#define REF(g, n, of, required, text, ...)                               \
	{                                                                \
		g, n, SCHEMA_REF, NAMES, NULL, NULL, of, required, text, \
		    __VA_ARGS__                                          \
	}

#define PRICE(g, n, at, text) \
	NUMBER(g, n, SCHEMA_USD, 0, USD_MAX, NULL, text, at)
#define PRICES(g, IN_PRICE)                                                   \
	PRICE(g, "input", IN_PRICE(input), "USD per million input tokens."),  \
	    PRICE(g, "cached", IN_PRICE(cached),                              \
		"USD per million input tokens that came from the provider's " \
		"prompt cache; the price of input unless given."),            \
	    PRICE(g, "cache_write", IN_PRICE(cache_write),                    \
		"USD per million input tokens written to the prompt cache; "  \
		"the price of input unless given."),                          \
	    PRICE(g, "cache_write_1h", IN_PRICE(cache_write_1h),              \
		"USD per million input tokens written to the prompt cache "   \
		"for an hour; the price of cache_write unless given."),       \
	    PRICE(g, "output", IN_PRICE(output),                              \
		"USD per million output tokens."),                            \
	    PRICE(g, "reasoning", IN_PRICE(reasoning),                        \
		"USD per million reasoning tokens; the price of output "      \
		"unless given."),                                             \
	    PRICE(g, "character", IN_PRICE(character),                        \
		"USD per million characters (speech)."),                      \
	    PRICE(g, "second", IN_PRICE(second),                              \
		"USD per second of audio (transcriptions)."),                 \
	    PRICE(g, "request", IN_PRICE(request), "USD per request."),       \
	    PRICE(g, "image", IN_PRICE(image),                                \
		"USD per image that is asked for."),                          \
	    TEXT(g, "date", SCHEMA_DATE, 1, 64, NULL, false,                  \
		"When these prices were looked up; `tailgate check` says "    \
		"which are older than 90 days.",                              \
		IN_PRICE(date))
#define OF_TARGET(m) IN(price, m)
#define OF_FILE(m)                                                        \
	offsetof(struct listed_price, price) + offsetof(struct price, m), \
	    sizeof(int64_t), 0

/* What a client may do: its own, its group's, or everybody's. */
#define CLIENT_RIGHTS(g)                                                       \
	TEXT(g, "models", SCHEMA_STRINGS, 0, 1024, "*", false,                 \
	    "Models that it may use: ids, aliases, or patterns with *, ? and " \
	    "[].",                                                             \
	    MANY(client, models)),                                             \
	    { g, "endpoints", SCHEMA_ENDPOINTS, 0, 0, NULL, WORDS_ENDPOINTS,   \
		    NULL, false, "What it may call; all unless given.",        \
		    IN(client, endpoints) },                                   \
	    WORD(g, "place", SCHEMA_WORD, "local", WORDS_PLACE,                \
		"How far its requests may go.", IN(client, place)),            \
	    TEXT(g, "expires", SCHEMA_DATE, 1, 64, NULL, false,                \
		"Until when it may call: a date (its beginning, UTC) or "      \
		"\"2026-12-31T18:00:00Z\".",                                   \
		IN(client, expires_wall_ms)),                                  \
	    NUMBER(g, "priority", SCHEMA_INT, 1, 100, "10",                    \
		"Its share of the turns in the queue for a slot.",             \
		IN(client, priority)),                                         \
	    BOOL(g, "explain", "false",                                        \
		"May have its requests explained (X-Tailgate-Explain), as "    \
		"operators may.",                                              \
		IN(client, explain)),                                          \
	    BOOL(g, "operator", "false",                                       \
		"May read /metrics and the status page.",                      \
		IN(client, operator)),                                         \
	    GROUP(g, "budget", "budget", "What it may spend.",                 \
		IN(client, budget))

/* A group's rows are read in this order, so what is referred to (limits,
 * providers) comes before what refers to it. */
const struct schema schema_table[] = {
	TEXT("", "runtime_dir", SCHEMA_PATH, 1, 4096, RUNSTATEDIR "/tailgate",
	    false,
	    "Directory of data that a restart may lose: slots, health, meters. "
	    "Best on a tmpfs.",
	    IN(config, runtime_dir)),
	TEXT("", "state_dir", SCHEMA_PATH, 1, 4096,
	    LOCALSTATEDIR "/lib/tailgate", false,
	    "Directory of data that must last: the ledger.",
	    IN(config, state_dir)),
	TEXT("", "clients_file", SCHEMA_PATH, 0, 4096, "clients.conf", false,
	    "File with the clients, managed by tailgate client; empty for "
	    "none.",
	    IN(config, clients_file)),
	TEXT("", "price_file", SCHEMA_PATH, 1, 4096, NULL, false,
	    "File with a list `prices`, for the targets that have no "
	    "price of their own.",
	    IN(config, price_file)),
	WORD("", "sandbox", SCHEMA_WORD, "on", "on require off",
	    "What a process gives up before it serves.  on: as much as the "
	    "system can take away; require: all, or it does not start; off: "
	    "nothing, for debugging.",
	    IN(config, sandbox)),
	NUMBER("", "processes", SCHEMA_INT, 1, 64, "2",
	    "Worker processes.  If one crashes, its requests are lost and the "
	    "others go on.",
	    IN(config, processes)),
	NUMBER("", "requests", SCHEMA_INT, 1, 60000, "16384",
	    "Requests that one process serves at the same time; fewer if "
	    "descriptors or memory are not enough.",
	    IN(config, requests)),
	NUMBER("", "threads", SCHEMA_INT, 0, 4096, "0",
	    "No longer has an effect: a process serves all its requests in one "
	    "loop; see requests.",
	    IN(config, threads)),
	NUMBER("", "drain", SCHEMA_SECONDS, 0, DAY, "600",
	    "How long running requests may still take when tailgate stops or "
	    "loads a new configuration.",
	    IN(config, drain_ms)),
	NUMBER("", "commit", SCHEMA_SECONDS, 0.1, 3600, "3",
	    "A streaming client that waits longer than this gets a 200 head "
	    "and heartbeats; a later error comes as an event.",
	    IN(config, commit_ms)),
	NUMBER("", "heartbeat", SCHEMA_SECONDS, 0, 3600, "0",
	    "Time between signs of life to a waiting streaming client (a "
	    "comment, ping or response.in_progress, as its API has them); 0 "
	    "means 10 s under lighttpd and 1 s under Caddy.",
	    IN(config, heartbeat_ms)),
	NUMBER("", "total", SCHEMA_SECONDS, 1, DAY, "3600",
	    "How long one request may take at most, with all its attempts.",
	    IN(config, total_ms)),
	NUMBER("", "memory", SCHEMA_BYTES, 0, 1024 * GIB, "0",
	    "Memory for the bodies of requests and what is made of them, over "
	    "all processes, each of which has an equal part; 0 means half of "
	    "what the machine or the control group has.",
	    IN(config, memory_bytes)),
	BOOL("", "watch_peer", "true",
	    "Ask the kernel whether the client's connection to the web "
	    "server is still open, while a request waits or runs.",
	    IN(config, watch_peer)),
	NUMBER("", "client_idle", SCHEMA_SECONDS, 0.1, 120, "30",
	    "A client that reads nothing of its response for so long is "
	    "dropped when others wait for its slot, or for a place in a pool "
	    "that is nearly full; after 120 s in any case.",
	    IN(config, client_idle_ms)),
	GROUP("", "log", "log", "What is logged, and where to.", NOWHERE),
	GROUP("", "body", "body", "Limits of request bodies.", NOWHERE),
	GROUP("", "cors", "cors", "Access from web pages; off unless set.",
	    NOWHERE),
	TEXT("", "hosts", SCHEMA_STRINGS, 0, 64, NULL, false,
	    "Names by which clients without a key may call, such as "
	    "\"ai.home\" or \"*.home.example\", in addition to addresses, "
	    "localhost and the machine's own name; \"*\" means any.",
	    MANY(config, hosts)),
	{ "", "trusted_proxies", SCHEMA_NETS, 0, 256, NULL, NULL, NULL, false,
	    "Addresses and networks of your own proxies, whose "
	    "client_address_header is believed.",
	    MANY(config, trusted_proxies) },
	TEXT("", "client_address_header", SCHEMA_STRING, 1, 128,
	    "X-Forwarded-For", false,
	    "Header in which a trusted proxy gives the client's address.",
	    IN(config, client_address_header)),
	GROUP("", "ledger", "ledger", "The account of all requests.", NOWHERE),
	GROUP("", "private_scan", "private_scan",
	    "Bounds of the search for private patterns; a text that exceeds "
	    "them counts as private.",
	    NOWHERE),
	GROUP("", "store", "store",
	    "The Redis or Valkey server through which hosts share; none "
	    "unless given.",
	    IN(config, store)),
	ELEMENTS("", "limits", "limits", 0, CONFIG_LIMITS_MAX, false,
	    "How many requests a piece of hardware handles at once.",
	    LIST(config, limits, limit)),
	ELEMENTS("", "providers", "providers", 0, CONFIG_PROVIDERS_MAX, false,
	    "The model servers, here and elsewhere.",
	    LIST(config, providers, provider)),
	ELEMENTS("", "models", "models", 0, CONFIG_MODELS_MAX, false,
	    "The names that clients use, with the targets of each.",
	    LIST(config, models, model)),
	ELEMENTS("", "private", "private", 0, 256, false,
	    "A request that matches one of these patterns never leaves.",
	    LIST(config, privates, private_rule)),
	GROUP("", "default_client", "default_client",
	    "Settings of all clients that do not set them.",
	    IN(config, default_client)),
	ELEMENTS("", "client_groups", "client_groups", 0, 1024, false,
	    "Settings of the group's clients that do not set them; they go "
	    "before default_client.",
	    LIST(config, client_groups, client)),
	ELEMENTS("", "clients", "clients", 0, CONFIG_CLIENTS_MAX, false,
	    "Which clients may call, and for what; clients_file may have more.",
	    LIST(config, clients, client)),

	WORD("log", "target", SCHEMA_WORD, "stderr", "stderr syslog",
	    "Where the log goes.", IN(config, log_syslog)),
	WORD("log", "level", SCHEMA_WORD, "info", "error warn info debug",
	    "What is logged: this and everything more severe.",
	    IN(config, log_level)),

	NUMBER("body", "json", SCHEMA_BYTES, 1024, 4 * GIB, "64 MiB",
	    "The largest JSON body.", IN(config, json_max_bytes)),
	NUMBER("body", "multipart", SCHEMA_BYTES, 1024, 4 * GIB, "256 MiB",
	    "The largest form (audio upload).",
	    IN(config, multipart_max_bytes)),
	NUMBER("body", "spool_over", SCHEMA_BYTES, 0, GIB, "16 MiB",
	    "A larger body is kept in an unlinked file, not in memory.",
	    IN(config, spool_bytes)),
	TEXT("body", "spool_dir", SCHEMA_PATH, 1, 4096, "/tmp", false,
	    "Directory of these files.", IN(config, spool_dir)),

	TEXT("cors", "origins", SCHEMA_STRINGS, 0, 64, NULL, false,
	    "Origins whose pages may call with any header and read the "
	    "response, such as \"https://chat.home\"; \"*\" means all, "
	    "with a key.",
	    MANY(config, cors_origins)),

	BOOL("ledger", "enabled", "true",
	    "Write one line for each request (never its content).",
	    IN(config, ledger)),
	TEXT("ledger", "file", SCHEMA_PATH, 1, 4096, NULL, false,
	    "The ledger; ledger.jsonl in state_dir unless given.",
	    IN(config, ledger_file)),
	TEXT("ledger", "gateway", SCHEMA_NAME, 1, CONFIG_NAME_MAX, NULL, false,
	    "The name of this host in each line, so that ledgers of several "
	    "hosts can be combined; its host name unless given.",
	    IN(config, gateway)),
	WORD("ledger", "when_stuck", SCHEMA_WORD, "refuse_external",
	    "refuse_external refuse count",
	    "What happens to requests while it can't be written: "
	    "refuse_external refuses those for external providers, refuse "
	    "refuses all, count serves and counts them.",
	    IN(config, ledger_when_stuck)),

	NUMBER("private_scan", "max_bytes", SCHEMA_BYTES, 1024, GIB, "16 MiB",
	    "How much text of a request is searched.",
	    IN(config, private_max_bytes)),
	NUMBER("private_scan", "max_time", SCHEMA_SECONDS, 0.01, 60, "1",
	    "How long it may be searched.", IN(config, private_max_ms)),

	TEXT("store", "url", SCHEMA_STRING, 1, 2048, NULL, false,
	    "Where it is: unix:///run/valkey/valkey.sock, valkey://HOST:PORT "
	    "or redis://HOST:PORT; valkeys:// or rediss:// with TLS.",
	    IN(store_settings, url)),
	TEXT("store", "user", SCHEMA_STRING, 1, 128, NULL, false,
	    "Its user (ACL); the default user unless given.",
	    IN(store_settings, user)),
	GROUP("store", "key", "key",
	    "Where the password is read from: one of the three.",
	    IN(store_settings, link.key_source)),
	TEXT("store", "prefix", SCHEMA_STRING, 1, 64, "tailgate", false,
	    "The beginning of all names there; the same on all hosts.  In "
	    "braces for a cluster of several nodes.",
	    IN(store_settings, prefix)),
	NUMBER("store", "timeout", SCHEMA_SECONDS, 0.01, 10, "0.25",
	    "For one call.", IN(store_settings, timeout_ms)),
	NUMBER("store", "connect", SCHEMA_SECONDS, 0.01, 60, "2",
	    "For the connection, TLS included.",
	    IN(store_settings, link.timeouts.connect_ms)),
	NUMBER("store", "lease", SCHEMA_SECONDS, 2, 300, "15",
	    "How long a process that has fallen silent keeps its slots; the "
	    "same on all hosts.",
	    IN(store_settings, lease_ms)),
	TEXT("store", "ca_file", SCHEMA_PATH, 1, 4096, NULL, false,
	    "File with the authorities that its certificate may come from; "
	    "the system's unless given.",
	    IN(store_settings, link.ca_file)),

	TEXT("limits", "name", SCHEMA_NAME, 1, CONFIG_NAME_MAX, NULL, true,
	    "How providers refer to it.", IN(limit, name)),
	NUMBER("limits", "slots", SCHEMA_INT, 1, 256, "1",
	    "Requests at the same time, over all processes.", IN(limit, slots)),
	NUMBER("limits", "queue", SCHEMA_INT, 0, 1024, "32",
	    "Requests that may wait, over all processes; 0 means that none "
	    "waits.",
	    IN(limit, queue)),
	NUMBER("limits", "wait", SCHEMA_SECONDS, 0, 3600, "120",
	    "How long a request may wait; counts in total, not in the "
	    "provider's timeouts.",
	    IN(limit, wait_ms)),
	NUMBER("limits", "per_client", SCHEMA_INT, 0, 256, "0",
	    "Slots that one client may hold; 0 means all.",
	    IN(limit, per_client)),
	WORD("limits", "swap", SCHEMA_WORD, "none", "none group",
	    "With group, requests that wait for the model in use go first, for "
	    "servers that load one model at a time.",
	    IN(limit, swap)),
	NUMBER("limits", "swap_wait", SCHEMA_SECONDS, 0, 3600, "30",
	    "How long requests for another model may be passed over for that.",
	    IN(limit, swap_wait_ms)),
	BOOL("limits", "shared", "false",
	    "Its slots are counted over all hosts, through the store.",
	    IN(limit, shared)),
	WORD("limits", "without_store", SCHEMA_WORD, "refuse", "refuse local",
	    "What happens to requests of a shared limit while the store is "
	    "away: refuse refuses them, local gives each host that many slots "
	    "of its own.",
	    IN(limit, without_store)),

	TEXT("providers", "name", SCHEMA_NAME, 1, CONFIG_NAME_MAX, NULL, true,
	    "How targets refer to it, and its name in responses, log and "
	    "ledger.",
	    IN(provider, name)),
	WORD("providers", "kind", SCHEMA_WORD, "openai", "openai echo tailgate",
	    "openai speaks HTTP as OpenAI does; tailgate is another gateway, "
	    "which also gets the client's name; echo answers inside tailgate, "
	    "for trying "
	    "things out.",
	    IN(provider, kind)),
	WORD("providers", "place", SCHEMA_WORD, "external", WORDS_PLACE,
	    "local is this host or the owner's private network.",
	    IN(provider, place)),
	{ "providers", "url", SCHEMA_URL, 1, 2048, NULL, "http https", NULL,
	    false, "Its base URL, with /v1 if it has that.",
	    IN(provider, url) },
	WORD("providers", "auth", SCHEMA_WORD, "bearer",
	    "bearer x-api-key none client",
	    "How the key is sent; client: each client sends its own.",
	    IN(provider, auth)),
	GROUP("providers", "key", "key",
	    "Where its key is read from: one of the three.",
	    IN(provider, key_source)),
	ELEMENTS("providers", "keys", "key", 0, CONFIG_KEYS_MAX, false,
	    "Several keys instead of one; the next is used while those before "
	    "it rest.",
	    LIST(provider, key_sources, key_source)),
	ELEMENTS("providers", "headers", "headers", 0, 32, false,
	    "Header fields to send with each request.",
	    LIST(provider, headers, header)),
	REF("providers", "limit", "limits", false,
	    "The limit that it works under.", IN(provider, limit)),
	GROUP("providers", "timeouts", "timeouts", "How long to wait for it.",
	    IN(provider, timeouts)),
	GROUP("providers", "circuit", "circuit",
	    "How it is left alone after failures.", IN(provider, circuit)),
	NUMBER("providers", "retries", SCHEMA_INT, 0, 10, "1",
	    "How often to try again when a connection could not be made.",
	    IN(provider, retries)),
	NUMBER("providers", "keepalive", SCHEMA_SECONDS, 0, 3600, "60",
	    "How long an idle connection is kept.", IN(provider, keepalive_ms)),
	TEXT("providers", "ca_file", SCHEMA_PATH, 1, 4096, NULL, false,
	    "File with the authorities that its certificate may come from; "
	    "the system's unless given.",
	    IN(provider, ca_file)),
	TEXT("providers", "ca_path", SCHEMA_PATH, 1, 4096, NULL, false,
	    "The same as a directory (c_rehash).", IN(provider, ca_path)),
	{ "providers", "proxy", SCHEMA_URL, 1, 2048, NULL, "http https socks5h",
	    NULL, false,
	    "Proxy on the way to it (an HTTP proxy is asked to CONNECT); only "
	    "for an external one.",
	    IN(provider, proxy) },
	{ "providers", "addresses", SCHEMA_NETS, 0, 256, NULL, NULL, NULL,
	    false,
	    "Networks, in addition to the private ones, where a local provider "
	    "may be; its name may lead to no other address.",
	    MANY(provider, addresses) },
	BOOL("providers", "fetches_media", "false",
	    "A local provider may get images and files as http and https URLs, "
	    "which it fetches itself, from any network that it reaches.",
	    IN(provider, fetches_media)),
	WORD("providers", "counts", SCHEMA_WORD, "none",
	    "none input_tokens tokenize",
	    "How a local server counts tokens: input_tokens as llama.cpp does, "
	    "tokenize as vLLM does; none: it is not asked.",
	    IN(provider, counts)),
	GROUP("providers", "wake", "wake",
	    "How its host is woken when it can't be reached; it is not, unless "
	    "given.",
	    IN(provider, wake)),
	NUMBER("providers", "wake_wait", SCHEMA_SECONDS, 0, 3600, "90",
	    "How long a request waits until a host that is being woken can be "
	    "reached; 0 means that it does not.",
	    IN(provider, wake_wait_ms)),
	BOOL("providers", "learn", "true",
	    "What tailgate probe learned of its models goes before what the "
	    "targets say.",
	    IN(provider, learn)),
	{ "providers", "endpoints", SCHEMA_ENDPOINTS, 0, 0, NULL,
	    WORDS_ENDPOINTS, NULL, false,
	    "What its targets serve unless they say; unless given, all for "
	    "kind tailgate, else chat, completions, embeddings, rerank, "
	    "speech, transcriptions and translations.",
	    IN(provider, endpoints) },

	TEXT("key", "file", SCHEMA_PATH, 1, 4096, NULL, false,
	    "A file that only its owner and group can read: the key alone, "
	    "on one line.",
	    IN(key_source, file)),
	TEXT("key", "credential", SCHEMA_NAME, 1, 255, NULL, false,
	    "A systemd credential ($CREDENTIALS_DIRECTORY).",
	    IN(key_source, credential)),
	TEXT("key", "env", SCHEMA_NAME, 1, 255, NULL, false,
	    "An environment variable.", IN(key_source, env)),

	TEXT("wake", "mac", SCHEMA_STRING, 1, 64, NULL, false,
	    "Its network card's address, such as \"aa:bb:cc:dd:ee:ff\", for a "
	    "magic packet (Wake-on-LAN).",
	    IN(wake, mac)),
	TEXT("wake", "address", SCHEMA_STRING, 1, 64, "255.255.255.255", false,
	    "Where the packet is sent to: the broadcast address of its "
	    "network, if the gateway is in several.",
	    IN(wake, address)),
	NUMBER("wake", "port", SCHEMA_INT, 1, 65535, "9",
	    "The packet's UDP port.", IN(wake, port)),
	TEXT("wake", "command", SCHEMA_STRINGS, 1, 32, NULL, false,
	    "A program instead, by its absolute path, and its arguments.",
	    MANY(wake, command)),
	NUMBER("wake", "queue", SCHEMA_INT, 1, 1024, "64",
	    "Requests of one process that may wait until it is awake.",
	    IN(wake, queue)),

	TEXT("headers", "name", SCHEMA_STRING, 1, 128, NULL, true,
	    "The field's name.", IN(header, name)),
	TEXT("headers", "value", SCHEMA_STRING, 1, 4096, NULL, true,
	    "Its value.", IN(header, value)),

	NUMBER("timeouts", "connect", SCHEMA_SECONDS, 0.01, 3600, "5",
	    "For the connection, TLS included.", IN(timeouts, connect_ms)),
	NUMBER("timeouts", "first_byte", SCHEMA_SECONDS, 0.01, DAY, "120",
	    "From the request to the response's first byte.",
	    IN(timeouts, first_byte_ms)),
	NUMBER("timeouts", "idle", SCHEMA_SECONDS, 0.01, DAY, "120",
	    "Between two bytes of the response.", IN(timeouts, idle_ms)),
	NUMBER("timeouts", "total", SCHEMA_SECONDS, 0.01, DAY, "1800",
	    "For one attempt as a whole.", IN(timeouts, total_ms)),

	NUMBER("circuit", "failures", SCHEMA_INT, 0, 1000, "3",
	    "After how many failures in a row it is left alone; 0 means never.",
	    IN(circuit, failures)),
	NUMBER("circuit", "cooldown", SCHEMA_SECONDS, 0.1, DAY, "5",
	    "For how long at first; doubles with each further failure.",
	    IN(circuit, cooldown_ms)),
	NUMBER("circuit", "cooldown_max", SCHEMA_SECONDS, 0.1, DAY, "300",
	    "For how long at most.", IN(circuit, cooldown_max_ms)),

	TEXT("models", "id", SCHEMA_STRING, 1, 256, NULL, true,
	    "The name; a * at its end stands for any rest.", IN(model, id)),
	TEXT("models", "aliases", SCHEMA_STRINGS, 0, 256, NULL, false,
	    "Further names.", MANY(model, aliases)),
	WORD("models", "place", SCHEMA_WORD, "local", WORDS_PLACE,
	    "How far its requests may go.", IN(model, place)),
	ELEMENTS("models", "targets", "targets", 1, 64, true,
	    "Where its requests go, in order of preference.",
	    LIST(model, targets, target)),
	WORD("models", "fallback", SCHEMA_WORDS, NULL,
	    "busy unavailable error timeout rate_limited too_long unsupported",
	    "For which reasons the next target may be tried; none unless "
	    "given.",
	    IN(model, fallback)),
	NUMBER("models", "max_attempts", SCHEMA_INT, 1, 64, "3",
	    "How many targets one request may try.", IN(model, max_attempts)),
	WORD("models", "select", SCHEMA_WORD, "order",
	    "order round_robin least_busy cheapest fastest",
	    "Which of several targets of the same place comes first.",
	    IN(model, select)),
	BOOL("models", "sticky", "false",
	    "Keep a client at one target, for its prompt cache.",
	    IN(model, sticky)),
	WORD("models", "sticky_by", SCHEMA_WORD, "client", "client session",
	    "What is kept there: each client, or each session of its tools.",
	    IN(model, sticky_by)),
	GROUP("models", "when", "when",
	    "Which requests it is for: those that meet all rules given here; "
	    "others are refused.",
	    IN(model, when)),
	GROUP("models", "budget", "budget", "What may be spent on it.",
	    IN(model, budget)),

	REF("targets", "provider", "providers", true,
	    "The provider that is asked.", IN(target, provider)),
	TEXT("targets", "model", SCHEMA_STRING, 1, 256, NULL, true,
	    "The provider's name for the model; * is what the id's * stands "
	    "for.",
	    IN(target, model)),
	NUMBER("targets", "weight", SCHEMA_INT, 1, 1000, "1",
	    "Its share among targets that are otherwise equal.",
	    IN(target, weight)),
	NUMBER("targets", "context", SCHEMA_INT, 1, TOKENS_MAX, NULL,
	    "Tokens of input and output together; unbounded unless given.",
	    IN(target, context)),
	NUMBER("targets", "max_output", SCHEMA_INT, 1, TOKENS_MAX, NULL,
	    "Tokens of output; unbounded unless given.",
	    IN(target, max_output)),
	BOOL("targets", "images", NULL, "Accepts images; unknown unless given.",
	    IN(target, images)),
	BOOL("targets", "audio", NULL,
	    "Accepts audio in messages; unknown unless given.",
	    IN(target, audio)),
	BOOL("targets", "files", NULL,
	    "Accepts files in messages; unknown unless given.",
	    IN(target, files)),
	BOOL("targets", "tools", NULL, "Calls tools; unknown unless given.",
	    IN(target, tools)),
	BOOL("targets", "json_schema", NULL,
	    "Supports a JSON schema for its response; unknown unless given.",
	    IN(target, json_schema)),
	{ "targets", "endpoints", SCHEMA_ENDPOINTS, 0, 0, NULL, WORDS_ENDPOINTS,
	    NULL, false, "What it serves; its provider's unless given.",
	    IN(target, endpoints) },
	WORD("targets", "usage", SCHEMA_WORD, "given", "given ask",
	    "Whether it reports the usage of streams by itself (given), or "
	    "only when asked by stream_options (ask).",
	    IN(target, ask_usage)),
	WORD("targets", "max_tokens", SCHEMA_WORD, "max_tokens",
	    "max_tokens max_completion_tokens",
	    "Its name for the bound of the output, for requests that a bridge "
	    "translates.",
	    IN(target, dialect.max_completion_tokens)),
	WORD("targets", "reasoning", SCHEMA_WORD, "calls", "calls none all",
	    "Which of the assistant's earlier turns a bridge sends with their "
	    "reasoning: those with calls, none, or all (a turn without "
	    "reasoning then has an empty one).",
	    IN(target, dialect.reasoning)),
	WORD("targets", "reasoning_as", SCHEMA_WORD, "reasoning_content",
	    "reasoning_content reasoning thinking",
	    "Where a bridge puts that reasoning: a member of the message, or a "
	    "part of its content of type thinking.",
	    IN(target, dialect.reasoning_as)),
	WORD("targets", "user", SCHEMA_WORD, "short", "short keep drop",
	    "What a bridge sends as user.  short: the client's if it is a "
	    "plain name of at most 64 bytes, else a digest of it; keep: always "
	    "the client's (only to a local provider); drop: nothing.",
	    IN(target, dialect.user)),
	WORD("targets", "strict", SCHEMA_WORD, "keep", "keep drop",
	    "Whether a bridge sends strict with tools and response formats.",
	    IN(target, dialect.drop_strict)),
	WORD("targets", "attribution", SCHEMA_WORD, "drop", "drop keep",
	    "Whether a local provider gets the billing line at the beginning "
	    "of Claude Code's system prompt, which spoils a prompt cache.",
	    IN(target, dialect.keep_attribution)),
	GROUP("targets", "when", "when",
	    "Which requests it is for: those that meet all rules given here.",
	    IN(target, when)),
	GROUP("targets", "price", "price", "What it costs.", IN(target, price)),
	PRICES("price", OF_TARGET),

	NUMBER("when", "max_tokens_in", SCHEMA_INT, 1, TOKENS_MAX, NULL,
	    "With at most this many input tokens, by the estimate; any number "
	    "unless given.",
	    IN(when, max_tokens_in)),
	BOOL("when", "images", NULL,
	    "With images, or without; either unless given.", IN(when, images)),
	BOOL("when", "tools", NULL,
	    "With tools, or without; either unless given.", IN(when, tools)),
	BOOL("when", "thinking", NULL,
	    "That ask for thinking (reasoning), or don't; either unless given.",
	    IN(when, thinking)),
	{ "when", "endpoint", SCHEMA_ENDPOINTS, 0, 0, NULL, WORDS_ENDPOINTS,
	    NULL, false, "At one of these endpoints; at any unless given.",
	    IN(when, endpoints) },
	GROUP("when", "header", "when_header",
	    "With a header of this name and value.", IN(when, header)),
	TEXT("when_header", "name", SCHEMA_STRING, 1, 128, NULL, false,
	    "The field's name.", IN(when_header, name)),
	TEXT("when_header", "value", SCHEMA_STRING, 0, 256, NULL, false,
	    "Its value; * and ? stand for any characters; any unless given.",
	    IN(when_header, value)),

	NUMBER("budget", "usd_per_day", SCHEMA_USD, 0.0001, USD_MAX, NULL,
	    "USD in 24 hours (UTC day); unbounded unless given.",
	    IN(budget, nanousd_per_day)),
	NUMBER("budget", "usd_per_month", SCHEMA_USD, 0.0001, USD_MAX, NULL,
	    "USD in a calendar month (UTC); unbounded unless given.",
	    IN(budget, nanousd_per_month)),
	NUMBER("budget", "requests_per_minute", SCHEMA_INT, 1, 1e9, NULL,
	    "Requests in a minute; unbounded unless given.",
	    IN(budget, requests_per_minute)),
	NUMBER("budget", "tokens_per_minute", SCHEMA_INT, 1, TOKENS_MAX, NULL,
	    "Tokens in a minute; unbounded unless given.",
	    IN(budget, tokens_per_minute)),
	NUMBER("budget", "tokens_per_day", SCHEMA_INT, 1, TOKENS_MAX, NULL,
	    "Tokens in a UTC day; unbounded unless given.",
	    IN(budget, tokens_per_day)),
	NUMBER("budget", "concurrent", SCHEMA_INT, 1, 1e6, NULL,
	    "Requests at the same time; unbounded unless given.",
	    IN(budget, concurrent)),
	BOOL("budget", "shared", "false",
	    "Holds over all hosts that use the same store (all but "
	    "concurrent).",
	    IN(budget, shared)),

	TEXT("private", "name", SCHEMA_NAME, 1, CONFIG_NAME_MAX, NULL, true,
	    "How refusals and the ledger name it.", IN(private_rule, name)),
	TEXT("private", "pattern", SCHEMA_STRING, 1, 4096, NULL, true,
	    "A regular expression (PCRE2 if built with it, else POSIX "
	    "extended).",
	    IN(private_rule, pattern)),

	TEXT("clients", "name", SCHEMA_NAME, 1, CONFIG_NAME_MAX, NULL, true,
	    "Its name in log and ledger.", IN(client, name)),
	{ "clients", "key_sha256", SCHEMA_DIGEST, 64, 64, NULL, NULL, NULL,
	    false, "SHA-256 of its key.", offsetof(struct client, key_digest),
	    DIGEST_BYTES, offsetof(struct client, has_key) },
	{ "clients", "old_key_sha256", SCHEMA_DIGEST, 64, 64, NULL, NULL, NULL,
	    false,
	    "SHA-256 of the key that it had before, accepted until "
	    "old_key_expires (`tailgate client rotate`).",
	    offsetof(struct client, old_key_digest), DIGEST_BYTES,
	    offsetof(struct client, has_old_key) },
	TEXT("clients", "old_key_expires", SCHEMA_DATE, 1, 64, NULL, false,
	    "Until when the old key is accepted.",
	    IN(client, old_key_expires_ms)),
	{ "clients", "networks", SCHEMA_NETS, 0, 256, NULL, NULL, NULL, false,
	    "Where it may call from.", MANY(client, networks) },
	TEXT("clients", "user", SCHEMA_STRING, 1, 256, NULL, false,
	    "The user that the web server names (REMOTE_USER).",
	    IN(client, user)),
	TEXT("clients", "group", SCHEMA_NAME, 1, CONFIG_NAME_MAX, NULL, false,
	    "The element of client_groups from which it has the settings that "
	    "it does not have itself.",
	    IN(client, group)),
	BOOL("clients", "relay", "false",
	    "It is another gateway, which is trusted to name its clients, "
	    "within the bounds of this client.",
	    IN(client, relay)),
	CLIENT_RIGHTS("clients"),

	TEXT("client_groups", "name", SCHEMA_NAME, 1, CONFIG_NAME_MAX, NULL,
	    true, "Its name in `group` of its clients.", IN(client, name)),
	CLIENT_RIGHTS("client_groups"),
	CLIENT_RIGHTS("default_client"),

	ELEMENTS(SCHEMA_CLIENTS_FILE, "clients", "clients", 0,
	    CONFIG_CLIENTS_MAX, false, "The only setting of clients_file.",
	    LIST(config, clients, client)),
	ELEMENTS(SCHEMA_PRICE_FILE, "prices", "prices", 0, 65536, false,
	    "The only setting of price_file.",
	    LIST(config, prices, listed_price)),
	REF("prices", "provider", "providers", true, "Whose price this is.",
	    IN(listed_price, provider)),
	TEXT("prices", "model", SCHEMA_STRING, 1, 256, NULL, true,
	    "What the provider calls the model.", IN(listed_price, model)),
	PRICES("prices", OF_FILE),
};

const size_t schema_count = sizeof(schema_table) / sizeof(schema_table[0]);
