/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What each role would ask of OpenBSD, with functions that record it in the
 * place of pledge(2) and unveil(2): promises and rights that there are, none
 * that a role has no use for, and none that its parent has given up.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

static int pledge(const char *promises, const char *exec_promises);
static int unveil(const char *path, const char *rights);

#ifndef __OpenBSD__
#define __OpenBSD__ 1
#endif
#define sandbox_openbsd openbsd_asks
#include "sandbox/openbsd.c"

static char promised[256];
static char unveiled[4096]; /* "PATH RIGHTS\n" */
static int nlocked;

static int
pledge(const char *promises, const char *exec_promises)
{
	CHECK(exec_promises == NULL, "a successor begins with all promises");
	snprintf(promised, sizeof(promised), "%s", promises);
	return 0;
}

static int
unveil(const char *path, const char *rights)
{
	if (path == NULL) {
		nlocked++;
		return 0;
	}
	if (strcmp(path, "/none") == 0)
		return -1;
	snprintf(unveiled + strlen(unveiled),
	    sizeof(unveiled) - strlen(unveiled), "%s %s\n", path, rights);
	return 0;
}

/* Is the word one of the list's, which are separated by spaces? */
static bool
has(const char *list, const char *word, size_t len)
{
	for (size_t n; *list != '\0'; list += n + (list[n] == ' ')) {
		n = strcspn(list, " ");
		if (n == len && memcmp(list, word, len) == 0)
			return true;
	}
	return false;
}

static bool
promises(const char *word)
{
	return has(promised, word, strlen(word));
}

/* Every word of one list is in the other. */
static bool
within(const char *list, const char *other)
{
	for (size_t n; *list != '\0'; list += n + (list[n] == ' ')) {
		n = strcspn(list, " ");
		if (!has(other, list, n))
			return false;
	}
	return true;
}

static int
ask(struct sandbox_rules r)
{
	promised[0] = unveiled[0] = '\0';
	nlocked = 0;
	r.paths[0] = (struct sandbox_path){ "/read", SANDBOX_READ };
	r.paths[1] = (struct sandbox_path){ "/none", SANDBOX_READ };
	r.paths[2] = (struct sandbox_path){ "/write", SANDBOX_WRITE };
	r.paths[3] = (struct sandbox_path){ "/share", SANDBOX_SHARE };
	r.paths[4] = (struct sandbox_path){ "/dirs", SANDBOX_DIRS };
	r.paths[5] = (struct sandbox_path){ "/log", SANDBOX_LOG };
	r.npaths = 6;
	return openbsd_asks(&r);
}

int
main(void)
{
	/* pledge(2) of OpenBSD 7.6; of none of these has a role a use: bpf,
	 * chown, disklabel, drm, error, getpw, id, mcast, pf, ps, prot_exec,
	 * route, settime, tape, tmppath, vminfo, vmm, wroute. */
	static const char known[] = "stdio rpath wpath cpath dpath fattr flock "
				    "inet unix dns sendfd recvfd tty proc exec "
				    "unveil";
	static const struct {
		const char *name;
		struct sandbox_rules rules;
		bool forked; /* by a parent */
	} roles[] = {
		{ "worker", { .files = true, .connect = true, .serves = true },
		    true },
		{ "ledger", { .files = true, .writes_only = true }, true },
		{ "waker", { .files = true, .wakes = true }, true },
		{ "probe", { .files = true, .connect = true }, false },
		{ "inspect", { .files = true }, false },
		{ "capture", { .role = SANDBOX_CAPTURE, .files = true },
		    false },
		{ "check", { .files = true, .looks = true }, false },
	};
	char parent[sizeof(promised)];

	CHECK(ask((struct sandbox_rules){ .fork = true, .connect = true }) ==
		    SANDBOX_CALLS &&
		unveiled[0] == '\0' && nlocked == 0,
	    "a parent's files are not held");
	CHECK(within(promised, known) && promises("exec") &&
		promises("unveil") && promises("proc"),
	    "it makes processes, and its successor");
	memcpy(parent, promised, sizeof(parent));
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		const char *name = roles[i].name;
		bool connects = roles[i].rules.connect || roles[i].rules.wakes;

		CHECK(ask(roles[i].rules) != -1 && within(promised, known),
		    "%s: all of its promises are known", name);
		CHECK(!roles[i].forked || within(promised, parent),
		    "%s: it begins with them", name);
		CHECK(!promises("exec") && !promises("proc") &&
			!promises("unveil"),
		    "%s: no program, no process, no other file", name);
		CHECK(
		    promises("inet") == connects && promises("dns") == connects,
		    "%s: it connects only if it is to", name);
		CHECK(nlocked == !roles[i].rules.looks &&
			promises("wpath") ==
			    !(roles[i].rules.looks || roles[i].rules.wakes),
		    "%s: no other path can be written", name);
		CHECK_STR(unveiled,
		    roles[i].rules.looks ? ""
					 : "/read r\n/write rwc\n/share rwc\n"
					   "/dirs rc\n",
		    "%s: its paths", name);
	}
	return check_done();
}
