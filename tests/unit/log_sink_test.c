/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A log file whose disk hangs: whoever logs goes on, and what is lost is
 * counted.
 */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "check.h"

#define LINES 20000

static atomic_bool hangs, fails;
static atomic_int waiting;
static char text[4 * 1024 * 1024];

/* The program's own, in place of libc's. */
ssize_t
write(int fd, const void *p, size_t len)
{
	const struct timespec pause = { 0, 1000000 };

	while (fd == STDERR_FILENO && atomic_load(&hangs))
		nanosleep(&pause, NULL);
	if (fd == STDERR_FILENO && atomic_load(&fails))
		return -1;
	return syscall(SYS_write, fd, p, len);
}

static void
count(void *ctx, int delta)
{
	atomic_fetch_add((atomic_int *)ctx, delta);
}

/* What the file holds, in text. */
static size_t
read_file(int fd)
{
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static unsigned
lines_of(void)
{
	unsigned n = 0;

	for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++)
		n++;
	return n;
}

/* Of all lines that say how many are missing. */
static unsigned
said_lost(void)
{
	unsigned n = 0;

	for (const char *p = text; (p = strstr(p, "warning: ")) != NULL; p++)
		n += (unsigned)strtoul(p + 9, NULL, 10);
	return n;
}

static unsigned
notices(void)
{
	unsigned n = 0;

	for (const char *p = text;
	     (p = strstr(p, "lines of the log were lost")) != NULL; p++)
		n++;
	return n;
}

static void
test_hangs(int fd)
{
	int64_t began_ms = clock_now_ms();

	atomic_store(&hangs, true);
	for (int i = 0; i < LINES; i++)
		log_info("line %d", i);
	CHECK(clock_now_ms() - began_ms < 5000,
	    "while its disk hangs nobody waits");
	CHECK(atomic_load(&waiting) > 100, "lines wait: %d",
	    atomic_load(&waiting));
	CHECK(!log_end(50), "an end waits no longer than it may");
	atomic_store(&hangs, false);
	CHECK(log_end(5000), "it comes back, and all is written");
	log_info("the last one");
	read_file(fd);
	CHECK(strstr(text, "the last one\n") != NULL,
	    "the last line is there, too");
	CHECK(said_lost() > 1000, "the log says that lines were lost: %u",
	    said_lost());
	CHECK(lines_of() - notices() + said_lost() == LINES + 1,
	    "each line is written or counted: %u + %u of %d",
	    lines_of() - notices(), said_lost(), LINES + 1);
}

static void
test_fails(int fd)
{
	if (ftruncate(fd, 0) == -1)
		exit(99);
	CHECK(log_write_behind(count, &waiting), "another thread");
	atomic_store(&waiting, 0);
	atomic_store(&fails, true);
	for (int i = 0; i < 100; i++)
		log_info("line %d", i);
	while (atomic_load(&waiting) > 0)
		usleep(1000);
	atomic_store(&fails, false);
	CHECK(log_end(5000), "a disk that is full");
	read_file(fd);
	CHECK(said_lost() == 100 && lines_of() == notices(),
	    "what it had no room for is counted, too: %u", said_lost());
	log_info("written at once");
	CHECK(read_file(fd) > 0 && strstr(text, "written at once\n") != NULL,
	    "after the thread's end a file is waited for");
}

/* The notice of what was lost is lost, too: each time but the last. */
static void
test_notice_fails(int fd)
{
	if (ftruncate(fd, 0) == -1)
		exit(99);
	CHECK(log_write_behind(count, &waiting), "a thread for a full disk");
	atomic_store(&fails, true);
	for (int i = 0; i < 100; i++) {
		log_info("line %d", i);
		while (atomic_load(&waiting) > 0)
			usleep(100);
	}
	atomic_store(&fails, false);
	CHECK(log_end(5000), "the disk has room again");
	read_file(fd);
	CHECK(said_lost() == 100 && lines_of() == 1,
	    "one notice says how many lines were lost in all: %u", said_lost());
}

static void *
log_much(void *name)
{
	for (int i = 0; i < 500; i++)
		log_info("%s %d", (const char *)name, i);
	return NULL;
}

static void
test_threads(int fd)
{
	static char names[4][2] = { "a", "b", "c", "d" };
	pthread_t threads[4];
	unsigned in_order = 0;
	char want[32];

	if (ftruncate(fd, 0) == -1)
		exit(99);
	CHECK(log_write_behind(count, &waiting), "another thread");
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, log_much, names[i]);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	CHECK(log_end(5000), "all is written");
	read_file(fd);
	for (int i = 0; i < 4; i++) {
		const char *at = text;

		for (int n = 0; n < 500 && at != NULL; n++) {
			snprintf(want, sizeof(want), ": %s %d\n", names[i], n);
			at = strstr(at, want);
			in_order += at != NULL;
		}
	}
	CHECK(in_order == 2000 && lines_of() == 2000,
	    "lines of several threads are whole and in order: %u", in_order);
}

static void *
end(void *unused)
{
	(void)unused;
	return log_end(5000) ? &waiting : NULL;
}

/* Two threads end it at once, while four others log. */
static void
test_ends(int fd)
{
	static char names[4][2] = { "a", "b", "c", "d" };
	pthread_t threads[4], ends[2];
	unsigned ended = 0;
	void *result;

	if (ftruncate(fd, 0) == -1)
		exit(99);
	for (int round = 0; round < 20; round++) {
		if (!log_write_behind(count, &waiting))
			exit(99);
		for (int i = 0; i < 4; i++)
			pthread_create(&threads[i], NULL, log_much, names[i]);
		for (int i = 0; i < 2; i++)
			pthread_create(&ends[i], NULL, end, NULL);
		for (int i = 0; i < 2; i++) {
			pthread_join(ends[i], &result);
			ended += result != NULL;
		}
		for (int i = 0; i < 4; i++)
			pthread_join(threads[i], NULL);
		log_end(5000);
	}
	log_info("the last one");
	read_file(fd);
	CHECK(ended == 40, "both are told that it has ended: %u", ended);
	CHECK(lines_of() - notices() + said_lost() == 20 * 2000 + 1,
	    "meanwhile each line is written or counted: %u + %u",
	    lines_of() - notices(), said_lost());
}

/* The last line of a process that ends at once. */
static void
test_fatal(int fd)
{
	int status;
	pid_t pid;

	if (ftruncate(fd, 0) == -1 || (pid = fork()) == -1)
		exit(99);
	if (pid == 0) {
		log_write_behind(count, &waiting);
		fatal("the end");
	}
	waitpid(pid, &status, 0);
	read_file(fd);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 70 &&
		strstr(text, ": error: the end\n") != NULL,
	    "the last line of a process is written");
	if ((pid = fork()) == 0) {
		log_write_behind(count, &waiting);
		atomic_store(&hangs, true);
		fatal("the end");
	}
	waitpid(pid, &status, 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 70,
	    "which ends although the disk hangs");
}

/* A child that writes behind like its parent. */
static _Noreturn void
child(const char *line, bool opens)
{
	log_info("%s begins", line);
	if (opens)
		log_write_behind(count, &waiting);
	log_info("%s ends", line);
	log_end(5000);
	_exit(0);
}

static bool
ends_well(pid_t pid)
{
	int status;

	return pid != -1 && waitpid(pid, &status, 0) == pid &&
	    WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* How often is it there? */
static unsigned
times(const char *needle)
{
	unsigned n = 0;

	for (const char *p = text; (p = strstr(p, needle)) != NULL; p++)
		n++;
	return n;
}

/* A process that forks meanwhile, also while the disk hangs. */
static void
test_forks(int fd)
{
	pid_t pid;

	if (ftruncate(fd, 0) == -1)
		exit(99);
	CHECK(log_write_behind(NULL, NULL), "a thread of a parent");
	log_info("before");
	if ((pid = fork()) == 0)
		child("the first", true);
	read_file(fd);
	CHECK(strstr(text, ": before\n") != NULL,
	    "a line that is older than a child is written before");
	log_info("between");
	CHECK(ends_well(pid), "a child that opens the log itself");
	if ((pid = fork()) == 0)
		child("the second", false);
	CHECK(ends_well(pid), "a child that only ends it");
	atomic_store(&hangs, true);
	log_info("held");
	/* One that waited for it would wait for the end of this test. */
	for (int i = 0; i < 20; i++) {
		if ((pid = fork()) == 0) {
			atomic_store(&hangs, false);
			child("one more", i % 2 == 0);
		}
		CHECK(ends_well(pid), "a fork while the disk hangs: %d", i);
		log_info("not held up by it: %d", i);
	}
	atomic_store(&hangs, false);
	CHECK(log_end(5000), "the disk is back");
	read_file(fd);
	CHECK(times(": before\n") == 1 && times(": between\n") == 1 &&
		times(": held\n") == 1 && times("not held up") == 20,
	    "each line of the parent is there once");
	CHECK(times("the first begins") == 1 && times("the first ends") == 1 &&
		times("the second begins") == 1 &&
		times("the second ends") == 1 && times("one more ends") == 20,
	    "and each of a child");
	CHECK(said_lost() == 0, "none is lost");
}

int
main(void)
{
	char path[] = "/tmp/tailgate-log.XXXXXX";
	int before = dup(STDERR_FILENO), fd = mkstemp(path), log;

	if (fd == -1 || (log = open(path, O_WRONLY | O_APPEND)) == -1)
		exit(99);
	unlink(path);
	dup2(log, STDERR_FILENO);
	log_open("prog", false, LOG_LEVEL_INFO);
	log_never_wait();
	CHECK(log_write_behind(count, &waiting), "a thread writes the file");
	test_hangs(fd);
	test_fails(fd);
	test_notice_fails(fd);
	test_threads(fd);
	test_ends(fd);
	test_fatal(fd);
	test_forks(fd);
	dup2(before, STDERR_FILENO);
	return check_done();
}
