/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The config loader, with a file as an operator might leave it.  When it
 * refuses one it must say at least one line; what it accepts can be dumped.
 */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "config/settings.h"
#include "fuzz.h"

static char path[64];

static void
forget(void)
{
	unlink(path);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	char *said = NULL, *dumped = NULL;
	size_t nsaid, ndumped;
	struct config *config;
	FILE *err, *out;

	/* Skips inputs that include other files. */
	if (size > 0 && memmem(data, size, "@include", 8) != NULL)
		return 0;
	if (fd == -1) {
		strcpy(path, "/tmp/config_fuzz.XXXXXX");
		fd = mkstemp(path);
		MUST(fd != -1);
		atexit(forget);
	}
	MUST(ftruncate(fd, 0) == 0);
	MUST(pwrite(fd, data, size, 0) == (ssize_t)size);
	err = open_memstream(&said, &nsaid);
	config = config_load(path, CONFIG_NO_SECRETS, err);
	fclose(err);
	MUST(config != NULL || nsaid > 0);
	if (config != NULL) {
		out = open_memstream(&dumped, &ndumped);
		config_dump(config, out);
		fclose(out);
		MUST(ndumped > 0);
	}
	config_free(config);
	free(said);
	free(dumped);
	return 0;
}
