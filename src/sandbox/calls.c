/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides nothing: the table of calls.h.  After a change, run `make check-calls`.
 *
 * A call that is not here was left out on purpose.  Landlock has no rule for
 * modes, owners, times and attributes of files, nor for TCP's fast open, which
 * connects in sendto(2).  Before Linux 7.1 it has rules for no sockets but
 * those of TCP.  Only this table restricts all these.
 */
#include "config.h"

#include "sandbox/calls.h"
#include "sandbox/sandbox.h"

#ifdef __linux__

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define WORKER (1u << SANDBOX_WORKER)
#define CGI (1u << SANDBOX_CGI)
#define LEDGER (1u << SANDBOX_LEDGER)
#define PROBE (1u << SANDBOX_PROBE)
#define MOUNT (1u << SANDBOX_MOUNT)
#define INSPECT (1u << SANDBOX_INSPECT)
#define CHECK (1u << SANDBOX_CHECK)
#define EDIT (1u << SANDBOX_EDIT)
#define INIT (1u << SANDBOX_INIT)
#define SETUP (1u << SANDBOX_SETUP)
#define CAPTURE (1u << SANDBOX_CAPTURE)
#define WAKER (1u << SANDBOX_WAKER) /* not among HELD: it needs little */

#define SERVE (WORKER | CGI)
#define COMMANDS \
	(PROBE | MOUNT | INSPECT | CHECK | EDIT | INIT | SETUP | CAPTURE)
#define HELD (SERVE | LEDGER | COMMANDS)
/* These use libcurl, the resolver and threads. */
#define ASK (SERVE | PROBE | MOUNT)
#define CONNECT (ASK | INIT)

/* For arguments of type int: the upper half is not compared. */
#define IS(index, value)                 \
	{                                \
		index, 0xffffffff, value \
	}
#define HAS(index, bits)          \
	{                         \
		index, bits, bits \
	}
#define LACKS(index, bits)     \
	{                      \
		index, bits, 0 \
	}
#define NO_POINTER(index)            \
	{                            \
		index, UINT64_MAX, 0 \
	}
/* Flags such as SOCK_CLOEXEC are in the upper bits. */
#define SOCKET(family, type, protocol) \
	IS(0, family), { 1, 0xf, type }, IS(2, protocol)
#define OPTION(level, name) IS(1, level), IS(2, name)
#define NETLINK_ADDRESS_BYTES 12

#define ROW(only, names, used, spare, why, ...)                \
	{                                                      \
		names, used, spare, why, { __VA_ARGS__ }, only \
	}
#define CALL(...) ROW(SANDBOX_ALWAYS, __VA_ARGS__)
#define SYSLOG(...) ROW(SANDBOX_IF_SYSLOG, __VA_ARGS__)
#define SOCKETS(...) ROW(SANDBOX_IF_SOCKETS, __VA_ARGS__)
#define LIBRARIES(...) ROW(SANDBOX_IF_LIBRARIES, __VA_ARGS__)

const struct sandbox_call sandbox_calls[] = {
	/* Files; Landlock says which. */
	CALL("open openat", HELD, 0, "opens files"),
	CALL("read", HELD | WAKER, 0, "files, pipes, connections"),
	CALL("write", HELD | WAKER, 0, "files, pipes, the log"),
	CALL("readv writev", LEDGER, HELD & ~LEDGER,
	    "the ledger's lines; stdio of musl"),
	CALL("pread64", WORKER | LEDGER | INSPECT,
	    CGI | PROBE | MOUNT | INIT | CAPTURE,
	    "the ledger from its end; loading a library of the resolver"),
	CALL("pwrite64", WORKER | LEDGER | PROBE, CGI | CAPTURE,
	    "makes files that are mapped, and lets them grow"),
	CALL("close", HELD | WAKER, 0, ""),
	CALL("lseek _llseek", HELD & ~(MOUNT | INIT | SETUP),
	    MOUNT | INIT | SETUP, "stdio gives back what it has read too much"),
	CALL("fstat newfstatat statx stat lstat fstat64 stat64 lstat64 "
	     "fstatat64",
	    HELD, WAKER, "which file is it, has it changed, whose is it"),
	CALL("access faccessat faccessat2", CHECK | EDIT | INIT | SETUP,
	    PROBE | INSPECT, "could it be opened"),
	CALL("readlink readlinkat", EDIT | INIT | SETUP,
	    PROBE | INSPECT | CHECK, "realpath(3)"),
	CALL("getcwd", 0, CHECK | EDIT | INIT | SETUP,
	    "realpath(3) of a relative path"),
	CALL("getdents64 getdents", WORKER | PROBE | INSPECT | CAPTURE, CGI,
	    "what is in runtime_dir"),
	CALL("flock", HELD & ~(MOUNT | CHECK | SETUP), 0,
	    "slots, the ledger, a file that is edited"),
	CALL("fsync fdatasync", EDIT | INIT | SETUP, LEDGER,
	    "before a file takes the place of another"),
	CALL("fchmod", EDIT | INIT | SETUP, LEDGER,
	    "the mode of the file that it replaces; a ledger of mode 0600"),
	CALL("fchown fchown32", PROBE | EDIT | INIT | SETUP, CAPTURE | LEDGER,
	    "and its owner; of a ledger that root makes, the directory's"),
	CALL("umask", SETUP, 0, "a copy is nobody else's"),
	CALL("rename renameat renameat2", PROBE | EDIT | INIT | SETUP, CAPTURE,
	    "takes the place of the file that it replaces"),
	CALL("unlink unlinkat", WORKER | PROBE | EDIT | SETUP | CAPTURE,
	    CGI | INIT, "the spool's name; a copy that is not needed"),
	CALL("mkdir mkdirat", WORKER | PROBE | SETUP | CAPTURE, CGI | INIT,
	    "a limit's directory in runtime_dir; those of a tool's files"),
	CALL("rmdir", SETUP, 0, "takes them back"),
	CALL("mknod mknodat", SERVE, 0,
	    "a FIFO that wakes who waits for a slot"),
	CALL("ftruncate ftruncate64", PROBE, CAPTURE,
	    "makes files that are mapped"),

	/* Descriptors.  No F_SETOWN, no O_ASYNC: those send signals. */
	CALL("fcntl fcntl64", ASK | SETUP | CAPTURE,
	    HELD & ~(ASK | SETUP | CAPTURE), "its flags", IS(1, F_GETFL)),
	CALL("fcntl fcntl64", ASK, INIT, "never blocks", IS(1, F_SETFL),
	    LACKS(2, O_ASYNC)),
	CALL("fcntl fcntl64", SERVE | LEDGER | PROBE | CAPTURE,
	    MOUNT | INIT | EDIT | SETUP, "is not inherited", IS(1, F_SETFD)),
	CALL("fcntl fcntl64", 0, HELD, "is it open; stdio of musl",
	    IS(1, F_GETFD)),
	CALL("ioctl", WORKER, ASK, "does a socket still hold bytes",
	    IS(1, TIOCOUTQ)),
	CALL("ioctl", PROBE, SERVE | MOUNT,
	    "how long is the answer of a name server", IS(1, FIONREAD)),
	CALL("ioctl", 0, COMMANDS, "is it a terminal", IS(1, TCGETS)),
	CALL("ioctl", 0, COMMANDS, "how wide is it", IS(1, TIOCGWINSZ)),

	/* Waiting. */
	CALL("poll ppoll ppoll_time64", SERVE | LEDGER | PROBE | MOUNT | INIT,
	    WAKER, "for connections, the ledger's callers, the log's reader"),
	CALL("epoll_create1", SERVE | PROBE, 0, "libev's loop"),
	CALL("epoll_ctl", SERVE | PROBE, 0, "libev's loop"),
	CALL("epoll_wait epoll_pwait", SERVE | PROBE, 0, "libev's loop"),
	CALL("eventfd2", CGI | PROBE, WORKER, "wakes libev's loop"),
	CALL("pselect6 select _newselect pselect6_time64", PROBE, 0,
	    "until the next look (--watch)"),
	CALL("clock_nanosleep nanosleep clock_nanosleep_time64",
	    CGI | LEDGER | MOUNT | INSPECT,
	    WORKER | PROBE | INIT | SETUP | CAPTURE,
	    "tries again, waits for a child's end, follows the ledger"),
	CALL("timer_settime timer_settime64 timer_delete", 0, SERVE,
	    "the kernel's timer that ends a stopped holder (fleet/leases.h)"),

	/* Connections.  No other protocol: Landlock knows ports of TCP only. */
	CALL("socket", ASK, 0, "to a provider",
	    SOCKET(AF_INET, SOCK_STREAM, IPPROTO_TCP)),
	CALL("socket", 0, ASK, "to a provider",
	    SOCKET(AF_INET6, SOCK_STREAM, IPPROTO_TCP)),
	CALL("socket", INIT, ASK,
	    "who listens here; a name server's long answer",
	    SOCKET(AF_INET, SOCK_STREAM, 0)),
	CALL("socket", 0, ASK, "a name server's long answer",
	    SOCKET(AF_INET6, SOCK_STREAM, 0)),
	CALL("socket", WORKER | PROBE | WAKER, CGI | MOUNT | INIT,
	    "to a name server; which of our addresses leads there; a host's "
	    "magic packet",
	    SOCKET(AF_INET, SOCK_DGRAM, 0)),
	CALL("socket", WORKER | PROBE, CGI | MOUNT | INIT | WAKER, "the same",
	    SOCKET(AF_INET6, SOCK_DGRAM, 0)),
	SOCKETS("socket", WORKER | PROBE, CGI | MOUNT | INIT,
	    "nscd, Avahi, systemd-resolved; the store",
	    SOCKET(AF_UNIX, SOCK_STREAM, 0)),
	CALL("socket", WORKER, CGI | PROBE | MOUNT | INIT,
	    "getaddrinfo(3): which addresses have we",
	    SOCKET(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)),
	CALL("bind", WORKER, CGI | PROBE | MOUNT | INIT,
	    "the same; no other address is so long",
	    IS(2, NETLINK_ADDRESS_BYTES)),
	CALL("socketpair", SERVE | PROBE | MOUNT, 0,
	    "to the ledger's process; libcurl wakes itself",
	    SOCKET(AF_UNIX, SOCK_STREAM, 0)),
	SYSLOG("socket", 0, SERVE | LEDGER | WAKER, "syslog(3)",
	    SOCKET(AF_UNIX, SOCK_DGRAM, 0)),
	SYSLOG("socket", 0, SERVE | LEDGER | WAKER,
	    "syslog(3), if its daemon takes streams",
	    SOCKET(AF_UNIX, SOCK_STREAM, 0)),
	SYSLOG("connect", 0, LEDGER | WAKER, "syslog(3)"),
	CALL("connect", CONNECT, 0, "Landlock says to which ports"),
	CALL("accept4", WORKER, 0, "the web server's"),
	CALL("sendto", CONNECT | LEDGER | WAKER, 0, "", LACKS(3, MSG_FASTOPEN)),
	CALL("sendmsg", SERVE | PROBE, MOUNT, "requests, lines of the ledger",
	    LACKS(2, MSG_FASTOPEN)),
	CALL("sendmmsg", WORKER | PROBE, CGI | MOUNT | INIT,
	    "asks a name server for both kinds of address",
	    LACKS(3, MSG_FASTOPEN)),
	CALL("recvfrom", SERVE | LEDGER | PROBE | MOUNT, INIT, ""),
	CALL("recvmsg", WORKER | LEDGER, CGI | PROBE | MOUNT | INIT,
	    "the kernel's table of connections; a descriptor for the ledger"),
	CALL("shutdown", WORKER, CGI, "the client's, once it has all"),
	CALL("getsockname", ASK, INIT, "libcurl"),
	CALL("getpeername", ASK, INIT, "libcurl, whose client is it"),
	CALL("getsockopt", CONNECT | LEDGER, 0, "has it connected; who calls"),
	CALL("setsockopt", ASK, 0, "libcurl", OPTION(SOL_SOCKET, SO_KEEPALIVE)),
	CALL("setsockopt", WAKER, 0, "a magic packet to all of a network",
	    OPTION(SOL_SOCKET, SO_BROADCAST)),
	CALL("setsockopt", SERVE, PROBE | MOUNT, "a reset, not an end",
	    OPTION(SOL_SOCKET, SO_LINGER)),
	CALL("setsockopt", ASK, 0, "libcurl", OPTION(IPPROTO_TCP, TCP_NODELAY)),
	CALL(
	    "setsockopt", ASK, 0, "libcurl", OPTION(IPPROTO_TCP, TCP_KEEPIDLE)),
	CALL("setsockopt", ASK, 0, "libcurl",
	    OPTION(IPPROTO_TCP, TCP_KEEPINTVL)),
	CALL("setsockopt", ASK, 0, "libcurl, from 8.9 on; as the next row",
	    OPTION(IPPROTO_TCP, TCP_KEEPCNT)),
	CALL("setsockopt", ASK, 0, "a provider that is gone without a word",
	    OPTION(IPPROTO_TCP, TCP_USER_TIMEOUT)),
	CALL("setsockopt", WORKER | PROBE, CGI | MOUNT | INIT,
	    "a name server that is not there", OPTION(IPPROTO_IP, IP_RECVERR)),
	CALL("setsockopt", 0, CONNECT, "a name server that is not there",
	    OPTION(IPPROTO_IPV6, IPV6_RECVERR)),

	/* Memory.  No mapping can be both written and run, and no mapping
	 * without a file can be run.  If a role may map the resolver's
	 * libraries to run them, it may also map a file that it has written,
	 * because a filter sees no path.  Then only a mount with noexec keeps a
	 * worker from running code in runtime_dir and spool_dir (NoExecPaths=
	 * in contrib/systemd). */
	CALL("mmap mmap2", HELD & ~(CHECK | SETUP), CHECK | SETUP | WAKER,
	    "malloc(3), stacks, files that are mapped", LACKS(2, PROT_EXEC)),
	LIBRARIES("mmap mmap2", 0, CONNECT, "loads a library of the resolver",
	    { 2, PROT_EXEC | PROT_WRITE, PROT_EXEC }, LACKS(3, MAP_ANONYMOUS)),
	/* PCRE2 asks for memory that it could write and run, and interprets if
	 * it gets none (explain; workers got theirs before). */
	CALL("mmap mmap2", 0, 0, ""),
	CALL("munmap", HELD & ~(EDIT | INIT | SETUP),
	    EDIT | INIT | SETUP | WAKER, ""),
	CALL("mremap", WORKER | MOUNT | INSPECT,
	    HELD & ~(WORKER | MOUNT | INSPECT), "realloc(3)"),
	CALL("mprotect", SERVE | PROBE, (HELD | WAKER) & ~(SERVE | PROBE),
	    "guards stacks; malloc(3) in threads", LACKS(2, PROT_EXEC)),
	CALL("madvise", SERVE | LEDGER | PROBE | INIT,
	    (HELD | WAKER) & ~(SERVE | LEDGER | PROBE | INIT),
	    "gives back what stacks and starting do not need"),
	CALL("mlock", INIT, 0, "the keys that it asks providers with"),
	CALL("brk", WORKER | LEDGER | PROBE | MOUNT | INSPECT,
	    CGI | CHECK | EDIT | INIT | SETUP | CAPTURE | WAKER, "malloc(3)"),

	/* Threads: the ledger's writer, those that resolve names and compress,
	 * and one that writes the log to a file (the waker's only one).  No
	 * processes. */
	CALL("clone", SERVE | PROBE, LEDGER | MOUNT | INIT | WAKER, "",
	    HAS(0, CLONE_THREAD)),
	/* The filter cannot read its flags: the C library falls back on
	 * clone. */
	CALL("clone3", 0, 0, ""),
	CALL("set_robust_list", SERVE | PROBE, LEDGER | MOUNT | INIT | WAKER,
	    ""),
	CALL("rseq", SERVE | PROBE, LEDGER | MOUNT | INIT | WAKER, ""),
	CALL("exit", SERVE | PROBE, LEDGER | MOUNT | INIT | WAKER, ""),
	CALL("sched_yield", SERVE, PROBE | MOUNT | INIT, ""),
	CALL("sched_getaffinity", 0, CONNECT, "malloc(3) in many threads"),
	CALL("futex futex_time64", HELD & ~(CHECK | CAPTURE),
	    CHECK | CAPTURE | WAKER, ""),

	/* Signals: none to others. */
	CALL("rt_sigaction", SERVE | PROBE, HELD & ~(SERVE | PROBE), ""),
	CALL("rt_sigprocmask", SERVE | PROBE, (HELD | WAKER) & ~(SERVE | PROBE),
	    "threads, abort(3)"),
	CALL("rt_sigreturn sigreturn", SERVE, (HELD | WAKER) & ~SERVE, ""),
	CALL("rt_sigpending", PROBE, 0, "is it to end (--watch)"),
	CALL("restart_syscall", CGI | LEDGER, (HELD | WAKER) & ~(CGI | LEDGER),
	    "a wait that a signal or a debugger cut"),
	CALL("tgkill", 0, HELD | WAKER, "abort(3)", IS(0, SANDBOX_OWN_PID)),
	CALL("gettid", 0, HELD | WAKER, "abort(3)"),

	/* Itself. */
	CALL("getpid", HELD & ~(CHECK | SETUP), CHECK | SETUP,
	    "arc4random(3): was there a fork"),
	CALL("geteuid geteuid32",
	    WORKER | PROBE | INSPECT | CHECK | INIT | CAPTURE, CGI | EDIT,
	    "is a directory ours"),
	CALL("prlimit64", WORKER, CGI | PROBE | MOUNT | INIT,
	    "how many descriptors; reads only", IS(0, 0), NO_POINTER(2)),
	CALL(
	    "wait4 waitid", CGI | SETUP, 0, "the end of what it forked before"),
	CALL("exit_group", HELD | WAKER, 0, ""),

	/* The system. */
	CALL("uname", SERVE | PROBE, MOUNT | INIT, "gethostname(3)"),
	CALL("sysinfo", PROBE, HELD & ~PROBE,
	    "qsort(3): how much memory is there"),
	CALL("getrandom", SERVE | MOUNT | EDIT | INIT | SETUP,
	    LEDGER | PROBE | INSPECT | CHECK | CAPTURE | WAKER,
	    "arc4random(3), malloc(3)"),
	CALL("clock_gettime clock_gettime64", WORKER | LEDGER | INSPECT,
	    (HELD | WAKER) & ~(WORKER | LEDGER | INSPECT),
	    "where the vDSO has no clock"),
	CALL("gettimeofday time clock_getres", 0, HELD | WAKER, "the same"),
};

const size_t sandbox_ncalls = sizeof(sandbox_calls) / sizeof(sandbox_calls[0]);

const char *const sandbox_never[] = {
	/* into other processes */
	"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise",
	"process_mrelease", "kcmp", "pidfd_getfd", "move_pages",
	"migrate_pages",
	/* another view of the system, another user */
	"mount", "umount2", "fsopen", "fsconfig", "fsmount", "fspick",
	"move_mount", "mount_setattr", "open_tree", "pivot_root", "chroot",
	"setns", "unshare", "name_to_handle_at", "open_by_handle_at", "setuid",
	"setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups",
	"setfsuid", "setfsgid", "capset", "personality",
	/* the kernel */
	"bpf", "perf_event_open", "userfaultfd", "io_uring_setup",
	"io_uring_enter", "io_uring_register", "keyctl", "add_key",
	"request_key", "fanotify_init", "lookup_dcookie", "modify_ldt", "iopl",
	"ioperm", "kexec_load", "kexec_file_load", "init_module",
	"finit_module", "delete_module",
	/* the host */
	"reboot", "swapon", "swapoff", "settimeofday", "clock_settime",
	"clock_adjtime", "adjtimex", "sethostname", "setdomainname", "syslog",
	"quotactl", "quotactl_fd", "acct", "vhangup", "nfsservctl", NULL
};

const char *const sandbox_never_but_parents[] = { "execve", "execveat", NULL };

#else

const struct sandbox_call sandbox_calls[] = { { "" } };
const size_t sandbox_ncalls = 0;
const char *const sandbox_never[] = { NULL };
const char *const sandbox_never_but_parents[] = { NULL };

#endif
