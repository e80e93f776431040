/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how another user's access is checked: a child process becomes that
 * user.
 */
#include "config.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "ctl/access.h"
#include "ctl/ctl.h"
#include "state/mapfile.h"

#define FAILURES_MAX 100 /* one more must fit in an exit status */

struct looking {
	const struct config *config;
	const char *user, *group; /* for messages */
	bool root; /* as root, which the service is not */
	FILE *out;
	int failures;
};

static void
fail(struct looking *l, const char *setting, const char *path, const char *what)
{
	fprintf(l->out, "%s: %s: user %s cannot %s %s: %s\n", l->config->path,
	    setting, l->user, what, path, strerror(errno));
	l->failures += l->failures < FAILURES_MAX;
}

static void
look_readable(struct looking *l, const char *setting, const char *path)
{
	if (path == NULL || *path == '\0' || access(path, R_OK) == 0)
		return;
	if (errno == ENOENT && strcmp(setting, "clients_file") == 0)
		return; /* none yet */
	fail(l, setting, path, "read");
	fprintf(l->out,
	    "  to fix it: chgrp %s %s && chmod g+r %s (and g+x of the "
	    "directories above)\n",
	    l->group, path, path);
}

/* The parent directory of a path, in storage of the caller's. */
static const char *
parent_of(const char *path, char *out, size_t size)
{
	char *slash;

	strlcpy(out, path, size);
	slash = strrchr(out, '/');
	if (slash == NULL)
		return ".";
	slash[slash == out] = '\0';
	return out;
}

static void
look_writable(struct looking *l, const char *setting, const char *path)
{
	char parent[4096];
	struct stat st;
	bool good;

	if (path == NULL)
		return;
	if (stat(path, &st) == -1 && errno == ENOENT)
		/* tailgate.fcgi makes it. */
		good = access(parent_of(path, parent, sizeof(parent)),
			   W_OK | X_OK) == 0;
	else
		good = access(path, R_OK | W_OK | X_OK) == 0;
	if (good)
		return;
	fail(l, setting, path, "write to");
	if (l->root)
		fprintf(l->out,
		    "  for the service: `tailgate check --user tailgate`\n");
	else
		fprintf(l->out,
		    "  to fix it: install -d -o %s -g %s -m 0750 %s\n", l->user,
		    l->group, path);
}

/* When the gateway starts, it also checks the owner of the directories, the
 * other users that may write to them, and that none is a symbolic link. */
static void
look_at_runtime(struct looking *l)
{
	const struct config *c = l->config;
	char why[1200], slots[CONFIG_RUNTIME_DIR_MAX + 16];
	int fd = -1;

	/* The gateway makes it when it starts. */
	if (access(c->runtime_dir, F_OK) == -1 && errno == ENOENT)
		return;
	mapfile_set_role(MAPFILE_ONLOOKER);
	why[0] = '\0';
	snprintf(slots, sizeof(slots), "%s/slots", c->runtime_dir);
	if (mapfile_check_dir(c->runtime_dir, why, sizeof(why)) == 0 &&
	    access(slots, F_OK) == 0)
		for (size_t i = 0; i < c->nlimits; i++) {
			fd = mapfile_open_dir(
			    slots, c->limits[i].name, why, sizeof(why));
			if (fd != -1)
				close(fd);
			else if (errno != ENOENT)
				break;
			why[0] = '\0';
		}
	if (why[0] == '\0')
		return;
	fprintf(l->out, "%s: runtime_dir: %s\n", c->path, why);
	l->failures += l->failures < FAILURES_MAX;
}

/* The ledger, or a file beside it, if there is one. */
static void
look_at_ledger_file(struct looking *l, const char *path, int mode)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return;
	errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	if (S_ISREG(st.st_mode) && access(path, mode) == 0)
		return;
	fail(l, "ledger.file", path, "write to");
	/* Not for a link: who owns the directory may have made it. */
	if (S_ISREG(st.st_mode) && !l->root && lstat(path, &st) == 0 &&
	    S_ISREG(st.st_mode))
		fprintf(l->out, "  to fix it: chown -h %s:%s %s\n", l->user,
		    l->group, path);
}

static void
look_at_ledger(struct looking *l)
{
	const char *path = l->config->ledger_file;
	char dir[4096], beside[4096];

	if (!l->config->ledger || path == NULL)
		return;
	parent_of(path, dir, sizeof(dir));
	/* state_dir itself may not exist yet. */
	if (strcmp(dir, l->config->state_dir) != 0)
		look_writable(l, "ledger.file", dir);
	look_at_ledger_file(l, path, R_OK | W_OK);
	/* Nobody may read the lock. */
	snprintf(beside, sizeof(beside), "%s.lock", path);
	look_at_ledger_file(l, beside, W_OK);
	snprintf(beside, sizeof(beside), "%s.tail", path);
	look_at_ledger_file(l, beside, R_OK | W_OK);
}

static void
look_at_providers(struct looking *l)
{
	const struct config *c = l->config;

	for (size_t i = 0; i < c->nproviders; i++) {
		const struct provider *p = &c->providers[i];
		char setting[64];

		for (size_t k = 0; k < p->nkeys; k++) {
			snprintf(setting, sizeof(setting),
			    "providers[%zu].key%s", i,
			    p->nkey_sources > 0 ? "s" : "");
			look_readable(
			    l, setting, config_key_source(p, k)->file);
		}
		snprintf(setting, sizeof(setting), "providers[%zu].ca_file", i);
		look_readable(l, setting, p->ca_file);
	}
}

static int
look(struct looking *l)
{
	const struct config *c = l->config;

	look_readable(l, "configuration", c->path);
	look_readable(l, "clients_file", c->clients_file);
	look_readable(l, "price_file", c->price_file);
	look_at_providers(l);
	look_writable(l, "runtime_dir", c->runtime_dir);
	look_writable(l, "state_dir", c->state_dir);
	look_writable(l, "body.spool_dir", c->spool_dir);
	look_at_ledger(l);
	if (l->failures == 0)
		look_at_runtime(l);
	fflush(l->out);
	return l->failures;
}

static bool
become(const struct passwd *pw)
{
	return geteuid() == pw->pw_uid ||
	    (initgroups(pw->pw_name, pw->pw_gid) == 0 &&
		setgid(pw->pw_gid) == 0 && setuid(pw->pw_uid) == 0);
}

static int
look_as(struct looking *l, const struct passwd *pw)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (!become(pw)) {
			fprintf(l->out,
			    "tailgate check: cannot become user %s: %s; run it "
			    "as root\n",
			    pw->pw_name, strerror(errno));
			fflush(l->out);
			_exit(FAILURES_MAX + 1);
		}
		_exit(ctl_confine(l->config, SANDBOX_CHECK, NULL) == -1
			? FAILURES_MAX + 1
			: look(l));
	}
	if (pid == -1 || waitpid(pid, &status, 0) != pid)
		fatal("cannot look as another user: %s", strerror(errno));
	if (!WIFEXITED(status))
		fatal("the check as user %s was killed by signal %d",
		    pw->pw_name, WTERMSIG(status));
	return WEXITSTATUS(status) > FAILURES_MAX ? -1 : WEXITSTATUS(status);
}

int
access_check(const struct config *config, const char *user, FILE *out)
{
	const struct passwd *pw =
	    user != NULL ? getpwnam(user) : getpwuid(geteuid());
	struct looking l = { .config = config, .out = out };
	const struct group *gr;

	if (pw == NULL && user != NULL) {
		fprintf(out,
		    "tailgate check: no user %s on this system; make it "
		    "with useradd, or with systemd-sysusers from "
		    "contrib/systemd/tailgate.sysusers\n",
		    user);
		return -1;
	}
	l.user = pw != NULL ? pw->pw_name : "?";
	gr = getgrgid(pw != NULL ? pw->pw_gid : getegid());
	l.group = gr != NULL ? gr->gr_name : "?";
	l.root = user == NULL && geteuid() == 0;
	if (user != NULL)
		return look_as(&l, pw);
	return ctl_confine(config, SANDBOX_CHECK, NULL) == -1 ? -1 : look(&l);
}
