/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The ledger: what a line holds; a chain that holds over many processes, kills,
 * rotation, a full disk and a lost lock file, and that shows what was changed,
 * removed or swapped.
 */
#include "config.h"

#include <sys/resource.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "directory.h"
#include "base/clock.h"
#include "ledger/frame.h"
#include "ledger/gap.h"
#include "ledger/desk.h"
#include "ledger/keeper.h"
#include "ledger/ledger.h"
#include "ledger/read.h"

static char dir[] = "/tmp/ledger_test.XXXXXX";
static char path[128], rotated[140], lock_path[140], tail_path[140];
static char shared_path[140];
static char state_dir[64];
static struct config config;

/* Makes the disk hang, for the process that writes. */
static atomic_bool *disk_hangs;

ssize_t
writev(int fd, const struct iovec *iov, int n)
{
	ssize_t done = 0, k;

	while (disk_hangs != NULL && atomic_load(disk_hangs))
		usleep(1000);
	for (int i = 0; i < n; i++) {
		k = write(fd, iov[i].iov_base, iov[i].iov_len);
		if (k == -1)
			return done > 0 ? done : -1;
		done += k;
		if ((size_t)k < iov[i].iov_len)
			break;
	}
	return done;
}

static void
fresh(void)
{
	unlink(path);
	unlink(rotated);
	unlink(lock_path);
	unlink(tail_path);
	unlink(shared_path);
}

static struct ledger *
open_or_die(void)
{
	char why[256];
	struct ledger *l = ledger_open(&config, why, sizeof(why));

	if (l == NULL) {
		fprintf(stderr, "%s\n", why);
		exit(99);
	}
	return l;
}

/* A ledger's process of the test's own, with a parent's descriptors. */
static struct {
	int desk[2];
	pid_t pid;
} keeper;

static void
keeper_start(void)
{
	if ((keeper.pid = fork()) == 0)
		ledger_keeper_run(&config, keeper.desk[LEDGER_DESK_KEEPS]);
}

static void
keeper_open(void)
{
	if (ledger_desk_open(keeper.desk) == -1)
		exit(99);
	keeper_start();
}

static void
keeper_kill(void)
{
	kill(keeper.pid, SIGKILL);
	waitpid(keeper.pid, NULL, 0);
}

static void
keeper_close(void)
{
	ledger_desk_close(keeper.desk);
	waitpid(keeper.pid, NULL, 0);
}

static struct ledger *
join_or_die(void)
{
	char why[256];
	struct ledger *l = ledger_join(
	    &config, keeper.desk[LEDGER_DESK_SERVES], why, sizeof(why));

	if (l == NULL) {
		fprintf(stderr, "%s\n", why);
		exit(99);
	}
	return l;
}

static struct entry
entry(const char *id)
{
	static struct entry_try tries[] = { { .provider = "qwen-local",
						.place = PLACE_LOCAL,
						.host = "127.0.0.1",
						.outcome = "busy",
						.queue_ms = 1200,
						.first_byte_ms = -1,
						.ms = 1200 },
		{ .provider = "deepseek",
		    .upstream_model = "deepseek-chat",
		    .sent = true,
		    .bytes_sent = 998,
		    .place = PLACE_EXTERNAL,
		    .host = "api.deepseek.com",
		    .allowed_by = "client laptop, model chat",
		    .outcome = "ok",
		    .usage = { .reported = true,
			.input = 300,
			.cached = 100,
			.output = 50,
			.reasoning = 20,
			.cost_nanousd = -1 },
		    .cost_nanousd = 79800,
		    .at_ms = 1200,
		    .queue_ms = -1,
		    .first_byte_ms = 300,
		    .ms = 800 } };
	struct entry e = { .wall_ms = 1795373220123,
		.id = id,
		.client = "laptop",
		.endpoint = "chat",
		.model = "chat",
		.route = "chat",
		.stream = true,
		.tries = tries,
		.ntries = 2,
		.fallback = "busy",
		.status = 200,
		.bytes_in = 1000,
		.bytes_out = 2000,
		.total_ms = 2000 };
	return e;
}

static void
write_n(struct ledger *l, unsigned n)
{
	char id[32];

	for (unsigned i = 0; i < n; i++) {
		snprintf(id, sizeof(id), "req_%u", i);
		struct entry e = entry(id);
		ledger_write(l, &e);
	}
}

/* ---- Files as text ---- */

static char *
slurp(const char *name, size_t *len)
{
	FILE *f = fopen(name, "r");
	char *p = NULL;

	*len = 0;
	if (f == NULL)
		return NULL;
	p = calloc(1, 1 << 22);
	*len = fread(p, 1, (1 << 22) - 1, f);
	fclose(f);
	return p;
}

static void
spill(const char *name, const char *p, size_t len)
{
	/* Overwrites it in place: the same inode, as an editor's or a script's
	 * fopen(). */
	FILE *f = fopen(name, "w");

	fwrite(p, 1, len, f);
	fclose(f);
}

/* A whole ledger of one line, made by another program. */
static void
spill_line(const struct entry *e)
{
	char *text, *copy, real[sizeof(path)];
	struct ledger *l;
	size_t len;

	memcpy(real, path, sizeof(path));
	strlcat(path, ".other", sizeof(path));
	l = open_or_die();
	ledger_write(l, e);
	ledger_close(l);
	text = slurp(path, &len);
	unlink(path);
	strlcat(path, ".lock", sizeof(path));
	unlink(path);
	copy = strrchr(path, '.');
	strcpy(copy, ".tail");
	unlink(path);
	memcpy(path, real, sizeof(path));
	spill(path, text, len);
	free(text);
}

static char *
line_at(char *text, unsigned k)
{
	while (k-- > 0)
		text = strchr(text, '\n') + 1;
	return text;
}

static char said[8192];

static void
say(void *ctx, const char *file, uint64_t line, const char *what)
{
	size_t len = strlen(said);

	(void)ctx;
	snprintf(said + len, sizeof(said) - len, "%s:%llu: %s\n",
	    strrchr(file, '/') + 1, (unsigned long long)line, what);
}

static uint64_t
shared_lost(void)
{
	struct ledger_gap *gap = ledger_gap_open(config.runtime_dir);
	uint64_t lost = atomic_load(&gap->lost);

	ledger_gap_close(gap);
	return lost;
}

static struct ledger_report
verify(void)
{
	struct ledger_report r;

	said[0] = '\0';
	if (ledger_verify(path, say, NULL, &r) == -1)
		r.breaks = 999;
	return r;
}

static bool
holds(uint64_t lines)
{
	struct ledger_report r = verify();

	if (r.breaks != 0 || r.lines != lines || !r.tail_holds)
		printf("# %llu lines, %llu torn, %llu breaks, tail %d %d\n%s",
		    (unsigned long long)r.lines, (unsigned long long)r.torn,
		    (unsigned long long)r.breaks, r.tail_known, r.tail_holds,
		    said);
	return r.breaks == 0 && r.lines == lines && r.tail_holds;
}

/* ---- The line ---- */

static void
check_tries(const struct ledger_line *line)
{
	struct ledger_tries tries = { .begun = false };
	struct ledger_try t;

	CHECK(ledger_try_next(&tries, line, &t) &&
		span_is(t.provider, "qwen-local") && !t.sent &&
		span_is(t.outcome, "busy") && t.queue_ms == 1200 &&
		t.ms == 1200 && t.bytes_sent == 0 && t.cost_nanousd == -1,
	    "its tries: one that was not sent");
	CHECK(ledger_try_next(&tries, line, &t) && t.sent &&
		span_is(t.host, "api.deepseek.com") &&
		span_is(t.upstream_model, "deepseek-chat") &&
		span_is(t.allowed_by, "client laptop, model chat") &&
		span_is(t.place, "external") && t.bytes_sent == 998 &&
		t.input == 300 && t.cached == 100 && t.output == 50 &&
		t.reasoning == 20 && t.cost_nanousd == 79800 &&
		t.at_ms == 1200 && t.first_byte_ms == 300 && t.ms == 800 &&
		t.queue_ms == -1 && span_is(t.usage, "reported"),
	    "and one that was");
	CHECK(!ledger_try_next(&tries, line, &t), "and no more");
}

static void
test_line(void)
{
	struct ledger *l;
	struct entry e = entry("req_1");
	struct ledger_line line;
	struct stat st;
	size_t len;
	char *text;
	json_t *j;

	fresh();
	l = open_or_die();
	ledger_write(l, &e);
	ledger_close(l);
	text = slurp(path, &len);
	CHECK(len > 0 && text[len - 1] == '\n' && strlen(text) == len,
	    "one line with its newline");
	j = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	CHECK(j != NULL, "it is JSON, each member once");
	CHECK_STR(json_string_value(json_object_get(j, "time")),
	    "2026-11-22T18:47:00.123Z", "its time");
	CHECK(json_integer_value(json_object_get(j, "cost_nanousd")) == 79800 &&
		json_array_size(json_object_get(j, "tries")) == 2 &&
		json_is_true(json_object_get(j, "stream")) &&
		json_object_get(j, "cut") == NULL,
	    "numbers, the trail, flags only where they are true");
	CHECK_STR(json_string_value(json_object_get(j, "usage")), "reported",
	    "usage is marked");
	CHECK(ledger_line_parse((struct span){ text, len - 1 }, &line) &&
		line.wall_ms == e.wall_ms && span_is(line.id, "req_1") &&
		span_is(line.place, "external") && line.sent &&
		line.status == 200 && line.input == 300 && line.cached == 100 &&
		line.output == 50 && line.reasoning == 20 &&
		line.cost_nanousd == 79800 && line.total_ms == 2000 &&
		line.n == 1 && line.bytes_sent == 998 &&
		span_is(line.fallback, "busy") && line.external &&
		line.v == 2 && line.queue_ms == 1200,
	    "read again it says the same");
	check_tries(&line);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0640, "mode 0640");
	json_decref(j);
	free(text);
}

static void
test_refusal_line(void)
{
	struct entry e = { .wall_ms = 1,
		.id = "req_2",
		.status = 401,
		.refusal = REFUSE_INVALID_KEY,
		.total_ms = 0 };
	struct ledger *l;
	struct ledger_line line;
	size_t len;
	char *text;
	json_t *j;

	fresh();
	l = open_or_die();
	ledger_write(l, &e);
	text = slurp(path, &len);
	j = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	CHECK(json_is_null(json_object_get(j, "client")) &&
		json_is_null(json_object_get(j, "cost_nanousd")) &&
		json_is_null(json_object_get(j, "place")),
	    "a refusal: what is not known is null");
	CHECK_STR(json_string_value(json_object_get(j, "refusal")),
	    "invalid_api_key", "and its code is there");
	CHECK(ledger_line_parse((struct span){ text, len - 1 }, &line) &&
		line.client.p == NULL && line.cost_nanousd == -1 &&
		line.queue_ms == -1 && line.total_ms == 0,
	    "read again it says the same");
	json_decref(j);
	free(text);
	ledger_close(l);
}

/* The most hostile names that a client can send. */
static void
test_hostile_line(void)
{
	static struct entry_try tries[64];
	static char model[100000], id[] = "a\"},{\n\x01\xff\xe2\x80\xa8";
	struct entry e = entry(id);
	struct ledger *l;
	size_t len;
	char *text;
	json_t *j;

	fresh();
	memset(model, 1, sizeof(model) - 1);
	e.model = e.route = e.client = e.endpoint = e.private_rule = model;
	e.fallback = e.bridge = model;
	/* As many tries as a model may have targets. */
	e.tries = tries;
	e.ntries = 64;
	for (unsigned i = 0; i < 64; i++)
		tries[i] = (struct entry_try){ .provider = "p",
			.upstream_model = model,
			.host = "h",
			.allowed_by = model,
			.outcome = "error",
			.sent = true,
			.bytes_sent = UINT64_MAX,
			.usage = { .input = UINT64_MAX, .output = UINT64_MAX },
			.cost_nanousd = INT64_MAX,
			.ms = INT64_MAX };
	l = open_or_die();
	ledger_write(l, &e);
	CHECK(ledger_lost(l) == 0, "the longest names are written");
	text = slurp(path, &len);
	CHECK(strchr(text, '\n') == text + len - 1, "in one line");
	j = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	CHECK(json_string_length(json_object_get(j, "model")) == 256,
	    "cut to 256 bytes");
	CHECK(holds(1), "and the chain holds");
	json_decref(j);
	free(text);
	ledger_close(l);
}

/* ---- The chain ---- */

static void
damage(const char *what, const char *expect, char *(*change)(char *, size_t *))
{
	struct ledger *l;
	size_t len;
	char *text;

	fresh();
	l = open_or_die();
	write_n(l, 6);
	ledger_close(l);
	text = change(slurp(path, &len), &len);
	spill(path, text, len);
	free(text);
	CHECK(verify().breaks > 0 && strstr(said, expect) != NULL,
	    "%s is found", what);
	if (strstr(said, expect) == NULL)
		printf("# want: %s\n# got: %s\n", expect, said);
}

static char *
change_digit(char *t, size_t *len)
{
	(void)len;
	strstr(line_at(t, 2), "\"output\":50")[9] = '1';
	return t;
}

static char *
change_last(char *t, size_t *len)
{
	(void)len;
	strstr(line_at(t, 5), "\"output\":50")[9] = '1';
	return t;
}

static char *
remove_third(char *t, size_t *len)
{
	char *a = line_at(t, 2), *b = line_at(t, 3);

	memmove(a, b, strlen(b) + 1);
	*len = strlen(t);
	return t;
}

static char *
remove_last(char *t, size_t *len)
{
	*len = (size_t)(line_at(t, 5) - t);
	return t;
}

static char *
remove_all(char *t, size_t *len)
{
	*len = 0;
	return t;
}

static char *
swap_two(char *t, size_t *len)
{
	char *a = line_at(t, 2), *b = line_at(t, 3), *end = line_at(t, 4);
	char *copy = calloc(1, *len + 1);

	memcpy(copy, t, *len);
	memcpy(copy + (a - t), b, (size_t)(end - b));
	memcpy(copy + (a - t) + (end - b), a, (size_t)(b - a));
	free(t);
	return copy;
}

static char *
double_one(char *t, size_t *len)
{
	char *a = line_at(t, 2), *b = line_at(t, 3);
	size_t n = (size_t)(b - a);

	memmove(b + n, b, strlen(b) + 1);
	memcpy(b, a, n);
	*len += n;
	return t;
}

static char *
insert_text(char *t, size_t *len)
{
	size_t at = (size_t)(line_at(t, 2) - t);

	memmove(t + at + 5, t + at, *len - at);
	memcpy(t + at, "hell\n", 5);
	*len += 5;
	return t;
}

static void
test_damage(void)
{
	damage("a changed line", "jsonl:4: the line before it was changed",
	    change_digit);
	damage("a changed last line", "the last line was changed", change_last);
	damage("a removed line",
	    "jsonl:3: 1 lines before it are missing (numbers 3 to 3)",
	    remove_third);
	damage(
	    "a removed last line", "lines at its end are missing", remove_last);
	damage("an emptied ledger", "lines at its end are missing", remove_all);
	damage("a pair of swapped lines", "jsonl:4: out of order", swap_two);
	damage("a doubled line", "jsonl:4: out of order", double_one);
	damage("a foreign line", "jsonl:4: out of order", insert_text);
}

/* Damage stays visible when lines are written after it. */
static void
test_damage_stays(void)
{
	struct ledger *l;
	size_t len;
	char *text;

	fresh();
	l = open_or_die();
	write_n(l, 6);
	text = remove_last(slurp(path, &len), &len);
	spill(path, text, len);
	free(text);
	write_n(l, 2);
	ledger_close(l);
	CHECK(verify().breaks == 1 && strstr(said, "(numbers 6 to 6)") != NULL,
	    "a removed last line is found after later ones too");
}

static void
test_rotation(void)
{
	struct ledger *a, *b;

	fresh();
	a = open_or_die();
	b = open_or_die();
	write_n(a, 3);
	write_n(b, 2);
	rename(path, rotated);
	write_n(b, 2);
	write_n(a, 2);
	CHECK(holds(9), "the chain goes on over a rotation");
	unlink(rotated);
	CHECK(holds(4), "and holds where the old file was removed");
	rename(path, rotated);
	unlink(rotated);
	CHECK(verify().breaks == 1 &&
		strstr(said,
		    "the file that holds its last line is not there") != NULL,
	    "a ledger that was removed whole is missed");
	write_n(a, 1);
	close(creat(path, 0640)); /* copytruncate, and nothing copied */
	write_n(a, 1);
	CHECK(verify().lines == 1, "an emptied file is written on");
	ledger_close(a);
	ledger_close(b);
}

static void
test_lost_record(void)
{
	struct ledger *l;

	fresh();
	l = open_or_die();
	write_n(l, 4);
	ledger_close(l);
	unlink(tail_path);
	CHECK(verify().breaks == 0 && !verify().tail_known,
	    "without the record the lines still verify");
	l = open_or_die();
	write_n(l, 2);
	CHECK(holds(6), "and the next line goes on behind the last");
	ledger_close(l);
	unlink(tail_path);
	rename(path, rotated);
	l = open_or_die();
	write_n(l, 1);
	CHECK(holds(7), "also behind the rotated file's last");
	ledger_close(l);
	spill(tail_path, "garbage", 7);
	l = open_or_die();
	write_n(l, 1);
	CHECK(holds(8), "also where the record is garbage");
	ledger_close(l);
}

/* A writer died between its line and the record, or within its line. */
static void
test_behind(void)
{
	struct ledger *l;
	size_t record_len, len;
	char *record, *text;
	FILE *f;

	fresh();
	l = open_or_die();
	write_n(l, 3);
	record = slurp(tail_path, &record_len);
	write_n(l, 2);
	spill(tail_path, record, record_len);
	CHECK(verify().breaks == 0, "a record behind the file is no break");
	write_n(l, 1);
	CHECK(holds(6), "the next writer catches up");

	free(record);
	record = slurp(tail_path, &record_len);
	write_n(l, 1);
	spill(tail_path, record, record_len);
	rename(path, rotated);
	write_n(l, 1);
	CHECK(holds(8), "also when the file was rotated in between");
	ledger_close(l);

	f = fopen(path, "a");
	fputs("{\"v\":1,\"time\":\"2026-11-22T", f);
	fclose(f);
	l = open_or_die();
	write_n(l, 2);
	ledger_close(l);
	CHECK(holds(11) && verify().torn == 1 && verify().breaks == 0,
	    "a torn line is ended, marked, and part of the chain");
	text = slurp(path, &len);
	*strstr(text, "2026-11-22T\n") = '3';
	spill(path, text, len);
	CHECK(verify().breaks == 1, "a changed torn line is found");
	free(record);
	free(text);

	fresh();
	spill(path, "{\"v\":1,\"time\":\"2026", 19);
	l = open_or_die();
	write_n(l, 2);
	ledger_close(l);
	CHECK(holds(3) && verify().torn == 1,
	    "so is one that nothing is recorded of");
}

static atomic_int told; /* lines that wait, by on_waiting() */

static void
on_waiting(void *ctx, int delta)
{
	atomic_fetch_add((atomic_int *)ctx, delta);
}

/* The ledger writes in a thread of its own. */
static void
test_full_disk(void)
{
	struct rlimit old, tight;
	struct ledger *l;
	struct ledger_report r;
	size_t len;

	fresh();
	keeper_open();
	l = join_or_die();
	write_n(l, 3);
	free(slurp(path, &len));
	getrlimit(RLIMIT_FSIZE, &old);
	tight = old;
	tight.rlim_cur = len + 100;
	prlimit(keeper.pid, RLIMIT_FSIZE, &tight, NULL);
	write_n(l, 2);
	prlimit(keeper.pid, RLIMIT_FSIZE, &old, NULL);
	CHECK(ledger_lost(l) == 2, "what could not be written is counted");
	write_n(l, 2);
	r = verify();
	CHECK(r.breaks == 0 && r.torn == 1 && r.lines == 7,
	    "lines behind a torn one are whole and the chain holds");
	CHECK(r.lost == 2 && r.lost_external == 2 &&
		strstr(said, "gap: 2 requests from 2026-11-22T18:47:00.123Z") !=
		    NULL,
	    "and a line of its own says how many were lost");
	ledger_close(l);
	keeper_close();

	/* In a worker, lines wait until there is room. */
	fresh();
	keeper_open();
	l = join_or_die();
	write_n(l, 3);
	free(slurp(path, &len));
	ledger_write_behind(l, on_waiting, &told);
	tight.rlim_cur = len + 100;
	prlimit(keeper.pid, RLIMIT_FSIZE, &tight, NULL);
	write_n(l, 2);
	ledger_flush(l, clock_now_ms() + 300);
	CHECK(!ledger_keeps(l) && ledger_lost(l) == 0,
	    "a worker sees that it can't write");
	prlimit(keeper.pid, RLIMIT_FSIZE, &old, NULL);
	ledger_flush(l, clock_now_ms() + 60000);
	CHECK(ledger_keeps(l), "and that it can again");
	r = verify();
	CHECK(r.breaks == 0 && r.torn == 1 && r.lines == 6 && r.lost == 0,
	    "nothing is lost then");
	ledger_close(l);
	keeper_close();
}

/* ---- Many writers ---- */

static void *
writer_thread(void *l)
{
	write_n(l, 100);
	return NULL;
}

static void
writer(unsigned nthreads)
{
	struct ledger *l = open_or_die();
	pthread_t t[8];

	for (unsigned i = 0; i < nthreads; i++)
		pthread_create(&t[i], NULL, writer_thread, l);
	for (unsigned i = 0; i < nthreads; i++)
		pthread_join(t[i], NULL);
	ledger_close(l);
	_exit(0);
}

static pid_t
spawn(void (*run)(unsigned), unsigned arg)
{
	pid_t pid;

	fflush(stdout);
	if ((pid = fork()) == 0)
		run(arg);
	return pid;
}

static void
test_many(void)
{
	pid_t pids[4];
	char third[160];

	fresh();
	for (int i = 0; i < 4; i++)
		pids[i] = spawn(writer, 4);
	/* Rotates twice in the middle of it. */
	while (access(path, F_OK) != 0)
		usleep(100);
	snprintf(third, sizeof(third), "%s.2", path);
	rename(path, third);
	while (access(path, F_OK) != 0 && waitpid(pids[0], NULL, WNOHANG) == 0)
		usleep(100);
	rename(path, rotated);
	for (int i = 0; i < 4; i++)
		waitpid(pids[i], NULL, 0);
	CHECK(holds(1600), "4 processes x 4 threads over two rotations");
	unlink(third);
}

/* The next file is rotated before it has a line, and the record of the end was
 * not written since the first line. */
static void
test_rotated_empty(void)
{
	struct ledger *one, *other;
	char third[160];

	fresh();
	one = open_or_die();
	write_n(one, 1);
	write_n(one, 3);
	snprintf(third, sizeof(third), "%s.2", path);
	rename(path, third);
	other = open_or_die();
	rename(path, rotated);
	write_n(other, 2);
	CHECK(holds(6), "a file that was rotated without a line");
	ledger_close(one);
	ledger_close(other);
	unlink(third);
}

/* One of two gateways sleeps while the ledger is rotated twice.  Then it is the
 * first to write to the new one. */
static void
test_slept(void)
{
	struct ledger *one, *other;
	char third[160];

	fresh();
	one = open_or_die();
	other = open_or_die();
	write_n(one, 1);
	snprintf(third, sizeof(third), "%s.2", path);
	rename(path, third);
	write_n(other, 3);
	rename(path, rotated);
	write_n(one, 2);
	write_n(other, 1);
	CHECK(holds(7), "a writer that slept through two rotations");
	ledger_close(one);
	ledger_close(other);
	unlink(third);
}

static void
endless(unsigned arg)
{
	struct ledger *l = open_or_die();

	(void)arg;
	for (;;)
		write_n(l, 1);
}

static void
test_kills(void)
{
	struct ledger_report r;
	struct ledger *l;
	pid_t pids[3];

	fresh();
	for (int i = 0; i < 3; i++)
		pids[i] = spawn(endless, 0);
	for (int round = 0; round < 40; round++) {
		struct stat st, now;

		/* Each round kills a writer once lines are being written. */
		if (stat(path, &st) == -1)
			st.st_size = 0;
		do
			usleep(200 + (unsigned)round * 17);
		while (stat(path, &now) == -1 || now.st_size == st.st_size);
		kill(pids[round % 3], SIGKILL);
		waitpid(pids[round % 3], NULL, 0);
		pids[round % 3] = spawn(endless, 0);
	}
	for (int i = 0; i < 3; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	l = open_or_die();
	write_n(l, 1);
	ledger_close(l);
	r = verify();
	CHECK(r.breaks == 0 && r.tail_holds && r.lines > 40,
	    "writers killed 43 times");
	if (r.breaks != 0)
		printf("# %s", said);
}

/* ---- Opening ---- */

static void
test_open(void)
{
	struct config off = { .ledger = false };
	struct entry e = entry("x");
	struct config none = config;
	char why[256] = "";
	struct ledger *l;

	fresh();
	if (symlink("/etc/passwd", path) == -1)
		exit(99);
	CHECK(ledger_open(&config, why, sizeof(why)) == NULL && why[0] != '\0',
	    "a symbolic link is not followed");
	unlink(path);
	mkfifo(path, 0600);
	CHECK(ledger_open(&config, why, sizeof(why)) == NULL,
	    "a pipe is no ledger");
	unlink(path);
	none.ledger_file = "/nonexistent/ledger.jsonl";
	CHECK(ledger_open(&none, why, sizeof(why)) == NULL &&
		strstr(why, "/nonexistent/") != NULL,
	    "a directory that is missing is named");
	l = ledger_open(&off, why, sizeof(why));
	ledger_write(l, &e);
	CHECK(l != NULL && access(path, F_OK) == -1, "no ledger wanted: none");
	ledger_close(l);
}

static int
count_line(void *ctx, const struct ledger_line *line)
{
	(void)line;
	++*(int *)ctx;
	return 0;
}

static void
test_parse(void)
{
	static const char *const bad[] = {
		"", "{", "{}", "{\"v\":1", "[1]",
		"{\"v\":1,\"time\":\"2026-11-22T18:47:00.123Z\"",
		"{\"v\":1,\"time\":\"2026-11-22T18:47:00.123Z}",
		"{\"v\":1,\"time\":\"yesterday\"}",
		"{\"v\":1,\"time\":\"2026-11-22T18:47:00.123Z\",\"tries\":[{}"
	};
	struct ledger_tries tries = { .begun = false };
	struct ledger_line line;
	struct ledger_try t;
	unsigned taken = 0;
	struct ledger *l;
	int count = 0;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		taken += ledger_line_parse(span_of(bad[i]), &line);
	CHECK(taken == 0, "what is no whole line is not taken");
	CHECK(ledger_line_parse(
		  span_of("{\"v\":1,\"time\":\"2024-02-29T00:00:00.000Z\","
			  "\"provider\":\"p\",\"place\":\"external\","
			  "\"sent\":true,\"host\":\"h\",\"tries\":[{"
			  "\"provider\":\"o\",\"outcome\":\"busy\",\"ms\":1},{"
			  "\"provider\":\"p\",\"outcome\":\"ok\",\"ms\":2}],"
			  "\"bytes_sent\":5,\"cost_nanousd\":9}"),
		  &line) &&
		line.v == 1 && line.external &&
		ledger_try_next(&tries, &line, &t) && span_is(t.host, "h") &&
		t.sent && t.bytes_sent == 5 && t.cost_nanousd == 9 &&
		!ledger_try_next(&tries, &line, &t),
	    "a line of version 1 tells of its last try");
	CHECK(ledger_line_parse(
		  span_of("{\"v\":1,\"time\":\"2024-02-29T00:00:00.000Z\","
			  "\"new\":{\"x\":[\"}\"]},\"model\":\"a\\\"b\","
			  "\"status\":200}"),
		  &line) &&
		line.status == 200 && span_is(line.model, "a\\\"b") &&
		line.wall_ms == clock_parse("2024-02-29"),
	    "unknown members are passed over");
	fresh();
	l = open_or_die();
	write_n(l, 3);
	rename(path, rotated);
	write_n(l, 4);
	ledger_close(l);
	CHECK(ledger_each(path, 0, count_line, &count) == 0 && count == 7,
	    "all lines of all files");
	count = 0;
	ledger_each(path, 1795373220124, count_line, &count);
	CHECK(count == 0, "none before the day asked for");
}

/* A string may end anywhere, after any text. */
static void
test_parse_strings(void)
{
	static const char *const bits[] = { "", "#", "\\\"", "\\\\", "]", "}",
		"\xc3\xa9" };
	unsigned wrong = 0;

	for (unsigned len = 0; len < 40; len++)
		for (size_t b = 0; b < sizeof(bits) / sizeof(bits[0]); b++) {
			char text[400], name[64];
			struct ledger_line line;

			snprintf(name, sizeof(name), "%.*s%s%.*s",
			    (int)(len / 2), "!!!!!!!!!!!!!!!!!!!!!!!!", bits[b],
			    (int)(len - len / 2), "[[[[[[[[[[[[[[[[[[[[[[[[");
			snprintf(text, sizeof(text),
			    "{\"v\":2,\"time\":\"2024-02-29T00:00:00.000Z\","
			    "\"model\":\"%s\",\"tries\":[{\"host\":\"%s\"}],"
			    "\"%s\":1,\"status\":200}",
			    name, name, name);
			wrong += !ledger_line_parse(span_of(text), &line) ||
			    !span_is(line.model, name) || !line.tried ||
			    !span_is(line.first.host, name) ||
			    line.status != 200;
		}
	CHECK(wrong == 0, "strings of any length, with anything in them");
}

/* The first try is read with the line, the others are not; the caller does not
 * notice. */
static void
test_parse_tries(void)
{
	static const struct {
		const char *tries, *hosts;
	} rows[] = {
		{ "[]", "" },
		{ "[{\"new\":1}]", "-" },
		{ "[{\"host\":\"a\"}]", "a" },
		{ "[{\"host\":\"a\"},{\"host\":\"b]\"},{\"host\":\"c\"}]",
		    "ab]c" },
		{ "[{\"host\":\"a\"},7,{\"host\":\"c\"}]", "a" },
		{ "[7,{\"host\":\"b\"}]", "" },
		{ "{\"host\":\"a\"}", "" },
		{ "7", "" },
		{ "null", "" },
	};
	char text[400], seen[64];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ledger_tries tries = { .begun = false };
		struct ledger_line line;
		struct ledger_try t;

		snprintf(text, sizeof(text),
		    "{\"v\":2,\"time\":\"2024-02-29T00:00:00.000Z\","
		    "\"tries\":%s,\"status\":200}",
		    rows[i].tries);
		CHECK(ledger_line_parse(span_of(text), &line) &&
			line.status == 200,
		    "%s: a line", rows[i].tries);
		seen[0] = '\0';
		while (ledger_try_next(&tries, &line, &t))
			snprintf(seen + strlen(seen),
			    sizeof(seen) - strlen(seen), "%.*s",
			    t.host.p == NULL ? 1 : (int)t.host.len,
			    t.host.p == NULL ? "-" : t.host.p);
		CHECK_STR(seen, rows[i].hosts, "%s: its tries", rows[i].tries);
	}
}

static void
test_behind_us(void)
{
	pthread_t t[4];
	struct ledger *l;

	fresh();
	l = open_or_die();
	ledger_write_behind(l, on_waiting, &told);
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, writer_thread, l);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	ledger_flush(l, clock_now_ms() + 60000);
	CHECK(holds(400) && atomic_load(&told) == 0,
	    "flushed: what four threads brought is there");
	write_n(l, 1);
	for (int i = 0; i < 10000 && atomic_load(&told) != 0; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	CHECK(holds(401), "one line is written without being asked for");
	write_n(l, 700);
	ledger_close(l);
	CHECK(holds(1101) && atomic_load(&told) == 0,
	    "closed: nothing waits any more");
}

static int64_t
since(int64_t begin_ms)
{
	return clock_now_ms() - begin_ms;
}

/* A process that may open the lock may hold it indefinitely. */
static void
test_held_lock(void)
{
	struct entry local = entry("local");
	struct ledger_report r;
	struct ledger *l;
	int64_t begin_ms;
	struct stat st;
	int fd;

	fresh();
	l = open_or_die();
	CHECK(stat(lock_path, &st) == 0 && (st.st_mode & 0777) == 0200,
	    "only who may write there can open the lock");
	ledger_write_behind(l, on_waiting, &told);
	CHECK(ledger_keeps(l), "all is well");
	fd = open(lock_path, O_WRONLY);
	flock(fd, LOCK_EX);
	begin_ms = clock_now_ms();
	local.ntries = 0;
	for (int i = 0; i < LEDGER_WAITING_LINES; i++)
		ledger_write(l, &local);
	ledger_flush(l, clock_now_ms() + 50);
	CHECK(ledger_lost(l) == 0 && verify().lines == 0,
	    "lines wait, and a flush ends when its time is over");
	for (int i = 0; i < 3; i++)
		ledger_write(l, &local);
	CHECK(ledger_lost(l) == 3, "up to a bound, then they are counted");
	write_n(l, 5);
	CHECK(ledger_lost(l) == 3, "but what left is kept for longer");
	CHECK(since(begin_ms) < 5000, "and nobody waits for the lock");
	while (ledger_keeps(l) && since(begin_ms) < 20000)
		usleep(10000);
	CHECK(!ledger_keeps(l) && since(begin_ms) < 10000,
	    "after a while this is known");
	close(fd);
	ledger_flush(l, clock_now_ms() + 60000);
	CHECK(ledger_keeps(l), "and so is it when it can be written again");
	r = verify();
	CHECK(r.breaks == 0 && r.lines == LEDGER_WAITING_LINES + 5 + 1 &&
		r.lost == 3 && r.lost_external == 0,
	    "what waited is there, and a line that tells of the rest");
	ledger_close(l);
	CHECK(atomic_load(&told) == 0, "nothing waits any more");
}

/* A disk that hangs blocks the thread that writes, and nothing else. */
static void
test_hung_disk(void)
{
	struct ledger_report r;
	struct ledger *l;
	int64_t begin_ms;

	fresh();
	l = open_or_die();
	ledger_write_behind(l, on_waiting, &told);
	write_n(l, 1);
	ledger_flush(l, clock_now_ms() + 60000);
	atomic_store(disk_hangs, true);
	write_n(l, 2);
	begin_ms = clock_now_ms();
	while (ledger_keeps(l) && since(begin_ms) < 20000)
		usleep(10000);
	CHECK(!ledger_keeps(l) && since(begin_ms) < 10000,
	    "a disk that hangs is noticed");
	write_n(l, 3);
	begin_ms = clock_now_ms();
	ledger_close(l);
	CHECK(since(begin_ms) < 10000, "closing does not wait for it");
	CHECK(shared_lost() == 5,
	    "what was not written is counted for the next process");
	atomic_store(disk_hangs, false);
	/* The thread that hung writes what it held, and ends. */
	begin_ms = clock_now_ms();
	while (verify().lines < 3 && since(begin_ms) < 20000)
		usleep(10000);
	usleep(100000);
	atomic_store(&told, 0);
	l = open_or_die();
	write_n(l, 1);
	r = verify();
	CHECK(r.breaks == 0 && r.lost >= 3, "which tells of it");
	ledger_close(l);
}

/* ---- The ledger's process ---- */

/* It is killed again and again while lines arrive; each is written once. */
static void
test_killed_keeper(void)
{
	struct ledger *l;
	struct ledger_report r;
	unsigned n = 0;
	char id[32];

	fresh();
	keeper_open();
	l = join_or_die();
	ledger_write_behind(l, on_waiting, &told);
	for (int round = 0; round < 60; round++) {
		for (int i = 0; i < 40; i++) {
			snprintf(id, sizeof(id), "req_k%u", n++);
			struct entry e = entry(id);
			ledger_write(l, &e);
		}
		usleep(3000 + (unsigned)round * 97);
		keeper_kill();
		if (round % 3 == 0)
			usleep(20000);
		keeper_start();
	}
	ledger_flush(l, clock_now_ms() + 60000);
	ledger_close(l);
	keeper_close();
	r = verify();
	CHECK(r.breaks == 0 && r.lines == n && r.lost == 0,
	    "killed 60 times: %u lines, each once (%llu)", n,
	    (unsigned long long)r.lines);
}

/* It is killed in the middle of a write.  Its lines are looked for in the file,
 * and not written twice. */
static void
test_killed_in_write(void)
{
	struct entry e = entry("req_once");
	struct ledger_report r;
	struct ledger *l;

	fresh();
	keeper_open();
	l = join_or_die();
	ledger_write_behind(l, on_waiting, &told);
	atomic_store(disk_hangs, true);
	ledger_write(l, &e);
	usleep(50000);
	/* As if the write had finished just before. */
	kill(keeper.pid, SIGSTOP);
	waitpid(keeper.pid, NULL, WUNTRACED);
	atomic_store(disk_hangs, false);
	keeper_kill();
	spill_line(&e);
	keeper_start();
	ledger_flush(l, clock_now_ms() + 60000);
	ledger_close(l);
	keeper_close();
	r = verify();
	CHECK(r.lines == 1 && r.lost == 0,
	    "killed between its write and its reply: one line (%llu)",
	    (unsigned long long)r.lines);
}

/* The ledger's process is stopped; nothing else stops. */
static void
test_stopped_keeper(void)
{
	struct ledger *l;
	int64_t begin_ms;

	fresh();
	keeper_open();
	l = join_or_die();
	ledger_write_behind(l, on_waiting, &told);
	kill(keeper.pid, SIGSTOP);
	waitpid(keeper.pid, NULL, WUNTRACED);
	write_n(l, 2);
	begin_ms = clock_now_ms();
	while (ledger_keeps(l) && since(begin_ms) < 20000)
		usleep(10000);
	CHECK(!ledger_keeps(l) && since(begin_ms) < 10000,
	    "a ledger's process that stands still is noticed");
	kill(keeper.pid, SIGCONT);
	ledger_flush(l, clock_now_ms() + 60000);
	CHECK(ledger_keeps(l) && ledger_lost(l) == 0 && holds(2),
	    "and nothing is lost when it goes on");
	ledger_close(l);
	keeper_close();
}

/* ---- What a process that was taken over may send ---- */

/* A call as post.c makes it; the socket, greeted. */
static int
raw_call(void)
{
	struct frame_reply greeting;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == -1)
		exit(99);
	if (ledger_desk_send(keeper.desk[LEDGER_DESK_SERVES], ends[1]) == -1 ||
	    recv(ends[0], &greeting, sizeof(greeting), MSG_WAITALL) !=
		sizeof(greeting))
		exit(99);
	close(ends[1]);
	return ends[0];
}

/* The reply to one line: 1 it is done, 0 the other side hung up. */
static int
raw_line(const char *text, size_t len, uint32_t said_len)
{
	struct frame head = { .magic = FRAME_MAGIC,
		.nlines = 1,
		.nbytes = (uint32_t)(sizeof(struct frame_line) + len) };
	struct frame_line line = { .len = said_len };
	struct frame_reply reply = { .done = 0 };
	int fd = raw_call();
	ssize_t n;

	if (send(fd, &head, sizeof(head), MSG_NOSIGNAL) == -1 ||
	    send(fd, &line, sizeof(line), MSG_NOSIGNAL) == -1 ||
	    send(fd, text, len, MSG_NOSIGNAL) == -1)
		n = 0;
	else
		n = recv(fd, &reply, sizeof(reply), MSG_WAITALL);
	close(fd);
	return n == sizeof(reply) ? (int)reply.done : 0;
}

static int
raw_head(struct frame head)
{
	struct frame_reply reply;
	int fd = raw_call();
	ssize_t n;

	send(fd, &head, sizeof(head), MSG_NOSIGNAL);
	n = recv(fd, &reply, sizeof(reply), MSG_WAITALL);
	close(fd);
	return n > 0;
}

#define BEGIN "{\"v\":2,\"time\":\"2026-11-22T18:47:00.123Z\""

static void
test_hostile_frames(void)
{
	static const char *const bad[] = { "", "{", "{}", "[]", "x",
		BEGIN "}\n" BEGIN, BEGIN ",\"id\":\"a\nb\"",
		BEGIN ",\"id\":\"a\",\"id\":\"b\"",
		BEGIN ",\"id\":\"a\",\"client\":\"\xff\"",
		BEGIN ",\"client\":\"a\",\"id\":\"b\"", BEGIN ",\"gap\":true",
		BEGIN ",\"lost\":5", BEGIN ",\"n\":7",
		BEGIN ",\"prev\":\"00000000000000000000000000000000\"",
		BEGIN ",\"n\":1,\"prev\":\"00000000000000000000000000000000\"}",
		BEGIN ",\"new\":1", BEGIN ",\"status\":\"200\"",
		BEGIN ",\"status\":-1", BEGIN ",\"status\":1e9",
		BEGIN ",\"id\":{\"a\":1}", BEGIN ",\"sent\":false",
		BEGIN ",\"tries\":[[]]", BEGIN ",\"tries\":[{\"x\":1}]",
		BEGIN ",\"tries\":[{\"ms\":1,\"provider\":\"p\"}]",
		BEGIN ",\"tries\":[{\"ms\":{\"a\":[]}}]",
		BEGIN ",\"\\u0069d\":\"a\"",
		"{\"v\":1,\"time\":\"2026-11-22T18:47:00.123Z\"",
		"{\"v\":2,\"time\":\"yesterday at noon or so\"",
		"{ \"v\":2,\"time\":\"2026-11-22T18:47:00.123Z\"" };
	static const struct frame heads[] = { { 0, 0, 1, 100 },
		{ FRAME_MAGIC, 2, 1, 100 }, { FRAME_MAGIC, 0, 0, 100 },
		{ FRAME_MAGIC, 0, 1, 0 },
		{ FRAME_MAGIC, 0, FRAME_LINES_MAX + 1, 100000 },
		{ FRAME_MAGIC, 0, UINT32_MAX, UINT32_MAX },
		{ FRAME_MAGIC, 0, 1, FRAME_BYTES_MAX + 1 } };
	static char huge[LEDGER_LINE_MAX + 16];
	struct ledger *l;
	struct ledger_report r;
	unsigned dealt = 0, n = sizeof(bad) / sizeof(bad[0]), answered = 0;
	int silent[50];

	fresh();
	keeper_open();
	l = join_or_die();
	for (unsigned i = 0; i < n; i++) {
		int done =
		    raw_line(bad[i], strlen(bad[i]), (uint32_t)strlen(bad[i]));

		if (done != 1)
			printf("# %s\n", bad[i]);
		dealt += done == 1;
	}
	CHECK(dealt == n, "what is no request's line is dealt with by a count");
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		answered += (unsigned)raw_head(heads[i]);
	CHECK(answered == 0, "what is no frame is hung up on");
	CHECK(raw_line(BEGIN, strlen(BEGIN), 100000) == 0,
	    "a line longer than its frame");
	memset(huge, 'x', sizeof(huge));
	memcpy(huge, BEGIN ",\"id\":\"", strlen(BEGIN ",\"id\":\""));
	huge[sizeof(huge) - 1] = '"';
	CHECK(raw_line(huge, sizeof(huge), sizeof(huge)) == 1 &&
		verify().lines == 0,
	    "a line that is too long: none of it is written");
	/* Many callers that never send anything, and a message without a
	 * socket. */
	for (int i = 0; i < 50; i++)
		silent[i] = raw_call();
	send(keeper.desk[LEDGER_DESK_SERVES], "xyz", 3, 0);
	CHECK(raw_line(BEGIN, strlen(BEGIN), strlen(BEGIN)) == 1 &&
		verify().lines == 2 && verify().lost == n + 1,
	    "and the next good line is written, with what was not");
	write_n(l, 3);
	r = verify();
	CHECK(r.breaks == 0 && r.lines == 5 && ledger_lost(l) == 0,
	    "others do not notice");
	ledger_close(l);
	for (int i = 0; i < 50; i++)
		close(silent[i]);
	keeper_close();
}

/* An obstacle is removed, and lines are written again. */
static void
blocked(const char *what, void (*block)(void), void (*unblock)(void))
{
	struct ledger *l;
	struct ledger_report r;

	fresh();
	l = open_or_die();
	ledger_write_behind(l, on_waiting, &told);
	write_n(l, 2);
	ledger_flush(l, clock_now_ms() + 60000);
	block();
	/* The directory's identity is cached for a second. */
	usleep(1100000);
	write_n(l, 3);
	ledger_flush(l, clock_now_ms() + 500);
	CHECK(!ledger_keeps(l), "%s: noticed", what);
	unblock();
	ledger_flush(l, clock_now_ms() + 60000);
	CHECK(ledger_keeps(l) && ledger_lost(l) == 0, "%s: over", what);
	ledger_close(l);
	r = verify();
	CHECK(r.lines >= 3 && r.lost == 0, "%s: what waited is there", what);
}

static char moved[160];

static void
put_directory_there(void)
{
	rename(path, rotated);
	mkdir(path, 0700);
}

static void
take_directory_away(void)
{
	rmdir(path);
}

static void
move_state_away(void)
{
	rename(state_dir, moved);
}

static void
make_state_again(void)
{
	mkdir(state_dir, 0700);
	directory_remove(moved);
}

static void
put_link_there(void)
{
	rename(path, rotated);
	if (symlink("/dev/null", path) == -1)
		exit(99);
}

static void
take_link_away(void)
{
	unlink(path);
}

static void
test_blocked(void)
{
	snprintf(moved, sizeof(moved), "%s.moved", state_dir);
	blocked("a directory in its place", put_directory_there,
	    take_directory_away);
	blocked("a link in its place", put_link_there, take_link_away);
	blocked("its directory removed", move_state_away, make_state_again);
}

static void
test_all(void)
{
	test_line();
	test_refusal_line();
	test_hostile_line();
	test_damage();
	test_damage_stays();
	test_rotation();
	test_lost_record();
	test_behind();
	test_full_disk();
	test_many();
	test_rotated_empty();
	test_slept();
	test_behind_us();
	test_held_lock();
	test_kills();
	test_open();
	test_parse();
	test_parse_strings();
	test_parse_tries();
}

/* Requests were sent, and their process is killed before they have ended. */
static void
test_sent(void)
{
	struct entry one = entry("req_one"), other = entry("req_other");
	struct entry local = entry("req_local");
	struct ledger_report r;
	struct ledger *l;
	pid_t pid;

	fresh();
	keeper_open();
	one.tries = other.tries = local.tries = NULL;
	one.ntries = other.ntries = local.ntries = 0;
	pid = fork();
	if (pid == 0) {
		l = join_or_die();
		ledger_sending(l, &one, PLACE_LOCAL);
		ledger_sending(l, &one, PLACE_EXTERNAL);
		ledger_sending(l, &one, PLACE_EXTERNAL);
		ledger_sending(l, &local, PLACE_LOCAL);
		/* Its tries say that nothing left after all. */
		ledger_sending(l, &other, PLACE_EXTERNAL);
		ledger_write(l, &other);
		ledger_flush(l, clock_now_ms() + 60000);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	l = join_or_die();
	write_n(l, 1);
	ledger_close(l);
	keeper_close();
	r = verify();
	CHECK(r.lines == 3 && r.lost == 2 && r.lost_external == 1,
	    "what was sent and has not ended is counted (%llu, %llu)",
	    (unsigned long long)r.lost, (unsigned long long)r.lost_external);
}

/* A process calls without end, and leaves impossible counts. */
static void
test_flood(void)
{
	struct ledger_gap *gap;
	struct ledger_gap_way *way;
	struct ledger *l;
	int64_t begin_ms;
	pid_t pid;

	fresh();
	keeper_open();
	l = join_or_die();
	pid = fork();
	if (pid == 0)
		for (;;)
			send(keeper.desk[LEDGER_DESK_SERVES], "xxxxxxxx", 8, 0);
	write_n(l, 200);
	CHECK(ledger_lost(l) == 0 && verify().lines == 200,
	    "one who calls without end does not keep others waiting");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ledger_close(l);
	keeper_close();

	gap = ledger_gap_open(config.runtime_dir);
	way = ledger_gap_enter(gap);
	way->lines = INT32_MAX;
	way->external = INT32_MIN;
	begin_ms = clock_now_ms();
	ledger_gap_died(config.runtime_dir, (int)getpid());
	CHECK(clock_now_ms() - begin_ms < 1000 && gap->lost >= INT32_MAX,
	    "what a dead one left is counted at once, however much it is");
	ledger_gap_told(gap, gap->lost, gap->external);
	ledger_gap_add(gap, false, 3000);
	ledger_gap_add(gap, false, 2000);
	ledger_gap_add(gap, true, 4000);
	CHECK(gap->since_ms == 2000 && gap->until_ms == 4000,
	    "a gap begins with its first request and ends with its last");
	ledger_gap_told(gap, gap->lost, gap->external);
	ledger_gap_close(gap);
}

/* While we look whether the process of an entry is dead, another process buries
 * it, and one that lives enters. */
static struct {
	pid_t pid; /* 0: nobody looks */
	struct ledger_gap_way *way;
} looked;

int
kill(pid_t pid, int sig)
{
	if (sig == 0 && pid == looked.pid) {
		looked.pid = 0;
		looked.way->pid = (int32_t)getppid();
		looked.way->lines = 5;
		errno = ESRCH;
		return -1;
	}
	return (int)syscall(SYS_kill, pid, sig);
}

static pid_t
dead_pid(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	return pid;
}

static void
test_bury(void)
{
	struct ledger_gap *gap;
	struct ledger_gap_way *way;
	int64_t begin_ms = clock_wall_ms();
	pid_t dead = dead_pid();

	fresh();
	gap = ledger_gap_open(config.runtime_dir);
	ledger_gap_leave(gap, ledger_gap_enter(gap), false);
	way = &gap->ways[LEDGER_GAP_WAYS - 1];
	looked.way = way;
	way->pid = looked.pid = dead;
	ledger_gap_leave(gap, ledger_gap_enter(gap), false);
	CHECK(looked.pid == 0 && gap->lost == 0 && way->lines == 5 &&
		way->pid == (int32_t)getppid(),
	    "what a living process has under way is not lost");

	way->pid = -(int32_t)getppid();
	ledger_gap_leave(gap, ledger_gap_enter(gap), false);
	CHECK(gap->lost == 0 && way->pid == -(int32_t)getppid(),
	    "one who counts what a dead process left is not disturbed");
	way->pid = -(int32_t)dead;
	ledger_gap_leave(gap, ledger_gap_enter(gap), false);
	CHECK(gap->lost == 5 && way->pid == 0,
	    "if it is killed meanwhile, another one counts");
	way->pid = -(int32_t)dead;
	way->lines = 2;
	ledger_gap_died(config.runtime_dir, (int)dead);
	CHECK(gap->lost == 7 && way->pid == 0, "or its parent does");
	ledger_gap_told(gap, gap->lost, gap->external);

	way->pid = dead;
	ledger_gap_on_way(way, 1, 0, 500);
	ledger_gap_on_way(way, -1, 0, 600);
	ledger_gap_on_way(way, 1, 0, 1000);
	ledger_gap_on_way(way, 1, 0, 5000);
	ledger_gap_died(config.runtime_dir, (int)dead);
	CHECK(gap->lost == 2 && gap->since_ms == 1000 &&
		gap->until_ms >= begin_ms,
	    "its gap has the time of all that was under way");
	ledger_gap_told(gap, gap->lost, gap->external);
	ledger_gap_close(gap);
}

/* A process gives up while the ledger's process hangs, which replies before it
 * has ended.  Its result: the count of the next process is its own. */
static int
give_up_early(void)
{
	struct ledger *l = join_or_die();
	struct ledger_gap *gap = ledger_gap_open(config.runtime_dir);
	struct ledger_gap_way *way;
	int64_t until_ms = clock_now_ms() + 60000;

	atomic_store(&told, 0);
	ledger_write_behind(l, on_waiting, &told);
	kill(keeper.pid, SIGSTOP);
	write_n(l, 1);
	ledger_flush(l, clock_now_ms() + 300);
	ledger_give_up(l);
	way = ledger_gap_enter(gap);
	ledger_gap_on_way(way, 1, 0, 1000);
	kill(keeper.pid, SIGCONT);
	while (atomic_load(&told) != 0 && clock_now_ms() < until_ms)
		usleep(1000);
	if (atomic_load(&told) != 0 || way->lines != 1 || gap->total != 1)
		return 1;
	ledger_gap_on_way(way, -1, 0, 1000);
	return 0;
}

static void
test_give_up(void)
{
	struct ledger_gap *gap;
	int status = -1;
	pid_t pid;

	fresh();
	keeper_open();
	pid = fork();
	if (pid == 0)
		_exit(give_up_early());
	waitpid(pid, &status, 0);
	kill(keeper.pid, SIGCONT);
	gap = ledger_gap_open(config.runtime_dir);
	CHECK(status == 0, "a late reply does not change another's count");
	ledger_gap_died(config.runtime_dir, (int)pid);
	CHECK(gap->total == 1, "and what was given up is counted once");
	for (size_t i = 0; i < LEDGER_GAP_WAYS; i++)
		if (gap->ways[i].pid != 0)
			CHECK(false, "an entry is still %d's",
			    (int)gap->ways[i].pid);
	ledger_gap_close(gap);
	keeper_close();
}

int
main(void)
{
	char remove[160];

	if (mkdtemp(dir) == NULL)
		return 99;
	umask(022);
	log_open("ledger_test", false, LOG_LEVEL_ERROR);
	if (getenv("KEEP") == NULL && freopen("/dev/null", "w", stderr) == NULL)
		return 99;
	snprintf(state_dir, sizeof(state_dir), "%s/state", dir);
	if (mkdir(state_dir, 0700) == -1)
		return 99;
	snprintf(path, sizeof(path), "%s/ledger.jsonl", state_dir);
	snprintf(rotated, sizeof(rotated), "%s.1", path);
	snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
	snprintf(tail_path, sizeof(tail_path), "%s.tail", path);
	config.ledger = true;
	config.ledger_file = path;
	snprintf(shared_path, sizeof(shared_path), "%s/ledger", dir);
	config.runtime_dir = dir;
	disk_hangs = mmap(NULL, sizeof(*disk_hangs), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (disk_hangs == MAP_FAILED)
		return 99;
	test_all();
	test_hung_disk();
	test_killed_keeper();
	test_killed_in_write();
	test_stopped_keeper();
	test_hostile_frames();
	test_flood();
	test_sent();
	test_bury();
	test_give_up();
	/* A confined process cannot follow a directory that is replaced. */
	config.sandbox = CONFINE_OFF;
	test_blocked();
	fresh();
	snprintf(remove, sizeof(remove), "%s/lock", dir);
	unlink(remove);
	rmdir(state_dir);
	rmdir(dir);
	return check_done();
}
