/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides seccomp, by libseccomp: puts the table of calls.c in force.
 *
 * A parent may make all calls except those that no code of ours ever makes, and
 * may execute its own program again, from which its workers inherit nothing.
 * The other roles may make only the calls of the table.  A call that is never
 * ours ends the process.  A call that is merely not listed fails with ENOSYS,
 * so that a newer C library falls back as it does on an old kernel, and the
 * gateway goes on.
 *
 * libseccomp makes a program for the kernel of it.  That takes a millisecond,
 * so a parent prepares that of its workers.
 *
 * Built with SANDBOX_WATCHED (tests/watched), the filter reports each call of
 * the table to a tracer, with its role and row, instead of allowing it.
 */
#include "config.h"

#include "sandbox/calls.h"
#include "sandbox/rules.h"
#include "sandbox/sandbox.h"

#if defined(HAVE_SECCOMP) && !defined(TG_SANITIZED)

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/hash.h"

#ifdef TAILGATE_DEBUGGABLE
#define ACTION_NEVER SCMP_ACT_ERRNO(EPERM)
#else
#define ACTION_NEVER SCMP_ACT_KILL_PROCESS
#endif

#ifdef SANDBOX_WATCHED
#define ACTION_ROW(role, row) SCMP_ACT_TRACE(SANDBOX_WATCHED(role, row))
#define ACTION_OTHER(role) \
	SCMP_ACT_TRACE(SANDBOX_WATCHED(role, SANDBOX_WATCHED_OTHER))
#else
#define ACTION_ROW(role, row) SCMP_ACT_ALLOW
#define ACTION_OTHER(role) SCMP_ACT_ERRNO(ENOSYS)
#endif

/* No mitigations that slow down memory, because we run no foreign code. */
#ifdef SECCOMP_FILTER_FLAG_SPEC_ALLOW
#define FLAGS SECCOMP_FILTER_FLAG_SPEC_ALLOW
#else
#define FLAGS 0
#endif

#define NAME_SIZE 32
/* In a filter that is not in force yet: the id of the process. */
#define PID_MARK 0x5069645fU

/* A parent's filter, also over the processes that it forks. */
static bool never_in_force;

/* The next name of a row; NULL after the last. */
static const char *
next_name(const char *names, char *name)
{
	size_t len;

	names += strspn(names, " ");
	len = strcspn(names, " ");
	if (len == 0 || len >= NAME_SIZE)
		return NULL;
	memcpy(name, names, len);
	name[len] = '\0';
	return names + len;
}

/* libseccomp returns its errors as negative numbers. */
static int
add(scmp_filter_ctx ctx, uint32_t action, int number, unsigned n,
    const struct scmp_arg_cmp *conditions)
{
	int rc = seccomp_rule_add_array(ctx, action, number, n, conditions);

	if (rc < 0)
		errno = -rc;
	return rc < 0 ? -1 : 0;
}

static int
add_never(scmp_filter_ctx ctx, const char *const *names)
{
	for (; *names != NULL; names++) {
		int number = seccomp_syscall_resolve_name(*names);

		/* This processor, or this libseccomp, has no such call. */
		if (number == __NR_SCMP_ERROR)
			continue;
		if (add(ctx, ACTION_NEVER, number, 0, NULL) == -1)
			return -1;
	}
	return 0;
}

static unsigned
conditions_of(const struct sandbox_call *call, struct scmp_arg_cmp *conditions)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SANDBOX_ARGS_MAX; i++) {
		const struct sandbox_arg *arg = &call->args[i];
		uint64_t value =
		    arg->value == SANDBOX_OWN_PID ? PID_MARK : arg->value;

		if (arg->mask != 0)
			conditions[n++] = SCMP_CMP(
			    arg->index, SCMP_CMP_MASKED_EQ, arg->mask, value);
	}
	return n;
}

static int
add_call(scmp_filter_ctx ctx, const struct sandbox_call *call, uint32_t action)
{
	struct scmp_arg_cmp conditions[SANDBOX_ARGS_MAX];
	unsigned n = conditions_of(call, conditions);
	const char *names = call->names;
	char name[NAME_SIZE];

	while ((names = next_name(names, name)) != NULL) {
		int number = seccomp_syscall_resolve_name(name);

		if (number != __NR_SCMP_ERROR &&
		    seccomp_rule_add_array(ctx, action, number, n, conditions) <
			0)
			return -1;
	}
	return 0;
}

/* A watched program reports every call that is made. */
static bool
row_counts(const struct sandbox_rules *r, const struct sandbox_call *call)
{
	if (((call->used | call->spare) & 1u << r->role) == 0)
		return false;
#ifdef SANDBOX_WATCHED
	return true;
#else
	return call->only == SANDBOX_ALWAYS ||
	    (call->only == SANDBOX_IF_SYSLOG && r->log) ||
	    (call->only == SANDBOX_IF_SOCKETS && r->services.sockets) ||
	    (call->only == SANDBOX_IF_LIBRARIES && r->services.libraries);
#endif
}

static int
fill(scmp_filter_ctx ctx, const struct sandbox_rules *r)
{
	/* 2: a binary tree; the default, 0, compares one by one. */
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	/* A filter can only be added to.  A shorter one is made sooner. */
	if (!never_in_force && add_never(ctx, sandbox_never) == -1)
		return -1;
	if (r->fork)
		return 0;
	if (add_never(ctx, sandbox_never_but_parents) == -1)
		return -1;
	for (size_t i = 0; i < sandbox_ncalls; i++) {
		const struct sandbox_call *call = &sandbox_calls[i];

		if (row_counts(r, call) &&
		    add_call(ctx, call, ACTION_ROW(r->role, i)) == -1)
			return -1;
	}
	return 0;
}

/* For a parent's filter, which checks only the call's number. */
uint64_t
sandbox_filter(void)
{
	uint32_t action = ACTION_NEVER;
	uint64_t stamp = hash_more(HASH_SEED, &action, sizeof(action));

	for (const char *const *name = sandbox_never; *name != NULL; name++) {
		int number = seccomp_syscall_resolve_name(*name);

		stamp = hash_more(stamp, &number, sizeof(number));
	}
	return hash_not_0(stamp);
}

/* ---- as the kernel takes it ------------------------------------------- */

/* code.filter NULL: none. */
struct program {
	uint64_t stamp; /* of the rows that it was made of */
	struct sock_fprog code;
};

/* Of the workers that will be forked. */
static struct program prepared;

static uint64_t
stamp_of(const struct sandbox_rules *r)
{
	uint64_t stamp = hash_more(HASH_SEED, &r->role, sizeof(r->role));

	for (size_t i = 0; i < sandbox_ncalls; i++) {
		bool counts = row_counts(r, &sandbox_calls[i]);

		stamp = hash_more(stamp, &counts, sizeof(counts));
	}
	return stamp;
}

/* A socket has room for all that libseccomp writes. */
static int export(scmp_filter_ctx ctx, struct sock_fprog *code)
{
	size_t most = BPF_MAXINSNS * sizeof(*code->filter);
	int ends[2], rc;
	ssize_t n = -1;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		ends) == -1)
		return -1;
	rc = seccomp_export_bpf(ctx, ends[1]);
	close(ends[1]);
	if (rc < 0)
		errno = -rc;
	else if ((code->filter = malloc(most)) != NULL)
		n = recv(ends[0], code->filter, most, MSG_WAITALL);
	close(ends[0]);
	code->len =
	    n < 0 ? 0 : (unsigned short)((size_t)n / sizeof(*code->filter));
	return n < 0 ? -1 : 0;
}

static void
drop(struct program *p)
{
	free(p->code.filter);
	*p = (struct program){ .stamp = 0 };
}

static int
make(const struct sandbox_rules *r, struct program *p)
{
	scmp_filter_ctx ctx =
	    seccomp_init(r->fork ? SCMP_ACT_ALLOW : ACTION_OTHER(r->role));
	int rc = -1;

	*p = (struct program){ .stamp = stamp_of(r) };
	if (ctx == NULL)
		return -1;
	if (fill(ctx, r) == 0)
		rc = export(ctx, &p->code);
	seccomp_release(ctx);
	if (rc == -1)
		drop(p);
	return rc;
}

static void
set_pid(struct sock_fprog *code)
{
	for (size_t i = 0; i < code->len; i++)
		if (code->filter[i].k == PID_MARK)
			code->filter[i].k = (uint32_t)getpid();
}

static int
load(struct program *p)
{
	set_pid(&p->code);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, FLAGS, &p->code) == 0)
		return 0;
	/* Linux before 4.17 has no mitigations, and no flag for them. */
	return errno == EINVAL
	    ? (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p->code)
	    : -1;
}

void
sandbox_seccomp_prepare(const struct sandbox_rules *r)
{
	if (prepared.code.filter != NULL && prepared.stamp == stamp_of(r))
		return;
	drop(&prepared);
	(void)make(r, &prepared);
}

int
sandbox_seccomp(const struct sandbox_rules *r)
{
	struct program own = { .stamp = 0 }, *p = &prepared;
	int rc = 0;

	/* A filter stays over an execve, and each one that is added costs every
	 * call, until there are too many. */
	if (r->fork && r->has_filter &&
	    prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER) {
		never_in_force = true;
		return SANDBOX_CALLS;
	}
	if (p->code.filter == NULL || p->stamp != stamp_of(r))
		rc = make(r, p = &own);
	if (rc == 0)
		rc = load(p);
	never_in_force |= r->fork && rc == 0;
	drop(p);
	return rc == -1 ? -1 : SANDBOX_CALLS;
}

#else

uint64_t
sandbox_filter(void)
{
	return 0;
}

void
sandbox_seccomp_prepare(const struct sandbox_rules *r)
{
	(void)r;
}

int
sandbox_seccomp(const struct sandbox_rules *r)
{
	(void)r;
	return 0;
}

#endif
