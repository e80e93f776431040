/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the life of the workers.  Beside a request's way: nothing here runs
 * while one is served.
 *
 * It has one thread and signal handlers that only write to a pipe, because it
 * forks: a second thread's locks would be copied into the workers.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef HAVE_SYS_PRCTL_H
#include <sys/prctl.h>
#endif

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/version.h"
#include "config/settings.h"
#include "ledger/desk.h"
#include "ledger/gap.h"
#include "ledger/rebuild.h"
#include "sandbox/sandbox.h"
#include "serve/keeping.h"
#include "serve/notify.h"
#include "serve/parent.h"
#include "serve/proof.h"
#include "serve/server.h"
#include "serve/share.h"
#include "serve/upgrade.h"
#include "serve/worker.h"
#include "state/budget.h"
#include "state/mapfile.h"

#define CHILDREN_MAX UPGRADE_WORKERS_MAX
/* Dying sooner than this is dying young. */
#define YOUNG_MS 5000
#define PAUSE_MS 100
#define PAUSE_MAX_MS 5000
/* Between two looks at what workers are held to. */
#define LOOK_MS 2000
/* Between two tries to replace workers that are held to what has gone, at the
 * most. */
#define RENEW_MAX_MS 10000

struct generation {
	unsigned number;
	struct config *config;
	struct share_board *board; /* shared with its workers */
	uint64_t stamp; /* of the paths that they are held to */
	int told[2]; /* what its workers say: server.h */
	unsigned nready;
	struct keeping keeping; /* of its ledger */
	LIST_ENTRY(generation) entry; /* of old ones */
};

struct child {
	pid_t pid;
	unsigned generation;
	unsigned index;
	int64_t start_ms;
	bool told; /* to end; the second time means "now" */
};

struct parent {
	int listen_fd;
	const char *path; /* of the socket, NULL: not ours to remove */
	char *config_path;
	struct generation *now; /* serving */
	struct generation *next; /* starting, or NULL */
	LIST_HEAD(, generation) old; /* whose workers are finishing */
	struct child children[CHILDREN_MAX];
	unsigned nchildren;
	unsigned count; /* generations so far */
	/* Of the serving generation's workers, by index. */
	int64_t start_at_ms[SHARE_WORKERS_MAX]; /* 0: is running */
	int64_t pause_ms[SHARE_WORKERS_MAX];
	/* New workers for what was replaced: */
	uint64_t tried; /* the stamp that they were last tried for */
	int64_t renew_at_ms, renew_pause_ms; /* the next try, if that fails */
	bool reload; /* asked for while another was under way */
	/* From one program to another: */
	struct proof *proof; /* of the new one, or NULL */
	bool proved; /* it may have our place, */
	bool handed_over; /* and may have the budgets */
	unsigned adopted; /* generation of the one before, 0: there is none */
	const struct upgrade *before; /* what it left; NULL: nothing, or over */
	int64_t retry_at_ms; /* our first workers, 0: not again */
	bool stopping;
	int status;
};

static int signal_pipe[2];

/* ---- signals ---------------------------------------------------------- */

static void
on_signal(int sig)
{
	unsigned char byte = (unsigned char)sig;
	int saved = errno;

	/* Full: there are more signals than anybody needs. */
	if (write(signal_pipe[1], &byte, 1) == -1)
		errno = saved;
	errno = saved;
}

static const int handled[] = { SIGCHLD, SIGHUP, SIGTERM, SIGINT, SIGUSR1,
	SIGUSR2 };

static void
set_signals(void (*handler)(int))
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART };

	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
		sigaction(handled[i], &sa, NULL);
}

static void
kill_generation(const struct parent *p, unsigned number, int sig)
{
	for (unsigned i = 0; i < p->nchildren; i++) {
		if (number == 0 || p->children[i].generation == number)
			kill(p->children[i].pid, sig);
	}
}

/* Tells each worker once to finish what it serves. */
static void
end_generation(struct parent *p, unsigned number)
{
	for (unsigned i = 0; i < p->nchildren; i++) {
		struct child *c = &p->children[i];

		if (c->told || (number != 0 && c->generation != number))
			continue;
		c->told = true;
		kill(c->pid, SIGTERM);
	}
}

/* ---- generations ------------------------------------------------------ */

static void
close_told(struct generation *g)
{
	for (int i = 0; i < 2; i++) {
		if (g->told[i] != -1)
			close(g->told[i]);
		g->told[i] = -1;
	}
}

static void
generation_free(struct generation *g)
{
	if (g == NULL)
		return;
	close_told(g);
	keeping_close(&g->keeping);
	share_board_free(g->board);
	config_free(g->config);
	free(g);
}

/* NULL: for want of memory, processes or descriptors (errno). */
static struct generation *
generation_new(struct parent *p, struct config *config)
{
	struct generation *g = calloc(1, sizeof(*g));
	char why[256];
	int saved;

	if (g == NULL || pipe(g->told) == -1) {
		free(g);
		return NULL;
	}
	g->board = share_board_new(config);
	if (g->board == NULL) {
		close(g->told[0]);
		close(g->told[1]);
		free(g);
		return NULL;
	}
	for (int i = 0; i < 2; i++)
		fcntl(g->told[i], F_SETFD, FD_CLOEXEC);
	fcntl(g->told[0], F_SETFL, O_NONBLOCK);
	g->number = ++p->count;
	g->config = config;
	config_keys_forget(config);
	/* Before anybody is held to them: what is replaced from now on is seen.
	 * What workers would make themselves is none of that. */
	(void)mapfile_check_dir(config->runtime_dir, why, sizeof(why));
	g->stamp = sandbox_stamp(config);
	if (keeping_open(&g->keeping, config) == 0)
		return g;
	saved = errno;
	g->config = NULL;
	generation_free(g);
	errno = saved;
	return NULL;
}

/* Old generations without workers go. */
static void
forget_ended(struct parent *p)
{
	struct generation *g, *next;

	LIST_FOREACH_SAFE(g, &p->old, entry, next)
	{
		unsigned i = 0;

		while (
		    i < p->nchildren && p->children[i].generation != g->number)
			i++;
		if (i < p->nchildren)
			continue;
		LIST_REMOVE(g, entry);
		generation_free(g);
	}
}

/* It no longer serves; its ledger is kept until its last worker has ended. */
static void
retire(struct parent *p, struct generation *g)
{
	end_generation(p, g->number);
	close_told(g);
	LIST_INSERT_HEAD(&p->old, g, entry);
	forget_ended(p);
}

/* ---- workers ---------------------------------------------------------- */

/* What a load has to say, line by line; the text is changed. */
static void
log_lines(char *text, void (*log)(const char *fmt, ...))
{
	char *line;

	while ((line = strsep(&text, "\n")) != NULL)
		if (*line != '\0')
			log("%s", line);
}

static void
open_log(const struct config *c)
{
	log_open("tailgate.fcgi", c->log_syslog, c->log_level);
}

/* The keys are read by those that use them alone. */
static bool
read_keys(struct config *config)
{
	char *errors = NULL;
	size_t len = 0;
	FILE *err = open_memstream(&errors, &len);
	bool good;

	if (err == NULL)
		fatal("out of memory");
	good = config_keys_read(config, err) == 0;
	fclose(err);
	log_lines(errors, good ? log_warn : log_error);
	free(errors);
	return good;
}

/* In the child: what is other generations', or the parent's end. */
static void
close_others(struct parent *p, struct generation *g)
{
	struct generation *old;

	close(g->told[0]);
	close(g->keeping.desk[LEDGER_DESK_KEEPS]);
	if (p->next != NULL && p->next != g) {
		close_told(p->next);
		keeping_close(&p->next->keeping);
	}
	if (p->now != NULL && p->now != g) {
		close_told(p->now);
		keeping_close(&p->now->keeping);
	}
	LIST_FOREACH (old, &p->old, entry)
		keeping_close(&old->keeping);
}

/* In the child: become a worker. */
static void
be_worker(struct parent *p, struct generation *g, unsigned index)
{
	int status;

	set_signals(SIG_DFL);
	if (g == p->next)
		open_log(g->config);
	close(signal_pipe[0]);
	close(signal_pipe[1]);
	close_others(p, g);
#ifdef HAVE_SYS_PRCTL_H
	/* Nobody would be left to replace or to stop it. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
	if (!read_keys(g->config))
		exit(1);
	status = worker_run(g->config, p->listen_fd, g->told[1],
	    g->keeping.desk[LEDGER_DESK_SERVES], g->board, index);
	exit(status);
}

static bool
start_worker(struct parent *p, struct generation *g, unsigned index)
{
	sigset_t all, old;
	pid_t pid;

	if (p->nchildren == CHILDREN_MAX) {
		log_error("%d workers are still finishing; not starting "
			  "another",
		    CHILDREN_MAX);
		return false;
	}
	/* The worker keeps them blocked: worker.c says why. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0)
		be_worker(p, g, index);
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (pid == -1) {
		log_error("fork: %s", strerror(errno));
		return false;
	}
	p->children[p->nchildren++] =
	    (struct child){ pid, g->number, index, clock_now_ms(), false };
	return true;
}

/* We serve: the workers of the program before may finish. */
static void
end_adopted(struct parent *p)
{
	if (p->before == NULL)
		return;
	if (p->before->program_fd != -1)
		close(p->before->program_fd);
	p->before = NULL;
	log_info("version " TAILGATE_VERSION
		 " has taken over; the workers before it finish");
	end_generation(p, p->adopted);
	p->adopted = 0;
}

/* All workers of the new generation serve: it is the one now. */
static void
switch_generation(struct parent *p)
{
	struct generation *old = p->now;

	p->now = p->next;
	p->next = NULL;
	memset(p->start_at_ms, 0, sizeof(p->start_at_ms));
	memset(p->pause_ms, 0, sizeof(p->pause_ms));
	if (old == NULL) {
		log_info("serving with %u processes of up to %u threads",
		    p->now->config->processes, p->now->config->threads);
		notify_ready("serving");
		end_adopted(p);
		return;
	}
	open_log(p->now->config);
	log_info("configuration %u is in force", p->now->number);
	notify_ready("serving, configuration %u", p->now->number);
	retire(p, old);
}

/* All of our children, as the next program will find them. */
static void
describe(const struct parent *p, struct upgrade *u)
{
	if (p->before != NULL)
		*u = *p->before;
	u->listen_fd = p->listen_fd;
	u->made = p->path != NULL;
	u->generations = p->count;
	u->nworkers = p->nchildren;
	for (unsigned i = 0; i < p->nchildren; i++)
		u->workers[i] = (struct upgrade_worker){ p->children[i].pid,
			p->children[i].told };
}

/* Our first workers can't serve.  After an upgrade the program before does;
 * without it, its workers do until ours can. */
static void
give_up(struct parent *p)
{
	static struct upgrade u;

	if (p->before == NULL) {
		log_error("its workers can't start; ending");
		p->stopping = true;
		p->status = 1;
		return;
	}
	log_error("the workers of version " TAILGATE_VERSION
		  " can't start; the program before it goes on");
	describe(p, &u);
	upgrade_go_back(&u);
	log_error("it can't be had back: %s; its workers go on until those of "
		  "this one can start",
	    strerror(errno));
	p->retry_at_ms = clock_now_ms() + RENEW_MAX_MS;
}

/* A worker of the new generation ended before it could serve. */
static void
give_up_generation(struct parent *p)
{
	struct generation *next = p->next;

	p->next = NULL;
	if (p->now != NULL) {
		log_error("%s: its workers can't start; the old configuration "
			  "stays",
		    next->config->path);
		notify_ready("serving; the new configuration's workers can't "
			     "start");
		retire(p, next);
		return;
	}
	retire(p, next);
	give_up(p);
}

static void
start_generation(struct parent *p, struct config *config)
{
	p->next = generation_new(p, config);
	if (p->next == NULL) {
		log_error("%s: not in force: %s%s", config->path,
		    strerror(errno),
		    p->now == NULL ? "" : "; the old configuration stays");
		config_free(config);
		if (p->now == NULL)
			give_up(p);
		else
			notify_ready("serving; the reload failed");
		return;
	}
	for (unsigned i = 0; i < config->processes; i++) {
		if (!start_worker(p, p->next, i)) {
			give_up_generation(p);
			return;
		}
	}
}

/* A process of its own loads it first: running out of memory ends the
 * process that runs out, and that must not be the one that all of the
 * workers follow.  (A configuration that is wrong can be loaded.) */
static bool
can_load(const struct parent *p)
{
	struct config *config;
	int status = -1;
	pid_t pid = fork();
	FILE *err;

	if (pid == 0) {
		set_signals(SIG_DFL);
		if ((err = fopen("/dev/null", "w")) == NULL)
			_exit(1);
		config = config_load(p->config_path, 0, err);
		config_free(config); /* wipes the keys */
		_exit(0);
	}
	while (pid != -1 && waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	return pid != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Of this program.  p->next is NULL. */
static void
load_anew(struct parent *p)
{
	struct config *config;
	char *errors = NULL;
	size_t len = 0;
	FILE *err;

	if (!can_load(p) || (err = open_memstream(&errors, &len)) == NULL) {
		log_error("%s: not reloaded, for want of memory, processes or "
			  "descriptors; the old configuration stays",
		    p->config_path);
		notify_ready("serving; the reload failed");
		return;
	}
	config = config_load(p->config_path, 0, err);
	fclose(err);
	log_lines(errors, config == NULL ? log_error : log_warn);
	free(errors);
	if (config != NULL) {
		start_generation(p, config);
		return;
	}
	log_error(
	    "%s: not reloaded; the old configuration stays", p->config_path);
	notify_ready("serving; the new configuration has mistakes");
}

/* ---- another version of the program ----------------------------------- */

static void
prove_program(struct parent *p)
{
	log_info("the program was replaced: trying the new one");
	p->proof = proof_start(p->config_path);
	if (p->proof == NULL) {
		log_error("the new program can't be tried: %s; the old one "
			  "stays",
		    strerror(errno));
		notify_ready("serving; the upgrade failed");
	}
}

static void
on_proof(struct parent *p, int status)
{
	p->proved = proof_end(p->proof, status);
	p->proof = NULL;
	if (p->proved)
		return;
	log_error("the new program refuses; the old one stays");
	notify_ready("serving; the new program refuses");
}

/* What budgets hold and have spent is written down for a program that keeps
 * them in another form; by a process of its own, since this one has nothing
 * open. */
static bool
hand_over_budgets(const struct parent *p)
{
	char why[512];
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		set_signals(SIG_DFL);
		if (budget_hand_over(
			p->now->config, &ledger_history, why, sizeof(why)) == 0)
			_exit(0);
		log_error("%s", why);
		_exit(1);
	}
	while (pid != -1 && waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	return pid != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool
signals_wait(void)
{
	struct pollfd fd = { .fd = signal_pipe[0], .events = POLLIN };

	return poll(&fd, 1, 0) > 0;
}

/* Between two turns of the loop; once more, if a signal was faster. */
static void
execute_program(struct parent *p)
{
	static struct upgrade u;
	sigset_t all, old;

	/* Its end is a signal, which comes first. */
	if (!p->handed_over) {
		if ((p->handed_over = hand_over_budgets(p)))
			return;
		p->proved = false;
		log_error("not upgraded; the old program stays");
		notify_ready("serving; the upgrade failed");
		return;
	}
	describe(p, &u);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	if (!signals_wait()) {
		upgrade_execute(&u);
		p->proved = p->handed_over = false;
		log_error("the new program can't be executed: %s; the old one "
			  "stays",
		    strerror(errno));
		notify_ready("serving; the upgrade failed");
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static void
reload(struct parent *p)
{
	/* One at a time; the one under way may have read the file before
	 * its last change. */
	p->reload = p->next != NULL || p->proof != NULL || p->proved;
	if (p->stopping || p->reload)
		return;
	p->retry_at_ms = 0;
	notify_reloading();
	if (p->now != NULL && upgrade_is_due())
		prove_program(p);
	else
		load_anew(p);
}

/* ---- the end of a worker ---------------------------------------------- */

static void
say_end(const struct child *c, int status)
{
	if (WIFSIGNALED(status))
		log_error("worker %d died of signal %d", (int)c->pid,
		    WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		log_error("worker %d ended with status %d", (int)c->pid,
		    WEXITSTATUS(status));
}

/* What it had not brought to the ledger's process yet. */
static void
count_unrecorded(struct parent *p, const struct child *c, int status)
{
	const struct config *config = p->now == NULL ? NULL : p->now->config;

	if (config != NULL && config->ledger &&
	    (WIFSIGNALED(status) || WEXITSTATUS(status) != 0))
		ledger_gap_died(config->runtime_dir, (int)c->pid);
}

static void
replace_worker(struct parent *p, const struct child *c)
{
	int64_t now_ms = clock_now_ms(), *pause = &p->pause_ms[c->index];

	if (now_ms - c->start_ms >= YOUNG_MS)
		*pause = 0;
	p->start_at_ms[c->index] = now_ms + *pause;
	*pause = *pause == 0            ? PAUSE_MS
	    : *pause * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS
					: *pause * 2;
}

static bool
is_keepers_end(struct parent *p, pid_t pid, int status)
{
	struct generation *old;

	if ((p->now != NULL && keeping_ended(&p->now->keeping, pid, status)) ||
	    (p->next != NULL && keeping_ended(&p->next->keeping, pid, status)))
		return true;
	LIST_FOREACH (old, &p->old, entry)
		if (keeping_ended(&old->keeping, pid, status))
			return true;
	return false;
}

static void
on_child(struct parent *p, pid_t pid, int status)
{
	struct child c;
	unsigned i = 0;

	if (is_keepers_end(p, pid, status))
		return;
	if (p->proof != NULL && pid == proof_pid(p->proof)) {
		on_proof(p, status);
		return;
	}
	while (i < p->nchildren && p->children[i].pid != pid)
		i++;
	if (i == p->nchildren)
		return;
	c = p->children[i];
	p->children[i] = p->children[--p->nchildren];
	say_end(&c, status);
	count_unrecorded(p, &c, status);
	forget_ended(p);
	if (p->stopping)
		return;
	if (p->next != NULL && c.generation == p->next->number)
		give_up_generation(p);
	else if (p->now != NULL && c.generation == p->now->number) {
		share_board_clear(p->now->board, c.index);
		replace_worker(p, &c);
	}
}

static void
reap(struct parent *p)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		on_child(p, pid, status);
}

/* Both at once: soon the next pool may have its own there. */
static void
close_socket(struct parent *p)
{
	if (p->path != NULL)
		unlink(p->path);
	p->path = NULL;
	close(p->listen_fd);
}

static void
stop(struct parent *p)
{
	if (p->stopping) {
		kill_generation(p, 0, SIGTERM);
		return;
	}
	close_socket(p);
	p->stopping = true;
	notify_stopping();
	end_generation(p, 0);
}

static void
change_log_level(const struct parent *p, int sig)
{
	if (sig == SIGUSR1 && log_get_level() < LOG_LEVEL_DEBUG)
		log_set_level(log_get_level() + 1);
	else if (sig == SIGUSR2 && log_get_level() > LOG_LEVEL_ERROR)
		log_set_level(log_get_level() - 1);
	kill_generation(p, 0, sig);
}

static void
handle_signals(struct parent *p)
{
	unsigned char signals[64];
	ssize_t n = read(signal_pipe[0], signals, sizeof(signals));

	for (ssize_t i = 0; i < n; i++) {
		switch (signals[i]) {
		case SIGCHLD:
			reap(p);
			break;
		case SIGHUP:
			reload(p);
			break;
		case SIGUSR1:
		case SIGUSR2:
			change_log_level(p, signals[i]);
			break;
		default:
			stop(p);
		}
	}
}

/* ---- the loop --------------------------------------------------------- */

/* Is it time for new workers, which are held to what has this stamp?  At once
 * if that is new, else after growing pauses: new workers can't start yet when
 * the new directory can't be written, say. */
static bool
time_to_renew(struct parent *p, uint64_t stamp)
{
	int64_t now_ms = clock_now_ms(), *pause = &p->renew_pause_ms;

	if (stamp != p->tried)
		*pause = 0;
	else if (now_ms < p->renew_at_ms)
		return false;
	p->tried = stamp;
	*pause = *pause == 0            ? LOOK_MS
	    : *pause * 2 > RENEW_MAX_MS ? RENEW_MAX_MS
					: *pause * 2;
	p->renew_at_ms = now_ms + *pause;
	return true;
}

/* Workers cannot follow a directory that was replaced, or a resolver's file:
 * they are held to the old one. */
static void
look_at_paths(struct parent *p)
{
	uint64_t stamp;

	if (p->now == NULL || p->next != NULL || p->stopping ||
	    p->proof != NULL || p->proved)
		return;
	stamp = sandbox_stamp(p->now->config);
	if (stamp == p->now->stamp || !time_to_renew(p, stamp))
		return;
	log_info("a directory or a system file was replaced: new workers");
	reload(p);
}

/* The least of two waits in ms, of which -1 is without end. */
static int
sooner(int a, int b)
{
	return a == -1 || (b != -1 && b < a) ? b : a;
}

/* What the workers of a generation have said since. */
static void
listen_to(struct parent *p, struct generation *g)
{
	char bytes[SHARE_WORKERS_MAX];
	ssize_t n = read(g->told[0], bytes, sizeof(bytes));
	bool renew = false;

	for (ssize_t i = 0; i < n; i++) {
		g->nready += bytes[i] == *SERVER_READY;
		renew |= bytes[i] == *SERVER_RENEW;
	}
	if (g == p->next && g->nready >= g->config->processes)
		switch_generation(p);
	else if (g == p->now && renew)
		reload(p);
}

/* Starts workers whose pause is over; ms until the next one's is. */
static int
start_due_workers(struct parent *p)
{
	int64_t now_ms = clock_now_ms(), next_ms = INT32_MAX;

	if (p->now == NULL || p->stopping)
		return -1;
	for (unsigned i = 0; i < p->now->config->processes; i++) {
		if (p->start_at_ms[i] == 0)
			continue;
		if (p->start_at_ms[i] <= now_ms) {
			p->start_at_ms[i] = start_worker(p, p->now, i)
			    ? 0
			    : now_ms + PAUSE_MAX_MS;
		} else if (p->start_at_ms[i] - now_ms < next_ms)
			next_ms = p->start_at_ms[i] - now_ms;
	}
	return next_ms == INT32_MAX ? -1 : (int)next_ms;
}

/* Starts ledgers' processes in place of those that died; ms until one is
 * due. */
static int
start_due_keepers(struct parent *p)
{
	struct generation *old;
	int wait_ms = -1;

	if (p->now != NULL)
		wait_ms = keeping_start_due(&p->now->keeping);
	if (p->next != NULL)
		wait_ms = sooner(wait_ms, keeping_start_due(&p->next->keeping));
	LIST_FOREACH (old, &p->old, entry)
		wait_ms = sooner(wait_ms, keeping_start_due(&old->keeping));
	return wait_ms;
}

/* Not once we are stopping: the old ones are told already. */
static int
told_fd(const struct parent *p, const struct generation *g)
{
	return g == NULL || p->stopping ? -1 : g->told[0];
}

/* What waits for its time, or for another to end. */
static void
go_on(struct parent *p)
{
	if (p->proof != NULL)
		proof_watch(p->proof);
	if (p->stopping)
		return;
	look_at_paths(p);
	if (p->retry_at_ms != 0 && clock_now_ms() >= p->retry_at_ms)
		reload(p);
	if (p->proved && p->next == NULL)
		execute_program(p);
	if (p->reload && p->next == NULL && p->proof == NULL && !p->proved)
		reload(p);
}

static void
loop(struct parent *p)
{
	while (!p->stopping || p->nchildren > 0) {
		struct generation *now = p->now, *next = p->next;
		struct proof *proof = p->proof;
		int timeout_ms =
		    sooner(start_due_workers(p), start_due_keepers(p));
		struct pollfd fds[] = {
			{ .fd = signal_pipe[0], .events = POLLIN },
			{ .fd = told_fd(p, next), .events = POLLIN },
			{ .fd = told_fd(p, now), .events = POLLIN },
			{ .fd = proof == NULL ? -1 : proof_fd(proof),
			    .events = POLLIN },
		};

		if (poll(fds, 4, sooner(timeout_ms, LOOK_MS)) == -1 &&
		    errno != EINTR)
			fatal("poll: %s", strerror(errno));
		if (fds[3].revents != 0)
			proof_read(proof);
		if (fds[0].revents & POLLIN)
			handle_signals(p);
		/* A signal may have changed what there is to listen to. */
		if (next != NULL && next == p->next && !p->stopping &&
		    fds[1].revents & POLLIN)
			listen_to(p, next);
		else if (now != NULL && now == p->now && !p->stopping &&
		    fds[2].revents & POLLIN)
			listen_to(p, now);
		go_on(p);
	}
}

/* No worker is left: what they brought is written, and the last of it
 * recorded. */
static void
end_keeping(struct parent *p)
{
	pid_t now = p->now == NULL ? 0 : p->now->keeping.pid;
	pid_t next = p->next == NULL ? 0 : p->next->keeping.pid;

	generation_free(p->next);
	generation_free(p->now);
	keeping_wait(now);
	keeping_wait(next);
}

/* The workers of the program before become our children. */
static void
adopt(struct parent *p, const struct upgrade *u)
{
	p->before = u;
	p->count = u->generations + 1;
	p->adopted = p->count;
	p->nchildren = u->nworkers;
	for (unsigned i = 0; i < u->nworkers; i++)
		p->children[i] = (struct child){ u->workers[i].pid, p->adopted,
			0, clock_now_ms(), u->workers[i].told };
}

int
parent_run(struct config *config, int listen_fd, const char *path,
    const struct upgrade *before)
{
	struct parent *p = calloc(1, sizeof(*p));
	unsigned sandbox;
	char why[256];
	int status;

	if (p == NULL || pipe(signal_pipe) == -1)
		fatal("can't start: %s", strerror(errno));
	for (int i = 0; i < 2; i++) {
		fcntl(signal_pipe[i], F_SETFD, FD_CLOEXEC);
		fcntl(signal_pipe[i], F_SETFL, O_NONBLOCK);
	}
	if (sandbox_enter(
		SANDBOX_PARENT, config, NULL, &sandbox, why, sizeof(why)) == -1)
		fatal("%s", why);
	p->listen_fd = listen_fd;
	p->path = path;
	if ((p->config_path = strdup(config->path)) == NULL)
		fatal("out of memory");
	set_signals(on_signal);
	if (before != NULL) {
		adopt(p, before);
		upgrade_unblock();
		reap(p);
	}
	start_generation(p, config);
	memory_give_back();
	loop(p);
	status = p->status;
	if (p->path != NULL)
		unlink(p->path);
	end_keeping(p);
	free(p->config_path);
	free(p);
	return status;
}
