/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * calls FILE COMMAND...: runs the command and all that it starts.  Appends to
 * FILE the system calls that each role made, as watched programs report them
 * (tests/watched/), in lines of
 *
 *	ROLE <tab> ROW <tab> NAME <tab> COUNT
 *
 * ROW is a row of sandbox_calls.  It is "-" for a call that no row lists, with
 * the call's arguments after the name.  Those calls fail as they do without a
 * tracer.
 *
 * calls --table: prints the table's rows instead, in lines of
 *
 *	ROW <tab> NAMES <tab> USED <tab> SPARE
 *
 * with roles by name, separated by commas.
 */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(HAVE_SECCOMP) && defined(__x86_64__)

#include <seccomp.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include "sandbox/calls.h"
#include "sandbox/sandbox.h"
#include "watched/watched.h"

#define ROLES_MAX 16
#define OTHERS_MAX 256

static const char *const role_names[ROLES_MAX] = { [SANDBOX_PARENT] = "parent",
	[SANDBOX_WORKER] = "worker",
	[SANDBOX_CGI] = "cgi",
	[SANDBOX_LEDGER] = "ledger",
	[SANDBOX_PROBE] = "probe",
	[SANDBOX_MOUNT] = "mount",
	[SANDBOX_INSPECT] = "inspect",
	[SANDBOX_CHECK] = "check",
	[SANDBOX_EDIT] = "edit",
	[SANDBOX_INIT] = "init",
	[SANDBOX_SETUP] = "setup",
	[SANDBOX_CAPTURE] = "capture",
	[SANDBOX_WAKER] = "waker" };

static uint64_t counts[ROLES_MAX][SANDBOX_WATCHED_OTHER];
static struct other {
	unsigned role;
	int number;
	uint64_t args[3], count;
} others[OTHERS_MAX];
static size_t nothers;

static void
count_other(unsigned role, const struct user_regs_struct *regs)
{
	struct other now = { role, (int)regs->orig_rax,
		{ regs->rdi, regs->rsi, regs->rdx }, 1 };

	for (size_t i = 0; i < nothers; i++)
		if (others[i].role == role && others[i].number == now.number) {
			others[i].count++;
			return;
		}
	if (nothers < OTHERS_MAX)
		others[nothers++] = now;
}

static void
on_call(pid_t pid)
{
	unsigned long told;
	unsigned role, row;
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETEVENTMSG, pid, NULL, &told) == -1)
		return; /* it was killed in between */
	role = (unsigned)told >> WATCHED_ROW_BITS;
	row = (unsigned)told & SANDBOX_WATCHED_OTHER;
	if (row != SANDBOX_WATCHED_OTHER) {
		counts[role][row]++;
		return;
	}
	if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) == -1)
		return;
	count_other(role, &regs);
	regs.orig_rax = (unsigned long long)-1;
	regs.rax = (unsigned long long)-ENOSYS;
	ptrace(PTRACE_SETREGS, pid, NULL, &regs);
}

static void
on_stop(pid_t pid, int status)
{
	int sig = WSTOPSIG(status), event = status >> 16;

	if (event == PTRACE_EVENT_STOP &&
	    (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN ||
		sig == SIGTTOU)) {
		ptrace(PTRACE_LISTEN, pid, NULL, NULL);
		return;
	}
	if (event == PTRACE_EVENT_SECCOMP)
		on_call(pid);
	ptrace(PTRACE_CONT, pid, NULL, event == 0 ? (long)sig : 0L);
}

static void
write_counts(const char *path)
{
	FILE *out = fopen(path, "a");

	if (out == NULL)
		err(99, "%s", path);
	for (unsigned role = 0; role < ROLES_MAX; role++)
		for (size_t row = 0; row < sandbox_ncalls; row++)
			if (counts[role][row] > 0)
				fprintf(out, "%s\t%zu\t%s\t%llu\n",
				    role_names[role], row,
				    sandbox_calls[row].names,
				    (unsigned long long)counts[role][row]);
	for (size_t i = 0; i < nothers; i++) {
		const struct other *o = &others[i];
		char *name = seccomp_syscall_resolve_num_arch(
		    SCMP_ARCH_NATIVE, o->number);

		fprintf(out, "%s\t-\t%s(%llx, %llx, %llx)\t%llu\n",
		    role_names[o->role], name == NULL ? "?" : name,
		    (unsigned long long)o->args[0],
		    (unsigned long long)o->args[1],
		    (unsigned long long)o->args[2],
		    (unsigned long long)o->count);
		free(name);
	}
	if (fclose(out) != 0)
		err(99, "%s", path);
}

static void
print_roles(unsigned roles)
{
	const char *comma = "";

	for (unsigned role = 0; role < ROLES_MAX; role++)
		if ((roles & 1u << role) != 0) {
			printf("%s%s", comma, role_names[role]);
			comma = ",";
		}
}

static int
print_table(void)
{
	for (size_t row = 0; row < sandbox_ncalls; row++) {
		printf("%zu\t%s\t", row, sandbox_calls[row].names);
		print_roles(sandbox_calls[row].used);
		putchar('\t');
		print_roles(sandbox_calls[row].spare);
		putchar('\n');
	}
	return 0;
}

/* Stops until the tracer has it; a process that is seized does not stop
 * itself. */
static pid_t
run(char **command)
{
	const long options = PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
	    PTRACE_O_TRACEVFORK | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL;
	pid_t pid = fork();

	if (pid == 0) {
		raise(SIGSTOP);
		execvp(command[0], command);
		err(99, "%s", command[0]);
	}
	if (pid == -1 || waitpid(pid, NULL, WUNTRACED) != pid ||
	    ptrace(PTRACE_SEIZE, pid, NULL, options) == -1)
		err(99, "%s", command[0]);
	kill(pid, SIGCONT);
	return pid;
}

int
main(int argc, char **argv)
{
	int status, result = 99;
	pid_t first, pid;

	if (argc == 2 && strcmp(argv[1], "--table") == 0)
		return print_table();
	if (argc < 3)
		errx(99, "calls FILE COMMAND... | calls --table");
	first = run(argv + 2);
	while ((pid = waitpid(-1, &status, __WALL)) != -1 || errno == EINTR) {
		if (pid == -1)
			continue;
		if (WIFSTOPPED(status))
			on_stop(pid, status);
		else if (pid == first)
			result = WIFEXITED(status) ? WEXITSTATUS(status) : 98;
	}
	write_counts(argv[1]);
	return result;
}

#else

int
main(void)
{
	fputs("calls: needs libseccomp, on x86-64\n", stderr);
	return 77;
}

#endif
