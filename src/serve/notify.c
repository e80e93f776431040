/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the address of the service manager's socket.
 */
#include "config.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/notify.h"

static void
tell(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t len;
	int fd;

	if (path == NULL || (*path != '/' && *path != '@') ||
	    (len = strlen(path)) >= sizeof(sun.sun_path))
		return;
	memcpy(sun.sun_path, path, len);
	if (*path == '@') /* an abstract name, not a file */
		sun.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (void *)&sun,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) ==
	    -1)
		log_debug("the service manager can't be notified");
	close(fd);
}

void
notify_ready(const char *fmt, ...)
{
	char status[256], text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(status, sizeof(status), fmt, args);
	va_end(args);
	snprintf(text, sizeof(text), "READY=1\nSTATUS=%s\nMAINPID=%ld\n",
	    status, (long)getpid());
	tell(text);
}

void
notify_reloading(void)
{
	char text[128];

	/* CLOCK_MONOTONIC, as sd_notify(3) wants it. */
	snprintf(text, sizeof(text),
	    "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\n", clock_now_ns() / 1000);
	tell(text);
}

void
notify_stopping(void)
{
	tell("STOPPING=1\nSTATUS=finishing the running requests\n");
}
