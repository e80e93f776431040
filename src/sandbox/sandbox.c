/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides which paths and ports a role needs, and how far the system can confine
 * it to them.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#ifdef HAVE_SYS_PRCTL_H
#include <sys/prctl.h>
#endif

#include "base/hash.h"
#include "base/log.h"
#include "sandbox/rules.h"
#include "sandbox/sandbox.h"

#define PORT_DNS 53

/* What the C library, the resolver and TLS read at run time.  Single files
 * of /etc, because shadow and keys are there too. */
static const char *const system_paths[] = { "/etc/resolv.conf", "/etc/hosts",
	"/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf",
	"/etc/services", "/etc/protocols", "/etc/localtime", "/etc/ld.so.cache",
	"/etc/ssl/certs", "/etc/ssl/cert.pem", "/etc/ssl/openssl.cnf",
	"/etc/pki/tls", "/etc/pki/ca-trust", "/etc/ca-certificates",
	"/run/systemd/resolve", "/usr/lib", "/usr/lib64",
	"/usr/share/ca-certificates", "/usr/local/share/ca-certificates",
	"/usr/share/zoneinfo", "/usr/share/locale", "/usr/local/lib", "/lib",
	"/lib64", "/dev/urandom", "/dev/null", "/proc/self", "/proc/meminfo",
	"/proc/sys/kernel", "/proc/sys/vm", "/sys/devices/system/cpu" };

static void
add_path(struct sandbox_rules *r, const char *path, enum sandbox_access access)
{
	if (path == NULL || *path == '\0' || r->npaths == SANDBOX_PATHS_MAX)
		return;
	r->paths[r->npaths++] = (struct sandbox_path){ path, access };
}

/* The directory of a file, which may be replaced by another of its name. */
static void
add_dir_of(
    struct sandbox_rules *r, const char *file, enum sandbox_access access)
{
	const char *slash;
	char *dir = r->dirs + r->dirs_used;
	size_t len;

	if (file == NULL || (slash = strrchr(file, '/')) == NULL)
		return;
	len = slash == file ? 1 : (size_t)(slash - file);
	if (len >= sizeof(r->dirs) - r->dirs_used) {
		log_warn("sandbox: no room for the directory of %s", file);
		return;
	}
	memcpy(dir, file, len);
	dir[len] = '\0';
	for (size_t i = 0; i < r->npaths; i++)
		if (r->paths[i].access == access &&
		    strcmp(r->paths[i].path, dir) == 0)
			return;
	r->dirs_used += len + 1;
	add_path(r, dir, access);
}

static void
add_port(struct sandbox_rules *r, uint16_t port)
{
	for (size_t i = 0; i < r->nports; i++)
		if (r->ports[i] == port)
			return;
	if (r->nports == SANDBOX_PORTS_MAX)
		r->ports_full = true;
	else
		r->ports[r->nports++] = port;
}

static void
add_providers(struct sandbox_rules *r, const struct config *c)
{
	add_port(r, PORT_DNS);
	if (c->store.link.port != 0) {
		add_port(r, c->store.link.port);
		add_path(r, c->store.link.ca_file, SANDBOX_READ);
	}
	for (size_t i = 0; i < c->nproviders; i++) {
		const struct provider *p = &c->providers[i];

		if (p->port == 0)
			continue;
		add_port(r, p->port);
		/* Opened again for each connection.  Not its directory,
		 * which may also contain the configuration and the keys. */
		add_path(r, p->ca_file, SANDBOX_READ);
		add_path(r, p->ca_path, SANDBOX_READ);
	}
}

static void
add_system(struct sandbox_rules *r)
{
	for (size_t i = 0; i < sizeof(system_paths) / sizeof(*system_paths);
	     i++)
		add_path(r, system_paths[i],
		    strcmp(system_paths[i], "/dev/null") == 0 ? SANDBOX_WRITE
							      : SANDBOX_READ);
}

/* What the processes share, and the ledger, which only one of them writes. */
static void
add_state(
    struct sandbox_rules *r, const struct config *c, enum sandbox_access access)
{
	add_path(r, c->runtime_dir, access);
	add_path(r, c->spool_dir, access);
	add_path(r, c->state_dir, SANDBOX_READ);
	add_dir_of(r, c->ledger_file, SANDBOX_READ);
}

static void
add_files(
    struct sandbox_rules *r, enum sandbox_role role, const struct config *c)
{
	if (role == SANDBOX_LEDGER || role == SANDBOX_WAKER) {
		add_path(r, "/dev/null", SANDBOX_WRITE);
		if (role == SANDBOX_LEDGER)
			add_dir_of(r, c->ledger_file, SANDBOX_WRITE);
		return;
	}
	add_system(r);
	switch (role) {
	case SANDBOX_MOUNT:
		break;
	case SANDBOX_INIT:
		add_dir_of(r, c->path, SANDBOX_WRITE);
		break;
	case SANDBOX_SETUP:
		add_dir_of(r, c->clients_file, SANDBOX_WRITE);
		break;
	case SANDBOX_CAPTURE:
		add_path(r, c->runtime_dir, SANDBOX_WRITE);
		break;
	default:
		add_state(r, c,
		    role == SANDBOX_CHECK ? SANDBOX_READ
			: r->serves       ? SANDBOX_SHARE
					  : SANDBOX_WRITE);
	}
	if (role == SANDBOX_INSPECT || role == SANDBOX_CHECK ||
	    role == SANDBOX_EDIT) {
		add_dir_of(r, c->path, SANDBOX_READ);
		add_dir_of(r, c->clients_file,
		    role == SANDBOX_EDIT ? SANDBOX_WRITE : SANDBOX_READ);
	}
}

/* Their directories: a service that is started again makes another socket. */
static void
add_sockets(struct sandbox_rules *r, const struct config *c)
{
	if (r->log) {
		add_path(r, "/dev", SANDBOX_LOG);
		add_path(r, "/run/systemd/journal", SANDBOX_LOG);
	}
	for (size_t i = 0; r->services.sockets && services_dirs[i] != NULL; i++)
		add_path(r, services_dirs[i], SANDBOX_ASK);
	if (r->connect && c->store.path != NULL) {
		r->services.sockets = true;
		add_dir_of(r, c->store.path, SANDBOX_ASK);
	}
}

static void
rules_make(
    struct sandbox_rules *r, enum sandbox_role role, const struct config *c)
{
	memset(r, 0, sizeof(*r));
	r->role = role;
	r->fork = role == SANDBOX_PARENT;
	r->files = role != SANDBOX_PARENT;
	r->looks = role == SANDBOX_CHECK;
	r->serves = role == SANDBOX_WORKER || role == SANDBOX_CGI;
	r->writes_only = role == SANDBOX_LEDGER;
	r->wakes = role == SANDBOX_WAKER;
	r->log = c->log_syslog;
	/* The resolver starts a thread. */
	r->connect = r->fork || r->serves || role == SANDBOX_PROBE ||
	    role == SANDBOX_MOUNT || role == SANDBOX_INIT;
	if (r->files)
		add_files(r, role, c);
	if (r->files && r->connect) {
		r->services = services_find();
		add_providers(r, c);
	}
	for (size_t i = 0; r->wakes && i < c->nproviders; i++)
		add_port(r, (uint16_t)c->providers[i].wake.port);
	if (r->files)
		add_sockets(r, c);
}

static void
add_list(struct sandbox_rules *r, const char *const *paths,
    enum sandbox_access access)
{
	for (; paths != NULL && *paths != NULL; paths++)
		add_path(r, *paths, access);
}

static void
add_more(struct sandbox_rules *r, const struct sandbox_more *more)
{
	if (more == NULL)
		return;
	add_list(r, more->reads, SANDBOX_READ);
	add_list(r, more->writes, SANDBOX_WRITE);
	add_list(r, more->dirs, SANDBOX_DIRS);
	r->has_filter = more->has_filter;
}

static unsigned
no_new_privs(void)
{
#ifdef PR_SET_NO_NEW_PRIVS
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		return SANDBOX_NO_NEW_PRIVS;
#endif
	return 0;
}

int
sandbox_enter(enum sandbox_role role, const struct config *c,
    const struct sandbox_more *more, unsigned *force, char *why, size_t size)
{
	static int (*const ways[])(const struct sandbox_rules *) = {
		sandbox_landlock, sandbox_seccomp, sandbox_openbsd
	};
	struct sandbox_rules rules;
	unsigned wanted = SANDBOX_CALLS;
	char text[64];

	*force = 0;
	if (c->sandbox == CONFINE_OFF)
		return 0;
	rules_make(&rules, role, c);
	add_more(&rules, more);
	*force = no_new_privs();
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		int rc = ways[i](&rules);

		if (rc == -1)
			log_warn(
			    "sandbox: a part is missing: %s", strerror(errno));
		else
			*force |= (unsigned)rc;
	}
	if (rules.files)
		wanted |= SANDBOX_FILES;
	if (c->sandbox != CONFINE_REQUIRE || (*force & wanted) == wanted)
		return 0;
	sandbox_text(*force, text, sizeof(text));
	snprintf(why, size,
	    "sandbox = \"require\", but this system has only: %s; use \"on\" "
	    "to run with that",
	    text);
	return -1;
}

void
sandbox_prepare(enum sandbox_role role, const struct config *c)
{
	struct sandbox_rules rules;

	if (c->sandbox == CONFINE_OFF)
		return;
	rules_make(&rules, role, c);
	sandbox_seccomp_prepare(&rules);
}

uint64_t
sandbox_stamp(const struct config *c)
{
	struct sandbox_rules rules;
	uint64_t stamp = HASH_SEED;

	if (c->sandbox == CONFINE_OFF)
		return 0;
	rules_make(&rules, SANDBOX_WORKER, c);
	for (size_t i = 0; i < rules.npaths; i++) {
		struct stat st;
		uint64_t id[2] = { 0, 0 };

		/* While slots of a replaced one are held, new workers would
		 * let too many through: the old ones ask for them then. */
		if (c->nlimits > 0 &&
		    strcmp(rules.paths[i].path, c->runtime_dir) == 0)
			continue;
		if (stat(rules.paths[i].path, &st) == 0) {
			id[0] = (uint64_t)st.st_dev;
			id[1] = (uint64_t)st.st_ino;
		}
		stamp = hash_more(stamp, id, sizeof(id));
	}
	return stamp;
}

const char *
sandbox_part(unsigned i)
{
	static const char *const names[] = { "no_new_privs", "files", "ports",
		"calls", "scopes" };

	return i < sizeof(names) / sizeof(names[0]) ? names[i] : NULL;
}

void
sandbox_text(unsigned force, char *out, size_t size)
{
	*out = '\0';
	for (unsigned i = 0; sandbox_part(i) != NULL; i++) {
		if ((force & 1u << i) == 0)
			continue;
		if (*out != '\0')
			strlcat(out, " ", size);
		strlcat(out, sandbox_part(i), size);
	}
	if (*out == '\0')
		strlcpy(out, "none", size);
}
