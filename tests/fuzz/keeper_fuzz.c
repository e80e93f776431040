/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What the ledger's process accepts from a process that was taken over: calls,
 * frames, bytes that are no frame, and the counts in memory that both share.
 * It never dies.  The ledger stays a chain of complete lines, and each new line
 * is a request's or counts lost lines.  Older lines stay as they were.  An
 * honest process is still served.  Input: a script; each step is a byte and its
 * arguments (play() reads it).
 */
#include "config.h"

#include <sys/socket.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "base/buf.h"
#include "base/log.h"
#include "ledger/callers.h"
#include "ledger/chain.h"
#include "ledger/desk.h"
#include "ledger/form.h"
#include "ledger/frame.h"
#include "ledger/read.h"

#define ENDS 4
#define BEGIN "{\"v\":2,\"time\":\"2026-11-22T18:47:00.123Z\""
#define HONEST BEGIN ",\"id\":\"honest\""
#define PLACE ",\"gateway\":\"fuzz\",\"n\":"
#define LOST ",\"gap\":true,\"until\":\""
/* More than any script can need. */
#define TURNS 200

struct script {
	const uint8_t *p, *end;
};

static struct world {
	char dir[32], path[64];
	int desk[2], ends[ENDS];
	struct ledger_gap gap;
	struct ledger_file *file;
	struct ledger_callers *callers;
} w;

/* ---- the script -------------------------------------------------------- */

static unsigned
byte(struct script *s)
{
	return s->p < s->end ? *s->p++ : 0;
}

static struct span
bytes(struct script *s, size_t n)
{
	struct span all = { (const char *)s->p, (size_t)(s->end - s->p) };

	if (n < all.len)
		all.len = n;
	s->p += all.len;
	return all;
}

static uint64_t
number(struct script *s)
{
	struct span text = bytes(s, sizeof(uint64_t));
	uint64_t n = 0;

	memcpy(&n, text.p, text.len);
	return n;
}

/* ---- a process that was taken over ------------------------------------- */

static void
turns(void)
{
	for (int i = 0; i < TURNS && ledger_callers_serve(w.callers, 0); i++)
		;
}

static void
hang_up(int i)
{
	if (w.ends[i] != -1)
		close(w.ends[i]);
	w.ends[i] = -1;
}

static void
call(int i)
{
	int ends[2];

	hang_up(i);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == -1)
		return;
	ledger_desk_send(w.desk[LEDGER_DESK_SERVES], ends[1]);
	close(ends[1]);
	w.ends[i] = ends[0];
}

/* A descriptor that is not a socket of ours. */
static void
call_with(const char *path, int flags)
{
	int fd = open(path, flags);

	if (fd != -1) {
		ledger_desk_send(w.desk[LEDGER_DESK_SERVES], fd);
		close(fd);
	}
}

static void
say(int fd, struct span text)
{
	if (fd != -1)
		send(fd, text.p, text.len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* A frame with valid heads, and lines of any text. */
static void
say_lines(int fd, struct script *s, unsigned n)
{
	struct frame head = { .magic = FRAME_MAGIC, .again = n & 1 };
	struct buf out;

	buf_init(&out, FRAME_BYTES_MAX);
	buf_add(&out, &head, sizeof(head));
	for (head.nlines = 0; head.nlines < n / 2 && s->p < s->end;
	     head.nlines++) {
		bool good = byte(s) & 1;
		struct span text = bytes(s, byte(s));
		struct frame_line line = { .external = byte(s) & 1 };
		size_t begin = good ? strlen(BEGIN) : 0;

		line.len = (uint32_t)(begin + text.len);
		buf_add(&out, &line, sizeof(line));
		buf_add(&out, BEGIN, begin);
		buf_add(&out, text.p, text.len);
	}
	head.nbytes = (uint32_t)(out.len - sizeof(head));
	memcpy(out.p, &head, sizeof(head));
	say(fd, buf_span(&out));
	buf_free(&out);
}

/* Workers may change what they share with the ledger's process. */
static void
change_counts(struct script *s)
{
	w.gap.lost = number(s);
	w.gap.external = number(s);
	w.gap.since_ms = (int64_t)number(s);
	w.gap.until_ms = (int64_t)number(s);
}

static void
read_replies(int fd)
{
	struct frame_reply reply;

	while (fd != -1 &&
	    recv(fd, &reply, sizeof(reply), MSG_DONTWAIT) ==
		(ssize_t)sizeof(reply)) {
		MUST(reply.magic == FRAME_MAGIC);
		MUST(reply.done <= FRAME_LINES_MAX);
		MUST(memchr(reply.which, '\0', sizeof(reply.which)) != NULL);
	}
}

static void
play(struct script *s)
{
	while (s->p < s->end) {
		unsigned step = byte(s);
		int i = (int)(step / 16) % ENDS;

		switch (step % 10) {
		case 0:
			call(i);
			break;
		case 1:
			say_lines(w.ends[i], s, byte(s));
			break;
		case 2:
			say(w.ends[i], bytes(s, byte(s)));
			break;
		case 3:
			say(w.ends[i], bytes(s, 16 * byte(s)));
			break;
		case 4:
			read_replies(w.ends[i]);
			break;
		case 5:
			hang_up(i);
			break;
		case 6:
			say(w.desk[LEDGER_DESK_SERVES], bytes(s, byte(s)));
			break;
		case 7:
			call_with(i == 0 ? w.path : "/dev/zero",
			    i < 2 ? O_RDONLY : O_RDWR);
			break;
		case 8:
			change_counts(s);
			break;
		default:
			turns();
		}
	}
}

/* ---- an honest process ------------------------------------------------- */

static struct frame_reply
reply_of(int fd)
{
	struct frame_reply reply = { .magic = 0 };

	for (int i = 0; i < TURNS && reply.magic == 0; i++) {
		ledger_callers_serve(w.callers, 0);
		if (recv(fd, &reply, sizeof(reply), MSG_DONTWAIT) !=
		    (ssize_t)sizeof(reply))
			reply.magic = 0;
	}
	return reply;
}

static void
be_honest(void)
{
	struct frame head = { .magic = FRAME_MAGIC,
		.nlines = 1,
		.nbytes = sizeof(struct frame_line) + strlen(HONEST) };
	struct frame_line line = { .len = strlen(HONEST) };
	struct frame_reply reply;

	turns(); /* may make room at the desk */
	call(0);
	reply = reply_of(w.ends[0]);
	MUST(reply.magic == FRAME_MAGIC && reply.error == 0);
	say(w.ends[0], (struct span){ (char *)&head, sizeof(head) });
	say(w.ends[0], (struct span){ (char *)&line, sizeof(line) });
	say(w.ends[0], span_of(HONEST));
	reply = reply_of(w.ends[0]);
	MUST(reply.magic == FRAME_MAGIC && reply.done == 1 && reply.error == 0);
}

/* ---- the ledger afterwards --------------------------------------------- */

static void
on_break(void *ctx, const char *file, uint64_t line, const char *what)
{
	(void)ctx;
	if (strncmp(what, "gap:", 4) != 0)
		fprintf(stderr, "%s:%llu: %s\n", file, (unsigned long long)line,
		    what);
}

/* Checks a line without the members that the ledger's process adds: its host,
 * and its place in the chain. */
static void
look_at(struct span line)
{
	static char text[LEDGER_LINE_MAX + 1];
	struct span prev, own;
	uint64_t n;

	MUST(ledger_line_end(line, &n, &prev) && line.len < sizeof(text));
	own = (struct span){ line.p, (size_t)(prev.p - line.p) };
	while (memcmp(own.p + own.len, PLACE, strlen(PLACE)) != 0)
		own.len--;
	memcpy(text, own.p, own.len);
	text[own.len] = '\0';
	if (own.len > strlen(BEGIN) + strlen(LOST) &&
	    memcmp(text + strlen(BEGIN), LOST, strlen(LOST)) == 0)
		return;
	text[own.len] = '}';
	MUST(ledger_form_is_request((struct span){ text, own.len + 1 }));
}

static void
look(void)
{
	struct ledger_report report = { .lines = 0 };
	static char all[1024 * 1024];
	int fd = open(w.path, O_RDONLY);
	char *p = all, *end;
	ssize_t n;

	MUST(fd != -1 && (n = read(fd, all, sizeof(all))) > 0);
	close(fd);
	MUST(n < (ssize_t)sizeof(all) && all[n - 1] == '\n');
	for (; p < all + n; p = end + 1) {
		end = memchr(p, '\n', (size_t)(all + n - p));
		look_at((struct span){ p, (size_t)(end - p) });
	}
	MUST(ledger_verify(w.path, on_break, NULL, &report) == 0);
	MUST(report.breaks == 0 && report.torn == 0 && report.lines > 0);
}

/* ---- one input --------------------------------------------------------- */

static void
clean(void)
{
	static const char *const ends[] = { "", ".lock", ".tail", ".record" };
	char path[96];

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", w.path, ends[i]);
		unlink(path);
	}
}

static void
end(void)
{
	clean();
	rmdir(w.dir);
}

static void
begin_once(void)
{
	if (*w.dir != '\0')
		return;
	/* It logs what it refuses, once a minute. */
	log_open("keeper_fuzz", false, LOG_LEVEL_ERROR);
	strlcpy(w.dir, "/tmp/keeper_fuzz.XXXXXX", sizeof(w.dir));
	MUST(mkdtemp(w.dir) != NULL);
	snprintf(w.path, sizeof(w.path), "%s/ledger", w.dir);
	atexit(end);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = { data, data + size };

	begin_once();
	memset(&w.gap, 0, sizeof(w.gap));
	MUST(ledger_desk_open(w.desk) == 0);
	w.file = ledger_file_new(w.path, "fuzz", &w.gap);
	w.callers =
	    ledger_callers_new(w.file, &w.gap, w.desk[LEDGER_DESK_KEEPS]);
	for (int i = 0; i < ENDS; i++)
		w.ends[i] = -1;
	be_honest();
	play(&s);
	be_honest();
	for (int i = 0; i < ENDS; i++)
		hang_up(i);
	close(w.desk[LEDGER_DESK_SERVES]);
	for (int i = 0; i < TURNS && ledger_callers_left(w.callers); i++)
		ledger_callers_serve(w.callers, 0);
	MUST(!ledger_callers_left(w.callers));
	ledger_callers_free(w.callers);
	ledger_file_free(w.file, 0);
	look();
	clean();
	return 0;
}
