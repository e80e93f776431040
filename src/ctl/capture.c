/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * tailgate capture: begins and ends the recording of a client's exchanges, and
 * lists the files.  The gateway writes them (serve/record.c).
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ctl/capture_file.h"
#include "ctl/ctl.h"
#include "ctl/table.h"
#include "state/recording.h"

#define MOST 20 /* exchanges, without --max */
#define WHY_SIZE 1200 /* a path and a sentence */

const struct ctl_option ctl_capture_options[] = {
	{ "client", "NAME", 'c', "whose exchanges are recorded" },
	{ "for", "TIME", 'f', "for how long: 90s, 10m, 2h, up to 24h" },
	{ "max", "NUMBER", 'm', "and how many of them (20)" },
	{ "stop", NULL, 's', "end the recording now" },
	{ "remove", NULL, 'r', "end it, and remove what was recorded" },
	{ NULL, NULL, 0, NULL },
};

struct asked {
	const char *client;
	int64_t for_ms;
	unsigned most;
	bool stop, remove, list;
};

/* "90s", "10m", "2h"; -1: it is none of these, or too long. */
static int64_t
time_parse(const char *text)
{
	static const struct {
		char unit;
		int64_t ms;
	} units[] = { { 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 } };
	char *end;
	long n = strtol(text, &end, 10);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (end != text && end[0] == units[i].unit && end[1] == '\0' &&
		    n > 0 && n <= RECORDING_LONGEST_MS / units[i].ms)
			return n * units[i].ms;
	return -1;
}

static int
take_options(int argc, char **argv, struct asked *asked)
{
	const char *wrong = NULL;
	int c;

	while ((c = ctl_option_next(
		    argc, argv, "capture", ctl_capture_options)) != -1) {
		if (c == 'c')
			asked->client = optarg;
		else if (c == 'f')
			asked->for_ms = time_parse(optarg);
		else if (c == 'm')
			asked->most = (unsigned)strtonum(
			    optarg, 1, RECORDING_MOST, &wrong);
		else if (c == 's')
			asked->stop = true;
		else if (c == 'r')
			asked->remove = true;
		else
			return ctl_misuse("capture", NULL);
	}
	if (asked->for_ms == -1)
		return ctl_misuse("capture",
		    "--for must be a time such as 90s, 10m or 2h, up to 24h");
	if (wrong != NULL)
		return ctl_misuse(
		    "capture", "--max must be 1..%d", RECORDING_MOST);
	asked->list = optind < argc && strcmp(argv[optind], "list") == 0;
	if (optind + asked->list != argc)
		return ctl_misuse("capture", "only the word `list`");
	if (asked->client == NULL && !asked->stop && !asked->remove)
		asked->list = true;
	if (asked->client != NULL &&
	    (asked->stop || asked->remove || asked->list))
		return ctl_misuse("capture",
		    "a recording is begun, ended or listed: one of them");
	if (asked->client != NULL && asked->for_ms == 0)
		return ctl_misuse("capture", "--for TIME is needed, too");
	return 0;
}

/* ---- begin, end --------------------------------------------------------- */

static int
begin(const struct config *config, struct recording *recording,
    const struct asked *asked)
{
	struct recording_facts facts;
	char until[CLOCK_TEXT_SIZE];
	char why[WHY_SIZE];

	if (config_client(config, asked->client) == NULL) {
		fprintf(stderr,
		    "tailgate capture: there is no client %s; `tailgate "
		    "client list` names them\n",
		    asked->client);
		return 1;
	}
	if (recording_start(recording, asked->client, asked->for_ms,
		asked->most, why, sizeof(why)) == -1) {
		fprintf(stderr, "tailgate capture: %s\n", why);
		return 1;
	}
	recording_facts(recording, &facts);
	clock_text(facts.until_wall_ms, until);
	printf("Recording client %s until %s, %u exchanges at the most.\n"
	       "The files hold what is said, and lie in %s;\n"
	       "they are removed a day after that.  `tailgate capture --stop` "
	       "ends it.\n",
	    facts.client, until, facts.most, recording_dir(recording));
	return 0;
}

static int
end(struct recording *recording, bool remove)
{
	bool on = recording_stop(recording);

	if (remove && recording_remove(recording) == -1)
		return 1;
	if (remove)
		puts("All recorded exchanges are removed.");
	else if (on)
		puts("The recording has ended; its files are kept.");
	else
		puts("Nothing is being recorded.");
	return 0;
}

/* ---- list --------------------------------------------------------------- */

static int
is_capture(const struct dirent *e)
{
	size_t n = strlen(e->d_name), end = sizeof(RECORDING_END) - 1;

	return e->d_name[0] != '.' && n > end &&
	    strcmp(e->d_name + n - end, RECORDING_END) == 0;
}

struct found {
	char path[1024]; /* runtime_dir has at most 900 bytes */
	struct timespec at; /* when it was written */
};

static int
by_time(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->at.tv_sec != y->at.tv_sec)
		return x->at.tv_sec < y->at.tv_sec ? -1 : 1;
	return (x->at.tv_nsec > y->at.tv_nsec) -
	    (x->at.tv_nsec < y->at.tv_nsec);
}

/* The files in the directory, the oldest first; the caller frees them. */
static struct found *
find_files(const char *dir, size_t *count)
{
	struct dirent **names = NULL;
	int n = scandir(dir, &names, is_capture, alphasort);
	struct found *files =
	    calloc((size_t)(n > 0 ? n : 0) + 1, sizeof(*files));
	struct stat st;

	if (files == NULL)
		fatal("out of memory");
	*count = 0;
	for (int i = 0; i < n; i++) {
		struct found *f = &files[*count];

		snprintf(
		    f->path, sizeof(f->path), "%s/%s", dir, names[i]->d_name);
		if (stat(f->path, &st) == 0) {
			f->at = st.st_mtim;
			++*count;
		}
		free(names[i]);
	}
	free(names);
	qsort(files, *count, sizeof(*files), by_time);
	return files;
}

static void
add_file(struct table *t, const char *path)
{
	struct capture_file file;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd == -1 || capture_file_read(fd, &file) != NULL)
		return;
	table_cell(t, "%s", capture_file_text(&file, "at"));
	table_cell(t, "%s", capture_file_text(&file, "client"));
	table_cell(t, "%s", capture_file_text(&file, "endpoint"));
	table_cell(t, "%s", capture_file_text(&file, "model"));
	table_cell(t, "%lld", (long long)capture_file_number(&file, "status"));
	table_number(t, (long long)file.request.len);
	table_number(t, (long long)file.response.len);
	table_cell(t, "%s", path);
	capture_file_free(&file);
}

static int
list(struct recording *recording)
{
	const char *dir = recording_dir(recording);
	struct table *t = table_new(
	    "at|client|endpoint|model|>status|>request|>response|file");
	struct recording_facts facts;
	char left[CLOCK_AGE_SIZE];
	size_t n;
	struct found *files = find_files(dir, &n);

	for (size_t i = 0; i < n; i++)
		add_file(t, files[i].path);
	free(files);
	if (table_rows(t) > 0)
		table_print(t, stdout);
	table_free(t);
	recording_facts(recording, &facts);
	clock_age(facts.until_wall_ms - clock_wall_ms(), left);
	if (facts.on)
		printf("recording client %s for %s more, %u of %u exchanges\n",
		    facts.client, left, facts.taken, facts.most);
	else
		puts("nothing is being recorded");
	return 0;
}

int
ctl_capture(int argc, char **argv)
{
	struct asked asked = { .most = MOST };
	struct recording *recording;
	struct config *config;
	char why[WHY_SIZE];
	int status;

	if ((status = take_options(argc, argv, &asked)) != 0)
		return status;
	config = ctl_load(CONFIG_NO_SECRETS, SANDBOX_CAPTURE, NULL);
	if (config == NULL)
		return 1;
	recording = recording_open(config, why, sizeof(why));
	if (recording == NULL) {
		fprintf(stderr, "tailgate capture: %s\n", why);
		status = 1;
	} else {
		recording_expire(recording);
		status = asked.list ? list(recording)
		    : asked.stop || asked.remove
		    ? end(recording, asked.remove)
		    : begin(config, recording, &asked);
	}
	recording_close(recording);
	config_free(config);
	return status;
}
