/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The break-out test: as each role, a process that has been taken over tries
 * what an attacker would.  Each try is a child that enters the role first; it
 * must find the door closed (an error, or SIGSYS), and the role's own work
 * must go on.  What this kernel cannot hold is named, not tested.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "sandbox/sandbox.h"

enum { DONE, DENIED, BROKEN, KILLED };

static char dir[] = "/tmp/tailgate-sandbox.XXXXXX";
static char inside[128], outside[128], config_path[128], clients[128];
static char ledger[128], other_ledger[128], key_path[128], ca_path[128];
static uint16_t open_port, other_port;
static pid_t sibling;
static struct config config;
static struct provider provider;

/* ---- tries: DONE when the door was open -------------------------------- */

static int
outcome(int rc)
{
	/* What is not there proves nothing. */
	return rc != -1 ? DONE : errno == ENOENT ? BROKEN : DENIED;
}

static int
try_shadow(void)
{
	return outcome(open("/etc/shadow", O_RDONLY));
}

static int
try_passwd(void)
{
	return outcome(open("/etc/passwd", O_RDONLY));
}

static int
try_config(void)
{
	return outcome(open(config_path, O_RDONLY));
}

static int
try_clients_read(void)
{
	return outcome(open(clients, O_RDONLY));
}

static int
try_clients_write(void)
{
	return outcome(open(clients, O_WRONLY));
}

/* Of a provider, beside its CA. */
static int
try_key(void)
{
	return outcome(open(key_path, O_RDONLY));
}

static int
try_ca(void)
{
	return outcome(open(ca_path, O_RDONLY));
}

static int
try_ledger_read(void)
{
	return outcome(open(ledger, O_RDONLY));
}

static int
try_ledger_append(void)
{
	return outcome(open(ledger, O_WRONLY | O_APPEND));
}

static int
try_ledger_rewrite(void)
{
	int fd = open(ledger, O_RDWR);

	return fd == -1 ? DENIED : outcome((int)pwrite(fd, "x", 1, 0));
}

static int
try_ledger_truncate(void)
{
	return outcome(truncate(ledger, 0));
}

static int
try_ledger_remove(void)
{
	return outcome(unlink(ledger));
}

static int
try_ledger_replace(void)
{
	return outcome(rename(other_ledger, ledger));
}

static int
try_ledger_lock(void)
{
	char path[160];

	snprintf(path, sizeof(path), "%s.lock", ledger);
	return outcome(open(path, O_RDWR | O_CREAT, 0600));
}

static int
try_write_outside(void)
{
	return outcome(open(outside, O_WRONLY | O_CREAT, 0600));
}

static int
try_write_inside(void)
{
	return outcome(open(inside, O_WRONLY | O_CREAT | O_TRUNC, 0600));
}

static int
try_proc_of_sibling(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)sibling);
	return outcome(open(path, O_RDONLY));
}

static int
try_exec(void)
{
	execl("/bin/sh", "sh", "-c", "exit 0", (char *)NULL);
	return DENIED;
}

static int
try_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return outcome(pid);
}

static int
try_ptrace(void)
{
	return outcome((int)ptrace(PTRACE_ATTACH, sibling, NULL, NULL));
}

static int
try_signal(void)
{
	return outcome(kill(sibling, SIGCONT));
}

static int
connect_to(uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd == -1
	    ? DENIED
	    : outcome(connect(fd, (struct sockaddr *)&sin, sizeof(sin)));
}

static int
try_named_port(void)
{
	return connect_to(open_port);
}

static int
try_other_port(void)
{
	return connect_to(other_port);
}

static int
try_listen(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd == -1
	    ? DENIED
	    : outcome(bind(fd, (struct sockaddr *)&sin, sizeof(sin)));
}

static int
try_raw_socket(void)
{
	return outcome(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

static int
try_packet_socket(void)
{
	return outcome(socket(AF_PACKET, SOCK_RAW, 0));
}

static int
try_setuid(void)
{
	return outcome(setuid(65534));
}

static void *
nothing(void *arg)
{
	return arg;
}

static int
try_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, nothing, NULL) != 0)
		return DENIED;
	return pthread_join(thread, NULL) == 0 ? DONE : DENIED;
}

/* ---- roles ------------------------------------------------------------- */

static void
file_make(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	if (fd == -1 || close(fd) == -1)
		exit(99);
}

/* What a try of a role in a child came to. */
static int
as_role(enum sandbox_role role, int (*try)(void))
{
	int status;
	pid_t pid;

	/* Whoever may remove them may have. */
	file_make(ledger);
	file_make(other_ledger);
	pid = fork();
	if (pid == 0) {
		unsigned force;
		char why[256];

		if (sandbox_enter(
			role, &config, NULL, &force, why, sizeof(why)) == -1)
			_exit(BROKEN);
		_exit(try());
	}
	if (pid == -1 || waitpid(pid, &status, 0) != pid)
		return BROKEN;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? KILLED
	    : WIFEXITED(status) ? WEXITSTATUS(status)
				: BROKEN;
}

static const char *const role_names[] = { "parent", "worker", "cgi", "ledger",
	"probe", "inspect", "check", "edit", "init" };

#define NROLES (sizeof(role_names) / sizeof(role_names[0]))
#define ALL ((1u << NROLES) - 1)
#define BIT(role) (1u << (role))
#define LEDGER BIT(SANDBOX_LEDGER)
#define EDITORS (BIT(SANDBOX_EDIT) | BIT(SANDBOX_INIT))
#define READERS (BIT(SANDBOX_INSPECT) | BIT(SANDBOX_CHECK) | EDITORS)
#define HELD (ALL & ~BIT(SANDBOX_PARENT))
#define CONNECTS                                                       \
	(BIT(SANDBOX_WORKER) | BIT(SANDBOX_CGI) | BIT(SANDBOX_PROBE) | \
	    BIT(SANDBOX_INIT))

static const struct row {
	const char *what;
	int (*try)(void);
	unsigned denied; /* roles that may not; the others may */
	unsigned tested; /* roles it is tried as */
	unsigned needs; /* of the system: enum sandbox_force */
} rows[] = {
	{ "reads /etc/shadow", try_shadow, HELD, HELD, SANDBOX_FILES },
	{ "reads /etc/passwd", try_passwd, HELD, HELD, SANDBOX_FILES },
	{ "reads the configuration", try_config, HELD & ~READERS, HELD,
	    SANDBOX_FILES },
	{ "reads the clients file", try_clients_read, HELD & ~READERS, HELD,
	    SANDBOX_FILES },
	{ "reads a provider's key", try_key, HELD & ~READERS, HELD,
	    SANDBOX_FILES },
	{ "reads a provider's CA", try_ca, LEDGER, HELD, SANDBOX_FILES },
	{ "reads the ledger", try_ledger_read, BIT(SANDBOX_INIT), ALL,
	    SANDBOX_FILES },
	{ "appends to the ledger", try_ledger_append, HELD & ~LEDGER, HELD,
	    SANDBOX_FILES },
	{ "rewrites the ledger", try_ledger_rewrite, HELD & ~LEDGER, HELD,
	    SANDBOX_FILES },
	{ "truncates the ledger", try_ledger_truncate, HELD & ~LEDGER,
	    HELD & ~LEDGER, SANDBOX_FILES },
	{ "replaces the ledger", try_ledger_replace, HELD, HELD & ~LEDGER,
	    SANDBOX_FILES },
	{ "removes the ledger", try_ledger_remove, HELD, HELD & ~LEDGER,
	    SANDBOX_FILES },
	{ "takes the ledger's lock", try_ledger_lock, HELD & ~LEDGER, HELD,
	    SANDBOX_FILES },
	{ "writes the clients file", try_clients_write, HELD & ~EDITORS, HELD,
	    SANDBOX_FILES },
	{ "writes outside of its directories", try_write_outside, HELD, HELD,
	    SANDBOX_FILES },
	{ "writes to runtime_dir", try_write_inside,
	    LEDGER | BIT(SANDBOX_CHECK) | BIT(SANDBOX_INIT), ALL,
	    SANDBOX_FILES },
	{ "reads the memory of a sibling", try_proc_of_sibling, HELD, HELD,
	    SANDBOX_FILES },
	/* A parent executes its own program anew. */
	{ "runs a shell", try_exec, HELD, ALL, SANDBOX_CALLS },
	{ "makes a process", try_fork, HELD, ALL, SANDBOX_CALLS },
	{ "makes a thread", try_thread, LEDGER, ALL, SANDBOX_CALLS },
	{ "traces a sibling", try_ptrace, ALL, ALL, SANDBOX_CALLS },
	{ "changes its user", try_setuid, ALL, ALL, SANDBOX_CALLS },
	{ "connects to a provider's port", try_named_port, HELD & ~CONNECTS,
	    ALL, SANDBOX_CALLS },
	{ "connects to another port", try_other_port, HELD, HELD,
	    SANDBOX_PORTS },
	{ "opens a port", try_listen, HELD, HELD, SANDBOX_PORTS },
	{ "opens a raw socket", try_raw_socket, HELD, HELD, SANDBOX_CALLS },
	{ "opens a packet socket", try_packet_socket, HELD, HELD,
	    SANDBOX_CALLS },
};

/* Root only: others are refused by the system itself, sandbox or not. */
static bool
proves_something(const struct row *row)
{
	return as_role(SANDBOX_PARENT, row->try) == DONE || row->denied == ALL;
}

static void
try_row(const struct row *row, unsigned force)
{
	if ((row->needs & force) != row->needs) {
		printf("# %s: this system cannot hold that\n", row->what);
		return;
	}
	if (row->denied != 0 && !proves_something(row)) {
		printf("# %s: closed to this user anyway\n", row->what);
		return;
	}
	for (unsigned role = 0; role < NROLES; role++) {
		int got;

		if ((row->tested & BIT(role)) == 0)
			continue;
		got = as_role((enum sandbox_role)role, row->try);
		if (row->denied & BIT(role))
			CHECK(got == DENIED || got == KILLED,
			    "a %s never %s (%d)", role_names[role], row->what,
			    got);
		else
			CHECK(got == DONE, "a %s %s (%d)", role_names[role],
			    row->what, got);
	}
}

/* ---- the world --------------------------------------------------------- */

static uint16_t
listener(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd == -1 || bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(fd, 64) == -1 ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) == -1)
		return 0;
	return ntohs(sin.sin_port);
}

static void
world_make(void)
{
	static char runtime[128], etc[128], state[128];

	if (mkdtemp(dir) == NULL)
		exit(99);
	snprintf(runtime, sizeof(runtime), "%s/run", dir);
	snprintf(etc, sizeof(etc), "%s/etc", dir);
	snprintf(state, sizeof(state), "%s/state", dir);
	snprintf(ledger, sizeof(ledger), "%s/state/ledger.jsonl", dir);
	snprintf(other_ledger, sizeof(other_ledger), "%s/state/other", dir);
	snprintf(key_path, sizeof(key_path), "%s/etc/key", dir);
	snprintf(ca_path, sizeof(ca_path), "%s/etc/ca.pem", dir);
	snprintf(inside, sizeof(inside), "%s/run/file", dir);
	snprintf(outside, sizeof(outside), "%s/file", dir);
	snprintf(config_path, sizeof(config_path), "%s/etc/tailgate.conf", dir);
	snprintf(clients, sizeof(clients), "%s/etc/clients.conf", dir);
	if (mkdir(runtime, 0700) == -1 || mkdir(etc, 0700) == -1 ||
	    mkdir(state, 0700) == -1)
		exit(99);
	file_make(config_path);
	file_make(clients);
	file_make(key_path);
	file_make(ca_path);
	file_make(ledger);
	file_make(other_ledger);
	open_port = listener();
	other_port = listener();
	provider.port = open_port;
	provider.url = "http://127.0.0.1";
	config.path = config_path;
	config.clients_file = clients;
	config.runtime_dir = config.spool_dir = runtime;
	config.state_dir = state;
	config.ledger_file = ledger;
	provider.ca_file = ca_path;
	config.providers = &provider;
	config.nproviders = 1;
	config.sandbox = CONFINE_ON;
	sibling = fork();
	if (sibling == 0)
		for (;;)
			pause();
}

static void
world_end(void)
{
	char command[160];

	kill(sibling, SIGKILL);
	waitpid(sibling, NULL, 0);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	if (system(command) != 0)
		exit(99);
}

/* Asked in a child: this process itself stays free. */
static unsigned
force_of_worker(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		unsigned force;
		char why[256];

		if (sandbox_enter(SANDBOX_WORKER, &config, NULL, &force, why,
			sizeof(why)) == -1)
			_exit(0);
		_exit((int)force);
	}
	return pid != -1 && waitpid(pid, &status, 0) == pid && WIFEXITED(status)
	    ? (unsigned)WEXITSTATUS(status)
	    : 0;
}

int
main(void)
{
	unsigned force;
	char text[64];

	world_make();
	force = force_of_worker();
	sandbox_text(force, text, sizeof(text));
	printf("# in force: %s\n", text);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		try_row(&rows[i], force);
	config.sandbox = CONFINE_OFF;
	CHECK(as_role(SANDBOX_WORKER, try_exec) == DONE,
	    "off: a worker runs what it likes");
	config.sandbox = CONFINE_REQUIRE;
	CHECK(as_role(SANDBOX_WORKER, try_write_inside) ==
		((force & (SANDBOX_FILES | SANDBOX_CALLS)) ==
			    (SANDBOX_FILES | SANDBOX_CALLS)
			? DONE
			: BROKEN),
	    "require: it starts only with files and calls in force");
	sandbox_text(0, text, sizeof(text));
	CHECK_STR(text, "none", "nothing in force has a name");
	CHECK(try_signal() == DONE, "the sibling lives on");
	world_end();
	return check_done();
}
