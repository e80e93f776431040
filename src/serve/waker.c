/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a host is woken: a magic packet by UDP, or a program.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/log.h"
#include "ledger/desk.h"
#include "sandbox/sandbox.h"
#include "serve/waker.h"

/* The least time between two wakes of one host, whichever process asks. */
#define EVERY_MS 1000
/* A program that runs longer is ended. */
#define COMMAND_MS 60000
#define LOOK_MS 20
#define WARN_EVERY_MS 60000
/* For the last lines of the log. */
#define LOG_END_MS 1000
/* A magic packet: six bytes of ones, and the card's address 16 times. */
#define COPIES 16
#define PACKET_BYTES (WAKE_MAC_BYTES * (1 + COPIES))

extern char **environ;

_Static_assert(CONFIG_PROVIDERS_MAX <= 256, "an index is one byte");

/* ---- a packet --------------------------------------------------------- */

static int
send_to(const struct addrinfo *to, const unsigned char *packet)
{
	int yes = 1, rc = -1, saved;
	int fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &yes, sizeof(yes)) == 0 &&
	    sendto(fd, packet, PACKET_BYTES, 0, to->ai_addr, to->ai_addrlen) ==
		PACKET_BYTES)
		rc = 0;
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

static void
send_packet(const struct provider *p)
{
	const struct addrinfo hints = { .ai_flags =
					    AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_DGRAM };
	unsigned char packet[PACKET_BYTES];
	struct addrinfo *to;
	char port[8];

	memset(packet, 0xff, WAKE_MAC_BYTES);
	for (size_t i = 1; i <= COPIES; i++)
		memcpy(
		    packet + i * WAKE_MAC_BYTES, p->wake.bytes, WAKE_MAC_BYTES);
	snprintf(port, sizeof(port), "%u", p->wake.port);
	if (getaddrinfo(p->wake.address, port, &hints, &to) != 0) {
		log_error("provider %s: wake.address %s can't be used", p->name,
		    p->wake.address);
		return;
	}
	if (send_to(to, packet) == -1)
		log_error("provider %s: no magic packet to %s port %u: %s",
		    p->name, p->wake.address, p->wake.port, strerror(errno));
	else
		log_info("provider %s: magic packet for %s to %s port %u",
		    p->name, p->wake.mac, p->wake.address, p->wake.port);
	freeaddrinfo(to);
}

/* ---- a program -------------------------------------------------------- */

/* The program gets nothing of our own environment: a provider's key may be in
 * it. */
static _Noreturn void
execute(const struct wake *w)
{
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:"
			     "/usr/bin:/sbin:/bin";
	char *environment[] = { path, NULL };
	char *argv[33] = { NULL };

	for (size_t i = 0; i < w->ncommand && i < 32; i++)
		argv[i] = (char *)w->command[i];
	child_default_signals();
	setpgid(0, 0);
	closefrom(STDERR_FILENO + 1);
	execve(argv[0], argv, environment);
	log_error("%s: %s", argv[0], strerror(errno));
	log_end(LOG_END_MS);
	_exit(127);
}

/* False: it had to be ended. */
static bool
wait_for(pid_t pid, int *status)
{
	static const struct timespec pause = { 0, LOOK_MS * 1000000 };
	int64_t until_ms = clock_now_ms() + COMMAND_MS;

	while (waitpid(pid, status, WNOHANG) == 0) {
		if (clock_now_ms() >= until_ms) {
			kill(-pid, SIGKILL);
			waitpid(pid, status, 0);
			return false;
		}
		nanosleep(&pause, NULL);
	}
	return true;
}

static void
run_command(const struct provider *p)
{
	const char *program = p->wake.command[0];
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		execute(&p->wake);
	if (pid == -1)
		log_error("provider %s: fork: %s", p->name, strerror(errno));
	else if (!wait_for(pid, &status))
		log_error("provider %s: %s ran for more than %d s; ended it",
		    p->name, program, COMMAND_MS / 1000);
	else if (WIFSIGNALED(status))
		log_error("provider %s: %s died of signal %d", p->name, program,
		    WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		log_error("provider %s: %s ended with status %d", p->name,
		    program, WEXITSTATUS(status));
	else
		log_info("provider %s: %s has run", p->name, program);
}

/* ---- the process ------------------------------------------------------ */

bool
waker_needed(const struct config *config)
{
	for (size_t i = 0; i < config->nproviders; i++)
		if (config->providers[i].sleeps)
			return true;
	return false;
}

/* A process that runs programs of the operator's cannot be held to less than
 * they need. */
static void
confine(const struct config *config)
{
	unsigned force;
	char why[256];

	for (size_t i = 0; i < config->nproviders; i++)
		if (config->providers[i].wake.ncommand > 0)
			return;
	if (sandbox_enter(
		SANDBOX_WAKER, config, NULL, &force, why, sizeof(why)) == -1)
		fatal("%s", why);
}

static void
wake(const struct provider *p, int64_t *next_ms)
{
	if (!p->sleeps || clock_now_ms() < *next_ms)
		return;
	if (p->wake.mac != NULL)
		send_packet(p);
	else
		run_command(p);
	*next_ms = clock_now_ms() + EVERY_MS;
}

void
waker_run(const struct config *config, int desk)
{
	static int64_t next_ms[CONFIG_PROVIDERS_MAX];
	unsigned char bytes[CONFIG_PROVIDERS_MAX];
	ssize_t n;

	desk = child_begin("tailgate-wake", config->log_syslog, desk);
	confine(config);
	if (!log_write_behind(NULL, NULL))
		log_info("no thread for the log: its file is waited for");
	while ((n = read(desk, bytes, sizeof(bytes))) > 0 ||
	    (n == -1 && errno == EINTR))
		for (ssize_t i = 0; i < n; i++)
			if (bytes[i] < config->nproviders)
				wake(&config->providers[bytes[i]],
				    &next_ms[bytes[i]]);
	log_end(LOG_END_MS);
	_exit(0);
}

/* A CGI program's environment contains the client's key, and perhaps a
 * provider's. */
static void
forget_environment(void)
{
	for (char **e = environ; *e != NULL; e++)
		explicit_bzero(*e, strlen(*e));
	*environ = NULL;
}

/* A web server may read a CGI program's stderr until every process has closed
 * that pipe, and a program that wakes a host may run for a minute. */
static void
leave_stderr(void)
{
	struct stat st;
	int null;

	if (fstat(STDERR_FILENO, &st) == 0 && !S_ISFIFO(st.st_mode) &&
	    !S_ISSOCK(st.st_mode))
		return;
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null == -1 || dup2(null, STDERR_FILENO) == -1)
		_exit(1);
}

int
waker_start(struct config *config)
{
	int desk[2], saved;
	pid_t pid;

	if (ledger_desk_open(desk) == -1)
		return -1;
	if ((pid = fork()) == 0) {
		config_keys_forget(config);
		forget_environment();
		leave_stderr();
		waker_run(config, desk[LEDGER_DESK_KEEPS]);
	}
	saved = errno;
	close(desk[LEDGER_DESK_KEEPS]);
	if (pid != -1)
		return desk[LEDGER_DESK_SERVES];
	close(desk[LEDGER_DESK_SERVES]);
	errno = saved;
	return -1;
}

bool
waker_ask(int desk, const struct provider *p)
{
	static _Atomic int64_t warned_ms;
	unsigned char index = (unsigned char)p->index;

	if (send(desk, &index, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1)
		return true;
	if (log_due(&warned_ms, WARN_EVERY_MS))
		log_error("provider %s: its host can't be woken: %s", p->name,
		    strerror(errno));
	return false;
}
