/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a set-up gives up the rights that it does not need.  A separate
 * process asks the gateway.  It can write nothing, and connect only to the
 * gateway's port; it returns names and numbers in a fixed form.  The process
 * that reads them and writes the tool's files has no network.  Of the user's
 * files it has access only to the directories of the tool's files.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "ctl/ctl.h"
#include "ctl/setup_internal.h"
#include "ctl/setup_files.h"
#include "wire/connector.h"

/* ---- asking the gateway ----------------------------------------------- */

/* What the process sends before the models. */
struct said {
	uint32_t asked; /* enum setup_asked */
	uint32_t nmodels;
	char why[256];
};

struct said_model {
	char id[256];
	uint64_t context, output;
	uint8_t images, tools, talks;
};

static _Noreturn void
ask(const struct setup *s, int fd)
{
	static struct setup_models models;
	const char *const names[2] = { s->values.model, s->values.small };
	struct said said = { .nmodels = 0 };
	FILE *out = fdopen(fd, "w");

	if (out == NULL || connector_init() == -1 ||
	    ctl_confine_to(s->values.url) == -1)
		_exit(1);
	said.asked = setup_models_ask(&models, s->values.url, s->values.key,
	    names, s->arena, said.why, sizeof(said.why));
	said.nmodels = (uint32_t)models.n;
	fwrite(&said, sizeof(said), 1, out);
	for (size_t i = 0; i < models.n; i++) {
		const struct setup_model *m = &models.list[i];
		struct said_model one = { .context = m->context,
			.output = m->output,
			.images = m->images,
			.tools = m->tools,
			.talks = m->talks };

		if (strlcpy(one.id, m->id, sizeof(one.id)) < sizeof(one.id))
			fwrite(&one, sizeof(one), 1, out);
	}
	_exit(fclose(out) == EOF);
}

int
setup_ask_start(struct setup *s)
{
	int ends[2];

	s->asked_fd = -1;
	if (s->clients_file != NULL || s->values.key == NULL)
		return 0;
	fflush(NULL);
	if (pipe(ends) == -1 || (s->asker = fork()) == -1) {
		fprintf(stderr, "tailgate setup: %s\n", strerror(errno));
		return -1;
	}
	if (s->asker == 0) {
		close(ends[0]);
		ask(s, ends[1]);
	}
	close(ends[1]);
	s->asked_fd = ends[0];
	return 0;
}

/* Skips a malformed record. */
static void
take_one(struct setup *s, const struct said_model *one)
{
	struct setup_model *m;

	if (memchr(one->id, '\0', sizeof(one->id)) == NULL ||
	    (m = setup_model_add(&s->models, one->id, s->arena)) == NULL)
		return;
	m->context = one->context;
	m->output = one->output;
	m->images = one->images != 0;
	m->tools = one->tools != 0;
	m->talks = one->talks != 0;
}

enum setup_asked
setup_ask_end(struct setup *s, char *why, size_t size)
{
	enum setup_asked asked = SETUP_NOT_TOLD;
	struct said said = { .nmodels = 0 };
	struct said_model one;
	FILE *in = fdopen(s->asked_fd, "r");

	if (in == NULL)
		fatal("out of memory");
	snprintf(why, size, "the process that asks it has failed");
	if (fread(&said, sizeof(said), 1, in) == 1 &&
	    memchr(said.why, '\0', sizeof(said.why)) != NULL &&
	    said.asked <= SETUP_NOT_TOLD) {
		asked = said.asked;
		log_escape(said.why, strlen(said.why), why, size);
		for (uint32_t i = 0;
		     i < said.nmodels && fread(&one, sizeof(one), 1, in) == 1;
		     i++)
			take_one(s, &one);
	}
	fclose(in);
	s->asked_fd = -1;
	while (waitpid(s->asker, NULL, 0) == -1 && errno == EINTR)
		;
	return asked;
}

/* ---- the files -------------------------------------------------------- */

static char *
dir_of(const char *path)
{
	char real[PATH_MAX],
	    *dir = strdup(realpath(path, real) != NULL ? real : path);
	char *slash = dir == NULL ? NULL : strrchr(dir, '/');

	if (dir == NULL)
		fatal("out of memory");
	if (slash != NULL && slash != dir)
		*slash = '\0';
	return dir;
}

/* Adds the directory of a file, and makes it if the file is to be written. */
static void
add_file(struct setup_cage *c, const char *path, const char *made, bool write)
{
	char *first = made == NULL ? NULL : strdup(made);

	if (c->n == SETUP_CAGE_MAX)
		fatal("setup: too many files for one tool");
	if (write && first == NULL)
		setup_dirs_make(path, &first);
	c->paths[c->n] = strdup(path);
	c->made[c->n] = first;
	c->files[c->n] = dir_of(path);
	/* A directory that was made may be removed again. */
	c->above[c->n] = dir_of(first == NULL ? path : first);
	if (c->paths[c->n] == NULL)
		fatal("out of memory");
	c->n++;
}

/* Adds every file in the record of the tool, and the record's directory. */
static void
add_record(struct setup_cage *c, const char *tool, bool write)
{
	char *dir = setup_state_path(tool), *file = NULL, *path, *made;

	if (asprintf(&file, "%s/0.path", dir) == -1)
		fatal("out of memory");
	add_file(c, file, NULL, write);
	free(file);
	/* The record lies three directories deep, all of them ours: dir_of()
	 * has taken one away. */
	for (int i = 0; i < 2; i++)
		*strrchr(dir, '/') = '\0';
	free(c->above[c->n - 1]);
	c->above[c->n - 1] = dir_of(dir);
	free(dir);
	for (unsigned i = 0; setup_record_path(tool, i, &path, &made) == 0;
	     i++) {
		add_file(c, path, made, false);
		free(path);
		free(made);
	}
}

const char *
setup_cage_made(const struct setup_cage *c, const char *path)
{
	const char *made = NULL;

	/* Files may share a directory that was made for one of them. */
	for (size_t i = 0; i < c->n; i++) {
		size_t n = c->made[i] == NULL ? 0 : strlen(c->made[i]);

		if (n > 0 && strncmp(c->made[i], path, n) == 0 &&
		    path[n] == '/' && (made == NULL || n < strlen(made)))
			made = c->made[i];
	}
	return made;
}

int
setup_cage_enter(struct setup *s)
{
	struct setup_cage *c = &s->cage;
	struct config config = { .clients_file = s->clients_file,
		.sandbox = CONFINE_ON };
	const char *const *files = (const char *const *)c->files;
	bool write = !s->print && !s->dry && !s->script && !s->undo;
	struct sandbox_more more = { .dirs = (const char *const *)c->above };

	if (s->key_path != NULL)
		add_file(c, s->key_path, NULL, write);
	for (size_t i = 0;
	     !s->undo && i < SETUP_FILES_MAX && s->tool->files[i].path != NULL;
	     i++) {
		char *path = setup_path(s->tool->files[i].path);

		add_file(c, path, NULL, write);
		free(path);
	}
	add_record(c, s->tool->name, write);
	if (s->print || s->dry || s->script)
		more = (struct sandbox_more){ .reads = files };
	else
		more.writes = files;
	return ctl_confine(&config, SANDBOX_SETUP, &more);
}

/* Removes the directories that were made but that nothing was written to. */
void
setup_cage_free(struct setup_cage *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const char *made = setup_cage_made(c, c->paths[i]);

		if (made != NULL)
			setup_dirs_remove(c->paths[i], made);
	}
	for (size_t i = 0; i < c->n; i++) {
		free(c->paths[i]);
		free(c->made[i]);
		free(c->files[i]);
		free(c->above[i]);
	}
}
