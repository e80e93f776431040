/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Who takes the next connection, as serve/worker.c uses it: requests that
 * wait hold up nobody, however many they are; few threads do for many short
 * ones; all of them stop.
 */
#include "config.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "serve/acceptor.h"

#include "check.h"

#define THREADS 24
#define PATIENCE_MS 20000

static struct config config = { .threads = THREADS, .processes = 1 };
static struct acceptor *acceptor;
static atomic_uint nthreads, most;
static atomic_uint serving; /* with a byte to wait for */
static struct sockaddr_un address;

static void
nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static bool
becomes(atomic_uint *n, unsigned want)
{
	int64_t until_ms = clock_now_ms() + PATIENCE_MS;

	while (atomic_load(n) != want && clock_now_ms() < until_ms)
		nap();
	return atomic_load(n) == want;
}

/* A request lasts until its client sends a byte, or goes. */
static void
serve(int fd)
{
	char byte;

	atomic_fetch_add(&serving, 1);
	if (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) != 1)
		abort();
	atomic_fetch_sub(&serving, 1);
	close(fd);
}

static void start_thread(void);

static void
no_descriptors(void *unused)
{
	(void)unused;
}

static void *
thread_main(void *unused)
{
	struct acceptor_seat *seat = acceptor_join(acceptor);
	bool alone;
	int fd;

	while ((fd = acceptor_next(acceptor, seat, &alone)) != -1) {
		if (alone)
			start_thread();
		serve(fd);
	}
	acceptor_leave(acceptor, seat);
	atomic_fetch_sub(&nthreads, 1);
	return unused;
}

static void
start_thread(void)
{
	unsigned n = atomic_fetch_add(&nthreads, 1) + 1;
	pthread_t thread;

	if (n > THREADS) {
		atomic_fetch_sub(&nthreads, 1);
		return;
	}
	for (unsigned m = atomic_load(&most);
	     n > m && !atomic_compare_exchange_weak(&most, &m, n);)
		;
	acceptor_expect(acceptor);
	if (pthread_create(&thread, NULL, thread_main, NULL) != 0)
		abort();
	pthread_detach(thread);
}

static int
client(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd == -1 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) == -1)
		abort();
	return fd;
}

/* Asks, is answered, goes. */
static bool
ask(int fd)
{
	char byte = 'x';
	bool ok = write(fd, &byte, 1) == 1 && read(fd, &byte, 1) == 1;

	close(fd);
	return ok;
}

static void
test_waiting(unsigned n)
{
	int fds[THREADS];
	bool ok = true;

	for (unsigned i = 0; i < n; i++)
		fds[i] = client();
	CHECK(becomes(&serving, n), "%u requests that wait are all served", n);
	CHECK(ask(client()), "and so is one more");
	for (unsigned i = 0; i < n; i++)
		ok &= ask(fds[i]);
	CHECK(ok && becomes(&serving, 0), "all of the %u end", n);
}

static void *
asks_often(void *failures)
{
	for (int i = 0; i < 300; i++)
		if (!ask(client()))
			atomic_fetch_add((atomic_uint *)failures, 1);
	return NULL;
}

static void
test_short(unsigned n)
{
	static atomic_uint failures;
	pthread_t clients[THREADS];

	for (unsigned i = 0; i < n; i++)
		pthread_create(&clients[i], NULL, asks_often, &failures);
	for (unsigned i = 0; i < n; i++)
		pthread_join(clients[i], NULL);
	CHECK(
	    atomic_load(&failures) == 0, "%u clients, 300 short ones each", n);
}

static void
test_full(void)
{
	int fds[THREADS];
	bool ok = true;

	for (unsigned i = 0; i < THREADS; i++)
		fds[i] = client();
	CHECK(becomes(&serving, THREADS), "as many as there are threads");
	CHECK(atomic_load(&most) == THREADS, "no more threads than that");
	for (unsigned i = 0; i < THREADS; i++)
		ok &= ask(fds[i]);
	CHECK(ok && becomes(&serving, 0), "and all of them end");
}

static void
test_stop(void)
{
	int fd = client();

	becomes(&serving, 1);
	while (!acceptor_stop(acceptor))
		nap();
	CHECK(becomes(&nthreads, 1), "told to stop, all threads but one end");
	CHECK(
	    ask(fd) && becomes(&nthreads, 0), "and that one with its request");
}

int
main(void)
{
	char dir[] = "/tmp/acceptor_test.XXXXXX";
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	sigset_t all;

	if (mkdtemp(dir) == NULL)
		return 99;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	address.sun_family = AF_UNIX;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", dir);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == -1 ||
	    listen(fd, 1024) == -1)
		return 99;
	acceptor = acceptor_new(&config, fd, no_descriptors, NULL);
	start_thread();
	test_waiting(1);
	test_waiting(THREADS / 2);
	test_short(1);
	test_short(THREADS / 2);
	test_waiting(THREADS / 2);
	test_full();
	test_short(THREADS / 2);
	test_stop();
	acceptor_free(acceptor);
	close(fd);
	unlink(address.sun_path);
	rmdir(dir);
	return check_done();
}
