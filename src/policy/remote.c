/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how URLs name a host, and the many ways in which an address can be
 * written.
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>

#include "base/utf8.h"
#include "policy/media.h"
#include "policy/remote.h"

#define HOST_MAX 255

#define WORD(text) SPAN_LITERAL(text)

/* Most keys differ in the first letter. */
static bool
same_word(const char *p, struct span word)
{
	return ((*p ^ *word.p) & ~0x20) == 0 &&
	    strncasecmp(p, word.p, word.len) == 0;
}

static bool
is_any(struct span text, const struct span *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text.len == words[i].len && same_word(text.p, words[i]))
			return true;
	return false;
}

static bool
ends_any(struct span text, const struct span *ends, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text.len >= ends[i].len &&
		    same_word(text.p + text.len - ends[i].len, ends[i]))
			return true;
	return false;
}

#define ENDS_ANY(text, ends) ends_any(text, ends, sizeof(ends) / sizeof(*ends))
#define IS_ANY(text, words) is_any(text, words, sizeof(words) / sizeof(*words))

/* A form's `image[]` and `image[0]` are an image, too. */
static struct span
without_index(struct span key)
{
	const char *bracket;

	if (key.len > 0 && key.p[key.len - 1] == ']' &&
	    (bracket = memchr(key.p, '[', key.len)) != NULL)
		key.len = (size_t)(bracket - key.p);
	return key;
}

enum remote_key
remote_key(struct span key)
{
	static const struct span reference[] = { WORD("_url"), WORD("_uri"),
		WORD("_urls"), WORD("fileUri"), WORD("imageUrl"),
		WORD("fileUrl") };
	static const struct span media[] = { WORD("image"), WORD("images"),
		WORD("video"), WORD("videos"), WORD("audio"),
		WORD("input_image"), WORD("input_audio"), WORD("input_video"),
		WORD("ref_audio"), WORD("ref_image"), WORD("ref_images"),
		WORD("reference_audio"), WORD("reference_image"),
		WORD("reference_images"), WORD("init_image"),
		WORD("init_images"), WORD("start_image"), WORD("end_image"),
		WORD("last_image"), WORD("mask_image"), WORD("speaker_wav") };
	/* Of other names, too: a docker_image is none, and has no "://". */
	static const struct span maybe[] = { WORD("image"), WORD("images"),
		WORD("video"), WORD("videos"), WORD("audio"), WORD("_wav") };
	static const struct span url[] = { WORD("url"), WORD("uri"),
		WORD("urls") };
	static const struct span data[] = { WORD("file_data"), WORD("data") };
	static const struct span file[] = { WORD("file"), WORD("files"),
		WORD("mask"), WORD("image_data"), WORD("video_data"),
		WORD("audio_data"), WORD("api_base") };

	key = without_index(key);
	/* Most keys end differently, and this check is made for each string. */
	if (key.len == 0 ||
	    strchr("aAeEiIkKlLoOsSvV", key.p[key.len - 1]) == NULL)
		return REMOTE_KEY_NONE;
	if (ENDS_ANY(key, reference))
		return REMOTE_KEY_REFERENCE;
	if (IS_ANY(key, media))
		return REMOTE_KEY_MEDIA;
	if (IS_ANY(key, data))
		return REMOTE_KEY_DATA;
	if (IS_ANY(key, file) || ENDS_ANY(key, maybe))
		return REMOTE_KEY_FILE;
	return IS_ANY(key, url) ? REMOTE_KEY_URL : REMOTE_KEY_NONE;
}

bool
remote_holds_url(struct span key)
{
	static const struct span holders[] = { WORD("source"), WORD("file"),
		WORD("files"), WORD("document") };
	enum remote_key kind = remote_key(key);

	return kind == REMOTE_KEY_REFERENCE || kind == REMOTE_KEY_MEDIA ||
	    kind == REMOTE_KEY_FILE || (key.p != NULL && IS_ANY(key, holders));
}

/* ---- hosts ------------------------------------------------------------ */

static bool
is_inside4(uint32_t a)
{
	static const struct {
		uint32_t net;
		unsigned bits;
	} nets[] = {
		{ 0x00000000, 8 }, /* this host */
		{ 0x0a000000, 8 }, { 0x64400000, 10 }, { 0x7f000000, 8 },
		{ 0xa9fe0000, 16 }, /* link-local, metadata services */
		{ 0xac100000, 12 }, { 0xc0000000, 24 }, { 0xc0a80000, 16 },
		{ 0xc6120000, 15 }, /* benchmarks */
		{ 0xe0000000, 3 }, /* multicast and above */
	};

	for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++)
		if ((a ^ nets[i].net) >> (32 - nets[i].bits) == 0)
			return true;
	return false;
}

static uint32_t
four(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

/* Addresses that contain an IPv4 address are judged by it. */
static bool
is_inside6(const unsigned char a[16])
{
	static const unsigned char zero[12];

	if (memcmp(a, zero, 10) == 0 &&
	    ((a[10] == 0xff && a[11] == 0xff) || (a[10] == 0 && a[11] == 0)))
		return is_inside4(four(a + 12)); /* mapped, ::, ::1 */
	if (memcmp(a, "\0\x64\xff\x9b", 4) == 0)
		return a[4] != 0 || a[5] != 0 || is_inside4(four(a + 12));
	if (a[0] == 0x20 && a[1] == 0x02)
		return is_inside4(four(a + 2)); /* 6to4 */
	if (memcmp(a, "\x20\x01\0\0", 4) == 0)
		return true; /* Teredo */
	return (a[0] & 0xfe) == 0xfc || a[0] == 0xff ||
	    (a[0] == 0xfe && (a[1] & 0x80) != 0) || (a[0] & 0xe0) != 0x20;
}

static bool
is_letter(char c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* Of the characters that names have. */
static bool
is_plain(struct span host)
{
	for (size_t i = 0; i < host.len; i++)
		if (!is_letter(host.p[i]) &&
		    (host.p[i] == '\0' ||
			strchr("0123456789.-_", host.p[i]) == NULL))
			return false;
	return true;
}

/* Its last label begins with a digit, as no public name's does: an address in a
 * spelling of its own (127.1, 0x7f.1, 010.0.0.1, 2130706433), of which one
 * reader makes another address than the next. */
static bool
is_odd_address(struct span host)
{
	size_t n = host.len;

	while (n > 0 && host.p[n - 1] != '.')
		n--;
	return n < host.len && host.p[n] >= '0' && host.p[n] <= '9';
}

static bool
is_inside_name(struct span name)
{
	static const struct span zones[] = { WORD(".localhost"), WORD(".local"),
		WORD(".localdomain"), WORD(".internal"), WORD(".intranet"),
		WORD(".lan"), WORD(".home"), WORD(".home.arpa"), WORD(".corp"),
		WORD(".private"), WORD(".test"), WORD(".invalid"),
		WORD(".onion"), WORD(".box") };

	return memchr(name.p, '.', name.len) == NULL || ENDS_ANY(name, zones);
}

static bool
is_inside_brackets(char *text)
{
	struct in6_addr v6;

	text[strcspn(text, "]")] = '\0';
	return inet_pton(AF_INET6, text + 1, &v6) != 1 ||
	    is_inside6(v6.s6_addr);
}

/* Is this host (as written in a URL) inside a private network?  Addresses
 * (IPv6 with an IPv4 address in it, too); names without a dot, localhost,
 * .local, .internal and their like.  An address in a spelling of its own and a
 * name with other characters count as inside: their reader may see another
 * name. */
static bool
is_inside(struct span host)
{
	char text[HOST_MAX + 1];
	struct in_addr v4;

	if (host.len > 1 && host.p[host.len - 1] == '.')
		host.len--;
	if (host.len == 0 || host.len > HOST_MAX)
		return true;
	memcpy(text, host.p, host.len);
	text[host.len] = '\0';
	if (*text == '[')
		return is_inside_brackets(text);
	if (inet_pton(AF_INET, text, &v4) == 1)
		return is_inside4(ntohl(v4.s_addr));
	return !is_plain(host) || is_odd_address(host) || is_inside_name(host);
}

/* ---- URLs ------------------------------------------------------------- */

/* The length of "https"; 0: there is no scheme.  One letter is that of a
 * drive. */
static size_t
scheme_length(struct span url)
{
	size_t n = 0;

	while (n < url.len &&
	    (is_letter(url.p[n]) ||
		(n > 0 && strchr("0123456789+-.", url.p[n]) != NULL &&
		    url.p[n] != '\0')))
		n++;
	return n > 1 && n < url.len && url.p[n] == ':' ? n : 0;
}

/* What is between the slashes and the next one, without a user and a port.
 * Readers accept backslashes as slashes, and any number of them. */
static struct span
host_of(struct span rest)
{
	size_t n = 0, i;

	while (rest.len > 0 && (*rest.p == '/' || *rest.p == '\\')) {
		rest.p++;
		rest.len--;
	}
	while (n < rest.len && strchr("/\\?#", rest.p[n]) == NULL)
		n++;
	rest.len = n;
	for (i = n; i > 0; i--)
		if (rest.p[i - 1] == '@') {
			rest = (struct span){ rest.p + i, n - i };
			break;
		}
	if (rest.len > 0 && *rest.p == '[')
		return rest;
	for (i = 0; i < rest.len; i++)
		if (rest.p[i] == ':')
			rest.len = i;
	return rest;
}

static unsigned
judge_url(struct span url, size_t scheme)
{
	struct span name = { url.p, scheme };
	bool https = span_is_nocase(name, "https");

	if (!https && !span_is_nocase(name, "http"))
		return REMOTE_MEDIA | REMOTE_PLAIN | REMOTE_SCHEME;
	url.p += scheme + 1;
	url.len -= scheme + 1;
	/* At a backslash, some readers end the host and others the user. */
	return REMOTE_MEDIA | (https ? 0 : REMOTE_PLAIN) |
	    (memchr(url.p, '\\', url.len) != NULL || is_inside(host_of(url))
		    ? REMOTE_INSIDE
		    : 0);
}

/* The length of what URL readers drop at the beginning; 0: it begins. */
static size_t
blank_length(struct span text)
{
	const unsigned char *p = (const unsigned char *)text.p;
	size_t len = text.len == 0 ? 0 : utf8_length(p, text.len);
	uint32_t code;

	if (len == 0)
		return 0;
	code = utf8_code(p, len);
	return code <= ' ' || code == 0xa0 || code == 0x1680 ||
		(code >= 0x2000 && code <= 0x200a) || code == 0x202f ||
		code == 0x205f || code == 0x3000 || utf8_is_hidden(code)
	    ? len
	    : 0;
}

/* White space may hide the beginning; some of it is not ASCII. */
static struct span
clean(struct span text, char out[HOST_MAX * 4])
{
	size_t n = 0, blank;

	while ((blank = blank_length(text)) > 0) {
		text.p += blank;
		text.len -= blank;
	}
	for (size_t i = 0; i < text.len && n < HOST_MAX * 4; i++)
		if (text.p[i] != '\t' && text.p[i] != '\r' && text.p[i] != '\n')
			out[n++] = text.p[i];
	return (struct span){ out, n };
}

/* /etc/passwd, ../secret, ~/secret, C:\secret */
static bool
is_path(struct span url)
{
	return strchr("/\\.~", *url.p) != NULL ||
	    (url.len > 2 && is_letter(*url.p) && url.p[1] == ':' &&
		(url.p[2] == '/' || url.p[2] == '\\'));
}

unsigned
remote_judge(struct span text, enum remote_key key)
{
	char begin[HOST_MAX * 4];
	struct span url = clean(text, begin);
	size_t scheme;

	if (url.len == 0 || media_is_data_url(url))
		return 0;
	scheme = scheme_length(url);
	if (key == REMOTE_KEY_DATA || key == REMOTE_KEY_FILE)
		return scheme > 0 && scheme + 2 < url.len &&
			url.p[scheme + 1] == '/' && url.p[scheme + 2] == '/' &&
			memchr(url.p, ' ', url.len) == NULL
		    ? judge_url(url, scheme)
		    : 0;
	/* A word with a colon, in what may be a text. */
	if (scheme > 0 &&
	    (key != REMOTE_KEY_MEDIA || scheme + 1 == url.len ||
		url.p[scheme + 1] != ' '))
		return judge_url(url, scheme);
	if (text.len >= MEDIA_BARE_MIN && media_is_base64(text))
		return 0; /* the data itself */
	if (key == REMOTE_KEY_MEDIA && !is_path(url))
		return 0;
	return REMOTE_MEDIA | REMOTE_PLAIN | REMOTE_SCHEME;
}
