/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The load driver of the bench and of tests/streams.sh: many HTTP/1.1 clients
 * in one thread, each of which sends the same POST again and again over a kept
 * connection.  Prints the results as one line of name=value.
 *
 *	load [-c clients] [-n requests] [-d seconds] [-k key] [-p path]
 *	    [-b body | -f file] [-r per-second] [-e end] [-S n] [-D n] target
 *
 * target is host:port (an address) or unix:PATH.  -n bounds the requests of all
 * clients together (default: as many as clients), -d the time.  A response is
 * complete when HTTP says so, its status is 200, and, with -e, its last bytes
 * hold `end`.  All others have failed; complete ones with status 503 are
 * counted as `refused`.  -r is the most connections opened in a second.
 *
 * On SIGUSR1 it starts no more requests and waits for those under way.
 *
 * -S and -D add clients that are not counted: some read nothing of the response
 * (-S), some send their body a byte at a time (-D).
 *
 * Bytes "@NUMBER@" in a response are a CLOCK_MONOTONIC time in ns that the stub
 * wrote there (its script's `stamp`): the difference is the transit.
 */
#include "config.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "../tests/poller.h"
#include "../tests/text.h"

#define TAIL 64 /* bytes of a response's end that are kept */

enum role { ROLE_CLIENT, ROLE_STALLED, ROLE_DRIPPING };
enum framing { FRAMING_LENGTH, FRAMING_CHUNKED, FRAMING_CLOSE };

struct client {
	enum role role;
	int fd; /* -1: not connected */
	size_t sent; /* of the request */
	bool asking; /* a request is under way */
	bool fresh; /* no response yet on this connection */
	struct text in;
	bool head_done, keep;
	int status;
	enum framing framing;
	long long left; /* bytes of the body or the chunk */
	bool last_chunk;
	char tail[TAIL];
	size_t tail_len;
	int64_t begun_ns, first_ns, stamp;
	bool stamping;
};

struct series {
	int64_t *values;
	size_t n, size;
};

static struct poller poller;
static struct sockaddr_storage address;
static socklen_t address_len;
static struct text request;
static const char *end_mark;
static long nclients = 1, nrequests, rate;
static double seconds; /* 0: bounded by -n */
static long started, complete, failed, refused, retried;
static unsigned long long bytes;
static int64_t deadline_ns;
static struct series totals, firsts, transits;
static int first_bad;
static struct client *clients;
static volatile sig_atomic_t stopped;

static int64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void
series_add(struct series *s, int64_t value)
{
	if (s->n == s->size) {
		s->size = s->size * 2 + 4096;
		s->values = realloc(s->values, s->size * sizeof(*s->values));
		if (s->values == NULL)
			err(1, "realloc");
	}
	s->values[s->n++] = value;
}

static int
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void
series_sort(struct series *s)
{
	if (s->n > 0)
		qsort(s->values, s->n, sizeof(*s->values), by_value);
}

/* In µs. */
static double
percentile(const struct series *s, double p)
{
	if (s->n == 0)
		return 0;
	return (double)s->values[(size_t)(p * (double)(s->n - 1))] / 1000;
}

static void
resolve(const char *target)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV },
			*ai;
	struct sockaddr_un *sun = (struct sockaddr_un *)&address;
	const char *colon;
	char host[64];

	if (strncmp(target, "unix:", 5) == 0) {
		sun->sun_family = AF_UNIX;
		snprintf(
		    sun->sun_path, sizeof(sun->sun_path), "%s", target + 5);
		address_len = sizeof(*sun);
		return;
	}
	if ((colon = strrchr(target, ':')) == NULL)
		errx(1, "%s: no port", target);
	snprintf(host, sizeof(host), "%.*s", (int)(colon - target), target);
	if (getaddrinfo(host, colon + 1, &hints, &ai) != 0)
		errx(1, "%s: no address and port", target);
	memcpy(&address, ai->ai_addr, ai->ai_addrlen);
	address_len = ai->ai_addrlen;
	freeaddrinfo(ai);
}

static void
client_close(struct client *c)
{
	if (c->fd == -1)
		return;
	poller_unset(&poller, c->fd);
	close(c->fd);
	c->fd = -1;
}

static void
client_connect(struct client *c)
{
	int on = 1, small = 4096;

	if ((c->fd = socket(address.ss_family, SOCK_STREAM, 0)) == -1)
		err(1, "socket");
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	if (address.ss_family != AF_UNIX)
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (c->role == ROLE_STALLED)
		setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (connect(c->fd, (struct sockaddr *)&address, address_len) == -1 &&
	    errno != EINPROGRESS)
		err(1, "connect");
	c->fresh = true;
}

/* The next response starts: resets its parts. */
static void
client_reset(struct client *c)
{
	c->sent = 0;
	c->in.len = 0;
	c->head_done = c->last_chunk = c->stamping = false;
	c->left = 0;
	c->tail_len = 0;
	c->first_ns = 0;
}

static void
client_send(struct client *c)
{
	size_t n = request.len - c->sent;
	ssize_t sent;

	if (c->role == ROLE_DRIPPING) {
		/* Sends the head at once, then byte by byte. */
		char *body = strstr(request.p, "\r\n\r\n");
		size_t head = (size_t)(body + 4 - request.p);

		n = c->sent < head ? head - c->sent : n > 1 ? 1 : 0;
	}
	if (n == 0)
		return;
	sent = send(c->fd, request.p + c->sent, n, MSG_NOSIGNAL);
	if (sent > 0)
		c->sent += (size_t)sent;
}

/* The poll events: to send more, and for the response. */
static void
client_watch(struct client *c)
{
	if (c->role != ROLE_CLIENT)
		return;
	poller_set(&poller, c->fd,
	    c->sent < request.len ? POLLIN | POLLOUT : POLLIN, c);
}

static void
client_begin(struct client *c)
{
	client_reset(c);
	c->asking = true;
	c->begun_ns = now_ns();
	if (c->fd == -1)
		client_connect(c);
	client_send(c);
	client_watch(c);
}

static bool
more_to_start(void)
{
	if (stopped)
		return false;
	if (seconds > 0 && now_ns() >= deadline_ns)
		return false;
	return nrequests == 0 || started < nrequests;
}

static void
client_next(struct client *c)
{
	c->asking = false;
	if (c->fd != -1 && !c->keep)
		client_close(c);
	if (more_to_start()) {
		started++;
		client_begin(c);
	} else {
		client_close(c);
	}
}

static bool
ends_well(const struct client *c)
{
	return c->status == 200 &&
	    (end_mark == NULL ||
		memmem(c->tail, c->tail_len, end_mark, strlen(end_mark)) !=
		    NULL);
}

static void
client_done(struct client *c, bool whole)
{
	int64_t now = now_ns();

	if (whole && ends_well(c)) {
		complete++;
		series_add(&totals, now - c->begun_ns);
		series_add(&firsts, c->first_ns - c->begun_ns);
	} else {
		failed++;
		refused += whole && c->status == 503;
		if (first_bad == 0)
			first_bad = whole ? c->status : -1;
	}
	c->fresh = false;
	client_next(c);
}

/* The server has closed.  That is fine between responses, or if it ends one. */
static void
client_eof(struct client *c)
{
	client_close(c);
	if (c->head_done && c->framing == FRAMING_CLOSE) {
		client_done(c, true);
		return;
	}
	/* A kept connection was closed as we used it: HTTP's usual race. */
	if (!c->fresh && c->in.len == 0 && !c->head_done) {
		retried++;
		client_begin(c);
		return;
	}
	client_done(c, false);
}

static void
body_stamps(struct client *c, const char *p, size_t len)
{
	int64_t now = 0;

	if (!c->stamping && memchr(p, '@', len) == NULL)
		return;
	for (size_t i = 0; i < len; i++) {
		if (c->stamping && isdigit((unsigned char)p[i])) {
			c->stamp = c->stamp * 10 + (p[i] - '0');
		} else if (p[i] == '@' && c->stamping && c->stamp > 0) {
			if (now == 0)
				now = now_ns();
			series_add(&transits, now - c->stamp);
			c->stamping = false;
		} else {
			c->stamping = p[i] == '@';
			c->stamp = 0;
		}
	}
}

static void
body_bytes(struct client *c, const char *p, size_t len)
{
	size_t keep = len < TAIL ? len : TAIL;
	size_t old = c->tail_len < TAIL - keep ? c->tail_len : TAIL - keep;

	bytes += len;
	memmove(c->tail, c->tail + c->tail_len - old, old);
	memcpy(c->tail + old, p + len - keep, keep);
	c->tail_len = old + keep;
	body_stamps(c, p, len);
}

/* Reads up to one chunk of the input.  -1: need more; 0: go on; 1: the end. */
static int
chunk_step(struct client *c)
{
	char *eol;
	size_t n;

	if (c->left > 2) {
		n = c->in.len < (size_t)c->left - 2 ? c->in.len
						    : (size_t)c->left - 2;
		if (n == 0)
			return -1;
		body_bytes(c, c->in.p, n);
		text_drop(&c->in, n);
		c->left -= (long long)n;
		return 0;
	}
	if (c->left > 0) {
		if (c->in.len < (size_t)c->left)
			return -1;
		text_drop(&c->in, (size_t)c->left);
		c->left = 0;
		return c->last_chunk ? 1 : 0;
	}
	if (c->in.len == 0 || (eol = memchr(c->in.p, '\n', c->in.len)) == NULL)
		return -1;
	c->left = strtoll(c->in.p, NULL, 16) + 2;
	c->last_chunk = c->left == 2;
	text_drop(&c->in, (size_t)(eol + 1 - c->in.p));
	return 0;
}

/* True at the body's end. */
static bool
body_step(struct client *c)
{
	size_t n = c->in.len;
	int more;

	if (c->framing == FRAMING_CHUNKED) {
		do
			more = chunk_step(c);
		while (more == 0);
		return more == 1;
	}
	if (c->framing == FRAMING_LENGTH && (long long)n > c->left)
		n = (size_t)c->left;
	if (n > 0)
		body_bytes(c, c->in.p, n);
	c->left -= (long long)n;
	c->in.len = 0;
	return c->framing == FRAMING_LENGTH && c->left == 0;
}

static const char *
field(const char *head, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = head; (p = strstr(p, "\r\n")) != NULL;) {
		p += 2;
		if (strncasecmp(p, name, len) == 0 && p[len] == ':')
			return p + len + 1 + strspn(p + len + 1, " ");
	}
	return NULL;
}

static bool
head_step(struct client *c)
{
	char *end = memmem(c->in.p, c->in.len, "\r\n\r\n", 4);
	const char *value;

	if (end == NULL)
		return false;
	end[2] = '\0';
	c->status = atoi(c->in.p + strcspn(c->in.p, " "));
	value = field(c->in.p, "Connection");
	c->keep = value == NULL || strncasecmp(value, "close", 5) != 0;
	c->framing = FRAMING_CLOSE;
	if ((value = field(c->in.p, "Content-Length")) != NULL) {
		c->framing = FRAMING_LENGTH;
		c->left = atoll(value);
	} else if (field(c->in.p, "Transfer-Encoding") != NULL) {
		c->framing = FRAMING_CHUNKED;
	} else {
		c->keep = false;
	}
	text_drop(&c->in, (size_t)(end + 4 - c->in.p));
	c->head_done = c->status >= 200;
	return c->head_done;
}

static void
client_read(struct client *c)
{
	ssize_t n;

	text_room(&c->in, 16384);
	n = recv(c->fd, c->in.p + c->in.len, c->in.size - c->in.len - 1, 0);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_eof(c);
		return;
	}
	c->in.len += (size_t)n;
	c->in.p[c->in.len] = '\0';
	if (!c->head_done && !head_step(c))
		return;
	if (c->first_ns == 0 &&
	    (c->in.len > 0 || (c->framing == FRAMING_LENGTH && c->left == 0)))
		c->first_ns = now_ns();
	if (body_step(c))
		client_done(c, true);
}

static void
client_event(struct client *c, short events)
{
	if ((events & POLLOUT) != 0 && c->sent < request.len) {
		client_send(c);
		client_watch(c);
	}
	if ((events & (POLLIN | POLLHUP | POLLERR)) != 0)
		client_read(c);
}

static void
make_request(const char *path, const char *key, const char *body, size_t len)
{
	text_printf(&request, "POST %s HTTP/1.1\r\nHost: bench\r\n", path);
	if (key != NULL)
		text_printf(&request, "Authorization: Bearer %s\r\n", key);
	text_printf(&request,
	    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
	    len);
	text_add(&request, body, len);
}

static void
read_file(const char *path, struct text *out)
{
	char buf[65536];
	size_t n;
	FILE *f = fopen(path, "r");

	if (f == NULL)
		err(1, "%s", path);
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		text_add(out, buf, n);
	fclose(f);
}

static void
add_odd_clients(enum role role, long n, struct client *odd)
{
	for (long i = 0; i < n; i++) {
		odd[i].role = role;
		odd[i].fd = -1;
		client_begin(&odd[i]);
	}
}

static void
run(struct client *odd, long nodd)
{
	struct poller_event ev[256];
	int64_t begun = now_ns(), odd_ns = 0;
	long opened = 0;
	int n;

	deadline_ns = begun + (long long)(seconds * 1e9);
	while (opened < nclients || complete + failed < started) {
		int64_t now = now_ns();

		while (opened < nclients &&
		    (rate == 0 ||
			opened <= (now - begun) * rate / 1000000000)) {
			if (more_to_start()) {
				started++;
				client_begin(&clients[opened]);
			}
			opened++;
		}
		n = poller_wait(
		    &poller, ev, 256, nodd > 0 || opened < nclients ? 5 : 1000);
		for (int i = 0; i < n; i++) {
			struct client *c = ev[i].tag;

			if (c->fd != -1)
				client_event(c, ev[i].events);
		}
		for (long i = 0; now - odd_ns > 20000000 && i < nodd; i++)
			client_send(&odd[i]);
		if (now - odd_ns > 20000000)
			odd_ns = now;
	}
}

static void
report(int64_t took_ns)
{
	series_sort(&totals);
	series_sort(&firsts);
	series_sort(&transits);
	printf("complete=%ld failed=%ld retried=%ld refused=%ld first_bad=%d "
	       "seconds=%.3f "
	       "rps=%.1f p50_us=%.1f p99_us=%.1f max_us=%.0f ttfb_p50_us=%.1f "
	       "ttfb_p99_us=%.1f events=%zu transit_p50_us=%.1f "
	       "transit_p99_us=%.1f bytes=%llu started=%ld\n",
	    complete, failed, retried, refused, first_bad,
	    (double)took_ns / 1e9, (double)complete * 1e9 / (double)took_ns,
	    percentile(&totals, .5), percentile(&totals, .99),
	    percentile(&totals, 1), percentile(&firsts, .5),
	    percentile(&firsts, .99), transits.n, percentile(&transits, .5),
	    percentile(&transits, .99), bytes, started);
}

static void
on_enough(int sig)
{
	(void)sig;
	stopped = 1;
}

int
main(int argc, char **argv)
{
	const char *path = "/v1/chat/completions", *key = NULL;
	struct text body = { 0 };
	long nstalled = 0, ndripping = 0;
	int64_t begun;
	int ch;

	while ((ch = getopt(argc, argv, "b:c:d:D:e:f:k:n:p:r:S:")) != -1)
		switch (ch) {
		case 'b':
			text_puts(&body, optarg);
			break;
		case 'c':
			nclients = atol(optarg);
			break;
		case 'd':
			seconds = atof(optarg);
			break;
		case 'D':
			ndripping = atol(optarg);
			break;
		case 'e':
			end_mark = optarg;
			break;
		case 'f':
			read_file(optarg, &body);
			break;
		case 'k':
			key = optarg;
			break;
		case 'n':
			nrequests = atol(optarg);
			break;
		case 'p':
			path = optarg;
			break;
		case 'r':
			rate = atol(optarg);
			break;
		case 'S':
			nstalled = atol(optarg);
			break;
		default:
			errx(1, "bad usage; see the head of load.c");
		}
	if (optind + 1 != argc)
		errx(1, "one target is needed");
	if (nrequests == 0 && seconds <= 0)
		nrequests = nclients;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR1, on_enough);
	resolve(argv[optind]);
	make_request(path, key, body.p == NULL ? "" : body.p, body.len);
	text_free(&body);
	poller_init(&poller);
	clients =
	    calloc((size_t)(nclients + nstalled + ndripping), sizeof(*clients));
	if (clients == NULL)
		err(1, "calloc");
	for (long i = 0; i < nclients; i++)
		clients[i].fd = -1;
	add_odd_clients(ROLE_STALLED, nstalled, clients + nclients);
	add_odd_clients(
	    ROLE_DRIPPING, ndripping, clients + nclients + nstalled);
	begun = now_ns();
	run(clients + nclients, nstalled + ndripping);
	report(now_ns() - begun);
	return failed > 0;
}
