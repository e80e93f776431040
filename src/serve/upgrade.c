/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides which files a program consists of, and how the process executes the new
 * one.
 */
#include "config.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_LINK_H
#include <link.h>
#endif

#include "base/hash.h"
#include "serve/upgrade.h"

#define VARIABLE "TAILGATE_UPGRADE"
#define CLIENTS_VARIABLE "TAILGATE_UPGRADE_CLIENTS"
#define FORM "1"
#define OBJECTS_MAX 64

extern char **environ;

static struct {
	char **argv;
	char *path; /* absolute; symbolic links are followed anew each time */
	int fd; /* the program's file, for going back; -1: none */
	char *objects[OBJECTS_MAX]; /* the program and its libraries */
	size_t nobjects;
	uint64_t stamp;
} self = { .fd = -1 };

/* ---- which files ------------------------------------------------------ */

static char *
joined(const char *dir, size_t dir_len, const char *name)
{
	size_t size = dir_len + strlen(name) + 2;
	char *path = malloc(size);

	if (path != NULL)
		snprintf(path, size, "%.*s/%s", (int)dir_len, dir, name);
	return path;
}

/* As execvp(3) finds it. */
static char *
found_in_path(const char *name)
{
	const char *dir = getenv("PATH");
	size_t len;

	for (; dir != NULL && *dir != '\0'; dir += len + (dir[len] == ':')) {
		char *path;

		len = strcspn(dir, ":");
		path = joined(len == 0 ? "." : dir, len == 0 ? 1 : len, name);
		if (path != NULL && access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

static char *
absolute(const char *name)
{
	char dir[4096];

	if (strchr(name, '/') == NULL)
		return found_in_path(name);
	if (*name == '/')
		return strdup(name);
	return getcwd(dir, sizeof(dir)) == NULL
	    ? NULL
	    : joined(dir, strlen(dir), name);
}

static void
add_object(const char *path)
{
	if (*path == '/' && self.nobjects < OBJECTS_MAX &&
	    (self.objects[self.nobjects] = strdup(path)) != NULL)
		self.nobjects++;
}

#ifdef HAVE_LINK_H
static int
on_object(struct dl_phdr_info *info, size_t size, void *ctx)
{
	(void)size;
	(void)ctx;
	add_object(info->dlpi_name);
	return 0;
}
#endif

/* A replaced file is another inode, or was changed later. */
static uint64_t
stamp_of_objects(void)
{
	uint64_t stamp = HASH_SEED;

	for (size_t i = 0; i < self.nobjects; i++) {
		struct stat st;
		int64_t id[4] = { 0 };

		if (stat(self.objects[i], &st) == 0) {
			id[0] = (int64_t)st.st_dev;
			id[1] = (int64_t)st.st_ino;
			id[2] = (int64_t)st.st_mtime;
			id[3] = (int64_t)st.st_size;
		}
		stamp = hash_more(stamp, id, sizeof(id));
	}
	return stamp;
}

void
upgrade_init(char **argv)
{
	self.argv = argv;
	if ((self.path = absolute(argv[0])) == NULL)
		return;
	self.fd = open(self.path, O_RDONLY | O_CLOEXEC);
}

void
upgrade_note(void)
{
	if (self.path == NULL)
		return;
	add_object(self.path);
#ifdef HAVE_LINK_H
	dl_iterate_phdr(on_object, NULL);
#endif
	self.stamp = stamp_of_objects();
}

bool
upgrade_is_due(void)
{
	return self.path != NULL && stamp_of_objects() != self.stamp &&
	    access(self.path, X_OK) == 0;
}

/* ---- handing over ----------------------------------------------------- */

static void
block_signals(int how)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(how, &all, NULL);
}

void
upgrade_unblock(void)
{
	block_signals(SIG_UNBLOCK);
}

const char *
upgrade_clients_file(void)
{
	return getenv(CLIENTS_VARIABLE);
}

pid_t
upgrade_prove(const char *config_path, const char *clients_file, int said_fd)
{
	char *argv[] = { self.argv[0], "--prove", "-f", (char *)config_path,
		NULL };
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	dup2(said_fd, STDOUT_FILENO);
	dup2(said_fd, STDERR_FILENO);
	close(said_fd);
	if (clients_file != NULL)
		setenv(CLIENTS_VARIABLE, clients_file, 1);
	execv(self.path, argv);
	fprintf(stderr, "%s: %s\n", self.path, strerror(errno));
	_exit(1);
}

/* The words of the variable. */
static char *
text_of(int own_fd, const struct upgrade *u)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		return NULL;
	fprintf(f, FORM " socket=%d made=%d program=%d own=%d generations=%u",
	    u->listen_fd, u->made, u->program_fd, own_fd, u->generations);
	for (unsigned i = 0; i < u->nworkers; i++)
		fprintf(f, " %s=%ld", u->workers[i].told ? "ending" : "worker",
		    (long)u->workers[i].pid);
	for (unsigned i = 0; i < u->nfilters; i++)
		fprintf(f, " filter=%" PRIu64, u->filters[i]);
	for (char **arg = self.argv; *arg != NULL; arg++) {
		fputs(" arg=", f);
		for (const char *c = *arg; *c != '\0'; c++)
			fprintf(f, "%02x", (unsigned char)*c);
	}
	if (fclose(f) == EOF) {
		free(text);
		return NULL;
	}
	return text;
}

static void
keep_over_exec(int fd, bool keep)
{
	if (fd != -1)
		fcntl(fd, F_SETFD, keep ? 0 : FD_CLOEXEC);
}

/* fd -1: the program that is at the path. */
static int
execute(int fd, char *const argv[], const struct upgrade *u)
{
	char *text = text_of(fd, u);
	int saved;

	if (text == NULL)
		return -1;
	if (setenv(VARIABLE, text, 1) == -1) {
		free(text);
		return -1;
	}
	free(text);
	block_signals(SIG_BLOCK);
	keep_over_exec(u->listen_fd, true);
	keep_over_exec(u->program_fd, true);
	keep_over_exec(fd, true);
	if (fd == -1)
		execv(self.path, argv);
	else
#ifdef HAVE_FEXECVE
		fexecve(fd, argv, environ);
#else
		errno = ENOSYS;
#endif
	saved = errno;
	keep_over_exec(u->listen_fd, false);
	keep_over_exec(u->program_fd, false);
	keep_over_exec(fd, false);
	unsetenv(VARIABLE);
	upgrade_unblock();
	errno = saved;
	return -1;
}

int
upgrade_execute(const struct upgrade *u)
{
	struct upgrade with_program = *u;

	with_program.program_fd = self.fd;
	return execute(-1, self.argv, &with_program);
}

int
upgrade_go_back(const struct upgrade *u)
{
	struct upgrade without = *u;

	if (u->program_fd == -1 || u->nargs == 0) {
		errno = ENOENT;
		return -1;
	}
	/* From there on there is no way back, and none is needed: it has
	 * served. */
	without.program_fd = -1;
	return execute(u->program_fd, u->argv, &without);
}

/* ---- taking over ------------------------------------------------------ */

static bool
is_child(pid_t pid)
{
	siginfo_t info;

	return pid > 1 &&
	    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static bool
is_listening(int fd)
{
	int on = 0;
	socklen_t len = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on;
}

static void
add_worker(struct upgrade *u, pid_t pid, bool told)
{
	if (u->nworkers < UPGRADE_WORKERS_MAX && is_child(pid))
		u->workers[u->nworkers++] =
		    (struct upgrade_worker){ pid, told };
}

/* Its arguments, in hexadecimal. */
static void
add_arg(struct upgrade *u, const char *hex)
{
	size_t len = strlen(hex) / 2;
	char *arg = malloc(len + 1);
	unsigned byte;

	if (arg == NULL || u->nargs == UPGRADE_ARGS_MAX) {
		free(arg);
		return;
	}
	for (size_t i = 0; i < len; i++)
		arg[i] =
		    sscanf(hex + 2 * i, "%2x", &byte) == 1 ? (char)byte : '?';
	arg[len] = '\0';
	u->argv[u->nargs++] = arg;
}

/* We were executed again: our path now has another program. */
static void
own_file(int fd)
{
	if (fd == -1)
		return;
	keep_over_exec(fd, false);
	if (self.fd != -1)
		close(self.fd);
	self.fd = fd;
}

static void
take_word(struct upgrade *u, const char *name, const char *text)
{
	long value = strtol(text, NULL, 10);

	if (strcmp(name, "arg") == 0)
		add_arg(u, text);
	else if (strcmp(name, "socket") == 0)
		u->listen_fd = (int)value;
	else if (strcmp(name, "made") == 0)
		u->made = value == 1;
	else if (strcmp(name, "program") == 0)
		u->program_fd = (int)value;
	else if (strcmp(name, "own") == 0)
		own_file((int)value);
	else if (strcmp(name, "generations") == 0)
		u->generations = (unsigned)value;
	else if (strcmp(name, "filter") == 0 &&
	    u->nfilters < UPGRADE_FILTERS_MAX)
		u->filters[u->nfilters++] = strtoull(text, NULL, 10);
	else if (strcmp(name, "worker") == 0)
		add_worker(u, (pid_t)value, false);
	else if (strcmp(name, "ending") == 0)
		add_worker(u, (pid_t)value, true);
}

static void
take_words(struct upgrade *u, char *text)
{
	char *word, *value;

	while ((word = strsep(&text, " ")) != NULL) {
		if ((value = strchr(word, '=')) == NULL)
			continue;
		*value++ = '\0';
		take_word(u, word, value);
	}
}

bool
upgrade_adopt(struct upgrade *u)
{
	const char *given = getenv(VARIABLE);
	char *text;

	*u = (struct upgrade){ .listen_fd = -1, .program_fd = -1 };
	if (given == NULL || strncmp(given, FORM " ", 2) != 0 ||
	    (text = strdup(given)) == NULL) {
		unsetenv(VARIABLE);
		return false;
	}
	unsetenv(VARIABLE);
	take_words(u, text);
	free(text);
	if (!is_listening(u->listen_fd)) {
		upgrade_unblock();
		return false;
	}
	keep_over_exec(u->listen_fd, false);
	keep_over_exec(u->program_fd, false);
	if (u->program_fd != -1 && fcntl(u->program_fd, F_GETFD) == -1)
		u->program_fd = -1;
	return true;
}
