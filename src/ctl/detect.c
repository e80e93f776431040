/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * One GET /v1/models per usual port, over a plain socket: what listens there
 * may be anything, so it gets little time and little room.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "ctl/detect.h"

#define CONTEXT_MAX 1000000000
#define WAIT_MS 300
#define ANSWER_MAX (1024 * 1024)

static const struct {
	const char *name;
	unsigned port, slots;
} usual[DETECT_SERVERS_MAX] = {
	{ "llama-cpp", 8080, 1 },
	{ "ollama", 11434, 1 },
	{ "vllm", 8000, 16 }, /* batches by itself */
	{ "lm-studio", 1234, 1 },
};

/* Ready within the time, or -1. */
static int
wait_for(int fd, short events, int64_t until_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left;
	int n;

	do {
		left = until_ms - clock_now_ms();
		n = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (n == -1 && errno == EINTR);
	return n == 1 ? 0 : -1;
}

static int
ask(unsigned port, int64_t until_ms)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	/* HTTP/1.0, so that the answer has no chunks and ends. */
	static const char request[] = "GET /v1/models HTTP/1.0\r\n"
				      "Host: 127.0.0.1\r\n"
				      "Accept: application/json\r\n\r\n";
	int error = 0, fd;
	socklen_t len = sizeof(error);

	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if ((connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 &&
		errno != EINPROGRESS) ||
	    wait_for(fd, POLLOUT, until_ms) == -1 ||
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1 ||
	    error != 0 ||
	    send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) !=
		sizeof(request) - 1) {
		close(fd);
		return -1;
	}
	return fd;
}

/* All of the answer, up to its end or the time's. */
static void
answer_read(int fd, int64_t until_ms, struct buf *answer)
{
	char bytes[8192];
	ssize_t n;

	while (!buf_failed(answer) && wait_for(fd, POLLIN, until_ms) == 0) {
		n = read(fd, bytes, sizeof(bytes));
		if (n == 0 || (n == -1 && errno != EINTR && errno != EAGAIN))
			break;
		if (n > 0)
			buf_add(answer, bytes, (size_t)n);
	}
}

/* A model's name that a configuration can hold. */
static bool
model_ok(const char *id)
{
	size_t len = strlen(id);

	if (len == 0 || len > 200)
		return false;
	for (const char *p = id; *p != '\0'; p++)
		if (*p <= 0x20 || *p >= 0x7f || *p == '*')
			return false;
	return true;
}

/* As vLLM and LM Studio tell it. */
static uint64_t
context_of(const json_t *model)
{
	static const char *const names[] = { "max_model_len",
		"loaded_context_length" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		json_int_t n =
		    json_integer_value(json_object_get(model, names[i]));

		if (n > 0 && n <= CONTEXT_MAX)
			return (uint64_t)n;
	}
	return 0;
}

static void
models_take(struct detected *server, const struct buf *answer)
{
	const char *body = strstr(answer->p, "\r\n\r\n");
	json_t *list, *model;
	size_t i;

	if (strncmp(answer->p, "HTTP/1.", 7) != 0 ||
	    strncmp(answer->p + 8, " 200", 4) != 0 || body == NULL)
		return;
	list = json_loads(body + 4, JSON_DISABLE_EOF_CHECK, NULL);
	json_array_foreach (json_object_get(list, "data"), i, model) {
		const char *id =
		    json_string_value(json_object_get(model, "id"));

		if (id == NULL || !model_ok(id) ||
		    server->nmodels == DETECT_MODELS_MAX)
			continue;
		server->context[server->nmodels] = context_of(model);
		if ((server->models[server->nmodels++] = strdup(id)) == NULL)
			fatal("out of memory");
	}
	json_decref(list);
}

static void
detect_one(struct detected *server)
{
	int64_t until_ms = clock_now_ms() + WAIT_MS;
	struct buf answer;
	int fd = ask(server->port, until_ms);

	if (fd == -1)
		return;
	buf_init(&answer, ANSWER_MAX);
	answer_read(fd, until_ms, &answer);
	if (answer.len > 12)
		models_take(server, &answer);
	buf_free(&answer);
	close(fd);
}

size_t
detect(struct detected found[DETECT_SERVERS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < DETECT_SERVERS_MAX; i++) {
		memset(&found[n], 0, sizeof(found[n]));
		found[n].name = usual[i].name;
		found[n].port = usual[i].port;
		found[n].slots = usual[i].slots;
		detect_one(&found[n]);
		if (found[n].nmodels > 0)
			n++;
	}
	return n;
}

void
detect_ports(uint16_t ports[DETECT_SERVERS_MAX])
{
	for (size_t i = 0; i < DETECT_SERVERS_MAX; i++)
		ports[i] = (uint16_t)usual[i].port;
}

void
detect_free(struct detected *found, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < found[i].nmodels; j++)
			free(found[i].models[j]);
}
