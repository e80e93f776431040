/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * `tailgate probe`: asks every provider how it is, reports that to health,
 * keeps what was learned, and prints a table.  It runs once, by a timer, or
 * repeatedly (--watch).
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/select.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/task.h"
#include "ctl/ctl.h"
#include "ctl/mount.h"
#include "ctl/probe_ask.h"
#include "ctl/probe_fleet.h"
#include "ctl/probe_keep.h"
#include "ctl/probe_print.h"
#include "ctl/probe_seen.h"
#include "ctl/probe_store.h"
#include "state/health.h"
#include "state/process.h"
#include "wire/upstream.h"

#define WATCH_SECONDS "30"
#define WATCH_SECONDS_MAX 86400
#define SILENCE_MAX 3600
#define TASKS_MAX 8 /* providers that are asked at once */
#define TICK_MS 200

/* One look at all the providers that were named. */
struct round {
	const struct config *config;
	struct health *health; /* NULL: nothing is kept */
	struct upstream_pool *pool;
	struct probe *probes;
	size_t nprobes;
	bool all; /* no provider was named */
	struct probe_store store;
	struct probe_fleet *fleet; /* NULL: circuits are not shared */
	size_t nprobers; /* tasks that ask */
	bool changes, json; /* how it is printed */
	size_t next;
};

/* The signals that end a watch are blocked except during a pause. */
static bool
stop_asked(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 &&
	    (sigismember(&pending, SIGTERM) == 1 ||
		sigismember(&pending, SIGINT) == 1);
}

static int
tick(void *ctx)
{
	(void)ctx;
	return stop_asked() ? WATCH_GONE : TICK_MS;
}

static void
probe_one(struct round *r, struct probe *probe)
{
	const struct provider *provider = probe->provider;
	const struct watch watch = { .fd = -1, .tick = tick };
	bool trial = false;
	int64_t open_ms;

	/* If a trial is due, this is it, for all hosts.  If not, we ask
	 * anyway. */
	if (r->health != NULL)
		health_admit(r->health, provider, &trial, &open_ms);
	probe_ask(r->config, provider, r->pool, &watch, probe);
	if (r->health != NULL)
		probe_note_sleep(r->health, probe);
	if (r->health != NULL)
		health_report(r->health, provider, trial, probe->outcome,
		    probe->retry_after_ms, -1);
}

static void
prober(void *arg)
{
	struct round *r = arg;

	while (r->next < r->nprobes) {
		struct probe *probe = &r->probes[r->next++];

		if (!stop_asked())
			probe_one(r, probe);
		else
			probe->outcome = HEALTH_ABANDONED;
	}
	if (--r->nprobers == 0)
		probe_fleet_leave(r->fleet);
}

static void
store_prober(void *arg)
{
	struct round *r = arg;

	probe_store_ask(r->config, &r->store);
}

static void
round_run(struct round *r)
{
	r->next = r->nprobers = 0;
	task_open();
	r->fleet = probe_fleet_join(r->config, r->health);
	for (size_t n = 0; n < TASKS_MAX && n < r->nprobes; n++)
		if (task_start(prober, r) == 0)
			r->nprobers++;
		else if (n == 0)
			fatal("no memory for a task");
	if (r->all && task_start(store_prober, r) == -1)
		fatal("no memory for a task");
	task_loop();
	probe_fleet_free(r->fleet);
	upstream_pool_trim(r->pool);
	task_close();
}

static void
round_clear(struct round *r)
{
	for (size_t i = 0; i < r->nprobes; i++)
		probe_free(&r->probes[i]);
}

static bool
all_well(const struct round *r)
{
	for (size_t i = 0; i < r->nprobes; i++)
		if (!r->probes[i].ok)
			return false;
	return !r->store.asked || r->store.ok;
}

/* ---- what is printed ---------------------------------------------------- */

/* Compares with what the last call of this kind saw. */
static void
print_changes(const struct round *r)
{
	struct probe *before = calloc(r->nprobes + 1, sizeof(*before));

	if (before == NULL)
		fatal("out of memory for what was seen");
	probe_seen_load(r->config, r->probes, r->nprobes, before);
	probe_print_changes(r->probes, before, r->nprobes);
	free(before);
	if (probe_seen_store(r->config, r->probes, r->nprobes) == -1)
		log_error("%s/probed.json: %s", r->config->runtime_dir,
		    strerror(errno));
}

static void
print(const struct round *r)
{
	if (r->changes)
		print_changes(r);
	else if (r->json)
		probe_print_json(r->probes, r->nprobes, &r->store);
	else {
		probe_print_table(r->probes, r->nprobes);
		probe_store_print(&r->store);
	}
}

/* ---- the command -------------------------------------------------------- */

static void
on_signal(int sig)
{
	(void)sig;
}

static void
signals_block(sigset_t *before)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t ours;

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigemptyset(&ours);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	sigprocmask(SIG_BLOCK, &ours, before);
}

/* Sleeps; false if it was asked to stop. */
static bool
pause_for(int seconds, const sigset_t *open)
{
	struct timespec time = { .tv_sec = seconds };

	return pselect(0, NULL, NULL, NULL, &time, open) == 0;
}

static int
watch_all(struct round *r, int seconds, const sigset_t *open)
{
	struct probe *before = calloc(r->nprobes, sizeof(*before));
	bool had_store;

	if (before == NULL)
		fatal("out of memory for a watch");
	while (!stop_asked() && pause_for(seconds, open)) {
		memcpy(before, r->probes, r->nprobes * sizeof(*before));
		had_store = r->store.ok;
		round_clear(r);
		round_run(r);
		if (stop_asked())
			break;
		if (r->json)
			print(r);
		else
			probe_print_changes(r->probes, before, r->nprobes);
		if (!r->json && r->store.ok != had_store)
			probe_store_print(&r->store);
		probe_keep(r->config, r->probes, r->nprobes);
	}
	free(before);
	return 0;
}

static bool
is_number(const char *text)
{
	return text != NULL && text[0] != '\0' &&
	    text[strspn(text, "0123456789")] == '\0';
}

/* The providers named, or all. */
static int
probes_make(struct round *r, int argc, char **argv)
{
	const struct config *config = r->config;

	r->probes =
	    calloc(config->nproviders + (size_t)argc + 1, sizeof(*r->probes));
	if (r->probes == NULL)
		fatal("out of memory for probes");
	r->all = argc == 0;
	if (r->all)
		for (size_t i = 0; i < config->nproviders; i++)
			r->probes[r->nprobes++].provider =
			    &config->providers[i];
	for (int i = 0; i < argc; i++) {
		const struct provider *p = config_provider(config, argv[i]);

		if (p == NULL) {
			fprintf(stderr,
			    "tailgate probe: %s: no such provider; "
			    "`tailgate status` names them\n",
			    argv[i]);
			return -1;
		}
		r->probes[r->nprobes++].provider = p;
	}
	return 0;
}

static int
probe_run(struct round *r, int watch_seconds)
{
	sigset_t open;
	char why[256];
	int status;

	r->health = health_open(r->config, why, sizeof(why));
	if (r->health == NULL)
		fprintf(stderr, "tailgate probe: %s: nothing is kept\n", why);
	if (upstream_init() == -1 || (r->pool = upstream_pool_new()) == NULL)
		fatal("cannot set up the upstream side");
	signals_block(&open);
	round_run(r);
	status = all_well(r) ? 0 : 1;
	if (!stop_asked()) {
		print(r);
		if (r->health != NULL)
			probe_keep(r->config, r->probes, r->nprobes);
		if (watch_seconds != 0)
			status = watch_all(r, watch_seconds, &open);
	}
	round_clear(r);
	upstream_pool_free(r->pool);
	health_close(r->health);
	return status;
}

const struct ctl_option ctl_probe_options[] = {
	{ "watch", "[SECONDS]", 'w', "go on, every so many seconds (30)" },
	{ "changes", NULL, 'c',
	    "print only what has changed since the last such call" },
	{ "json", NULL, 'j', "print one JSON object" },
	{ "mount", "URL", 'm', "try the web server before the gateway" },
	{ "key-file", "FILE", 'k', "--mount: an operator's key is in there" },
	{ "silence", "SECONDS", 's',
	    "--mount: a response may be silent for so long" },
	{ NULL, NULL, 0, NULL },
};

struct options {
	int watch_seconds; /* 0: once */
	bool changes, json;
	const char *mount, *key_file; /* or NULL */
	int silence_seconds; /* 0: not tried */
};

/* 0, or the exit status of a wrong call. */
static int
seconds_read(const char *option, int most, int *out)
{
	const char *why = NULL;

	*out = (int)strtonum(optarg, 1, most, &why);
	return why == NULL ? 0
			   : ctl_misuse("probe", "--%s %s: 1..%d seconds",
				 option, optarg, most);
}

static int
options_read(int argc, char **argv, struct options *o)
{
	int ch, wrong = 0;

	while (wrong == 0 &&
	    (ch = ctl_option_next(argc, argv, "probe", ctl_probe_options)) !=
		-1) {
		if (ch == 'w') {
			if (optarg == NULL && is_number(argv[optind]))
				optarg = argv[optind++];
			if (optarg == NULL)
				optarg = WATCH_SECONDS;
			wrong = seconds_read(
			    "watch", WATCH_SECONDS_MAX, &o->watch_seconds);
		} else if (ch == 'c')
			o->changes = true;
		else if (ch == 'j')
			o->json = true;
		else if (ch == 'm')
			o->mount = optarg;
		else if (ch == 'k')
			o->key_file = optarg;
		else if (ch == 's')
			wrong = seconds_read(
			    "silence", SILENCE_MAX, &o->silence_seconds);
		else
			return ctl_misuse("probe", NULL);
	}
	if (wrong != 0)
		return wrong;
	if (o->mount != NULL &&
	    (o->watch_seconds != 0 || o->changes || o->json || optind < argc))
		return ctl_misuse("probe", "--mount asks no provider");
	if (o->changes && (o->json || o->watch_seconds != 0))
		return ctl_misuse(
		    "probe", "--changes goes with neither --json nor --watch");
	if (o->mount == NULL && (o->key_file != NULL || o->silence_seconds))
		return ctl_misuse(
		    "probe", "--key-file and --silence belong to --mount");
	return 0;
}

int
ctl_probe(int argc, char **argv)
{
	struct round r = { .health = NULL };
	struct options o = { .watch_seconds = 0 };
	struct config *config;
	int status = options_read(argc, argv, &o);

	if (status != 0)
		return status;
	if (o.mount != NULL)
		return mount_probe(o.mount, o.key_file, o.silence_seconds);
	/* The table has the failures; log lines too would make cron send
	 * mail. */
	log_set_level(LOG_LEVEL_ERROR);
	if ((config = ctl_load(0, SANDBOX_PROBE, NULL)) == NULL)
		return 1;
	r.config = config;
	r.changes = o.changes;
	r.json = o.json;
	status = 1;
	if (probes_make(&r, argc - optind, argv + optind) == 0)
		status = probe_run(&r, o.watch_seconds);
	process_close();
	free(r.probes);
	config_free(config);
	return status;
}
