/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides seccomp, by libseccomp.
 *
 * A parent may make all calls except those that no code of ours ever makes, and
 * may execute its own program again, from which its workers inherit nothing.
 * The other roles may make only the calls that the test suite was seen to need
 * (strace -f -c), with some room for other C libraries.  A call that is never
 * ours ends the process.  A call that is merely not listed fails with ENOSYS,
 * so that a newer C library falls back as it does on an old kernel, and the
 * gateway goes on.
 */
#include "config.h"

#include "sandbox/rules.h"
#include "sandbox/sandbox.h"

#if defined(HAVE_SECCOMP) && !defined(TG_SANITIZED)

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "base/hash.h"

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
	"pread64", "pwrite64", "preadv", "pwritev", "close", "close_range",
	"lseek", "_llseek", "open", "openat", "stat", "stat64", "lstat",
	"lstat64", "fstat", "fstat64", "newfstatat", "fstatat64", "statx",
	"statfs", "statfs64", "fstatfs", "fstatfs64", "access", "faccessat",
	"faccessat2", "readlink", "readlinkat", "getdents", "getdents64",
	"getcwd", "fcntl", "fcntl64", "flock", "fsync", "fdatasync", "fchmod",
	"fchmodat", "fchown", "fchownat", "fchown32", "umask", "rename",
	"renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat",
	"rmdir", "mknod", "mknodat", "fadvise64", "fadvise64_64", "dup", "dup2",
	"dup3", "pipe", "pipe2", "eventfd2", "epoll_create1", "epoll_ctl",
	"epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select",
	"pselect6", "_newselect", "timerfd_create", "timerfd_settime",
	"timerfd_gettime", "accept", "accept4", "recvfrom", "recvmsg",
	"recvmmsg", "sendto", "sendmsg", "sendmmsg", "recv", "send", "shutdown",
	"getsockname", "getpeername", "getsockopt", "setsockopt", "mmap",
	"mmap2", "munmap", "mremap", "mprotect", "madvise", "msync", "brk",
	"futex", "futex_time64", "set_robust_list", "get_robust_list",
	"set_tid_address", "rseq", "gettid", "getpid", "getppid", "exit",
	"exit_group", "sched_yield", "sched_getaffinity", "getcpu",
	"membarrier", "arch_prctl", "rt_sigaction", "rt_sigprocmask",
	"rt_sigreturn", "rt_sigtimedwait", "rt_sigpending", "sigaltstack",
	"sigreturn", "restart_syscall", "getuid", "geteuid", "getgid",
	"getegid", "getuid32", "geteuid32", "getgid32", "getegid32",
	"clock_gettime", "clock_gettime64", "clock_getres", "clock_nanosleep",
	"clock_nanosleep_time64", "nanosleep", "gettimeofday", "time",
	"getrusage", "getrlimit", "setrlimit", "ugetrlimit", "getrandom",
	"uname", "sysinfo", "wait4", "waitid", "socketcall" };

/* For roles that create the files that others map; a worker only opens
 * existing ones. */
static const char *const making[] = { "ftruncate", "ftruncate64" };

/* For the ledger's process, which writes a file and talks to sockets that it
 * was given. */
static const char *const writing[] = { "read", "write", "readv", "writev",
	"pread64", "pwrite64", "pwritev", "close", "lseek", "_llseek", "open",
	"openat", "stat", "stat64", "lstat", "lstat64", "fstat", "fstat64",
	"newfstatat", "fstatat64", "statx", "fcntl", "fcntl64", "flock",
	"fsync", "fdatasync", "fchmod", "poll", "ppoll", "recvfrom", "recvmsg",
	"recv", "sendto", "sendmsg", "send", "getsockopt", "shutdown", "mmap",
	"mmap2", "munmap", "mremap", "mprotect", "madvise", "brk", "futex",
	"futex_time64", "rseq", "gettid", "getpid", "exit", "exit_group",
	"sched_yield", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
	"sigreturn", "restart_syscall", "clock_gettime", "clock_gettime64",
	"clock_nanosleep", "clock_nanosleep_time64", "nanosleep",
	"gettimeofday", "time", "getrandom" };

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

/* Calls of which only some are needed: argument `arg` must be `value`. */
static const struct narrow {
	const char *name;
	unsigned arg;
	scmp_datum_t value; /* OWN_PID: this process */
} narrows[] = {
#define OWN_PID (~(scmp_datum_t)0)
	/* Is it alive?  (state/process.h) */
	{ "kill", 1, 0 },
	/* raise(3), abort(3), pthread_kill(3) */
	{ "tgkill", 0, OWN_PID },
	{ "prlimit64", 0, 0 },
	{ "prctl", 0, PR_SET_NAME },
	/* Is it a terminal, how wide; what a socket still holds. */
	{ "ioctl", 1, TCGETS },
	{ "ioctl", 1, TIOCGWINSZ },
	{ "ioctl", 1, TIOCOUTQ },
	{ "ioctl", 1, FIONREAD },
	{ "ioctl", 1, FIONBIO },
};

static int
add_narrows(scmp_filter_ctx ctx)
{
	for (size_t i = 0; i < COUNT(narrows); i++) {
		const struct narrow *n = &narrows[i];
		scmp_datum_t value =
		    n->value == OWN_PID ? (scmp_datum_t)getpid() : n->value;
		struct scmp_arg_cmp same =
		    SCMP_CMP(n->arg, SCMP_CMP_MASKED_EQ, 0xffffffff, value);

		if (seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW,
			seccomp_syscall_resolve_name(n->name), 1, &same) < 0)
			return -1;
	}
	return 0;
}

static int
allow_socket(scmp_filter_ctx ctx, int family, int type)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
	    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family, 0),
	    SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, (scmp_datum_t)type));
}

static int
allow_netlink(scmp_filter_ctx ctx, int protocol)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
	    SCMP_A0(SCMP_CMP_EQ, AF_NETLINK, 0),
	    SCMP_A2(SCMP_CMP_EQ, (scmp_datum_t)protocol, 0));
}

/* Streams, and the resolver's: UDP, streams of the host's own (nscd, Avahi,
 * systemd-resolved), netlink for the interfaces.  A worker also asks for the
 * state of clients' connections (wire/peer), and calls the ledger's process. */
static int
add_sockets(scmp_filter_ctx ctx, const struct sandbox_rules *r)
{
	static const char *const needed[] = { "connect", "bind" };

	if (r->serves &&
	    (allow_netlink(ctx, NETLINK_SOCK_DIAG_PROTOCOL) < 0 ||
		seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1,
		    SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0)) < 0))
		return -1;
	if (r->log &&
	    (allow_socket(ctx, AF_UNIX, SOCK_DGRAM) < 0 ||
		allow_socket(ctx, AF_UNIX, SOCK_STREAM) < 0))
		return -1;
	if (r->connect &&
	    (allow_socket(ctx, AF_INET, SOCK_STREAM) < 0 ||
		allow_socket(ctx, AF_INET, SOCK_DGRAM) < 0 ||
		allow_socket(ctx, AF_INET6, SOCK_STREAM) < 0 ||
		allow_socket(ctx, AF_INET6, SOCK_DGRAM) < 0 ||
		allow_socket(ctx, AF_UNIX, SOCK_STREAM) < 0 ||
		allow_netlink(ctx, NETLINK_ROUTE_PROTOCOL) < 0))
		return -1;
	return r->connect || r->log
	    ? add_all(ctx, SCMP_ACT_ALLOW, needed, COUNT(needed))
	    : 0;
}

/* Threads, but no processes: the filter cannot read clone3's flags, so it is
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
	/* 2: a binary tree; the default, 0, compares one by one.  And no
	 * mitigations that slow down memory, because we run no foreign code. */
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
	if (r->writes_only
		? add_all(ctx, SCMP_ACT_ALLOW, writing, COUNT(writing)) == -1
		: add_all(ctx, SCMP_ACT_ALLOW, usual, COUNT(usual)) == -1)
		return -1;
	if (!r->writes_only && !r->serves &&
	    add_all(ctx, SCMP_ACT_ALLOW, making, COUNT(making)) == -1)
		return -1;
	if (r->connect && add_threads(ctx) == -1)
		return -1;
	return add_narrows(ctx) == -1 ? -1 : add_sockets(ctx, r);
}

/* For a parent's filter, which checks only the call's number. */
uint64_t
sandbox_filter(void)
{
	uint32_t action = ACTION_NEVER;
	uint64_t stamp = hash_more(HASH_SEED, &action, sizeof(action));

	for (size_t i = 0; i < COUNT(never); i++) {
		int number = seccomp_syscall_resolve_name(never[i]);

		stamp = hash_more(stamp, &number, sizeof(number));
	}
	return hash_not_0(stamp);
}

int
sandbox_seccomp(const struct sandbox_rules *r)
{
	scmp_filter_ctx ctx;
	int rc = -1;

	/* A filter survives execve, and each one that is added slows every
	 * call, until the kernel allows no more. */
	if (r->fork && r->has_filter &&
	    prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER)
		return SANDBOX_CALLS;
	ctx = seccomp_init(r->fork ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(ENOSYS));
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

uint64_t
sandbox_filter(void)
{
	return 0;
}

int
sandbox_seccomp(const struct sandbox_rules *r)
{
	(void)r;
	return 0;
}

#endif
