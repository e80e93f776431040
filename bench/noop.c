/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The floor of the bench: a FastCGI program that does nothing.  It reads the
 * body and responds with 600 bytes.  If the body asks for a stream, it sends as
 * many events as its script says ("n=20,ms=200"), stamped like the stub's.
 *
 *	noop THREADS		on the listening socket that is descriptor 0
 */
#include "config.h"

#include <fcgiapp.h> /* libfcgi-dev; only the bench needs it */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long
number_behind(const char *body, const char *name, long preset)
{
	const char *p = strstr(body, name);

	return p == NULL ? preset : strtol(p + strlen(name), NULL, 10);
}

static long long
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void
stream(FCGX_Stream *out, long n, long ms)
{
	struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };

	FCGX_PutS("Content-Type: text/event-stream\r\n\r\n", out);
	for (long i = 0; i < n; i++) {
		if (i > 0 && ms > 0)
			nanosleep(&pause, NULL);
		FCGX_FPrintF(out,
		    "data: {\"id\":\"chatcmpl-stub\",\"object\":"
		    "\"chat.completion.chunk\",\"created\":1700000000,"
		    "\"model\":\"noop\",\"choices\":[{\"index\":0,\"delta\":"
		    "{\"content\":\"@%lld@t\xc3\xb6k \"},\"finish_reason\":"
		    "null}]}\n\n",
		    now_ns());
		if (i + 1 == n)
			FCGX_PutS("data: [DONE]\n\n", out);
		if (FCGX_FFlush(out) == -1)
			return;
	}
}

static void
response(FCGX_Request *r)
{
	static const char head[] = "Content-Type: application/json\r\n"
				   "Content-Length: 600\r\n\r\n";
	char body[8192], filler[600];
	size_t len = 0;
	int n;

	/* Reads all of it, and keeps only the beginning. */
	while ((n = FCGX_GetStr(
		    body + len, (int)(sizeof(body) - 1 - len), r->in)) > 0)
		if ((len += (size_t)n) == sizeof(body) - 1)
			len /= 2;
	body[len] = '\0';
	if (strstr(body, "\"stream\":true") != NULL) {
		stream(r->out, number_behind(body, "n=", 5),
		    number_behind(body, "ms=", 0));
		return;
	}
	memset(filler, ' ', sizeof(filler));
	memcpy(filler, "{}", 2);
	FCGX_PutStr(head, sizeof(head) - 1, r->out);
	FCGX_PutStr(filler, sizeof(filler), r->out);
}

static void *
serve(void *unused)
{
	FCGX_Request r;

	FCGX_InitRequest(&r, 0, 0);
	while (FCGX_Accept_r(&r) == 0) {
		response(&r);
		FCGX_Finish_r(&r);
	}
	return unused;
}

int
main(int argc, char **argv)
{
	long threads = argc > 1 ? atol(argv[1]) : 16;
	pthread_attr_t attr;
	pthread_t thread;

	FCGX_Init();
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128 * 1024);
	for (long i = 1; i < threads; i++)
		if (pthread_create(&thread, &attr, serve, NULL) != 0)
			return 1;
	serve(NULL);
	return 0;
}
