/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What is sent to a service manager, with each kind of address that it may
 * give; and what goes to the journal: lines have priorities only if standard
 * error is the journal.
 */
#include "config.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "check.h"
#include "serve/notify.h"

static char dir[64] = "/tmp/notify_test.XXXXXX";
static char heard[1024];

/* A socket at this address, whose first byte is 0 for '@'; -1: this system has
 * none of the kind. */
static int
listen_at(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	memcpy(sun.sun_path, path, len);
	if (*path == '@')
		sun.sun_path[0] = '\0';
	if (fd != -1 &&
	    bind(fd, (struct sockaddr *)&sun,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) ==
		-1) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The next datagram, or "". */
static const char *
hear(int fd)
{
	ssize_t n = recv(fd, heard, sizeof(heard) - 1, 0);

	heard[n > 0 ? n : 0] = '\0';
	return heard;
}

static void
test_kinds(const char *address, const char *what)
{
	int fd = listen_at(address);
	char want[256];

	if (fd == -1) {
		printf("# no addresses of this kind here: %s\n", what);
		return;
	}
	setenv("NOTIFY_SOCKET", address, 1);
	notify_ready("serving %d of %s", 2, "two");
	snprintf(want, sizeof(want),
	    "READY=1\nSTATUS=serving 2 of two\nMAINPID=%ld\n", (long)getpid());
	CHECK_STR(hear(fd), want, "%s: ready, and who", what);
	notify_reloading();
	CHECK(strncmp(hear(fd), "RELOADING=1\nMONOTONIC_USEC=", 27) == 0 &&
		strtoll(heard + 27, NULL, 10) > 0,
	    "%s: reloading, and since when", what);
	notify_stopping();
	CHECK(strncmp(hear(fd), "STOPPING=1\nSTATUS=", 18) == 0, "%s: stopping",
	    what);
	CHECK_STR(hear(fd), "", "%s: each is one datagram", what);
	close(fd);
}

/* Nothing happens, and no descriptor stays open. */
static void
test_nobody(void)
{
	static const char *const addresses[] = { "", "relative", "vsock:2:1",
		"/nowhere/at/all", NULL };
	char longer[200];
	int before = open("/dev/null", O_RDONLY), after;

	memset(longer, 'x', sizeof(longer) - 1);
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	close(before);
	for (size_t i = 0; addresses[i] != NULL; i++) {
		setenv("NOTIFY_SOCKET", addresses[i], 1);
		notify_ready("serving");
	}
	setenv("NOTIFY_SOCKET", longer, 1);
	notify_stopping();
	unsetenv("NOTIFY_SOCKET");
	notify_reloading();
	after = open("/dev/null", O_RDONLY);
	CHECK(before == after, "where nobody can be told nothing is left open");
	close(after);
}

/* A long status is cut, and the lines after it are complete. */
static void
test_long(const char *path)
{
	int fd = listen_at(path);
	char status[2000];

	memset(status, 's', sizeof(status) - 1);
	status[sizeof(status) - 1] = '\0';
	setenv("NOTIFY_SOCKET", path, 1);
	notify_ready("%s", status);
	hear(fd);
	CHECK(strstr(heard, "\nMAINPID=") != NULL &&
		heard[strlen(heard) - 1] == '\n',
	    "a long status leaves the rest whole");
	close(fd);
}

/* An error as standard error's file gets it, when JOURNAL_STREAM names that
 * file or another one. */
static const char *
logged(bool as_journal)
{
	char path[128], stream[64];
	int fd, saved = dup(STDERR_FILENO);
	struct stat st;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/log", dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	fstat(fd, &st);
	snprintf(stream, sizeof(stream), "%llu:%llu",
	    (unsigned long long)st.st_dev,
	    (unsigned long long)st.st_ino + !as_journal);
	setenv("JOURNAL_STREAM", stream, 1);
	dup2(fd, STDERR_FILENO);
	log_open("notify_test", false, LOG_LEVEL_DEBUG);
	log_error("first");
	log_warn("second");
	log_info("third\nline");
	log_debug("fourth");
	dup2(saved, STDERR_FILENO);
	n = pread(fd, heard, sizeof(heard) - 1, 0);
	heard[n > 0 ? n : 0] = '\0';
	close(fd);
	close(saved);
	unlink(path);
	unsetenv("JOURNAL_STREAM");
	log_open("notify_test", false, LOG_LEVEL_INFO);
	return heard;
}

int
main(void)
{
	char path[128], abstract[128];

	if (mkdtemp(dir) == NULL)
		return 99;
	snprintf(path, sizeof(path), "%s/socket", dir);
	snprintf(abstract, sizeof(abstract), "@%s", dir);
	test_kinds(path, "a file");
	unlink(path);
	test_kinds(abstract, "an abstract name");
	test_long(path);
	unlink(path);
	test_nobody();

	CHECK_STR(logged(true),
	    "<3>error: first\n<4>warning: second\n<6>info: third\\x0aline\n"
	    "<7>debug: fourth\n",
	    "the journal gets priorities, and no times");
	logged(false);
	CHECK(strstr(heard, "error: first\n") != NULL &&
		strchr(heard, '<') == NULL && strncmp(heard, "20", 2) == 0,
	    "another file gets times, and no priorities");
	rmdir(dir);
	return check_done();
}
