/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Runs a fuzz target over files, without a fuzzer: each argument is a file or
 * a directory of files.  Prints TAP.
 */
#include "config.h"

#include <sys/stat.h>

#include <dirent.h>
#include <string.h>

#include "fuzz.h"

static int count;

static void
replay_file(const char *path)
{
	FILE *f = fopen(path, "r");
	uint8_t *data = NULL, *exact;
	size_t size = 0, n;
	char piece[4096];

	if (f == NULL) {
		perror(path);
		exit(99);
	}
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0) {
		data = realloc(data, size + n);
		if (data == NULL)
			exit(99);
		memcpy(data + size, piece, n);
		size += n;
	}
	fclose(f);
	/* Exactly as long as the input, so that a read past the end is seen. */
	exact = malloc(size == 0 ? 1 : size);
	if (exact == NULL)
		exit(99);
	if (size > 0)
		memcpy(exact, data, size);
	free(data);
	fprintf(stderr, "# %s\n", path);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	printf("ok %d - %s\n", ++count, path);
}

static void
replay_directory(const char *dir)
{
	struct dirent **names;
	char path[4096];
	int n = scandir(dir, &names, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		if (names[i]->d_name[0] != '.') {
			snprintf(
			    path, sizeof(path), "%s/%s", dir, names[i]->d_name);
			replay_file(path);
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

int
main(int argc, char **argv)
{
	struct stat st;

	for (int i = 1; i < argc; i++) {
		if (stat(argv[i], &st) == -1) {
			perror(argv[i]);
			return 99;
		}
		if (S_ISDIR(st.st_mode))
			replay_directory(argv[i]);
		else
			replay_file(argv[i]);
	}
	printf("1..%d\n", count);
	return count > 0 ? 0 : 99;
}
