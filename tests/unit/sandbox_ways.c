/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * More ways out for sandbox_test.c: ways around a rule, by a call that does the
 * same as one that is blocked, by an argument, or by a descriptor from before.
 * Calls are made by number, because the kernel is tested and not the C library.
 */
#include "config.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "sandbox_try.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#define CALL_FCHMODAT2 452
#define CALL_MEMFD_SECRET 447

/* DONE: the kernel got any of the calls. */
static int
any(const int *outcomes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (outcomes[i] == DONE)
			return DONE;
	return DENIED;
}
#define ANY(...)                          \
	any((const int[]){ __VA_ARGS__ }, \
	    sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int))

/* ---- modes, owners, times, attributes, names ------------------------ */

static int
try_chmod(void)
{
	return ANY(
#ifdef SYS_chmod
	    outcome((int)syscall(SYS_chmod, ledger, 0666)),
#endif
	    outcome((int)syscall(SYS_fchmodat, AT_FDCWD, ledger, 0666)),
	    outcome((int)syscall(CALL_FCHMODAT2, AT_FDCWD, ledger, 0666, 0)));
}

static int
try_fchmod(void)
{
	return outcome(fchmod(kept_fd, 0666));
}

static int
try_chown(void)
{
	return outcome((int)syscall(
	    SYS_fchownat, AT_FDCWD, ledger, geteuid(), getegid(), 0));
}

static int
try_utimes(void)
{
	return ANY(
	    outcome((int)syscall(SYS_utimensat, AT_FDCWD, ledger, NULL, 0)),
	    outcome((int)syscall(SYS_utimensat, kept_fd, NULL, NULL, 0)));
}

static int
try_xattr(void)
{
	return ANY(asked(syscall(SYS_setxattr, ledger, "user.x", "x", 1, 0)),
	    asked(syscall(SYS_fsetxattr, kept_fd, "user.x", "x", 1, 0)),
	    asked(syscall(SYS_removexattr, ledger, "user.x")));
}

static int
try_link(void)
{
	char path[160];

	snprintf(path, sizeof(path), "%s.hard", inside);
	unlink(path);
	return outcome(
	    (int)syscall(SYS_linkat, AT_FDCWD, ledger, AT_FDCWD, path, 0));
}

static int
try_cut_kept(void)
{
	return outcome(ftruncate(kept_fd, 0));
}

static int
try_hole(void)
{
	return ANY(asked(syscall(SYS_fallocate, kept_fd, 0x3, 0, 1)),
	    asked(syscall(
		SYS_copy_file_range, kept_fd, NULL, kept_fd, NULL, 0, 0)));
}

static int
try_watch_files(void)
{
	return outcome((int)syscall(SYS_inotify_init1, 0));
}

static int
try_watch_all_files(void)
{
	return asked(syscall(SYS_fanotify_init, ~0U, 0));
}

static int
try_file_handle(void)
{
	return ANY(asked(syscall(SYS_name_to_handle_at, -1, "", NULL, NULL, 0)),
	    asked(syscall(SYS_open_by_handle_at, -1, NULL, 0)));
}

static int
try_own_memory(void)
{
	return outcome(open("/proc/self/mem", O_WRONLY));
}

/* ---- the network ---------------------------------------------------- */

static int
try_mptcp(void)
{
	return asked(socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP));
}

static int
try_sctp(void)
{
	return ANY(asked(socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP)),
	    asked(socket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP)));
}

static int
try_other_protocols(void)
{
	return ANY(asked(socket(AF_INET, SOCK_STREAM, 256 /* SMC */)),
	    asked(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE)),
	    asked(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)),
	    asked(socket(AF_INET, SOCK_DCCP, IPPROTO_DCCP)));
}

static int
try_other_families(void)
{
	static const int families[] = { 2 * AF_MAX, AF_ALG, AF_VSOCK, AF_TIPC,
		AF_CAN, AF_BLUETOOTH, AF_KEY, AF_RDS, 43 /* SMC */,
		44 /* XDP */ };

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (asked(socket(families[i], SOCK_STREAM, 0)) == DONE ||
		    asked(socket(families[i], SOCK_RAW, 0)) == DONE)
			return DONE;
	return DENIED;
}

static struct sockaddr_in
address_of(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* Connects without connect(2). */
static int
try_fast_open(void)
{
	struct sockaddr_in to = address_of(other_port);
	struct iovec byte = { "x", 1 };
	struct mmsghdr m = { .msg_hdr = { .msg_name = &to,
				 .msg_namelen = sizeof(to),
				 .msg_iov = &byte,
				 .msg_iovlen = 1 } };
	int fds[3];

	for (int i = 0; i < 3; i++)
		if ((fds[i] = socket(AF_INET, SOCK_STREAM, 0)) == -1)
			return DENIED;
	return ANY(outcome((int)sendto(fds[0], "x", 1, MSG_FASTOPEN,
		       (struct sockaddr *)&to, sizeof(to))),
	    outcome((int)sendmsg(fds[1], &m.msg_hdr, MSG_FASTOPEN)),
	    outcome(sendmmsg(fds[2], &m, 1, MSG_FASTOPEN)));
}

static int
try_udp_port(void)
{
	struct sockaddr_in at = address_of(0);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	return fd == -1 ? DENIED
			: outcome(bind(fd, (struct sockaddr *)&at, sizeof(at)));
}

static int
try_socket_file(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%.90s.sock", inside);
	unlink(at.sun_path);
	return fd == -1 ? DENIED
			: outcome(bind(fd, (struct sockaddr *)&at, sizeof(at)));
}

static int
try_listen_kept(void)
{
	return asked(listen(kept_pair[0], 1));
}

int
try_host_socket(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%.100s", kept_socket);
	return fd == -1
	    ? DENIED
	    : outcome(connect(fd, (struct sockaddr *)&to, sizeof(to)));
}

static int
try_socket_option(void)
{
	struct sock_filter pass = { 0x06, 0, 0, 0xffff };
	struct sock_fprog filter = { 1, &pass };
	int on = 1;

	return ANY(outcome(setsockopt(kept_pair[0], SOL_SOCKET,
		       SO_ATTACH_FILTER, &filter, sizeof(filter))),
	    outcome(setsockopt(
		kept_pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on))));
}

/* ---- signals, other processes --------------------------------------- */

static int
try_owner(void)
{
	return outcome(fcntl(kept_pair[0], F_SETOWN, sibling));
}

static int
try_async(void)
{
	return ANY(outcome(fcntl(kept_pair[0], F_SETSIG, SIGCONT)),
	    outcome(fcntl(kept_pair[0], F_SETFL, O_ASYNC)));
}

static int
try_lease(void)
{
	return ANY(asked(fcntl(kept_fd, F_SETLEASE, F_UNLCK)),
	    asked(fcntl(kept_fd, F_NOTIFY, 0)));
}

static int
try_queue_signal(void)
{
	siginfo_t info = { .si_code = SI_QUEUE, .si_signo = SIGCONT };

	return ANY(asked(syscall(SYS_rt_sigqueueinfo, sibling, SIGCONT, &info)),
	    asked(syscall(
		SYS_rt_tgsigqueueinfo, sibling, sibling, SIGCONT, &info)),
	    asked(syscall(SYS_tkill, sibling, SIGCONT)));
}

static int
try_pidfd(void)
{
	return ANY(asked(syscall(SYS_pidfd_open, sibling, 0)),
	    asked(syscall(SYS_pidfd_send_signal, -1, SIGCONT, NULL, 0)));
}

static int
try_steal_descriptor(void)
{
	return asked(syscall(SYS_pidfd_getfd, -1, 0, 0));
}

static int
try_write_memory(void)
{
	struct iovec from = { ledger, 1 }, to = { ledger, 1 };

	return outcome((int)process_vm_writev(sibling, &from, 1, &to, 1, 0));
}

static int
try_advise_memory(void)
{
	return ANY(asked(syscall(SYS_process_madvise, -1, NULL, 0, 0, 0)),
	    asked(syscall(SYS_move_pages, sibling, 0, NULL, NULL, NULL, 0)));
}

static int
try_compare(void)
{
	return asked(syscall(SYS_kcmp, getpid(), sibling, 0, 0, 0));
}

static int
try_priority(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	return ANY(outcome(setpriority(PRIO_PROCESS, (id_t)sibling, 0)),
	    outcome(sched_setaffinity(sibling, sizeof(set), &set)));
}

static int
try_group(void)
{
	return ANY(
	    asked(kill(0, SIGCONT)), asked(setpgid(0, 0)), asked(setsid()));
}

static int
try_tracer(void)
{
	return ANY(asked(prctl(PR_SET_PTRACER, sibling)),
	    asked(prctl(PR_SET_PDEATHSIG, 0)),
	    asked(prctl(PR_SET_MM, ~0UL, 0, 0, 0)));
}

static int
try_core(void)
{
	struct rlimit limit;

	/* Reading is allowed. */
	if (getrlimit(RLIMIT_CORE, &limit) == -1)
		limit.rlim_cur = limit.rlim_max = 0;
	return ANY(outcome(prlimit(0, RLIMIT_CORE, &limit, NULL)),
	    outcome((int)syscall(SYS_setrlimit, RLIMIT_CORE, &limit)));
}

/* ---- code, memory --------------------------------------------------- */

static int
try_write_and_run(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? DENIED : DONE;
}

static int
try_run_what_was_written(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED
	    ? BROKEN
	    : outcome(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

int
try_run_a_file(void)
{
	void *p = mmap(NULL, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, kept_fd, 0);

	return p == MAP_FAILED ? outcome(-1) : DONE;
}

static int
try_file_of_memory(void)
{
	return ANY(asked(syscall(SYS_memfd_create, "x", 0)),
	    asked(syscall(CALL_MEMFD_SECRET, 0)));
}

static int
try_system_v(void)
{
	return ANY(asked(syscall(SYS_shmget, 0, 4096, 0600 | 01000)),
	    asked(syscall(SYS_msgget, 0, 0600 | 01000)),
	    asked(syscall(SYS_semget, 0, 1, 0600 | 01000)),
	    asked(syscall(SYS_mq_open, "tailgate-try", O_RDONLY, 0, NULL)));
}

static int
try_clone(void)
{
	long pid = syscall(SYS_clone, (long)SIGCHLD, 0, 0, 0, 0), other;

	if (pid == 0)
		_exit(0);
	other = syscall(SYS_clone3, NULL, 0);
	return ANY(pid > 0 ? DONE : DENIED, asked(other));
}

/* ---- the kernel, the host ------------------------------------------- */

static int
try_namespaces(void)
{
	return ANY(asked(syscall(SYS_unshare, CLONE_NEWUSER)),
	    asked(syscall(SYS_setns, -1, 0)));
}

static int
try_mounts(void)
{
	return ANY(asked(syscall(SYS_fsopen, "", 0)),
	    asked(syscall(SYS_open_tree, -1, "", 0)),
	    asked(syscall(SYS_move_mount, -1, "", -1, "", ~0U)),
	    asked(syscall(SYS_umount2, "", ~0U)),
	    asked(syscall(SYS_pivot_root, "", "")));
}

static int
try_chroot(void)
{
	return asked(syscall(SYS_chroot, "/"));
}

static int
try_personality(void)
{
	return asked(syscall(SYS_personality, 0xffffffffUL));
}

static int
try_perf(void)
{
	return asked(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
}

static int
try_keys(void)
{
	return ANY(asked(syscall(SYS_add_key, "", "", NULL, 0, 0)),
	    asked(syscall(SYS_request_key, "", "", NULL, 0)));
}

static int
try_rings(void)
{
	return ANY(asked(syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0)),
	    asked(syscall(SYS_io_uring_register, -1, 0, NULL, 0)));
}

static int
try_asynchronous_io(void)
{
	return asked(syscall(SYS_io_setup, 0, NULL));
}

/* With arguments that do nothing. */
static int
try_host(void)
{
	return ANY(asked(syscall(SYS_reboot, 0, 0, 0, NULL)),
	    asked(syscall(SYS_sethostname, "", -1)),
	    asked(syscall(SYS_settimeofday, NULL, NULL)),
	    asked(syscall(SYS_swapoff, "")),
	    asked(syscall(SYS_syslog, -1, NULL, 0)));
}

static int
try_capabilities(void)
{
	return asked(syscall(SYS_capset, NULL, NULL));
}

#define SYSTEM SANDBOX_CALLS

const struct try_row try_more[] = {
	{ "changes a file's mode", try_chmod, HELD, HELD, SYSTEM },
	{ "changes the mode of what it has open", try_fchmod,
	    HELD & ~(LEDGER | EDITORS | BIT(SANDBOX_SETUP)), ALL, SYSTEM },
	{ "changes a file's owner", try_chown, HELD, HELD, SYSTEM },
	{ "changes a file's times", try_utimes, HELD, HELD, SYSTEM },
	{ "changes a file's attributes", try_xattr, HELD, HELD, SYSTEM },
	{ "makes a second name of the ledger", try_link, HELD, HELD, SYSTEM },
	{ "cuts what it has open", try_cut_kept,
	    HELD & ~(CAPTURE | BIT(SANDBOX_PROBE)), ALL, SYSTEM },
	{ "makes a hole in what others have mapped", try_hole, HELD, HELD,
	    SYSTEM },
	{ "watches files", try_watch_files, HELD, ALL, SYSTEM },
	{ "watches all files", try_watch_all_files, ALL, ALL, SYSTEM },
	{ "opens a file by its handle", try_file_handle, ALL, ALL, SYSTEM },
	{ "writes its memory by /proc", try_own_memory, HELD, HELD,
	    SANDBOX_FILES },
	{ "speaks MPTCP", try_mptcp, HELD, ALL, SYSTEM },
	{ "speaks SCTP", try_sctp, HELD, ALL, SYSTEM },
	{ "speaks SMC, UDP-Lite, ICMP or DCCP", try_other_protocols, HELD, ALL,
	    SYSTEM },
	{ "opens a socket of another family", try_other_families, HELD, ALL,
	    SYSTEM },
	{ "connects to another port by fast open", try_fast_open, HELD, ALL,
	    SYSTEM },
	{ "takes a port of UDP", try_udp_port, HELD, ALL, SYSTEM },
	{ "makes a socket file", try_socket_file, HELD, ALL, SYSTEM },
	{ "listens on what it has", try_listen_kept, HELD, ALL, SYSTEM },
	{ "sets another option of a socket", try_socket_option, HELD, ALL,
	    SYSTEM },
	{ "has its socket's signals sent to a sibling", try_owner, HELD, ALL,
	    SYSTEM },
	{ "has signals sent by a descriptor", try_async, HELD, ALL, SYSTEM },
	{ "holds a lease, watches a directory", try_lease, HELD, ALL, SYSTEM },
	{ "queues a signal for a sibling", try_queue_signal, HELD, ALL,
	    SYSTEM },
	{ "holds a sibling by a descriptor", try_pidfd, HELD, ALL, SYSTEM },
	{ "takes a sibling's descriptor", try_steal_descriptor, ALL, ALL,
	    SYSTEM },
	{ "writes another's memory by call", try_write_memory, ALL, ALL,
	    SYSTEM },
	{ "moves another's memory", try_advise_memory, ALL, ALL, SYSTEM },
	{ "compares itself with a sibling", try_compare, ALL, ALL, SYSTEM },
	{ "changes a sibling's priority", try_priority, HELD, ALL, SYSTEM },
	{ "signals its group, or leaves it", try_group, HELD, ALL, SYSTEM },
	{ "chooses its tracer", try_tracer, HELD, ALL, SYSTEM },
	{ "asks for core files", try_core, HELD, ALL, SYSTEM },
	{ "has memory to write and to run", try_write_and_run, HELD, ALL,
	    SYSTEM },
	{ "runs what it has written", try_run_what_was_written, HELD, ALL,
	    SYSTEM },
	{ "makes a file of memory", try_file_of_memory, HELD, ALL, SYSTEM },
	{ "shares memory by System V", try_system_v, HELD, ALL, SYSTEM },
	{ "makes a process by clone", try_clone, HELD, ALL, SYSTEM },
	{ "enters or makes namespaces", try_namespaces, ALL, ALL, SYSTEM },
	{ "mounts by the newer calls", try_mounts, ALL, ALL, SYSTEM },
	{ "changes its root", try_chroot, ALL, ALL, SYSTEM },
	{ "changes its personality", try_personality, ALL, ALL, SYSTEM },
	{ "measures by perf", try_perf, ALL, ALL, SYSTEM },
	{ "adds kernel keys", try_keys, ALL, ALL, SYSTEM },
	{ "uses io_uring", try_rings, ALL, ALL, SYSTEM },
	{ "uses the older asynchronous I/O", try_asynchronous_io, HELD, ALL,
	    SYSTEM },
	{ "rules the host", try_host, ALL, ALL, SYSTEM },
	{ "changes its capabilities", try_capabilities, ALL, ALL, SYSTEM },
};

const size_t try_nmore = sizeof(try_more) / sizeof(try_more[0]);
