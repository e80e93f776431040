/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides what the C library needs for the sources of addresses that
 * nsswitch.conf(5) names, and for nscd.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/services.h"

#define NSCD_SOCKET "/var/run/nscd/socket"
#define LINE_SIZE 1024

const char *const services_dirs[] = { "/run/nscd", "/var/run/nscd",
	"/run/avahi-daemon", "/run/systemd/resolve", "/run/systemd/machine",
	"/run/nslcd", "/var/lib/sss/pipes", "/run/samba/winbindd", NULL };

/* A source that the C library itself looks up needs neither. */
static const struct source {
	const char *name;
	struct services needs;
} sources[] = {
	{ "files", { false, false } },
	{ "dns", { false, false } },
	{ "myhostname", { false, true } },
	{ "db", { false, true } },
};

static void
add_source(struct services *s, const char *name)
{
	static const struct services unknown = { true, true };
	const struct services *needs = &unknown;

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		if (strcmp(sources[i].name, name) == 0)
			needs = &sources[i].needs;
	s->sockets |= needs->sockets;
	s->libraries |= needs->libraries;
}

/* From "files [NOTFOUND=return] dns"; the text is cut up. */
static void
add_sources(struct services *s, char *text)
{
	char *next = text, *word;

	text[strcspn(text, "#\n")] = '\0';
	/* What is to be done after a source is not itself a source. */
	for (char *p = text; (p = strchr(p, '[')) != NULL;)
		memset(p, ' ', strcspn(p, "]") + (strchr(p, ']') != NULL));
	while ((word = strsep(&next, " \t")) != NULL)
		if (*word != '\0')
			add_source(s, word);
}

struct services
services_read(FILE *nsswitch)
{
	static const char hosts[] = "hosts:";
	struct services s = { false, false };
	char line[LINE_SIZE];

	while (fgets(line, sizeof(line), nsswitch) != NULL) {
		char *p = line + strspn(line, " \t");

		if (strncmp(p, hosts, strlen(hosts)) == 0)
			add_sources(&s, p + strlen(hosts));
	}
	return s;
}

struct services
services_find(void)
{
	struct services s = { false, false };
	FILE *file = fopen("/etc/nsswitch.conf", "re");

	/* Without the file, glibc reads /etc/hosts and asks name servers. */
	if (file != NULL) {
		s = services_read(file);
		fclose(file);
	}
	s.sockets |= access(NSCD_SOCKET, F_OK) == 0;
	/* glibc before 2.34 loads a library for files and dns as well. */
#ifdef __GLIBC__
#if !__GLIBC_PREREQ(2, 34)
	s.libraries = true;
#endif
#endif
	return s;
}
