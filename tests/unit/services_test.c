/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What hosts need besides name servers to look addresses up, by the text of
 * nsswitch.conf(5).
 */
#include "config.h"

#include <stdlib.h>

#include "check.h"
#include "sandbox/services.h"

static struct services
of(const char *text)
{
	char *copy = strdup(text);
	FILE *file =
	    copy == NULL ? NULL : fmemopen(copy, strlen(copy) + 1, "r");
	struct services result;

	if (file == NULL)
		exit(99);
	result = services_read(file);
	fclose(file);
	free(copy);
	return result;
}

int
main(void)
{
	static const struct {
		const char *text;
		struct services needs; /* sockets, libraries */
	} rows[] = {
		{ "hosts: files dns\n", { false, false } },
		{ "hosts:files dns", { false, false } },
		{ "hosts:\n", { false, false } },
		{ "  hosts:\t\tfiles\tdns # resolve\n", { false, false } },
		{ "hosts: files [NOTFOUND=return] dns\n", { false, false } },
		{ "hosts: files [ !UNAVAIL=return SUCCESS=merge ] dns\n",
		    { false, false } },
		{ "passwd: files systemd\nhosts: files\nrpc: nis\n",
		    { false, false } },
		{ "# hosts: files resolve\nhosts: files\n", { false, false } },
		{ "passwd: files sss\n", { false, false } },
		{ "", { false, false } },
		{ "hosts: files dns myhostname\n", { false, true } },
		{ "hosts: db files dns\n", { false, true } },
		{ "hosts: files mdns4_minimal [NOTFOUND=return] dns\n",
		    { true, true } },
		{ "hosts: resolve [!UNAVAIL=return] files dns\n",
		    { true, true } },
		{ "hosts: files [NOTFOUND=return]resolve\n", { true, true } },
		{ "hosts: files dns\nhosts: mymachines\n", { true, true } },
		{ "hosts: sss", { true, true } },
		{ "hosts: files [NOTFOUND", { false, false } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct services s = of(rows[i].text);

		CHECK(s.sockets == rows[i].needs.sockets &&
			s.libraries == rows[i].needs.libraries,
		    "%.*s: sockets %d, libraries %d",
		    (int)strcspn(rows[i].text, "\n"), rows[i].text, s.sockets,
		    s.libraries);
	}
	return check_done();
}
