/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides seccomp, by libseccomp.
 *
 * A parent may do anything but what no code of ours ever does, and execute its
 * own program anew, from which its workers inherit nothing; the others may
 * do only what the suite was seen to need (strace -f -c over it), with some
 * room for other C libraries.  What is never ours ends the process; what is
 * merely not listed fails with ENOSYS, so that a newer C library's new call
 * meets an old kernel, as it is written for, and not the end of a gateway.
 */
#include "config.h"

#include "sandbox/rules.h"
#include "sandbox/sandbox.h"

#if defined(HAVE_SECCOMP) && !defined(TG_SANITIZED)

#include <errno.h>
#include <seccomp.h>
#include <sys/socket.h>

#ifdef TAILGATE_DEBUGGABLE
#define ACTION_NEVER SCMP_ACT_ERRNO(EPERM)
#else
#define ACTION_NEVER SCMP_ACT_KILL_PROCESS
#endif

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define NETLINK_ROUTE_PROTOCOL 0
#define NETLINK_SOCK_DIAG_PROTOCOL 4

/* Nothing of ours, of the C library's, of curl's or OpenSSL's. */
static const char *const never[] = { "ptrace", "process_vm_readv",
	"process_vm_writev", "mount", "umount2", "fsopen", "fsmount",
	"move_mount", "open_tree", "pivot_root", "chroot", "setns", "unshare",
	"bpf", "perf_event_open", "userfaultfd", "kexec_load",
	"kexec_file_load", "init_module", "finit_module", "delete_module",
	"reboot", "swapon", "swapoff", "keyctl", "add_key", "request_key",
	"iopl", "ioperm", "kcmp", "pidfd_getfd", "open_by_handle_at",
	"io_uring_setup", "personality", "setuid", "setgid", "setreuid",
	"setregid", "setresuid", "setresgid", "setgroups", "setfsuid",
	"setfsgid", "settimeofday", "clock_settime", "adjtimex", "sethostname",
	"quotactl", "acct", "vhangup" };

/* A parent executes the next version of its program (serve/upgrade.h). */
static const char *const never_but_parents[] = { "execve", "execveat" };

static const char *const usual[] = { "read", "write", "readv", "writev",
	"pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2",
	"close", "close_range", "lseek", "_llseek", "open", "openat", "stat",
	"stat64", "lstat", "lstat64", "fstat", "fstat64", "newfstatat",
	"fstatat64", "statx", "statfs", "statfs64", "fstatfs", "fstatfs64",
	"access", "faccessat", "faccessat2", "readlink", "readlinkat",
	"getdents", "getdents64", "getcwd", "fcntl", "fcntl64", "flock",
	"fsync", "fdatasync", "ftruncate", "ftruncate64", "fallocate", "fchmod",
	"fchmodat", "fchown", "fchownat", "fchown32", "umask", "rename",
	"renameat", "renameat2", "link", "linkat", "unlink", "unlinkat",
	"mkdir", "mkdirat", "rmdir", "mknod", "mknodat", "sendfile",
	"sendfile64", "splice", "copy_file_range", "fadvise64", "fadvise64_64",
	"dup", "dup2", "dup3", "pipe", "pipe2", "eventfd2", "epoll_create1",
	"epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll",
	"ppoll", "select", "pselect6", "_newselect", "inotify_init1",
	"inotify_add_watch", "inotify_rm_watch", "timerfd_create",
	"timerfd_settime", "timerfd_gettime", "signalfd4", "accept", "accept4",
	"recvfrom", "recvmsg", "recvmmsg", "sendto", "sendmsg", "sendmmsg",
	"recv", "send", "shutdown", "getsockname", "getpeername", "getsockopt",
	"setsockopt", "mmap", "mmap2", "munmap", "mremap", "mprotect",
	"madvise", "msync", "mlock", "mlock2", "munlock", "brk", "memfd_create",
	"futex", "futex_time64", "futex_waitv", "set_robust_list",
	"get_robust_list", "set_tid_address", "rseq", "gettid", "getpid",
	"getppid", "tgkill", "exit", "exit_group", "sched_yield",
	"sched_getaffinity", "sched_getparam", "sched_getscheduler", "getcpu",
	"membarrier", "arch_prctl", "prctl", "rt_sigaction", "rt_sigprocmask",
	"rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_sigpending",
	"sigaltstack", "sigreturn", "restart_syscall", "kill", "getuid",
	"geteuid", "getgid", "getegid", "getuid32", "geteuid32", "getgid32",
	"getegid32", "getgroups", "getgroups32", "getresuid", "getresgid",
	"clock_gettime", "clock_gettime64", "clock_getres", "clock_nanosleep",
	"clock_nanosleep_time64", "nanosleep", "gettimeofday", "time", "times",
	"getrusage", "getrlimit", "setrlimit", "prlimit64", "ugetrlimit",
	"getrandom", "uname", "sysinfo", "ioctl", "wait4", "waitid",
	"socketcall" };

/* Of the ledger's process, which writes a file and talks to sockets that it
 * was given. */
static const char *const writing[] = { "read", "write", "readv", "writev",
	"pread64", "pwrite64", "pwritev", "close", "lseek", "_llseek", "open",
	"openat", "stat", "stat64", "lstat", "lstat64", "fstat", "fstat64",
	"newfstatat", "fstatat64", "statx", "fcntl", "fcntl64", "flock",
	"fsync", "fdatasync", "fchmod", "poll", "ppoll", "recvfrom", "recvmsg",
	"recv", "sendto", "sendmsg", "send", "getsockopt", "shutdown", "mmap",
	"mmap2", "munmap", "mremap", "mprotect", "madvise", "brk", "futex",
	"futex_time64", "rseq", "gettid", "getpid", "tgkill", "exit",
	"exit_group", "sched_yield", "rt_sigaction", "rt_sigprocmask",
	"rt_sigreturn", "sigreturn", "restart_syscall", "clock_gettime",
	"clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64",
	"nanosleep", "gettimeofday", "time", "getrandom" };

/* A name that this architecture lacks is left out. */
static int
add_all(
    scmp_filter_ctx ctx, uint32_t action, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int number = seccomp_syscall_resolve_name(names[i]);

		if (number == __NR_SCMP_ERROR)
			continue;
		if (seccomp_rule_add(ctx, action, number, 0) < 0)
			return -1;
	}
	return 0;
}

/* Sockets of streams and of the resolver; netlink for interfaces (the
 * resolver) and for the state of connections (wire/peer). */
static int
add_sockets(scmp_filter_ctx ctx, bool connect)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6 };
	static const int protocols[] = { NETLINK_ROUTE_PROTOCOL,
		NETLINK_SOCK_DIAG_PROTOCOL };
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };

	for (size_t i = 0; i < COUNT(families); i++)
		for (size_t j = 0; j < COUNT(types); j++) {
			/* Without a network, the log's socket is left. */
			if (!connect && families[i] != AF_UNIX)
				continue;
			if (seccomp_rule_add(ctx, SCMP_ACT_ALLOW,
				SCMP_SYS(socket), 2,
				SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]),
				SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf,
				    (scmp_datum_t)types[j])) < 0)
				return -1;
		}
	for (size_t i = 0; connect && i < COUNT(protocols); i++)
		if (seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
			SCMP_A0(SCMP_CMP_EQ, AF_NETLINK),
			SCMP_A2(SCMP_CMP_EQ, (scmp_datum_t)protocols[i])) < 0)
			return -1;
	if (seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(connect), 0) < 0 ||
	    seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 0) <
		0 ||
	    seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(bind), 0) < 0)
		return -1;
	return 0;
}

/* Threads, but no processes: clone3's flags cannot be looked at, so it is
 * refused with ENOSYS, and the C library falls back on clone. */
static int
add_threads(scmp_filter_ctx ctx)
{
	const scmp_datum_t thread = 0x00010000; /* CLONE_THREAD */

	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
		   SCMP_A0(SCMP_CMP_MASKED_EQ, thread, thread)) < 0
	    ? -1
	    : 0;
}

static int
fill(scmp_filter_ctx ctx, const struct sandbox_rules *r)
{
	/* 2: a tree; 0, the default, compares one by one.  And no slower
	 * memory for programs that run no foreign code. */
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
#if SCMP_VER_MAJOR > 2 || SCMP_VER_MINOR >= 5
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_SSB, 1);
#endif
	if (add_all(ctx, ACTION_NEVER, never, COUNT(never)) == -1)
		return -1;
	if (r->fork)
		return 0;
	if (add_all(ctx, ACTION_NEVER, never_but_parents,
		COUNT(never_but_parents)) == -1)
		return -1;
	if (r->threads
		? add_all(ctx, SCMP_ACT_ALLOW, usual, COUNT(usual)) == -1 ||
		    add_threads(ctx) == -1
		: add_all(ctx, SCMP_ACT_ALLOW, writing, COUNT(writing)) == -1)
		return -1;
	return r->sockets ? add_sockets(ctx, r->connect) : 0;
}

int
sandbox_seccomp(const struct sandbox_rules *r)
{
	scmp_filter_ctx ctx =
	    seccomp_init(r->fork ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(ENOSYS));
	int rc = -1;

	if (ctx == NULL)
		return -1;
	if (fill(ctx, r) == 0) {
		rc = seccomp_load(ctx);
		if (rc < 0)
			errno = -rc;
	}
	seccomp_release(ctx);
	return rc < 0 ? -1 : SANDBOX_CALLS;
}

#else

int
sandbox_seccomp(const struct sandbox_rules *r)
{
	(void)r;
	return 0;
}

#endif
