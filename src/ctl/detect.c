/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Sends GET /v1/models to each usual port, then the requests of probe_learn.c,
 * over a plain socket.  Anything may listen there, so a response gets little
 * time and little memory.
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
#include "ctl/probe_internal.h"

#define WAIT_MS 300 /* for a response */
#define SERVER_MS 3000 /* for all responses of a server */
#define RESPONSE_MAX (1024 * 1024)

static const struct {
	const char *name;
	unsigned port, slots;
} usual[DETECT_SERVERS_MAX] = {
	{ "llama-cpp", 8080, 1 },
	{ "ollama", 11434, 1 },
	{ "vllm", 8000, 16 }, /* it batches requests */
	{ "lm-studio", 1234, 1 },
};

/* Waits until fd is ready.  -1: it is not ready in time. */
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
connected(unsigned port, int64_t until_ms)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int error = 0, fd;
	socklen_t len = sizeof(error);

	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if ((connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 &&
		errno != EINPROGRESS) ||
	    wait_for(fd, POLLOUT, until_ms) == -1 ||
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1 ||
	    error != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Sends GET, or POST if there is a body.  Returns a descriptor to read from, or
 * -1.  The request fits into any socket's buffer. */
static int
ask(unsigned port, const char *path, const char *body, int64_t until_ms)
{
	/* HTTP/1.0, so that the response has no chunks and ends. */
	char request[4096];
	int fd, n;

	n = snprintf(request, sizeof(request),
	    "%s %s HTTP/1.0\r\n"
	    "Host: 127.0.0.1\r\n"
	    "Accept: application/json\r\n"
	    "Content-Type: application/json\r\n"
	    "Content-Length: %zu\r\n\r\n%s",
	    body == NULL ? "GET" : "POST", path,
	    body == NULL ? 0 : strlen(body), body == NULL ? "" : body);
	if (n < 0 || (size_t)n >= sizeof(request) ||
	    (fd = connected(port, until_ms)) == -1)
		return -1;
	if (send(fd, request, (size_t)n, MSG_NOSIGNAL) != n) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Reads the response until it ends or the time is over. */
static void
response_read(int fd, int64_t until_ms, struct buf *response)
{
	char bytes[8192];
	ssize_t n;

	while (!buf_failed(response) && wait_for(fd, POLLIN, until_ms) == 0) {
		n = read(fd, bytes, sizeof(bytes));
		if (n == 0 || (n == -1 && errno != EINTR && errno != EAGAIN))
			break;
		if (n > 0)
			buf_add(response, bytes, (size_t)n);
	}
}

/* Can a configuration have a model of this name? */
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

/* The JSON of a response with status 200, or NULL. */
static json_t *
response_json(const struct buf *response)
{
	const char *body;

	if (buf_failed(response) || response->len <= 12 ||
	    strncmp(response->p, "HTTP/1.", 7) != 0 ||
	    strncmp(response->p + 8, " 200", 4) != 0 ||
	    (body = strstr(response->p, "\r\n\r\n")) == NULL)
		return NULL;
	return json_loads(body + 4, JSON_DISABLE_EOF_CHECK, NULL);
}

struct asked {
	unsigned port;
	int64_t until_ms;
};

static json_t *
ask_json(struct probe_asking *a, const char *path, const char *body)
{
	const struct asked *asked = a->ctx;
	int64_t until_ms = clock_now_ms() + WAIT_MS;
	struct buf response;
	json_t *json;
	int fd;

	if (until_ms > asked->until_ms)
		until_ms = asked->until_ms;
	if ((fd = ask(asked->port, path, body, until_ms)) == -1)
		return NULL;
	buf_init(&response, RESPONSE_MAX);
	response_read(fd, until_ms, &response);
	json = response_json(&response);
	buf_free(&response);
	close(fd);
	return json;
}

/* ---- The models ---- */

/* Takes the names from the list, with what was learned of these models. */
static void
models_take(
    struct detected *server, const json_t *list, const struct probe *probe)
{
	const json_t *model;
	size_t i;

	json_array_foreach (json_object_get(list, "data"), i, model) {
		const char *id =
		    json_string_value(json_object_get(model, "id"));
		struct facts_learned *out = &server->models[server->nmodels];

		if (id == NULL || !model_ok(id) ||
		    server->nmodels == DETECT_MODELS_MAX)
			continue;
		for (size_t k = 0; k < probe->nlearned; k++)
			if (strcmp(probe->learned[k].model, id) == 0)
				*out = probe->learned[k];
		out->provider = NULL;
		if ((out->model = strdup(id)) == NULL)
			fatal("out of memory");
		server->nmodels++;
	}
}

/* Has it a count of this question's tokens? */
static bool
counts_at(struct probe_asking *a, const char *path, const char *question,
    const char *member)
{
	json_t *said = a->ask_json(a, path, question);
	bool counts = json_integer_value(json_object_get(said, member)) > 0;

	json_decref(said);
	return counts;
}

/* A server of several models might load one for that: it is not asked. */
static void
counts_learn(struct detected *server, struct probe_asking *a)
{
	json_t *question;
	char *text;

	if (server->nmodels != 1)
		return;
	question =
	    json_pack("{s:s, s:[{s:s, s:s}]}", "model", server->models[0].model,
		"messages", "role", "user", "content", "hello");
	text = json_dumps(question, JSON_COMPACT);
	json_decref(question);
	if (text == NULL)
		fatal("out of memory");
	if (counts_at(
		a, "/v1/chat/completions/input_tokens", text, "input_tokens"))
		server->counts = "input_tokens";
	else if (counts_at(a, "/tokenize", text, "count"))
		server->counts = "tokenize";
	free(text);
}

/* Asks as `tailgate probe` does for a target that passes on any name. */
static void
detect_one(struct detected *server)
{
	struct provider provider = { .name = server->name };
	struct target target = { .provider = &provider, .model = "*" };
	struct model model = { .targets = &target, .ntargets = 1 };
	struct config config = { .models = &model, .nmodels = 1 };
	struct probe probe = { .provider = &provider };
	struct asked asked = { server->port, clock_now_ms() + SERVER_MS };
	struct probe_asking a = { .config = &config,
		.ask_json = ask_json,
		.ctx = &asked,
		.probe = &probe };
	json_t *list = ask_json(&a, "/v1/models", NULL);

	if (list == NULL)
		return;
	probe_learn(&a, list);
	models_take(server, list, &probe);
	counts_learn(server, &a);
	probe_free(&probe);
	json_decref(list);
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
			free((char *)(uintptr_t)found[i].models[j].model);
}
