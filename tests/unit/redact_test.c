/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Keys in errors: each form in which they are printed is replaced by as many
 * bytes, and nothing else is.
 */
#include "config.h"

#include <string.h>

#include "check.h"
#include "config/redact.h"

static const struct header headers[] = {
	{ "X-Title", "a title that is none" },
	{ "X-Auth-Token", "Token hdr-0123456789abcdef" },
};
static const char *keys_a[] = { "sk-proj-AbCdEfGhIjKlMnOpQrStUvWx/+yZ0wxyz" };
static const char *keys_b[] = { "tiny-7" };
static const char *keys_c[] = { "abc", NULL, "sk-second-0123456789abcdef" };
static const struct provider providers[] = {
	{ .name = "a", .keys = keys_a, .nkeys = 1 },
	{ .name = "b",
	    .keys = keys_b,
	    .nkeys = 1,
	    .headers = headers,
	    .nheaders = 2 },
	{ .name = "c", .keys = keys_c, .nkeys = 3 },
	{ .name = "d" },
};
static const struct config config = { .providers = providers, .nproviders = 4 };
/* A client's own, of a provider that has none. */
static const char own[] = "sk-ant-oat01-ThisIsOfTheClientAlone";
static const struct redact_keys keys = { .config = &config,
	.own = { { own, sizeof(own) - 1 } } };

static const struct {
	const char *text, *want; /* "@" for each byte that is replaced */
} rows[] = {
	{ "key sk-proj-AbCdEfGhIjKlMnOpQrStUvWx/+yZ0wxyz is bad",
	    "key @ is bad" },
	{ "sk-proj-AbCdEfGhIj", "@" },
	{ "invalid bearer token sk-ant-oat01-ThisIsOfTheClientAlone",
	    "invalid bearer token @" },
	{ "token sk-ant***lone", "token @" },
	{ "(OpQrStUvWx/+yZ)", "(@)" },
	{ "sk-proj-AbCdEfGhIjKlMnOpQrStUvWx\\/+yZ0wxyz", "@" },
	{ "x AbCdEfGhIjKlMnOpQrStUvWx\\u002f\\u002byZ0wxyz x", "x @ x" },
	{ "AbCdEfGhIjKlMnOpQrStUvWx%2F%2ByZ0wxyz", "@" },
	{ "AbCdEfGhIjKlMnOpQrStUvWx&#x2F;&#43;yZ0wxyz", "@" },
	{ "key: sk-proj-AbC***wxyz.", "key: @." },
	{ "key: sk-proj-...wxyz", "key: @" },
	{ "key: sk-pr\xe2\x80\xa6\xe2\x80\xa6xyz", "key: @" },
	{ "key: sk-proj-\xe2\x80\xa6wxyz", "key: @" },
	{ "key: sk-p....****wxyz", "key: @" },
	{ "key: sk-proj-[REDACTED]wxyz", "key: @" },
	{ "key: sk-proj-\\u2026wxyz", "key: @" },
	{ "(\\u2026wxyz)", "(@)" },
	{ "\\u2022\\u2022\\u2022\\u2022 wxyz", "@" },
	{ "sk-proj-AbC **** wxyz", "@" },
	{ "****wxyz", "@" },
	{ "sk-proj-AbCd********", "@" },
	{ "the key ending in wxyz", "the key ending in @" },
	{ "last 4 digits: '0wxyz'", "last 4 digits: '@'" },
	{ "key: sk-proj-~~~wxyz", "key: @" },
	{ "key: sk-proj-==wxyz", "key: @" },
	{ "key: sk-proj-\xe2\x8b\xafwxyz", "key: @" },
	{ "key: sk-proj-\\u25a0\\u25a0\\u25a0wxyz", "key: @" },
	{ "key: xxxx-xxxx-wxyz", "key: @" },
	{ "\\u25a0wxyz", "@" },
	{ "\xe2\x97\x8fwxyz", "@" },
	{ "..wxyz", "@" },
	{ "__wxyz", "@" },
	{ "##wxyz", "@" },
	{ "//**wxyz", "@" },
	{ "sk//wxyz", "@" },
	{ "s\"\"xyz", "@" },
	{ "s\xe4\xbd\xa0xyz", "@" },
	{ "s\\u4f60xyz", "@" },
	{ "\\u4f60\\u2026wxyz", "@" },
	{ "--[sk-pr***wxyz]", "--[@]" },
	{ "((((sk-pr***wxyz)", "((((@)" },
	{ "((((((((((((((((((((((((((((((((***wxyz", "@" },
	{ "key_hint: wxyz", "key_hint: @" },
	{ "header hdr-0123456789abcdef", "header @" },
	{ "word tiny-7, tiny-78", "word @, tiny-78" },
	/* Texts that are not a key. */
	{ "abc", "abc" },
	{ "sk-*** and ...qxyz", "sk-*** and ...qxyz" },
	{ "a title that is none", "a title that is none" },
	{ "wxyz", "wxyz" },
	{ "Error: too many requests, wait 20.5 s... [see docs]",
	    "Error: too many requests, wait 20.5 s... [see docs]" },
	{ "https://proj.example/--x-- \\u4e2d\\u6587",
	    "https://proj.example/--x-- \\u4e2d\\u6587" },
	{ "2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z" },
	{ "http://wxyz/ a==wxyz \"\"wxyz ::wxyz",
	    "http://wxyz/ a==wxyz \"\"wxyz ::wxyz" },
	{ "\xe4\xbd\xa0wxyz \xe2\x80\x9cwxyz",
	    "\xe4\xbd\xa0wxyz \xe2\x80\x9cwxyz" },
	{ "\\u4f60wxyz \\u4f60\\u597dwxyz", "\\u4f60wxyz \\u4f60\\u597dwxyz" },
	{ "sk-p//x sk-p==", "sk-p//x sk-p==" },
	{ "", "" },
};

/* Is got the same as want, with stars for its "@"? */
static bool
is_covered(const char *got, const char *want)
{
	const char *at = strchr(want, '@');
	size_t before, behind, n = strlen(got);

	if (at == NULL)
		return strcmp(got, want) == 0;
	before = (size_t)(at - want);
	behind = strlen(at + 1);
	return n > before + behind && memcmp(got, want, before) == 0 &&
	    strcmp(got + n - behind, at + 1) == 0 &&
	    strspn(got + before, "*") == n - before - behind;
}

/* Basic, with users of each length: nothing is left of the key except what its
 * neighbours share. */
static void
test_base64(void)
{
	static const char *const texts[] = {
		"OnNrLXByb2otQWJDZEVmR2hJaktsTW5PcFFyU3RVdld4Lyt5WjB3eHl6",
		"dTpzay1wcm9qLUFiQ2RFZkdoSWpLbE1uT3BRclN0VXZXeC8reVowd3h5eg==",
		"dXM6c2stcHJvai1BYkNkRWZHaElqS2xNbk9wUXJTdFV2V3gvK3laMHd4eXo=",
		"dXM6c2stcHJvai1BYkNkRWZHaElqS2xNbk9wUXJTdFV2V3gvK3laMHd4eXo",
	};
	char text[128];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		size_t n = strlen(texts[i]), stars = 0;

		memcpy(text, texts[i], n + 1);
		CHECK(redact(&keys, text, n), "base64 %zu is found", i);
		for (size_t j = 0; j < n; j++)
			stars += text[j] == '*';
		CHECK(stars >= 53, "and covered: %s", text);
	}
}

/* For what is kept: the keys that a sieve does not know. */
static void
test_short(void)
{
	static const struct provider long_only[] = {
		{ .name = "a", .keys = keys_a, .nkeys = 1 }
	};
	static const struct config other = { .providers = long_only,
		.nproviders = 1 };
	static const struct redact_keys none = { .config = &other,
		.own = { { own, sizeof(own) - 1 } } };
	char text[] = "tiny-7, tiny-78, \"tiny-7\", tin...-7, "
		      "sk-second-0123456789abcdef";

	CHECK(redact_has_short(&keys) && !redact_has_short(&none),
	    "there is a short key, or none");
	CHECK(redact_short(&keys, text, strlen(text)), "it is found");
	CHECK(strcmp(text,
		  "******, tiny-78, \"******\", tin...-7, "
		  "sk-second-0123456789abcdef") == 0,
	    "and covered where it is a word: %s", text);
}

/* Errors may be long, and are searched while others wait. */
static void
test_long(void)
{
	static const char *const units[] = { "(", "[", "<", "[]", "()", "[a]-",
		"[a]-[a]-", "*", "-", "x", "[[]", "<[>]]]", "\xe2\x80\xa2",
		"\xe4\xbd\xa0", "\\u2026", "\\u4f60", "//", "s" };
	static char text[256 * 1024];

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t n = strlen(units[i]), len = 0;

		for (; len + n + 6 <= sizeof(text); len += n)
			memcpy(text + len, units[i], n);
		CHECK(!redact(&keys, text, len), "no key: %s", units[i]);
		memcpy(text + len, "**wxyz", 6);
		CHECK(redact(&keys, text, len + 6) &&
			memcmp(text + len, "******", 6) == 0,
		    "a key after %s", units[i]);
	}
}

int
main(void)
{
	char text[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool found, want = strchr(rows[i].want, '@') != NULL;
		size_t n = strlen(rows[i].text);

		memcpy(text, rows[i].text, n + 1);
		found = redact(&keys, text, n);
		CHECK(found == want &&
			redact_finds(&keys, span_of(rows[i].text)) == want,
		    "found: %s", rows[i].text);
		CHECK(is_covered(text, rows[i].want), "%s: %s", rows[i].text,
		    text);
	}
	test_base64();
	test_short();
	test_long();
	return check_done();
}
