/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The break-out test: in each role, a process that has been taken over tries
 * what an attacker would.  Each try is a child that enters the role first.  It
 * must find the door closed (an error, or SIGSYS), and the role's own work must
 * go on.  What this kernel cannot enforce is named, not tested.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "ledger/current.h"
#include "sandbox/services.h"
#include "sandbox_try.h"

static char dir[] = "/tmp/tailgate-sandbox.XXXXXX";
char inside[128];
static char outside[128], config_path[128], clients[128];
static char other_ledger[128], lock_path[140], key_path[128], ca_path[128];
char ledger[128];
static char shared[128], home[128], own_file[160], other_file[160];
static char abstract[32];
static int a_pipe[2];
uint16_t other_port;
static uint16_t open_port;
pid_t sibling;
int kept_fd, kept_pair[2];
char kept_socket[160];
static struct config config;
static struct provider provider;

/* ---- tries: DONE when the door was open -------------------------------- */

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

/* A provider's key, next to its CA. */
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
	int fd = open(lock_path, O_WRONLY);

	return outcome(fd == -1 ? fd : flock(fd, LOCK_SH | LOCK_NB));
}

/* What may be opened, may be locked. */
static int
try_ledger_lock_read(void)
{
	int fd = open(lock_path, O_RDONLY);

	return outcome(fd == -1 ? fd : flock(fd, LOCK_SH | LOCK_NB));
}

static int
try_write_outside(void)
{
	return outcome(open(outside, O_WRONLY | O_CREAT, 0600));
}

static int
try_write_inside(void)
{
	return outcome(open(inside, O_WRONLY | O_CREAT, 0600));
}

/* Files that other processes have mapped: their next access would end them. */
static int
try_cut(void)
{
	int fd = open(shared, O_WRONLY | O_TRUNC);

	if (fd == -1 && errno == ENOENT)
		return BROKEN;
	return fd != -1 || truncate(shared, 0) == 0 ? DONE : DENIED;
}

static int
try_proc_of_sibling(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)sibling);
	/* Below ProtectProc=invisible, a process that it may not trace is not
	 * there. */
	return open(path, O_RDONLY) == -1 ? DENIED : DONE;
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
try_own_file(void)
{
	return outcome(open(own_file, O_WRONLY | O_CREAT, 0600));
}

static int
try_other_file(void)
{
	return outcome(open(other_file, O_WRONLY | O_CREAT, 0600));
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
try_netlink(int protocol)
{
	return outcome(socket(AF_NETLINK, SOCK_RAW, protocol));
}

/* The firewall's, and the kernel's events: no role needs them. */
static int
try_netlink_other(void)
{
	return try_netlink(12) == DONE || try_netlink(15) == DONE ? DONE
								  : DENIED;
}

/* Interfaces: the resolver needs them. */
static int
try_netlink_route(void)
{
	return try_netlink(0);
}

/* The state of connections. */
static int
try_netlink_diag(void)
{
	return try_netlink(4);
}

/* As used for the service manager. */
static int
try_unix_datagram(void)
{
	return outcome(socket(AF_UNIX, SOCK_DGRAM, 0));
}

static int
try_unix_packets(void)
{
	return outcome(socket(AF_UNIX, SOCK_SEQPACKET, 0));
}

/* Another process's abstract name, which is no file. */
static int
try_abstract(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(sun.sun_path + 1, abstract, sizeof(abstract));
	return fd == -1 ? DENIED
			: outcome(connect(fd, (struct sockaddr *)&sun,
			      offsetof(struct sockaddr_un, sun_path) + 1 +
				  sizeof(abstract)));
}

static int
try_udp(void)
{
	return outcome(socket(AF_INET, SOCK_DGRAM, 0));
}

static int
try_kill(void)
{
	return outcome(kill(sibling, SIGCONT));
}

/* Kills a process that is not a child of the one that tries. */
static int
try_kill_parent(void)
{
	return outcome(kill(getppid(), SIGCONT));
}

static int
try_tgkill(void)
{
	return outcome((int)syscall(SYS_tgkill, sibling, sibling, SIGCONT));
}

static int
try_read_memory(void)
{
	char byte;
	struct iovec to = { &byte, 1 }, from = { dir, 1 };

	return outcome((int)process_vm_readv(sibling, &to, 1, &from, 1, 0));
}

static int
try_limits(void)
{
	struct rlimit limit = { 64, 64 };

	return outcome(prlimit(sibling, RLIMIT_NOFILE, &limit, NULL));
}

static int
try_dumpable(void)
{
	return outcome(prctl(PR_SET_DUMPABLE, 1));
}

/* Input for the shell that started us. */
static int
try_terminal(void)
{
	return asked(ioctl(a_pipe[0], TIOCSTI, "x"));
}

static int
try_bpf(void)
{
	return asked(syscall(SYS_bpf, 0, NULL, 0));
}

static int
try_io_uring(void)
{
	return asked(syscall(SYS_io_uring_setup, 0, NULL));
}

static int
try_userfaultfd(void)
{
	return asked(syscall(SYS_userfaultfd, ~0U));
}

static int
try_keyctl(void)
{
	return asked(syscall(SYS_keyctl, ~0U, 0, 0, 0, 0));
}

static int
try_mount(void)
{
	return asked(syscall(SYS_mount, NULL, NULL, NULL, 0, NULL));
}

static int
try_namespace(void)
{
	return outcome((int)syscall(SYS_unshare, 0x20000 /* CLONE_NEWNS */));
}

static int
try_module(void)
{
	return asked(syscall(SYS_init_module, NULL, 0, NULL));
}

/* A program from memory. */
static int
try_exec_memory(void)
{
	int fd = (int)syscall(SYS_memfd_create, "x", 0);

	if (fd != -1 && write(fd, "#!/bin/true\n", 12) == 12)
		syscall(SYS_execveat, fd, "", (char *[]){ "x", NULL },
		    (char *[]){ NULL }, 0x1000 /* AT_EMPTY_PATH */);
	return DENIED;
}

static int
try_symlink(void)
{
	char path[160];

	snprintf(path, sizeof(path), "%s.link", inside);
	unlink(path);
	return outcome(symlink("/etc", path));
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

/* SANDBOX_SETUP has no configuration; SANDBOX_MOUNT has only a provider. */
static const struct config *
role_config(enum sandbox_role role)
{
	static struct config none;

	none = (struct config){ .sandbox = config.sandbox };
	if (role == SANDBOX_MOUNT) {
		none.providers = &provider;
		none.nproviders = 1;
	}
	return role == SANDBOX_MOUNT || role == SANDBOX_SETUP ? &none : &config;
}

/* The outcome of a try in a child that has the role. */
static int
as_role(enum sandbox_role role, int (*try)(void))
{
	int status;
	pid_t pid;

	/* A role that may remove them may have done so. */
	file_make(ledger);
	file_make(other_ledger);
	pid = fork();
	if (pid == 0) {
		unsigned force;
		char why[256];
		const char *const own[] = { home, NULL };
		const struct sandbox_more more = {
			.writes = role == SANDBOX_SETUP ? own : NULL
		};

		if (sandbox_enter(role, role_config(role), &more, &force, why,
			sizeof(why)) == -1)
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
	"probe", "mount", "inspect", "check", "edit", "init", "setup",
	"capture", "waker" };

#define NROLES (sizeof(role_names) / sizeof(role_names[0]))
_Static_assert(NROLES == TRY_ROLES, "each role has a name");

static const struct try_row rows[] = {
	{ "reads /etc/shadow", try_shadow, HELD, HELD, SANDBOX_FILES },
	{ "reads /etc/passwd", try_passwd, HELD, HELD, SANDBOX_FILES },
	{ "reads the configuration", try_config, HELD & ~READERS, HELD,
	    SANDBOX_FILES },
	{ "reads the clients file", try_clients_read, HELD & ~READERS, HELD,
	    SANDBOX_FILES },
	{ "reads a provider's key", try_key, HELD & ~READERS, HELD,
	    SANDBOX_FILES },
	{ "reads a provider's CA", try_ca,
	    LEDGER | WAKER | CAPTURE | BIT(SANDBOX_SETUP), HELD,
	    SANDBOX_FILES },
	{ "reads the ledger", try_ledger_read,
	    BIT(SANDBOX_INIT) | CAPTURE | STRANGERS, ALL, SANDBOX_FILES },
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
	{ "takes the ledger's lock by reading it", try_ledger_lock_read, ALL,
	    ALL, 0 },
	{ "writes the clients file", try_clients_write, HELD & ~EDITORS, HELD,
	    SANDBOX_FILES },
	{ "writes outside of its directories", try_write_outside, HELD, HELD,
	    SANDBOX_FILES },
	{ "writes to runtime_dir", try_write_inside,
	    LEDGER | BIT(SANDBOX_CHECK) | BIT(SANDBOX_INIT) | STRANGERS, ALL,
	    SANDBOX_FILES },
	{ "cuts what others have mapped", try_cut,
	    SERVING | LEDGER | BIT(SANDBOX_CHECK) | BIT(SANDBOX_INIT) |
		STRANGERS,
	    ALL, SANDBOX_FILES },
	{ "reads the memory of a sibling", try_proc_of_sibling, HELD, HELD,
	    SANDBOX_FILES },
	/* A parent executes its own program anew. */
	{ "runs a shell", try_exec, HELD, ALL, SANDBOX_CALLS },
	{ "makes a process", try_fork, HELD, ALL, SANDBOX_CALLS },
	{ "makes a thread", try_thread, HELD & ~(CONNECTS | LEDGER | WAKER),
	    ALL, SANDBOX_CALLS },
	{ "traces a sibling", try_ptrace, ALL, ALL, SANDBOX_CALLS },
	{ "changes its user", try_setuid, ALL, ALL, SANDBOX_CALLS },
	{ "connects to a provider's port", try_named_port, HELD & ~CONNECTS,
	    ALL, SANDBOX_CALLS },
	{ "connects to another port", try_other_port, HELD, HELD,
	    SANDBOX_PORTS },
	{ "opens a port", try_listen, HELD, HELD, SANDBOX_PORTS },
	{ "asks for UDP", try_udp, HELD & ~(CONNECTS | WAKER), ALL,
	    SANDBOX_CALLS },
	{ "asks for netlink's routes", try_netlink_route, HELD & ~CONNECTS, ALL,
	    SANDBOX_CALLS },
	/* Serving processes have opened such sockets before. */
	{ "asks for the state of connections", try_netlink_diag, HELD, ALL,
	    SANDBOX_CALLS },
	{ "asks for another netlink", try_netlink_other, HELD, ALL,
	    SANDBOX_CALLS },
	{ "sends datagrams on the host", try_unix_datagram, HELD, ALL,
	    SANDBOX_CALLS },
	{ "sends packets on the host", try_unix_packets, HELD, ALL,
	    SANDBOX_CALLS },
	{ "connects to an abstract socket", try_abstract, HELD, ALL,
	    SANDBOX_SCOPES },
	{ "kills a sibling", try_kill, HELD, ALL, SANDBOX_CALLS },
	{ "kills its parent", try_kill_parent, HELD, ALL, SANDBOX_CALLS },
	{ "kills a sibling's thread", try_tgkill, HELD, ALL, SANDBOX_CALLS },
	{ "reads another's memory by call", try_read_memory, ALL, ALL,
	    SANDBOX_CALLS },
	{ "changes another's limits", try_limits, HELD, ALL, SANDBOX_CALLS },
	{ "makes itself dumpable", try_dumpable, HELD, ALL, SANDBOX_CALLS },
	{ "types into a terminal", try_terminal, HELD, HELD, SANDBOX_CALLS },
	{ "loads BPF", try_bpf, ALL, ALL, SANDBOX_CALLS },
	{ "sets up io_uring", try_io_uring, ALL, ALL, SANDBOX_CALLS },
	{ "asks for userfaultfd", try_userfaultfd, ALL, ALL, SANDBOX_CALLS },
	{ "asks for kernel keys", try_keyctl, ALL, ALL, SANDBOX_CALLS },
	{ "mounts", try_mount, ALL, ALL, SANDBOX_CALLS },
	{ "makes a namespace", try_namespace, ALL, ALL, SANDBOX_CALLS },
	{ "loads a module", try_module, ALL, ALL, SANDBOX_CALLS },
	{ "runs a program from memory", try_exec_memory, HELD, HELD,
	    SANDBOX_CALLS },
	{ "makes a symbolic link", try_symlink, HELD, HELD, SANDBOX_FILES },
	{ "writes a tool's file", try_own_file, HELD & ~BIT(SANDBOX_SETUP), ALL,
	    SANDBOX_FILES },
	{ "writes a file beside its directory", try_other_file, HELD, HELD,
	    SANDBOX_FILES },
	{ "opens a raw socket", try_raw_socket, HELD, HELD, SANDBOX_CALLS },
	{ "opens a packet socket", try_packet_socket, HELD, HELD,
	    SANDBOX_CALLS },
};

/* Open to some where the resolver asks services of the host, or loads
 * libraries. */
static struct try_row run_a_file = { "maps what it wrote, to run it",
	try_run_a_file, HELD, ALL, SANDBOX_CALLS };
static struct try_row host_socket = {
	"connects to another service's socket file", try_host_socket, HELD, ALL,
	SANDBOX_CALLS
};

/* Root only: the system itself refuses others, with or without a sandbox. */
static bool
proves_something(const struct try_row *row)
{
	return as_role(SANDBOX_PARENT, row->try) == DONE || row->denied == ALL;
}

static void
try_row(const struct try_row *row, unsigned force)
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

/* With an abstract name, which is no file. */
static void
abstract_listen(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(
	    abstract, sizeof(abstract), "tailgate-sandbox-%d", (int)getpid());
	memcpy(sun.sun_path + 1, abstract, sizeof(abstract));
	if (fd == -1 ||
	    bind(fd, (struct sockaddr *)&sun,
		offsetof(struct sockaddr_un, sun_path) + 1 +
		    sizeof(abstract)) == -1 ||
	    listen(fd, 64) == -1)
		exit(99);
}

/* What a process may have opened before it was confined. */
static void
kept_make(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(kept_socket, sizeof(kept_socket), "%s/socket", dir);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%.100s", kept_socket);
	kept_fd = open(shared, O_RDWR);
	if (kept_fd == -1 || fd == -1 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, kept_pair) == -1 ||
	    bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    listen(fd, 64) == -1)
		exit(99);
}

/* The lock as the ledger's process makes it. */
static void
lock_make(void)
{
	struct ledger_current current;
	const char *which;

	snprintf(lock_path, sizeof(lock_path), "%s.lock", ledger);
	ledger_current_init(&current, ledger);
	if (ledger_current_open(&current, &which) == -1)
		exit(99);
	ledger_current_free(&current);
}

/* Root without the right to pass over modes of files, as a service's user. */
static void
obey_modes(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	const uint32_t passes =
	    1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH;
	struct __user_cap_data_struct caps[2];

	if (syscall(SYS_capget, &head, caps) == -1)
		exit(99);
	if ((caps[0].effective & passes) == 0)
		return;
	caps[0].effective &= ~passes;
	if (syscall(SYS_capset, &head, caps) == -1)
		exit(99);
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
	snprintf(shared, sizeof(shared), "%s/run/shared", dir);
	snprintf(home, sizeof(home), "%s/home", dir);
	snprintf(own_file, sizeof(own_file), "%s/settings", home);
	snprintf(other_file, sizeof(other_file), "%s/home.ssh", dir);
	snprintf(config_path, sizeof(config_path), "%s/etc/tailgate.conf", dir);
	snprintf(clients, sizeof(clients), "%s/etc/clients.conf", dir);
	if (mkdir(runtime, 0700) == -1 || mkdir(etc, 0700) == -1 ||
	    mkdir(state, 0700) == -1 || mkdir(home, 0700) == -1)
		exit(99);
	file_make(config_path);
	file_make(clients);
	file_make(key_path);
	file_make(ca_path);
	file_make(ledger);
	lock_make();
	file_make(other_ledger);
	file_make(shared);
	open_port = listener();
	other_port = listener();
	abstract_listen();
	if (pipe(a_pipe) == -1)
		exit(99);
	kept_make();
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

/* Asked in a child, so that this process stays unconfined. */
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

/* abort(3) needs tgkill(2), which a filter allows for the process itself only.
 */
static bool
can_abort(void)
{
	const struct rlimit none = { 0, 0 };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		unsigned force;
		char why[256];

		setrlimit(RLIMIT_CORE, &none);
		if (sandbox_enter(SANDBOX_WORKER, &config, NULL, &force, why,
			sizeof(why)) == 0)
			abort();
		_exit(1);
	}
	return pid != -1 && waitpid(pid, &status, 0) == pid &&
	    WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

/* As a worker whose parent has its own filter in force, and then made the
 * worker's: neither may rely on the other for what it does not hold. */
static int
as_parents_worker(int (*try)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		unsigned force;
		char why[256];

		if (sandbox_enter(SANDBOX_PARENT, &config, NULL, &force, why,
			sizeof(why)) == -1)
			_exit(BROKEN);
		sandbox_prepare(SANDBOX_WORKER, &config);
		_exit(as_role(SANDBOX_WORKER, try));
	}
	return pid != -1 && waitpid(pid, &status, 0) == pid && WIFEXITED(status)
	    ? WEXITSTATUS(status)
	    : BROKEN;
}

static int
try_unshare(void)
{
	return outcome(
	    (pid_t)syscall(SYS_unshare, 0x00020000 /* CLONE_NEWNS */));
}

static int
try_nothing(void)
{
	return DONE;
}

static void
test_parents_worker(unsigned force)
{
	CHECK(as_parents_worker(try_nothing) == DONE,
	    "below a parent's filter, a worker starts");
	if ((force & SANDBOX_CALLS) == 0)
		return;
	CHECK(as_parents_worker(try_exec) != DONE, "runs no program");
	CHECK(as_parents_worker(try_fork) != DONE, "makes no process");
	CHECK(as_parents_worker(try_unshare) != DONE,
	    "and does nothing that no process may");
}

int
main(void)
{
	unsigned force;
	char text[64];

	/* One try signals its group, in which other tests may run that have
	 * stopped a process. */
	setpgid(0, 0);
	obey_modes();
	world_make();
	CHECK(can_abort(), "a worker can abort");
	/* As a parent does, so that the tries below are a worker's with a
	 * filter that was made before it was forked. */
	sandbox_prepare(SANDBOX_WORKER, &config);
	CHECK(can_abort(), "with a prepared filter, too");
	force = force_of_worker();
	sandbox_text(force, text, sizeof(text));
	printf("# in force: %s\n", text);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		try_row(&rows[i], force);
	for (size_t i = 0; i < try_nmore; i++)
		try_row(&try_more[i], force);
	if (services_find().sockets)
		host_socket.denied &= ~CONNECTS;
	if (services_find().libraries)
		run_a_file.denied &= ~CONNECTS;
	try_row(&host_socket, force);
	try_row(&run_a_file, force);
	test_parents_worker(force);
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
