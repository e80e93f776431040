/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The base floor: memory, text, time, addresses, digests; and no foreign byte
 * can forge a log line.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/find.h"
#include "base/jput.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/net.h"
#include "check.h"

/* Compared with memmem(), in texts of few letters; nothing may be read outside
 * of the texts. */
static void
test_find(void)
{
	unsigned wrong = 0, found = 0;

	srand(1);
	for (int i = 0; i < 50000; i++) {
		size_t len = (size_t)rand() % 90, n = (size_t)rand() % 9;
		char *text = malloc(len + 1), *word = malloc(n + 1);
		const char *at;

		for (size_t k = 0; k < len; k++)
			text[k] = "ab\"\0\xff"[rand() % 5];
		for (size_t k = 0; k < n; k++)
			word[k] = "ab\"\0\xff"[rand() % 5];
		/* Each text ends where its memory ends. */
		memmove(text + 1, text, len);
		memmove(word + 1, word, n);
		at = find_word((struct span){ text + 1, len },
		    (struct span){ word + 1, n });
		wrong += at != memmem(text + 1, len, word + 1, n);
		found += at != NULL;
		free(text);
		free(word);
	}
	CHECK(wrong == 0 && found > 5000 && found < 45000,
	    "words are found where they are (%u wrong, %u found)", wrong,
	    found);
	CHECK(!find_says((struct span){ NULL, 0 }, "x") &&
		find_says(span_of("a long text that has it at its end"), "end"),
	    "and said where they are said");
}

static void
test_arena(void)
{
	struct arena *arena = arena_new();
	bool zero = true, aligned = true;
	char *big, *text;

	for (int i = 1; i < 2000; i++) {
		unsigned char *p = arena_alloc(arena, (size_t)i);

		aligned = aligned && (uintptr_t)p % _Alignof(max_align_t) == 0;
		for (int j = 0; j < i; j++)
			zero = zero && p[j] == 0;
		memset(p, 0xaa, (size_t)i);
		if (i % 300 == 0)
			arena_reset(arena);
	}
	CHECK(zero, "what an arena gives is zeroed, after a reset too");
	CHECK(aligned, "and aligned");
	big = arena_alloc(arena, 1 << 20);
	memset(big, 1, 1 << 20);
	text = arena_printf(arena, "%0300d|%s", 7, "x");
	CHECK(strlen(text) == 302 && text[299] == '7' && text[301] == 'x',
	    "arena_printf writes more than its small buffer");
	CHECK_STR(arena_printf(arena, "%d", 7), "7", "and less");
	CHECK_STR(arena_text(arena, (struct span){ "abc", 2 }), "ab",
	    "a span's text is terminated");
	CHECK_STR(arena_text(arena, (struct span){ NULL, 0 }), "",
	    "no span is an empty text");
	arena_free(arena);
}

static void
test_buf_cap(void)
{
	struct buf b;

	buf_init(&b, 10);
	buf_puts(&b, "12345678");
	buf_puts(&b, "abc");
	buf_puts(&b, "9");
	CHECK(buf_failed(&b), "over its cap a buffer fails");
	CHECK_STR(b.p, "12345678", "and keeps what it had, with no hole");
	buf_reset(&b);
	buf_printf(&b, "%s", "1234567890");
	CHECK(!buf_failed(&b) && b.len == 10, "its cap is reached exactly");
	buf_drop(&b, 4);
	CHECK_STR(b.p, "567890", "the first bytes can be dropped");
	buf_drop(&b, 100);
	CHECK(b.len == 0 && b.p[0] == '\0', "and no more than there are");
	buf_free(&b);
	buf_init(&b, 1 << 20);
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%01000d", i);
	CHECK(b.len == 1000000 && strlen(b.p) == 1000000, "it grows");
	buf_free(&b);
}

static void
test_buf_json(void)
{
	static const struct {
		const char *in;
		size_t len;
		const char *want;
	} cases[] = {
		{ "", 0, "\"\"" },
		{ "plain", 5, "\"plain\"" },
		{ "a\"b\\c", 5, "\"a\\\"b\\\\c\"" },
		{ "\b\f\n\r\t\x01\x1f\x7f", 8,
		    "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"" },
		{ "a\0b", 3, "\"a\\u0000b\"" },
		{ "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9,
		    "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
		{ "\xff", 1, "\"\xef\xbf\xbd\"" },
		{ "\xc0\x80", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "x\xe2\x82", 3, "\"x\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xed\xa0\x80", 3,
		    "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xf4\x90\x80\x80z", 5,
		    "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"" },
	};
	struct buf b;

	buf_init(&b, 4096);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(&b);
		buf_json(&b, (struct span){ cases[i].in, cases[i].len });
		CHECK_STR(b.p, cases[i].want, "JSON string %zu", i);
	}
	buf_free(&b);
}

static void
test_jput(void)
{
	struct buf b;

	buf_init(&b, 1024);
	buf_puts(&b, "[");
	jput_open(&b, '{');
	jput_text(&b, "a", "x\"y:,");
	jput_text(&b, "b", NULL);
	jput_span(&b, "c", (struct span){ NULL, 0 });
	jput_i64(&b, "d", INT64_MIN);
	jput_known(&b, "e", -1);
	jput_bool(&b, "f", true);
	jput_name_open(&b, "g", '[');
	jput_element(&b, "{");
	jput_element(&b, "[");
	buf_puts(&b, "]}");
	jput_open(&b, '{');
	jput_u64(&b, "h", UINT64_MAX);
	buf_puts(&b, "}]");
	CHECK(strcmp(b.p,
		  "[{\"a\":\"x\\\"y:,\",\"b\":null,\"c\":\"\","
		  "\"d\":-9223372036854775808,\"e\":null,\"f\":true,"
		  "\"g\":[\"{\",\"[\"]},{\"h\":18446744073709551615}]") == 0,
	    "members and elements with their commas: %s", b.p);
	buf_reset(&b);
	buf_puts(&b, "a,b{\"a\":\"x\\\",:y\",\"b\":[1,2]}");
	jput_spread(&b, 3);
	CHECK(strcmp(b.p, "a,b{\"a\": \"x\\\",:y\", \"b\": [1, 2]}") == 0,
	    "spread for people, strings as they are: %s", b.p);
	buf_free(&b);
	buf_init(&b, 7);
	buf_puts(&b, "{\"a\":1}");
	jput_spread(&b, 0);
	CHECK(buf_failed(&b), "no room for the blanks: failed");
	buf_free(&b);
}

static void
test_escape(void)
{
	char out[32];

	log_escape("a\nb\x1b[2J\x7f\\", 9, out, sizeof(out));
	CHECK_STR(out, "a\\x0ab\\x1b[2J\\x7f\\x5c",
	    "controls and the backslash are escaped");
	log_escape("\xc2\x9b\xc3\xa9\xff", 5, out, sizeof(out));
	CHECK_STR(out, "\\xc2\\x9b\xc3\xa9\\xff",
	    "C1 controls and bad UTF-8 are, letters are not");
	CHECK(log_escape("abcdef", 6, out, 4) == 3, "it cuts where it is full");
	CHECK_STR(out, "abc", "and terminates");
	CHECK(log_escape("ab\n", 3, out, 6) == 2, "an escape is not cut");
	CHECK(log_escape("a\xc3\xa9", 3, out, 3) == 1, "nor a letter");
	log_escape("a\xe2\x80\xae"
		   "b",
	    5, out, sizeof(out));
	CHECK_STR(out,
	    "a\\xe2\\x80\\xae"
	    "b",
	    "what turns the direction is");
	CHECK_STR(log_field("gpt-4o/\xc3\xa9", out, sizeof(out)),
	    "gpt-4o/\xc3\xa9", "a field's name as it is");
	CHECK_STR(log_field("m status=200", out, sizeof(out)),
	    "m%20status%3d200", "that forges no other");
	CHECK_STR(log_field("\xe2\x80\xae%\"\\", out, sizeof(out)),
	    "%e2%80%ae%25%22%5c", "and hides nothing");
	CHECK_STR(log_field(NULL, out, sizeof(out)), "-", "nor nothing");
	CHECK_STR(log_field("", out, sizeof(out)), "%", "or an empty one");
	CHECK_STR(log_field("ab cd", out, 5), "ab", "cut where it is full");
}

/* Gets what a child writes to stderr, and its exit status. */
static int
stderr_of(void (*child)(void), char *out, size_t size)
{
	int fds[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	fflush(stdout);
	if (pipe(fds) == -1 || (pid = fork()) == -1)
		exit(99);
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		child();
		_exit(0);
	}
	close(fds[1]);
	while (
	    len < size - 1 && (n = read(fds[0], out + len, size - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	close(fds[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
child_logs(void)
{
	char long_text[10000];

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	log_open("prog", false, LOG_LEVEL_INFO);
	log_set_request("req-1");
	log_warn("evil %s", "a\nerror: forged");
	log_debug("not seen");
	log_set_request(NULL);
	log_error("%s", long_text);
	fatal("the end");
}

/* Nobody reads the log: the process goes on, and reports later what is
 * missing. */
static void
test_log_stuck(bool socket)
{
	int fds[2], before = dup(STDERR_FILENO);
	char text[65536];
	unsigned lost = 0, more;
	ssize_t n;
	char *at;

	if ((socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, fds) : pipe(fds)) ==
	    -1)
		exit(99);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	dup2(fds[1], STDERR_FILENO);
	log_open("prog", false, LOG_LEVEL_INFO);
	log_never_wait();
	for (int i = 0; i < 20000; i++)
		log_info("line %d", i);
	while (read(fds[0], text, sizeof(text)) > 0)
		;
	log_info("the last one");
	n = read(fds[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	if ((at = strstr(text, "warning: ")) != NULL)
		lost = (unsigned)strtoul(at + 9, NULL, 10);
	more = strstr(text, "the last one") != NULL;
	dup2(before, STDERR_FILENO);
	close(before);
	close(fds[0]);
	close(fds[1]);
	log_never_wait();
	CHECK(lost > 10000 && lost < 20000,
	    "lines that nobody reads are lost and counted: %u", lost);
	CHECK(more == 1, "and the log goes on when somebody does");
}

static void
test_log(void)
{
	char out[20000], *line, *rest = out;
	int lines = 0;

	CHECK(stderr_of(child_logs, out, sizeof(out)) == 70,
	    "fatal exits with 70");
	CHECK(strstr(out, ": warning: [req-1] evil a\\x0aerror: forged\n") !=
		NULL,
	    "a line has its level and request, and cannot be forged");
	CHECK(strstr(out, "not seen") == NULL, "a level can be left out");
	CHECK(strstr(out, ": error: the end\n") != NULL,
	    "without a request there is none");
	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
		lines++;
		CHECK(strlen(line) < 4500 && line[10] == 'T' &&
			strstr(line, "Z prog[") == line + 23,
		    "line %d is bounded and begins with the time", lines);
	}
	CHECK(lines == 3, "there are three lines");
}

static void
test_clock(void)
{
	static const char *const bad[] = { "", "2026", "2026-02-29",
		"2026-13-01", "2026-00-10", "2026-01-32", "26-01-01",
		"2026-01-01T", "2026-01-01T24:00Z", "2026-01-01T10:60Z",
		"2026-01-01T10:00:60Z", "2026-01-01T10:00",
		"2026-01-01T10:00:00.Z", "2026-01-01 10:00Z", "2026-01-01Z",
		"1969-12-31", "2026-01-01T10:00Zx", "tomorrow" };
	char text[CLOCK_TEXT_SIZE];
	int64_t before = clock_now_ns();

	clock_text(1795286820123, text);
	CHECK_STR(text, "2026-11-21T18:47:00.123Z", "a time is written");
	CHECK(clock_parse("2026-11-21T18:47:00.123Z") == 1795286820123,
	    "and read");
	CHECK(clock_parse("2026-11-21T18:47:00.1239Z") == 1795286820123,
	    "with more digits than it keeps");
	CHECK(clock_parse("2026-11-21T18:47Z") == 1795286820000, "and fewer");
	CHECK(clock_parse("1970-01-01") == 0, "a date is its beginning");
	CHECK(clock_parse("2028-02-29") == 1835395200000, "in leap years too");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		errno = 0;
		CHECK(clock_parse(bad[i]) == -1 && errno == EINVAL,
		    "\"%s\" is no time", bad[i]);
	}
	CHECK(clock_now_ns() >= before, "time does not run back");
}

static void
test_age(void)
{
	static const struct {
		int64_t ms;
		const char *text;
	} ages[] = { { -1, "" }, { 0, "0ms" }, { 840, "840ms" },
		{ 59999, "59s" }, { 252000, "4m12s" }, { 13125530, "3h38m" },
		{ 86399999, "23h59m" }, { 442800000, "5d03h" } };
	char text[CLOCK_AGE_SIZE];

	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
		clock_age(ages[i].ms, text);
		CHECK_STR(text, ages[i].text, "an age is written");
	}
}

static void
test_net_parse(void)
{
	static const char *const good[] = { "10.0.0.0/8", "0.0.0.0/0",
		"1.2.3.4", "::1", "fd00::/8", "::/0", "192.168.1.128/25",
		"2001:db8::/33" };
	static const char *const bad[] = { "", "10.0.0.1/8", "10.0.0.0/33",
		"10.0.0.0/", "10.0.0.0/08", "10.0.0.0/-1", "10.0.0.0/8x",
		"10.0.0", "fd00::1/8", "::/129", "1.2.3.4%eth0", "host",
		" 1.2.3.4", "1.2.3.4 ",
		"1111111111111111111111111111111111111111111111111111::" };
	char text[NET_TEXT_SIZE];
	struct net net;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CHECK(
		    net_parse(good[i], &net) == 0, "%s is a network", good[i]);
		net_text(&net, text);
		CHECK_STR(text, good[i], "and is written as it was");
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		errno = 0;
		CHECK(net_parse(bad[i], &net) == -1 && errno == EINVAL,
		    "\"%s\" is none", bad[i]);
	}
}

static bool
contains(const char *net_string, const char *address_string)
{
	struct net net, address;

	if (net_parse(net_string, &net) == -1 ||
	    net_parse(address_string, &address) == -1)
		exit(99);
	return net_contains(&net, &address);
}

static bool
is_private(const char *text)
{
	struct net net;

	if (net_parse(text, &net) == -1)
		exit(99);
	return net_is_private(&net);
}

static bool
is_ours(const char *text)
{
	struct net net;

	if (net_parse(text, &net) == -1)
		exit(99);
	return net_is_ours(&net);
}

static void
test_net(void)
{
	static const char *const ours[] = { "127.0.0.1", "127.255.255.255",
		"10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1",
		"::1", "fe80::1", "fd12::1", "::ffff:10.0.0.1" };
	static const char *const perhaps[] = { "100.64.0.1", "100.127.255.255",
		"169.254.1.1", "169.254.169.254", "::ffff:169.254.169.254" };
	static const char *const others[] = { "8.8.8.8", "128.0.0.1",
		"11.0.0.1", "172.15.255.255", "172.32.0.1", "192.169.0.1",
		"100.63.255.255", "100.128.0.1", "169.255.0.1", "::2",
		"2001:db8::1", "fec0::1", "::ffff:8.8.8.8", "0.0.0.0", "::" };
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };
	struct sockaddr other = { .sa_family = AF_UNIX };
	struct net net;

	CHECK(contains("10.0.0.0/8", "10.255.1.2"), "a network contains");
	CHECK(!contains("10.0.0.0/8", "11.0.0.0"), "and does not");
	CHECK(contains("192.168.1.128/25", "192.168.1.200"), "by the bit");
	CHECK(!contains("192.168.1.128/25", "192.168.1.127"), "exactly");
	CHECK(contains("10.0.0.0/8", "::ffff:10.1.1.1"),
	    "a mapped address counts as the IPv4 one");
	CHECK(!contains("::/0", "10.0.0.1"), "all of IPv6 is not IPv4");
	CHECK(!contains("10.0.0.0/8", "10.0.0.0/7"),
	    "a larger network is not in a smaller one");
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		CHECK(is_private(ours[i]) && is_ours(ours[i]), "%s is ours",
		    ours[i]);
	for (size_t i = 0; i < sizeof(perhaps) / sizeof(perhaps[0]); i++)
		CHECK(is_private(perhaps[i]) && !is_ours(perhaps[i]),
		    "%s is private, but perhaps not ours", perhaps[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		CHECK(!is_private(others[i]) && !is_ours(others[i]),
		    "%s is public", others[i]);
	sin.sin_addr.s_addr = htonl(0x7f000001);
	CHECK(net_from_sockaddr((struct sockaddr *)&sin, &net) == 0 &&
		net_is_private(&net),
	    "from an IPv4 socket address");
	sin6.sin6_addr = in6addr_loopback;
	CHECK(net_from_sockaddr((struct sockaddr *)&sin6, &net) == 0 &&
		net_is_private(&net),
	    "from an IPv6 one");
	CHECK(net_from_sockaddr(&other, &net) == -1, "from no other");
}

static void
test_digest(void)
{
	static const char abc[] =
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	unsigned char a[DIGEST_BYTES], b[DIGEST_BYTES];
	char text[DIGEST_TEXT_SIZE], wrong[DIGEST_TEXT_SIZE];

	digest_make("abc", 3, a);
	digest_text(a, text);
	CHECK_STR(text, abc, "SHA-256 as in FIPS 180-4");
	CHECK(digest_parse(abc, b) == 0 && digest_equal(a, b), "and back");
	b[DIGEST_BYTES - 1] ^= 1;
	CHECK(!digest_equal(a, b), "one bit differs");
	memcpy(wrong, abc, sizeof(wrong));
	wrong[10] = 'g';
	CHECK(digest_parse(wrong, b) == -1, "g is no hex digit");
	CHECK(digest_parse("ab", b) == -1, "a digest has 64 digits");
}

static void
test_budget(void)
{
	struct memory_hold hold = { NULL, MEMORY_ENOUGH };
	struct buf b, other;

	memory_set_budget(100000);
	buf_init_charged(&b, SIZE_MAX / 4, &hold);
	buf_init_charged(&other, SIZE_MAX / 4, &hold);
	CHECK(buf_room(&b, 60000) && memory_taken() == b.size,
	    "a charged buffer is charged all that it has");
	CHECK(!buf_room(&other, 60000) && buf_starved(&other) &&
		buf_failed(&other),
	    "one over the budget fails, and says why");
	CHECK(memory_taken() == b.size, "and is charged nothing");
	CHECK(hold.lack == MEMORY_SPENT, "whoever holds it is told");
	CHECK(!memory_take(&hold, SIZE_MAX),
	    "more than can be counted is refused");
	buf_free(&b);
	buf_reset(&other);
	CHECK(memory_taken() == 0 && buf_room(&other, 60000),
	    "what is given back is there for others");
	buf_free(&other);
	CHECK(memory_taken() == 0, "all is given back");
	CHECK(memory_part(8000, 4) == 2000, "processes have equal parts");
	CHECK(memory_part(0, 1) > 0, "a machine has some memory");
	memory_set_budget(SIZE_MAX);
}

/* Takes as much as it can get, in pieces of `each` bytes; returns how much that
 * was. */
static size_t
take_all(struct memory_share *share, size_t each)
{
	struct memory_hold hold = { share, MEMORY_ENOUGH };
	size_t n = 0;

	while (memory_take(&hold, each))
		n += each;
	CHECK(hold.lack == (share == NULL ? MEMORY_SPENT : MEMORY_SHARE),
	    "and then it is told why");
	return n;
}

static void
give(struct memory_share *share, size_t bytes)
{
	memory_give(&(struct memory_hold){ share, MEMORY_ENOUGH }, bytes);
}

static void
test_memory_shares(void)
{
	struct memory_share a = { 0 }, b = { 0 }, c = { 0 };
	struct memory_hold few = { &c, MEMORY_ENOUGH };
	size_t all = 1280000, alone, second;

	memory_set_budget(all);
	alone = take_all(&a, 100);
	CHECK(alone <= memory_share_most() &&
		alone + 200 > memory_share_most() && alone > all / 4 * 3,
	    "alone, a client gets three quarters");
	second = take_all(&b, 100);
	CHECK(second > all / 16, "the next one finds room");
	CHECK(memory_take(&few, all / 128) && !memory_take(&few, all / 8),
	    "and whoever needs a little does");
	memory_give(&few, all / 128);
	give(&a, alone);
	CHECK(take_all(&b, 100) > all / 2, "what is given back can be had");
	give(&b, b.taken);
	memory_charge(&few, all / 2);
	CHECK(memory_is_scarce(NULL), "half of it: scarce");
	memory_charge(&few, all / 2);
	CHECK(memory_taken() == all,
	    "what is there already is charged whatever there is");
	CHECK(!memory_take(&(struct memory_hold){ &a, MEMORY_ENOUGH }, 1),
	    "and nobody gets more then");
	memory_give(&few, all);
	CHECK(take_all(NULL, 100) == all, "nobody's memory has no share");
	give(NULL, all);
	CHECK(memory_taken() == 0 && a.taken + b.taken + c.taken == 0,
	    "all is given back");
	memory_set_budget(SIZE_MAX);
}

int
main(void)
{
	test_find();
	test_arena();
	test_buf_cap();
	test_buf_json();
	test_jput();
	test_escape();
	test_log();
	test_log_stuck(false);
	test_log_stuck(true);
	test_clock();
	test_age();
	test_net_parse();
	test_net();
	test_digest();
	test_budget();
	test_memory_shares();
	return check_done();
}
