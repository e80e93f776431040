/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The configuration: each kind of mistake with its exact line and setting, all
 * of them in one run; the result of a good file; a dump has the same meaning;
 * and nothing in a file does harm.
 */
#include "config.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "config/settings.h"
#include "config/schema.h"

#include "check.h"

/* libconfig 1.5 leaks a few bytes at each syntax error. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:libconfig\n";
}

/* The test's own directory; files are written to it by name. */
static char dir[] = "/tmp/tailgate-config.XXXXXX";
static char said[65536];

static char *
in_dir(const char *name)
{
	static char path[4][4096];
	static unsigned turn;
	char *p = path[turn++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void
write_bytes(const char *name, const void *bytes, size_t len, mode_t mode)
{
	FILE *f = fopen(in_dir(name), "w");

	if (f == NULL || fwrite(bytes, 1, len, f) != len || fclose(f) == EOF ||
	    chmod(in_dir(name), mode) == -1) {
		perror(name);
		exit(99);
	}
}

static void
write_file(const char *name, const char *text)
{
	write_bytes(name, text, strlen(text), 0600);
}

/* Loads DIR/tailgate.conf with this text; the messages are in `said`, without
 * the directory's name.  check NULL: patterns are not checked. */
static struct config *
load_how(
    const void *text, size_t len, unsigned flags, config_pattern_check *check)
{
	FILE *err = tmpfile();
	struct config *config;
	char *p;
	size_t n;

	if (err == NULL)
		exit(99);
	write_bytes("tailgate.conf", text, len, 0600);
	config = config_load_all(in_dir("tailgate.conf"), flags, check, err);
	rewind(err);
	n = fread(said, 1, sizeof(said) - 1, err);
	said[n] = '\0';
	fclose(err);
	while ((p = strstr(said, dir)) != NULL)
		memmove(
		    p, p + strlen(dir) + 1, strlen(p + strlen(dir) + 1) + 1);
	return config;
}

static struct config *
load_bytes(const void *text, size_t len)
{
	return load_how(text, len, 0, NULL);
}

static struct config *
load(const char *text)
{
	return load_bytes(text, strlen(text));
}

/* The text that each mistake is put into; a provider is on line 5. */
#define BASE                                                                   \
	"clients_file = \"\";\n"                                               \
	"limits = ( { name = \"gpu\"; slots = 2; } );\n"                       \
	"providers = (\n"                                                      \
	"  { name = \"here\"; kind = \"echo\"; place = \"local\"; }\n"         \
	"%s\n);\n"                                                             \
	"models = (\n"                                                         \
	"  { id = \"m\"; targets = ( { provider = \"here\"; model = \"m\"; } " \
	"); }\n"                                                               \
	"%s\n);\n%s\n"

enum where { TOP, PROVIDERS, MODELS };

static void
base_text(char *out, size_t size, enum where where, const char *text)
{
	snprintf(out, size, BASE, where == PROVIDERS ? text : "",
	    where == MODELS ? text : "", where == TOP ? text : "");
}

static const struct {
	enum where where;
	const char *text;
	const char *want; /* the start of one line of the messages */
} mistakes[] = {
	/* names and types; TOP begins on line 11, MODELS 9, PROVIDERS 5 */
	{ TOP, "comit = 3.0;",
	    "tailgate.conf:11: comit: there is no such setting; did you mean "
	    "commit?" },
	{ TOP, "nonsense = 3.0;",
	    "tailgate.conf:11: nonsense: there is no such setting" },
	{ TOP, "\n\nlog = {\n  levl = \"info\"; };",
	    "tailgate.conf:14: log.levl: there is no such setting; did you "
	    "mean level?" },
	{ TOP, "processes = \"2\";",
	    "tailgate.conf:11: processes: must be a whole number, is a "
	    "string" },
	{ TOP, "processes = 1.5;",
	    "tailgate.conf:11: processes: must be a whole number, is a number "
	    "with a fraction" },
	{ TOP, "total = \"1h\";",
	    "tailgate.conf:11: total: must be a number of seconds, is a "
	    "string" },
	{ TOP, "log = 3;",
	    "tailgate.conf:11: log: must be a group { }, is a whole number" },
	{ TOP, "private = [ \"a\" ];",
	    "tailgate.conf:11: private: must be a list ( { }, { } ), is an "
	    "array [ ]" },
	{ TOP, "private = ( 3 );",
	    "tailgate.conf:11: private[0]: must be a group { }, is a whole "
	    "number" },
	{ TOP, "hosts = [ \"ai.home\", \"http://ai.home\" ];",
	    "tailgate.conf:11: hosts: \"http://ai.home\" is not a host "
	    "name; write it without scheme, port and path" },
	{ TOP, "hosts = [ \"ai.home:8080\" ];",
	    "tailgate.conf:11: hosts: \"ai.home:8080\" is not a host name; "
	    "write it without scheme, port and path" },
	{ TOP, "hosts = [ \"*ai.home\" ];",
	    "tailgate.conf:11: hosts: \"*ai.home\" is not a host name; write "
	    "it "
	    "without scheme, port and path" },
	{ TOP, "providers = ( { name = \"x\"; kind = \"echo\"; } );",
	    "tailgate.conf:11: a second list providers; put the elements of "
	    "both into one `providers` list" },
	{ TOP, "commit = 2.0;\ncommit = 3.0;",
	    "tailgate.conf:12: commit is set twice; keep one `commit`" },
	{ PROVIDERS,
	    ", { name = \"x\"; url = \"https://x.example/v1\";\n"
	    "    key = \"sk-abcdef\"; }",
	    "tailgate.conf:6: providers[1].key: do not write the key itself "
	    "here: put it into a file and write key = { file = "
	    "\"NAME.key\"; }" },
	{ TOP, "cors = { origins = \"a\"; };",
	    "tailgate.conf:11: cors.origins: must be an array" },
	{ TOP, "ledger = { enabled = 1; };",
	    "tailgate.conf:11: ledger.enabled: must be true or false, is a "
	    "whole number" },
	{ TOP, "state_dir = 5;",
	    "tailgate.conf:11: state_dir: must be a string, is a whole "
	    "number" },
	{ TOP, "state_dir = \"\";",
	    "tailgate.conf:11: state_dir: must have 1..4096 bytes, has 0" },
	{ TOP, "state_dir = \"a\\nb\";",
	    "tailgate.conf:11: state_dir: holds a control character" },
	{ TOP, "state_dir = \"\xff\";",
	    "tailgate.conf:11: state_dir: is not valid UTF-8" },
	/* ranges */
	{ TOP, "processes = 0;",
	    "tailgate.conf:11: processes: must be 1..64, is 0" },
	{ TOP, "requests = 60001;",
	    "tailgate.conf:11: requests: must be 1..60000, is 60001" },
	{ TOP, "commit = -1;",
	    "tailgate.conf:11: commit: must be 0.1..3600 (seconds), is -1" },
	{ TOP, "commit = 1e999;",
	    "tailgate.conf:11: commit: must be 0.1..3600 (seconds), is inf" },
	{ TOP, "requests = 99999999999;",
	    "tailgate.conf:11: the number 99999999999 is too large; write an "
	    "L after" },
	{ TOP, "requests = 99999999999L;",
	    "tailgate.conf:11: requests: must be 1..60000, is 99999999999" },
	{ TOP, "requests = 0xfffffffff;",
	    "tailgate.conf:11: the number 0xfffffffff is too large" },
	{ TOP, "requests = 99999999999999999999L;",
	    "tailgate.conf:11: the number 99999999999999999999L is too "
	    "large; no setting takes it" },
	{ TOP, "body = { json = \"64 Mib\"; };",
	    "tailgate.conf:11: body.json: must be a size such as" },
	{ TOP, "body = { json = \"1 kB\"; };",
	    "tailgate.conf:11: body.json: must be 1024..4294967296 (bytes), "
	    "is 1000" },
	{ TOP, "log = { level = \"loud\"; };",
	    "tailgate.conf:11: log.level: must be one of: error warn info "
	    "debug; is \"loud\"" },
	/* addresses */
	{ TOP, "trusted_proxies = [ \"10.0.0.0/8\", \"10.0.0.1/8\" ];",
	    "tailgate.conf:11: trusted_proxies[1]: must be an address or a "
	    "network" },
	{ TOP, "client_address_header = \"X Y\";",
	    "tailgate.conf:11: client_address_header: holds a character" },
	/* duplicates */
	{ PROVIDERS, ", { name = \"here\"; kind = \"echo\"; }",
	    "tailgate.conf:5: providers[1].name: \"here\" is used twice" },
	{ MODELS,
	    ", { id = \"m\"; targets = ( { provider = \"here\"; model = "
	    "\"x\"; } ); }",
	    "tailgate.conf:9: models[1].id: \"m\" is used twice" },
	{ MODELS,
	    ", { id = \"n\"; aliases = [ \"m\" ]; targets = ( { provider = "
	    "\"here\"; model = \"x\"; } ); }",
	    "tailgate.conf:9: models[1].aliases: \"m\" is used twice" },
	{ TOP,
	    "clients = ( { name = \"a\"; user = \"a\"; },\n"
	    "{ name = \"a\"; user = \"b\"; } );",
	    "tailgate.conf:12: clients[1].name: \"a\" is used twice" },
	{ TOP, "requests = 5;\nrequests = 6;",
	    "tailgate.conf:12: requests is set twice" },
	/* references */
	{ PROVIDERS, ", { name = \"b\"; kind = \"echo\"; limit = \"gpx\"; }",
	    "tailgate.conf:5: providers[1].limit: none of the limits has the "
	    "name \"gpx\"; did you mean \"gpu\"?" },
	{ MODELS,
	    ", { id = \"n\"; targets = ( { provider = \"there\"; model = "
	    "\"x\"; } ); }",
	    "tailgate.conf:9: models[1].targets[0].provider: none of the "
	    "providers has the name \"there\"; did you mean \"here\"?" },
	/* required */
	{ PROVIDERS, ", { kind = \"echo\"; }",
	    "tailgate.conf:5: providers[1]: name is missing" },
	{ MODELS, ", { id = \"n\"; }",
	    "tailgate.conf:9: models[1]: targets is missing" },
	{ MODELS, ", { id = \"n\"; targets = ( ); }",
	    "tailgate.conf:9: models[1].targets: must be 1..64 groups, is "
	    "0" },
	{ PROVIDERS, ", { name = \"b\"; }",
	    "tailgate.conf:5: providers[1].url: is missing" },
	{ PROVIDERS,
	    ", { name = \"b\"; url = \"https://a.example/v1\"; "
	    "counts = \"tokenize\"; }",
	    "tailgate.conf:5: providers[1].counts: only a local provider" },
	/* providers */
	{ PROVIDERS, ", { name = \"b c\"; kind = \"echo\"; }",
	    "tailgate.conf:5: providers[1].name: must be a name of letters" },
	{ PROVIDERS, ", { name = \"../b\"; kind = \"echo\"; }",
	    "tailgate.conf:5: providers[1].name: must be a name of letters" },
	{ PROVIDERS, ", { name = \"b\"; url = \"ftp://x/\"; }",
	    "tailgate.conf:5: providers[1].url: the URL must begin with "
	    "http:// or https://" },
	{ PROVIDERS, ", { name = \"b\"; url = \"x.example\"; }",
	    "tailgate.conf:5: providers[1].url: the URL must begin with" },
	{ PROVIDERS, ", { name = \"b\"; url = \"https://u:p@x/\"; }",
	    "tailgate.conf:5: providers[1].url: the URL must hold no user" },
	{ PROVIDERS, ", { name = \"b\"; url = \"https://x/?a\"; }",
	    "tailgate.conf:5: providers[1].url: the URL must hold no query" },
	{ PROVIDERS, ", { name = \"b\"; url = \"https://x/#a\"; }",
	    "tailgate.conf:5: providers[1].url: the URL must hold no query" },
	{ PROVIDERS, ", { name = \"b\"; url = \"https:///v1\"; }",
	    "tailgate.conf:5: providers[1].url: the URL has no valid host" },
	{ PROVIDERS, ", { name = \"b\"; url = \"https://[::g]/\"; }",
	    "tailgate.conf:5: providers[1].url: the URL has no valid host" },
	{ PROVIDERS, ", { name = \"b\"; url = \"https://x:99999/\"; }",
	    "tailgate.conf:5: providers[1].url: the URL has no valid port" },
	{ PROVIDERS, ", { name = \"b\"; url = \"https://x/ y\"; }",
	    "tailgate.conf:5: providers[1].url: the URL holds a character" },
	{ PROVIDERS,
	    ", { name = \"b\"; kind = \"echo\"; url = "
	    "\"https://x\"; }",
	    "tailgate.conf:5: providers[1].url: an echo provider has none" },
	{ PROVIDERS,
	    ", { name = \"b\"; place = \"local\"; url = "
	    "\"http://8.8.8.8\"; }",
	    "tailgate.conf:5: providers[1].url: 8.8.8.8 is a public "
	    "address" },
	{ PROVIDERS,
	    ", { name = \"b\"; place = \"local\"; url = "
	    "\"http://x\"; proxy = \"http://p\"; }",
	    "tailgate.conf:5: providers[1].proxy: a local provider is "
	    "reached directly" },
	{ PROVIDERS,
	    ", { name = \"b\"; url = \"https://x\"; timeouts = {\n"
	    "connect = 0; }; }",
	    "tailgate.conf:6: providers[1].timeouts.connect: must be "
	    "0.01..3600 (seconds), is 0" },
	{ PROVIDERS,
	    ", { name = \"b\"; url = \"https://x\"; circuit = { "
	    "cooldown = 10; cooldown_max = 5; }; }",
	    "tailgate.conf:5: providers[1].circuit.cooldown_max: must be at "
	    "least cooldown (10 seconds)" },
	{ PROVIDERS,
	    ", { name = \"b\"; url = \"https://x\"; headers = ( { "
	    "name = \"A b\"; value = \"x\"; } ); }",
	    "tailgate.conf:5: providers[1].headers[0].name: holds a "
	    "character that no header name may hold" },
	{ PROVIDERS,
	    ", { name = \"b\"; url = \"https://x\"; headers = ( { "
	    "name = \"A\"; value = \"x\\r\\nEvil: 1\"; } ); }",
	    "tailgate.conf:5: providers[1].headers[0].value: holds a control "
	    "character" },
	{ PROVIDERS,
	    ", { name = \"b\"; url = \"https://x\"; headers = ( { "
	    "name = \"AUTHORIZATION\"; value = \"x\"; } ); }",
	    "tailgate.conf:5: providers[1].headers[0].name: tailgate sets "
	    "authorization itself; use key" },
	{ PROVIDERS,
	    ", { name = \"b\"; url = \"https://x\"; ca_file = "
	    "\"none.pem\"; }",
	    "tailgate.conf:5: providers[1].ca_file: " },
	{ PROVIDERS,
	    ", { name = \"b\"; url = \"https://x\"; endpoints = [ "
	    "\"chat\", \"models\" ]; }",
	    "tailgate.conf:5: providers[1].endpoints[1]: must be one of: "
	    "chat" },
	{ TOP,
	    "clients = ( { name = \"a\"; user = \"u\"; endpoints = [ "
	    "\"health\" ]; } );",
	    "tailgate.conf:11: clients[0].endpoints[0]: must be one of" },
	/* keys */
	{ PROVIDERS,
	    ", { name = \"b\"; url = \"https://x\"; key = { file = "
	    "\"none.key\"; }; }",
	    "tailgate.conf:5: providers[1].key.file: cannot read" },
	{ PROVIDERS,
	    ", { name = \"b\"; url = \"https://x\"; key = { file = "
	    "\"open.key\"; }; }",
	    "tailgate.conf:5: providers[1].key.file: every user can reach "
	    "\"open.key\" (mode 604)" },
	{ PROVIDERS,
	    ", { name = \"b\"; url = \"https://x\"; key = { file = "
	    "\"empty.key\"; }; }",
	    "tailgate.conf:5: providers[1].key.file: holds no key" },
	{ PROVIDERS,
	    ", { name = \"b\"; url = \"https://x\"; key = { file = "
	    "\"two.key\"; }; }",
	    "tailgate.conf:5: providers[1].key.file: holds a byte" },
	{ PROVIDERS,
	    ", { name = \"b\"; url = \"https://x\"; key = { file = "
	    "\"nul.key\"; }; }",
	    "tailgate.conf:5: providers[1].key.file: holds a byte" },
	{ PROVIDERS,
	    ", { name = \"b\"; url = \"https://x\"; key = { file = "
	    "\"huge.key\"; }; }",
	    "tailgate.conf:5: providers[1].key.file: a key has at most" },
	{ PROVIDERS,
	    ", { name = \"b\"; url = \"https://x\"; key = { file = "
	    "\"sub\"; }; }",
	    "tailgate.conf:5: providers[1].key.file: \"sub\" is not a "
	    "regular file" },
	{ PROVIDERS,
	    ", { name = \"b\"; url = \"https://x\"; key = { file = "
	    "\"fifo\"; }; }",
	    "tailgate.conf:5: providers[1].key.file: \"fifo\" is not a "
	    "regular file" },
	{ PROVIDERS,
	    ", { name = \"b\"; url = \"https://x\"; key = { env = "
	    "\"TAILGATE_NOT_SET\"; }; }",
	    "tailgate.conf:5: providers[1].key.env: the environment variable "
	    "is not set" },
	{ PROVIDERS,
	    ", { name = \"b\"; url = \"https://x\"; key = { "
	    "credential = \"x\"; }; }",
	    "tailgate.conf:5: providers[1].key.credential: there are no "
	    "credentials" },
	{ PROVIDERS,
	    ", { name = \"b\"; url = \"https://x\"; key = { "
	    "credential = \"../x\"; }; }",
	    "tailgate.conf:5: providers[1].key.credential: must be a name" },
	{ PROVIDERS,
	    ", { name = \"b\"; url = \"https://x\"; key = { env = "
	    "\"A\"; file = \"good.key\"; }; }",
	    "tailgate.conf:5: providers[1].key: give one of" },
	{ PROVIDERS,
	    ", { name = \"b\"; url = \"https://x\"; auth = "
	    "\"none\"; key = { file = \"good.key\"; }; }",
	    "tailgate.conf:5: providers[1].auth: is none, but there is a "
	    "key" },
	/* models */
	{ MODELS,
	    ", { id = \"a b\"; targets = ( { provider = \"here\"; "
	    "model = \"x\"; } ); }",
	    "tailgate.conf:9: models[1].id: \"a b\" holds a space" },
	{ MODELS,
	    ", { id = \"a\"; targets = ( { provider = \"here\"; "
	    "model = \"x\"; } ); budget = { usd_per_day = 1.0; shared = true; "
	    "}; }",
	    "tailgate.conf:9: models[1].budget.shared: needs a store" },
	{ MODELS,
	    ", { id = \"a\"; targets = ( { provider = \"here\"; "
	    "model = \"x\"; } ); budget = { concurrent = 1; shared = true; }; "
	    "}",
	    "tailgate.conf:9: models[1].budget.shared: needs a bound that "
	    "hosts can share" },
	{ TOP,
	    "client_groups = ( { name = \"g\"; budget = { shared = true; }; } "
	    ");",
	    "tailgate.conf:11: client_groups[0].budget.shared: needs a store" },
	{ MODELS,
	    ", { id = \"a*b\"; targets = ( { provider = \"here\"; "
	    "model = \"x\"; } ); }",
	    "tailgate.conf:9: models[1].id: \"a*b\": a * may only be "
	    "the last character" },
	{ MODELS,
	    ", { id = \"a\xe2\x80\x8b\"; targets = ( { provider = \"here\"; "
	    "model = \"x\"; } ); }",
	    "tailgate.conf:9: models[1].id: \"a\\xe2\\x80\\x8b\" holds a "
	    "control "
	    "character or one that is not seen, so every request" },
	{ MODELS,
	    ", { id = \"a\"; aliases = [ \"b\xef\xb8\x8f\" ]; targets = ( { "
	    "provider = \"here\"; model = \"x\"; } ); }",
	    "tailgate.conf:9: models[1].aliases: \"b\\xef\\xb8\\x8f\" holds a "
	    "control character or one that is not seen" },
	{ MODELS,
	    ", { id = \"a\"; aliases = [ \"b*\" ]; targets = ( { "
	    "provider = \"here\"; model = \"x\"; } ); }",
	    "tailgate.conf:9: models[1].aliases: \"b*\": a * may only" },
	{ MODELS,
	    ", { id = \"a\"; targets = ( { provider = \"here\"; model = "
	    "\"x\"; when = { header = { name = \"X-API-Key\"; }; }; } ); }",
	    "tailgate.conf:9: models[1].targets[0].when.header.name: is a "
	    "secret, and no rule looks at it" },
	{ MODELS,
	    ", { id = \"a\"; when = { header = { value = \"x\"; }; }; "
	    "targets = ( { provider = \"here\"; model = \"x\"; } ); }",
	    "tailgate.conf:9: models[1].when.header" },
	{ MODELS,
	    ", { id = \"a\"; when = { header = { name = \"A_b\"; }; }; "
	    "targets = ( { provider = \"here\"; model = \"x\"; } ); }",
	    "tailgate.conf:9: models[1].when.header.name: may consist of" },
	{ MODELS,
	    ", { id = \"a\"; when = { max_tokens_in = 0; }; "
	    "targets = ( { provider = \"here\"; model = \"x\"; } ); }",
	    "tailgate.conf:9: models[1].when.max_tokens_in: must be" },
	{ MODELS,
	    ", { id = \"a\"; targets = ( { provider = \"here\"; model "
	    "= \"*\"; } ); }",
	    "tailgate.conf:9: models[1].targets[0].model: * is the rest of "
	    "the id, but" },
	{ MODELS,
	    ", { id = \"a/*\"; targets = ( { provider = \"here\"; "
	    "model = \"x*\"; } ); }",
	    "tailgate.conf:9: models[1].targets[0].model: a * can only be "
	    "alone" },
	{ MODELS,
	    ", { id = \"a\"; targets = ( { provider = \"here\"; model "
	    "= \"x\"; context = 10; max_output = 11; } ); }",
	    "tailgate.conf:9: models[1].targets[0].max_output: must be at "
	    "most context (10)" },
	{ MODELS,
	    ", { id = \"a\"; targets = ( { provider = \"here\"; model "
	    "= \"x\"; reasoning = \"some\"; } ); }",
	    "tailgate.conf:9: models[1].targets[0].reasoning: must be one "
	    "of: calls none all" },
	{ MODELS,
	    ", { id = \"a\"; fallback = [ \"busy\", \"bored\" ]; "
	    "targets = ( { provider = \"here\"; model = \"x\"; } ); }",
	    "tailgate.conf:9: models[1].fallback[1]: must be one of: busy" },
	{ MODELS,
	    ", { id = \"a\"; targets = ( { provider = \"here\"; model "
	    "= \"x\"; price = { input = -1; }; } ); }",
	    "tailgate.conf:9: models[1].targets[0].price.input: must be "
	    "0..1000000 (USD), is -1" },
	{ MODELS,
	    ", { id = \"a\"; targets = ( { provider = \"here\"; model "
	    "= \"x\"; },\n{ provider = \"here\"; model = \"y\"; } ); }",
	    "tailgate.conf:10: models[1].targets[1]: this target is never "
	    "reached: another one goes first" },
	{ MODELS,
	    ", { id = \"a\"; fallback = [ \"busy\" ]; targets = ( { "
	    "provider = \"here\"; model = \"x\"; },\n{ provider = "
	    "\"here\"; model = \"x\"; } ); }",
	    "tailgate.conf:10: models[1].targets[1]: this target is never "
	    "reached: it is the same" },
	{ MODELS,
	    ", { id = \"a\"; budget = { usd_per_day = 0; }; targets = "
	    "( { provider = \"here\"; model = \"x\"; } ); }",
	    "tailgate.conf:9: models[1].budget.usd_per_day: must be" },
	/* limits, private, clients */
	{ TOP, "private = ( { name = \"k\"; } );",
	    "tailgate.conf:11: private[0]: pattern is missing" },
	{ TOP, "clients = ( { name = \"a\"; } );",
	    "tailgate.conf:11: clients[0]: nothing identifies it" },
	{ TOP, "clients = ( { name = \"a\"; key_sha256 = \"tg-secret\"; } );",
	    "tailgate.conf:11: clients[0].key_sha256: must be the SHA-256" },
	{ TOP,
	    "clients = ( { name = \"a\"; user = \"u\"; expires = "
	    "\"2026-02-30\"; } );",
	    "tailgate.conf:11: clients[0].expires: must be a date such as" },
	{ TOP,
	    "clients = ( { name = \"a\"; user = \"u\"; networks = [ "
	    "\"300.0.0.0/8\" ]; } );",
	    "tailgate.conf:11: clients[0].networks[0]: must be an address" },
	{ TOP, "clients = ( { name = \"a\"; user = \"u\"; priority = 0; } );",
	    "tailgate.conf:11: clients[0].priority: must be 1..100, is 0" },
	/* files */
	{ TOP, "price_file = \"none.conf\";",
	    "tailgate.conf:11: price_file: " },
	{ TOP, "price_file = \"bad-prices.conf\";",
	    "bad-prices.conf:2: prices[0].provider: none of the providers" },
	{ TOP, "@include \"none.conf\"",
	    "tailgate.conf:11: @include: \"none.conf\": No such file" },
	{ TOP, "@include \"sub\"",
	    "tailgate.conf:11: @include: \"sub\": Is a directory" },
	{ TOP, "@include \"fifo\"", "tailgate.conf:11: @include: \"fifo\"" },
	{ TOP, "@include \"/etc/passwd\"",
	    "tailgate.conf:11: @include: give a path relative" },
	{ TOP, "@include \"loop.conf\"",
	    "loop.conf:1: @include: too many files include each other" },
	{ TOP, "\n@include \"more.conf\"",
	    "more.conf:2: requests: must be 1..60000, is 0" },
	/* syntax */
	{ TOP, "requests = ;", "tailgate.conf:11: syntax error" },
	{ TOP, "private = ( { name = \"k\"; );",
	    "tailgate.conf:11: syntax error" },
	{ TOP, "state_dir = \"unfinished;", "tailgate.conf:1" },
};

/* Does a line begin with `want`, and say more than that? */
static bool
said_line(const char *want)
{
	const char *line = said;

	while (line != NULL && *line != '\0') {
		if (strncmp(line, want, strlen(want)) == 0)
			return true;
		line = strchr(line, '\n');
		line = line == NULL ? NULL : line + 1;
	}
	return false;
}

static void
test_mistakes(void)
{
	char text[8192];

	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct config *config;

		base_text(
		    text, sizeof(text), mistakes[i].where, mistakes[i].text);
		config = load(text);
		CHECK(config == NULL && said_line(mistakes[i].want), "%s",
		    mistakes[i].want);
		if (config != NULL || !said_line(mistakes[i].want))
			printf("# said: %s\n", said);
		config_free(config);
	}
}

/* The message for the most serious mistake names the whole path. */
static void
test_place(void)
{
	static const char text[] =
	    "clients_file = \"\";\n"
	    "providers = ( { name = \"here\"; kind = \"echo\"; place = "
	    "\"local\"; },\n"
	    "  { name = \"out\"; kind = \"echo\"; } );\n"
	    "models = (\n"
	    "  { id = \"notes\"; fallback = [ \"busy\" ]; targets = (\n"
	    "    { provider = \"here\"; model = \"a\"; },\n"
	    "    { provider = \"out\"; model = \"b\"; } ); } );\n";
	struct config *config = load(text);

	CHECK(config == NULL,
	    "a local model with an external target is "
	    "refused");
	CHECK_STR(said,
	    "tailgate.conf:7: models[0].targets[1].provider: model \"notes\" "
	    "-> target \"b\" -> provider out: the model's place is local, the "
	    "provider's is external; take the target out, or set the model's "
	    "place = \"external\"\n",
	    "and the way out is named");
	config_free(config);
}

static void
test_user(void)
{
	static const char text[] =
	    "clients_file = \"\";\n"
	    "providers = ( { name = \"out\"; kind = \"echo\"; } );\n"
	    "models = ( { id = \"m\"; place = \"external\"; targets = (\n"
	    "    { provider = \"out\"; model = \"b\"; user = \"keep\"; } ); } "
	    ");\n";
	struct config *config = load(text);

	CHECK(config == NULL &&
		said_line("tailgate.conf:4: models[0].targets[0].user: keep "
			  "is for local providers"),
	    "no user's id goes to an external provider whole");
	config_free(config);
}

static void
test_all_at_once(void)
{
	static const char text[] =
	    "processes = 0;\n"
	    "comit = 3.0;\n"
	    "clients_file = \"clients.conf\";\n"
	    "providers = ( { name = \"x\"; url = \"https://x?\"; } );\n"
	    "models = ( { id = \"m\"; targets = ( { provider = \"y\"; model = "
	    "\"m\"; } ); } );\n";
	struct config *config;

	write_file("clients.conf",
	    "clients = (\n  { name = \"a\"; priority = 0; } );\nrequests = "
	    "1;\n");
	config = load(text);
	CHECK(config == NULL, "there are mistakes in two files");
	CHECK_STR(said,
	    "clients.conf:2: clients[0].priority: must be 1..100, is 0\n"
	    "clients.conf:2: clients[0]: nothing identifies it; give "
	    "key_sha256 "
	    "(`tailgate client add`), networks or user\n"
	    "clients.conf:3: requests: there is no such setting\n"
	    "tailgate.conf:1: processes: must be 1..64, is 0\n"
	    "tailgate.conf:2: comit: there is no such setting; did you mean "
	    "commit?\n"
	    "tailgate.conf:4: providers[0].url: the URL must hold no query "
	    "(?) and no fragment (#)\n"
	    "tailgate.conf:5: models[0].targets[0].provider: none of the "
	    "providers has the name \"y\"; did you mean \"x\"?\n",
	    "all of them are said in one run, in order");
	config_free(config);
	unlink(in_dir("clients.conf"));
}

/* URLs with which every request would fail, and good ones. */
static void
test_url_paths(void)
{
	static const struct {
		const char *url, *warned; /* NULL: not at all */
	} rows[] = {
		{ "https://x.example/v1/chat/completions",
		    "remove /chat/completions" },
		{ "https://x.example/v1/completions/", "remove /completions" },
		{ "https://x.example/v1/messages", "remove /messages" },
		{ "https://x.example/v1/responses", "remove /responses" },
		{ "https://x.example/v1/models", "remove /models" },
		{ "https://x.example/v1", NULL },
		{ "https://x.example", NULL },
		{ "https://api.openai.com", "below /v1;" },
		{ "https://api.openai.com/v1", NULL },
		{ "https://api.anthropic.com", "below /v1;" },
		{ "https://openrouter.ai/v1", "below /api/v1;" },
		{ "https://openrouter.ai/api/v1", NULL },
		{ "https://api.deepseek.com", NULL },
		{ "http://127.0.0.1:11434", "Ollama" },
		{ "http://127.0.0.1:1234/", "LM Studio" },
		{ "http://127.0.0.1:8080/v1", NULL },
		{ "http://127.0.0.1:8080/llama", NULL },
		{ "http://127.0.0.1:9999", NULL },
	};
	char text[4096], more[512];
	struct config *config;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(more, sizeof(more),
		    ", { name = \"b\"; %s url = \"%s\"; }",
		    strncmp(rows[i].url, "http://127", 10) == 0
			? "place = \"local\";"
			: "place = \"external\";",
		    rows[i].url);
		base_text(text, sizeof(text), PROVIDERS, more);
		config = load(text);
		CHECK(config != NULL &&
			(rows[i].warned == NULL
				? strstr(said, "providers[1].url") == NULL
				: strstr(said, "warning: providers[1].url") !=
					NULL &&
				    strstr(said, rows[i].warned) != NULL),
		    "%s: %s", rows[i].url,
		    rows[i].warned == NULL ? "nothing" : rows[i].warned);
		config_free(config);
	}
}

static void
test_warnings(void)
{
	char text[4096];
	struct config *config;

	base_text(text, sizeof(text), PROVIDERS,
	    ", { name = \"b\"; url = \"http://x.example/v1\"; }");
	config = load(text);
	CHECK(config != NULL, "plain HTTP to the outside is allowed");
	CHECK(said_line("tailgate.conf:5: warning: providers[1].url: http://"),
	    "but said");
	config_free(config);
	config = load("clients_file = \"new.conf\";\nproviders = ( );\n");
	CHECK(config != NULL && config->nclients == 0,
	    "a missing clients file means no clients");
	CHECK(said_line("tailgate.conf:1: warning: clients_file: new.conf does "
			"not exist yet"),
	    "and a warning");
	CHECK(strstr(said, "warning: models: there are none") != NULL,
	    "a configuration without models is said");
	config_free(config);
}

/* Warnings of `tailgate check`: a line of the configuration, and the warning
 * about it, or (want NULL) that there is none. */
static const struct {
	enum where where;
	const char *text, *want;
} surprises[] = {
	{ PROVIDERS, ", { name = \"b\"; url = \"https://x.example/v1\"; }",
	    "tailgate.conf:5: warning: providers[1].key: an external provider "
	    "without a key will refuse every request; write key = { file = "
	    "\"b.key\"; }" },
	{ PROVIDERS,
	    ", { name = \"b\"; url = \"https://x.example/v1\"; auth = "
	    "\"none\"; }",
	    NULL },
	{ PROVIDERS,
	    ", { name = \"b\"; place = \"local\"; url = "
	    "\"http://ollama.lan:11434/v1\"; }",
	    NULL },
	{ PROVIDERS,
	    ", { name = \"b\"; place = \"local\"; addresses = [ "
	    "\"203.0.113.0/24\" ]; url = \"https://ai.example.org/v1\"; }",
	    NULL },
	{ PROVIDERS, ", { name = \"b\"; url = \"http://localhost:8000/v1\"; }",
	    "tailgate.conf:5: warning: providers[1].place: localhost is this "
	    "host or a private network, but a provider that says no place is "
	    "external: write place = \"local\"" },
	{ PROVIDERS,
	    ", { name = \"b\"; url = \"http://192.168.1.9:8000/v1\"; }",
	    "tailgate.conf:5: warning: providers[1].place: 192.168.1.9 is" },
	{ MODELS,
	    ", { id = \"n\"; place = \"external\"; targets = ( { provider = "
	    "\"far\"; model = \"n\"; } ); }",
	    "tailgate.conf:9: warning: models[1].targets[0].price: n at far "
	    "has no price" },
	{ MODELS,
	    ", { id = \"n\"; place = \"external\"; targets = ( { provider = "
	    "\"far\"; model = \"n\"; price = { input = 1.0; }; } ); }",
	    "tailgate.conf: warning: private: there are external targets and "
	    "no private patterns" },
	{ PROVIDERS,
	    ", { name = \"b\"; place = \"local\"; url = "
	    "\"https://api.deepseek.com/v1\"; }",
	    "tailgate.conf:5: warning: providers[1].place: is local, but "
	    "api.deepseek.com looks public" },
	{ MODELS,
	    ", { id = \"n\"; place = \"external\"; targets = ( { provider = "
	    "\"far\"; model = \"n\"; } ); } );\n"
	    "clients = ( { name = \"a\"; user = \"a\"; }",
	    "tailgate.conf:9: warning: models[1].place: is external, but no "
	    "client may go outside; `tailgate client set NAME --place "
	    "external`" },
	{ MODELS,
	    ", { id = \"n\"; place = \"external\"; targets = ( { provider = "
	    "\"far\"; model = \"n\"; } ); },\n{ id = \"o\"; place = "
	    "\"external\"; targets = ( { provider = \"far\"; model = \"n\"; "
	    "} ); } );\nclients = ( { name = \"a\"; user = \"a\"; }",
	    "tailgate.conf:10: warning: models[2].place: is external, but no "
	    "client may go outside; " },
	{ MODELS,
	    ", { id = \"n\"; place = \"external\"; targets = ( { provider = "
	    "\"far\"; model = \"n\"; } ); } );\nclients = ( { name = \"a\"; "
	    "user = \"a\"; place = \"external\"; models = [ \"m\" ]; }, { "
	    "name = \"b\"; user = \"b\"; }",
	    "tailgate.conf:9: warning: models[1].place: is external, but no "
	    "client that may go outside may use it; `tailgate client set NAME "
	    "--models GLOB`" },
	{ MODELS, "",
	    "tailgate.conf:2: warning: limits[0]: no provider names it, so it "
	    "limits nothing; write limit = \"gpu\"; in the provider" },
	{ MODELS, "",
	    "tailgate.conf:1: warning: clients_file: is empty and "
	    "there are no clients, so nobody can call" },
	{ TOP,
	    "clients = ( { name = \"a\"; user = \"a\"; models = [ \"m*\", "
	    "\"gpt-*\" ]; } );",
	    "tailgate.conf:11: warning: clients[0].models: \"gpt-*\" matches "
	    "no model" },
	{ TOP,
	    "clients = ( { name = \"a\"; user = \"a\"; models = [ \"?\", "
	    "\"m\" ]; } );",
	    NULL },
};

#define FAR                                                             \
	", { name = \"far\"; url = \"https://far.example/v1\"; auth = " \
	"\"none\"; }"

/* This test's patterns: "bad" is one. */
static int
pattern_of_test(const char *pattern, char *message, size_t size)
{
	snprintf(message, size, "is bad");
	return strcmp(pattern, "bad") == 0 ? -1 : 0;
}

/* Writes the messages with CONFIG_ADVISE to `said`; true: it is good. */
static bool
advised(const char *text)
{
	struct config *config =
	    load_how(text, strlen(text), CONFIG_ADVISE, pattern_of_test);
	bool good = config != NULL;

	config_free(config);
	return good;
}

static void
test_surprises(void)
{
	char text[4096];

	for (size_t i = 0; i < sizeof(surprises) / sizeof(surprises[0]); i++) {
		const char *want = surprises[i].want;

		snprintf(text, sizeof(text), BASE,
		    surprises[i].where == PROVIDERS ? surprises[i].text : FAR,
		    surprises[i].where == MODELS ? surprises[i].text : "",
		    surprises[i].where == TOP ? surprises[i].text : "");
		CHECK(advised(text), "good: %s", said);
		CHECK(want == NULL ? strstr(said, "].key") == NULL &&
			    strstr(said, "].models") == NULL &&
			    strstr(said, "].place") == NULL
				   : said_line(want),
		    "%s: %s", want == NULL ? "nothing" : want, said);
	}
	snprintf(text, sizeof(text), BASE,
	    ", { name = \"x\"; url = \"http://127.0.0.1:8080/v1\"; }",
	    ", { id = \"n\"; targets = ( { provider = \"x\"; model = \"n\"; } "
	    "); }",
	    "");
	CHECK(!advised(text) &&
		said_line("tailgate.conf:9: models[1].targets[0].provider: "
			  "model \"n\" -> provider x: the model's place is "
			  "local and the provider says none, which is "
			  "external; write place = \"local\" for the provider "
			  "at 127.0.0.1"),
	    "a local model of a near provider without a place: %s", said);
	base_text(text, sizeof(text), TOP,
	    "private = ( { name = \"x\"; pattern = \"bad\"; } );\n"
	    "comit = 1;");
	CHECK(!advised(text) &&
		said_line("tailgate.conf:11: private[0].pattern: is bad") &&
		said_line("tailgate.conf:12: comit: there is no such"),
	    "a pattern's mistake and another's in one run: %s", said);
}

static const char good[] =
    "runtime_dir = \"run\";\n"
    "clients_file = \"good-clients.conf\";\n"
    "price_file = \"good-prices.conf\";\n"
    "body = { json = \"1.5 MiB\"; multipart = 5000000; };\n"
    "trusted_proxies = [ \"10.0.0.0/8\", \"fd00::/8\" ];\n"
    "client_address_header = \"X-Real-Ip\";\n"
    "limits = ( { name = \"gpu\"; slots = 2; wait = 0.5; } );\n"
    "providers = (\n"
    "  { name = \"here\"; place = \"local\"; limit = \"gpu\";\n"
    "    url = \"http://[::1]:8080/v1//\"; },\n"
    "  { name = \"out\"; url = \"https://api.example/v1\";\n"
    "    key = { file = \"good.key\"; }; endpoints = [ \"chat\", "
    "\"messages\" ];\n"
    "    headers = ( { name = \"X-Title\"; value = \"a \\\"b\\\\\"; },\n"
    "      { name = \"X-Api-Token\"; value = \"hunter2\"; } ); },\n"
    "  { name = \"echo\"; kind = \"echo\"; place = \"local\"; } );\n"
    "models = (\n"
    "  { id = \"chat\"; aliases = [ \"gpt\" ]; place = \"external\";\n"
    "    fallback = [ \"busy\", \"too_long\" ];\n"
    "    targets = ( { provider = \"here\"; model = \"q\"; tools = true;\n"
    "        images = false; context = 5000000000L; },\n"
    "      { provider = \"out\"; model = \"o\"; usage = \"ask\";\n"
    "        price = { input = 0.28; output = 0.000000001; }; },\n"
    "      { provider = \"out\"; model = \"p\"; } ); },\n"
    "  { id = \"any/*\"; targets = ( { provider = \"echo\"; model = \"*\"; } "
    "); } );\n"
    "private = ( { name = \"keys\"; pattern = \"BEGIN\"; } );\n"
    "clients = ( { name = \"first\"; user = \"u\"; } );\n";

static struct config *
load_good(void)
{
	write_file("good-clients.conf",
	    "clients = ( { name = \"second\"; key_sha256 = \"ba7816bf8f01cfea"
	    "414140de5dae2223b00361a396177a9cb410ff61f20015ad\";\n"
	    "  networks = [ \"127.0.0.1\" ]; models = [ ]; place = "
	    "\"external\";\n"
	    "  endpoints = [ \"chat\" ]; expires = \"2036-01-01\";\n"
	    "  budget = { usd_per_day = 1.5; tokens_per_day = 6000000000L; }; "
	    "} );\n");
	write_file("good-prices.conf",
	    "prices = ( { provider = \"out\"; model = \"p\"; input = 2; },\n"
	    "  { provider = \"out\"; model = \"o\"; input = 9; } );\n");
	return load(good);
}

static void
test_good_top(const struct config *c)
{
	CHECK_STR(c->runtime_dir, in_dir("run"),
	    "a relative path is beside the file");
	CHECK(c->processes == 2 && c->requests == 16384 &&
		c->drain_ms == 600000 && c->commit_ms == 3000 &&
		c->heartbeat_ms == 0 && c->total_ms == 3600000,
	    "the responder's defaults");
	CHECK(c->json_max_bytes == 1572864 &&
		c->multipart_max_bytes == 5000000 && c->spool_bytes == 16777216,
	    "sizes");
	CHECK(!c->log_syslog && c->log_level == LOG_LEVEL_INFO, "the log's");
	CHECK_STR(c->client_address_header, "HTTP_X_REAL_IP",
	    "a header has its CGI name");
	CHECK(c->ntrusted_proxies == 2, "networks");
	CHECK(c->limits[0].slots == 2 && c->limits[0].queue == 32 &&
		c->limits[0].wait_ms == 500 && c->limits[0].per_client == 0,
	    "limits");
	CHECK(c->ledger &&
		strcmp(strrchr(c->ledger_file, '/'), "/ledger.jsonl") == 0,
	    "the ledger is in state_dir");
	CHECK(strstr(c->privates[0].where,
		  "tailgate.conf:25: private[0].pattern") != NULL,
	    "a pattern knows its line");
}

static void
test_good_providers(const struct config *c)
{
	const struct provider *here = &c->providers[0], *out = here + 1;

	CHECK(c->nproviders == 3 && out->index == 1, "providers");
	CHECK_STR(here->url, "http://[::1]:8080/v1",
	    "a URL loses the slashes at its end");
	CHECK_STR(here->host, "::1", "its host stands alone");
	CHECK(here->limit == &c->limits[0], "it is bound to its limit");
	CHECK(here->place == PLACE_LOCAL && out->place == PLACE_EXTERNAL,
	    "external is the default place");
	CHECK_STR(
	    out->keys[0], "sk-good", "a key is read without its line's end");
	CHECK(here->nkeys == 0, "or there is none");
	CHECK(out->timeouts.connect_ms == 5000 &&
		out->timeouts.first_byte_ms == 120000 &&
		out->timeouts.idle_ms == 120000 &&
		out->timeouts.total_ms == 1800000,
	    "timeouts have defaults");
	CHECK(out->circuit.failures == 3 && out->circuit.cooldown_ms == 5000 &&
		out->circuit.cooldown_max_ms == 300000 && out->retries == 1 &&
		out->keepalive_ms == 60000 && out->learn,
	    "and so has all else");
	CHECK_STR(out->headers[0].value, "a \"b\\", "a header's value");
}

static void
test_good_models(const struct config *c)
{
	const struct model *chat = &c->models[0], *any = &c->models[1];
	const struct target *t = chat->targets;
	uint64_t usual = ENDPOINT_BIT(ENDPOINT_CHAT) |
	    ENDPOINT_BIT(ENDPOINT_COMPLETIONS) |
	    ENDPOINT_BIT(ENDPOINT_EMBEDDINGS) | ENDPOINT_BIT(ENDPOINT_RERANK) |
	    ENDPOINT_BIT(ENDPOINT_SPEECH) |
	    ENDPOINT_BIT(ENDPOINT_TRANSCRIPTIONS) |
	    ENDPOINT_BIT(ENDPOINT_TRANSLATIONS);

	CHECK(chat->fallback == (FALLBACK_BUSY | FALLBACK_TOO_LONG),
	    "permissions");
	CHECK(chat->max_attempts == 3 && chat->select == SELECT_ORDER &&
		!chat->prefix && any->prefix && any->index == 1,
	    "models");
	CHECK(any->place == PLACE_LOCAL, "local is a model's default place");
	CHECK(t[0].tools == TRI_YES && t[0].images == TRI_NO &&
		t[0].audio == TRI_UNSET,
	    "what a target can, cannot, and does not say");
	CHECK(t[0].context == 5000000000u && t[0].max_output == 0,
	    "64-bit numbers");
	CHECK(!t[0].ask_usage && t[1].ask_usage, "usage");
	CHECK(t[0].endpoints == usual, "a target serves the usual endpoints");
	CHECK(t[1].endpoints ==
		(ENDPOINT_BIT(ENDPOINT_CHAT) | ENDPOINT_BIT(ENDPOINT_MESSAGES)),
	    "or its provider's");
	CHECK(any->targets[0].endpoints ==
		(ENDPOINT_BIT(ENDPOINT_CHAT) |
		    ENDPOINT_BIT(ENDPOINT_COMPLETIONS) |
		    ENDPOINT_BIT(ENDPOINT_EMBEDDINGS)),
	    "the echo serves three");
	CHECK(!t[0].price.known && t[0].price.input == -1, "no price");
	CHECK(t[1].price.known && t[1].price.input == 280000000 &&
		t[1].price.output == 1 && t[1].price.cached == -1,
	    "its own price, in nano-USD, wins");
	CHECK(t[2].price.known && t[2].price.input == 2000000000,
	    "over that of price_file");
}

static void
test_good_clients(const struct config *c)
{
	const struct client *first = &c->clients[0], *second = first + 1;

	CHECK(c->nclients == 2 && second->index == 1, "clients of both files");
	CHECK(!first->has_key && second->has_key && second->nnetworks == 1,
	    "are known by what was given");
	CHECK(first->nmodels == 1 && strcmp(first->models[0], "*") == 0,
	    "all models are the default");
	CHECK(second->nmodels == 0, "and an empty array is none");
	CHECK((first->endpoints & endpoint_all_upstream()) ==
		endpoint_all_upstream(),
	    "all endpoints are the default");
	CHECK((second->endpoints & endpoint_all_upstream()) ==
		ENDPOINT_BIT(ENDPOINT_CHAT),
	    "or those named");
	CHECK((second->endpoints & ENDPOINT_BIT(ENDPOINT_MODELS)) != 0,
	    "and what tailgate answers itself");
	CHECK(first->place == PLACE_LOCAL && second->place == PLACE_EXTERNAL,
	    "local is the default place");
	CHECK(first->expires_wall_ms == CLOCK_NEVER &&
		second->expires_wall_ms == clock_parse("2036-01-01"),
	    "expiry");
	CHECK(first->priority == 10 && !first->operator&& !first->explain,
	    "rights are not given by default");
	CHECK(second->budget.nanousd_per_day == 1500000000 &&
		second->budget.tokens_per_day == 6000000000u &&
		second->budget.concurrent == 0,
	    "budgets");
}

/* The dump as text without its comments; the caller frees it. */
static char *
dump_of(const struct config *config)
{
	char *text = NULL, *start;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		exit(99);
	config_dump(config, out);
	fclose(out);
	while (*text == '#') {
		start = strchr(text, '\n') + 1;
		memmove(text, start, strlen(start) + 1);
	}
	return text;
}

static void
test_dump(const struct config *config)
{
	char *first = dump_of(config), *second;
	struct config *again;

	CHECK(strstr(first, "sk-good") == NULL &&
		strstr(first, "hunter2") == NULL,
	    "a dump holds no secret");
	CHECK(strstr(first, "value = \"***\"") != NULL,
	    "but shows that there is one");
	again = load(first);
	CHECK(again != NULL, "a dump is a configuration");
	if (again == NULL) {
		printf("# said: %s\n", said);
		free(first);
		return;
	}
	CHECK_STR(said, "", "without a warning");
	second = dump_of(again);
	CHECK_STR(second, first, "that means the same");
	free(first);
	free(second);
	config_free(again);
}

static void
test_good(void)
{
	struct config *config = load_good();

	CHECK(config != NULL, "a good configuration loads");
	if (config == NULL) {
		printf("# said: %s\n", said);
		return;
	}
	CHECK_STR(said, "", "and nothing is said");
	test_good_top(config);
	test_good_providers(config);
	test_good_models(config);
	test_good_clients(config);
	test_dump(config);
	config_free(config);
}

static void
test_secrets(void)
{
	char text[4096];
	struct config *config;

	base_text(text, sizeof(text), PROVIDERS,
	    ", { name = \"b\"; url = \"https://x\"; key = { file = "
	    "\"none.key\"; }; }");
	write_file("tailgate.conf", text);
	config =
	    config_load(in_dir("tailgate.conf"), CONFIG_NO_SECRETS, stdout);
	CHECK(config != NULL && config->providers[1].nkeys == 1 &&
		config->providers[1].keys[0] == NULL,
	    "without secrets no key is read");
	config_free(config);
	write_file("cred", "from-systemd\r\n");
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	base_text(text, sizeof(text), PROVIDERS,
	    ", { name = \"b\"; url = \"https://x\"; key = { credential = "
	    "\"cred\"; }; }");
	config = load(text);
	CHECK_STR(config == NULL ? NULL : config->providers[1].keys[0],
	    "from-systemd", "a key comes from a credential");
	config_free(config);
	unsetenv("CREDENTIALS_DIRECTORY");
	setenv("TAILGATE_TEST_KEY", "from-env", 1);
	base_text(text, sizeof(text), PROVIDERS,
	    ", { name = \"b\"; url = \"https://x\"; key = { env = "
	    "\"TAILGATE_TEST_KEY\"; }; }");
	config = load(text);
	CHECK_STR(config == NULL ? NULL : config->providers[1].keys[0],
	    "from-env", "or the environment");
	config_free(config);
	setenv("TAILGATE_TEST_KEY", "sk-planted bad", 1);
	config = load(text);
	CHECK(config == NULL && strstr(said, "planted") == NULL,
	    "a key that is refused is not shown");
	config_free(config);
}

/* What would fail at the start is refused when the file is read. */
static void
test_start(void)
{
	static const struct {
		const char *before, *part;
		unsigned times;
		const char *after, *want;
	} cases[] = {
		{ "runtime_dir = \"/", "0123456789/", 81, "d\";", NULL },
		{ "runtime_dir = \"/", "0123456789/", 90, "d\";",
		    "runtime_dir: the path must have at most 900 bytes" },
		{ "runtime_dir = \"/", "x", 300, "\";",
		    "runtime_dir: each part of the path must have at most" },
		{ "state_dir = \"/", "0123456789/", 370, "d\";",
		    "state_dir: the path must have at most" },
		{ "body = { spool_dir = \"/", "x", 256, "\"; };",
		    "body.spool_dir: each part of the path" },
		{ "ledger = { file = \"/tmp/", "x", 252, "\"; };",
		    "ledger.file: each part of the path" },
		{ "ledger = { file = \"/tmp/", "x", 200, "\"; };", NULL },
		{ "limits = ( { name = \"", "lock", 1, "\"; slots = 1; } );",
		    "limits[0].name: lock is the name of tailgate's own" },
		{ "limits = ( { name = \"", "lock", 2, "\"; slots = 1; } );",
		    NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf text;
		struct config *c;

		buf_init(&text, 65536);
		buf_puts(&text, "clients_file = \"\";\n");
		buf_puts(&text, cases[i].before);
		for (unsigned j = 0; j < cases[i].times; j++)
			buf_puts(&text, cases[i].part);
		buf_puts(&text, cases[i].after);
		c = load_bytes(text.p, text.len);
		CHECK((c != NULL) == (cases[i].want == NULL) &&
			(c != NULL || strstr(said, cases[i].want) != NULL),
		    "%.20s... %u times %s: %.200s", cases[i].before,
		    cases[i].times, cases[i].part, said);
		config_free(c);
		buf_free(&text);
	}
}

static void
test_hostile(void)
{
	static const char *const openings[] = { "(", "[", "{ a = ", "a = {",
		"/*", "\"", "a = \"\\", "@include \"", "\"a\" ", "0", "a=1;" };
	size_t size = 200000;
	char *text = malloc(size + 64);
	unsigned seed = 1;

	if (text == NULL)
		exit(99);
	for (size_t i = 0; i < sizeof(openings) / sizeof(openings[0]); i++) {
		size_t n = strlen(openings[i]), len = 0;

		while (len + n < size) {
			memcpy(text + len, openings[i], n);
			len += n;
		}
		CHECK(load_bytes(text, len) == NULL,
		    "%zu bytes of %s are refused", len, openings[i]);
	}
	CHECK(load_bytes("a = 1;\0b", 8) == NULL && strstr(said, "NUL") != NULL,
	    "a NUL byte is refused");
	for (int round = 0; round < 300; round++) {
		size_t len = strlen(good);

		memcpy(text, good, len);
		for (int i = 0; i < 5; i++) {
			seed = seed * 1103515245 + 12345;
			text[(seed >> 8) % len] = (char)(seed >> 16);
		}
		config_free(load_bytes(text, len));
	}
	CHECK(true, "300 files with odd bytes in them were answered");
	memset(text, 'n', size);
	memcpy(text + size, " = 1;", 6);
	CHECK(load(text) == NULL && strlen(said) < 1000,
	    "a name of %zu bytes is cut in what is said", size);
	free(text);
	CHECK(config_load(in_dir("sub"), 0, stdout) == NULL,
	    "a directory is no configuration");
	CHECK(config_load(in_dir("fifo"), 0, stdout) == NULL, "nor is a FIFO");
	CHECK(config_load(in_dir("none"), 0, stdout) == NULL,
	    "nor what is not there");
}

static void
test_schema(void)
{
	char word[64];
	unsigned n = 0;
	const struct schema *row = schema_find("targets", "endpoints");

	for (size_t i = 0; i < schema_count; i++) {
		const struct schema *s = &schema_table[i];

		if (schema_find(s->group, s->name) != s)
			CHECK(false, "%s.%s is there twice", s->group, s->name);
		if (s->text == NULL || s->text[strlen(s->text) - 1] != '.')
			CHECK(
			    false, "%s.%s has no sentence", s->group, s->name);
	}
	for (; schema_word_at(row->words, n, word, sizeof(word)); n++)
		if ((endpoint_all_upstream() &
			ENDPOINT_BIT(endpoint_by_name(span_of(word)))) == 0)
			CHECK(false, "%s is no endpoint", word);
	CHECK(n == (unsigned)__builtin_popcountll(endpoint_all_upstream()),
	    "the schema names every endpoint of a provider");
	row = schema_find("models", "fallback");
	for (n = 0; schema_word_at(row->words, n, word, sizeof(word)); n++)
		CHECK_STR(fallback_name((enum fallback)(1 << n)), word,
		    "the fallback's name");
	CHECK(n == FALLBACK_COUNT, "are all there");
}

static void
test_endpoints(void)
{
	static const struct {
		const char *path;
		enum endpoint id;
		const char *rest;
	} cases[] = {
		{ "/v1/chat/completions", ENDPOINT_CHAT, "" },
		{ "/v1/models", ENDPOINT_MODELS, "" },
		{ "/v1/models/a%2Fb", ENDPOINT_MODELS, "a%2Fb" },
		{ "/v1/models/a/b", ENDPOINT_MODELS, "a/b" },
		{ "/v1/models/", ENDPOINT_MODELS, "" },
		{ "/v1/models/a/b/", ENDPOINT_MODELS, "a/b" },
		{ "/v1/models//", ENDPOINT_NONE, "" },
		{ "/v1/modelsx", ENDPOINT_NONE, "" },
		{ "/v1/messages/count_tokens", ENDPOINT_COUNT_TOKENS, "" },
		{ "/v1/messages", ENDPOINT_MESSAGES, "" },
		{ "/v1/responses/resp_1", ENDPOINT_RESPONSES_GET, "resp_1" },
		{ "/v1/responses/resp_1/", ENDPOINT_RESPONSES_GET, "resp_1" },
		{ "/v1/responses/compact", ENDPOINT_RESPONSES_COMPACT, "" },
		{ "/v1/responses/a/cancel", ENDPOINT_RESPONSES_CANCEL, "a" },
		{ "/v1/responses/a/input_items", ENDPOINT_RESPONSES_ITEMS,
		    "a" },
		{ "/v1/responses/", ENDPOINT_RESPONSES, "" },
		{ "/v1/responses//cancel", ENDPOINT_NONE, "" },
		{ "/v1/responses/a/b/cancel", ENDPOINT_NONE, "" },
		{ "/v1/responses/a/cancelled", ENDPOINT_NONE, "" },
		{ "/v1/reranking", ENDPOINT_RERANK, "" },
		{ "/health", ENDPOINT_HEALTH, "" },
		{ "/v1", ENDPOINT_ROOT, "" },
		{ "/v1/", ENDPOINT_ROOT, "" },
		{ "/v1//", ENDPOINT_NONE, "" },
		{ "/v10", ENDPOINT_NONE, "" },
		{ "/tailgate/status.json", ENDPOINT_STATUS, "" },
		{ "/v1/chat/completions/", ENDPOINT_CHAT, "" },
		{ "/ready", ENDPOINT_READY, "" },
		{ "/metrics/", ENDPOINT_NONE, "" },
		{ "", ENDPOINT_NONE, "" },
		{ "/", ENDPOINT_NONE, "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span rest;
		const struct endpoint_spec *spec =
		    endpoint_by_path(span_of(cases[i].path), &rest);

		CHECK(
		    (spec == NULL ? ENDPOINT_NONE : spec->id) == cases[i].id &&
			span_is(rest, cases[i].rest),
		    "path \"%s\"", cases[i].path);
	}
	for (enum endpoint e = ENDPOINT_NONE + 1; e < ENDPOINT_COUNT; e++)
		CHECK(endpoint_spec(e)->id == e, "row %d stands at its place",
		    (int)e);
}

static void
files_make(void)
{
	char huge[5000];

	if (mkdtemp(dir) == NULL || mkdir(in_dir("sub"), 0700) == -1 ||
	    mkfifo(in_dir("fifo"), 0600) == -1)
		exit(99);
	memset(huge, 'k', sizeof(huge));
	write_file("good.key", "sk-good\n");
	write_bytes("open.key", "sk-open\n", 8, 0604);
	write_file("empty.key", "\n");
	write_file("two.key", "a\nb\n");
	write_bytes("nul.key", "a\0b\n", 4, 0600);
	write_bytes("huge.key", huge, sizeof(huge), 0600);
	write_file("loop.conf", "@include \"loop.conf\"\n");
	write_file("more.conf", "drain = 5;\nrequests = 0;\n");
	write_file("bad-prices.conf",
	    "prices = (\n  { provider = \"no\"; model = \"x\"; } );\n");
}

static void
files_remove(void)
{
	static const char *const names[] = { "good.key", "open.key",
		"empty.key", "two.key", "nul.key", "huge.key", "loop.conf",
		"more.conf", "bad-prices.conf", "good-clients.conf",
		"good-prices.conf", "tailgate.conf", "cred", "fifo" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(in_dir(names[i]));
	rmdir(in_dir("sub"));
	rmdir(dir);
}

int
main(void)
{
	unsetenv("CREDENTIALS_DIRECTORY");
	files_make();
	test_schema();
	test_endpoints();
	test_mistakes();
	test_place();
	test_user();
	test_all_at_once();
	test_warnings();
	test_surprises();
	test_url_paths();
	test_good();
	test_secrets();
	test_start();
	test_hostile();
	files_remove();
	return check_done();
}
