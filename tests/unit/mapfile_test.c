/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Mapped files that many processes make at once, and files that must not be
 * mapped; and the identity of processes, which uses them.
 */
#include "config.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "state/mapfile.h"
#include "state/process.h"

#include "check.h"

#define BYTES 100000
#define MAGIC 0x1122334455667788

static char dir[64], path[128], why[1200];

static int
remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(name);
}

static void
begin(void)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	CHECK(mapfile_check_dir(dir, why, sizeof(why)) == 0,
	    "the directory is made where it is missing");
	snprintf(path, sizeof(path), "%s/map", dir);
}

static void
test_many_makers(void)
{
	_Atomic int *p;
	int i, status, bad = 0;

	begin();
	for (i = 0; i < 20; i++)
		if (fork() == 0) {
			p = mapfile_open(dir, "map", MAGIC, BYTES);
			if (p == NULL)
				_exit(1);
			atomic_fetch_add(p, 1);
			_exit(0);
		}
	for (i = 0; i < 20; i++)
		if (wait(&status) == -1 || status != 0)
			bad++;
	CHECK(bad == 0, "20 processes make it at once");
	p = mapfile_open(dir, "map", MAGIC, BYTES);
	CHECK(p != NULL && *p == 20, "and all share one");
	CHECK(((uintptr_t)p & 63) == 0, "its bytes are aligned");
	mapfile_close((void *)p, BYTES);
}

static void
test_versions(void)
{
	char *old, *new;
	size_t i, sum = 0;

	begin();
	old = mapfile_open(dir, "map", MAGIC, BYTES);
	memset(old, 'o', BYTES);
	new = mapfile_open(dir, "map", MAGIC + 1, BYTES / 2);
	CHECK(new != NULL, "another version and size");
	for (i = 0; i < BYTES / 2; i++)
		sum += new[i] != 0;
	CHECK(sum == 0, "begins with zeros");
	CHECK(old[0] == 'o' && old[BYTES - 1] == 'o',
	    "who has the old one mapped keeps all of it");
	mapfile_close(old, BYTES);
	mapfile_close(new, BYTES / 2);
}

static void
refuse(const char *what, int error)
{
	void *p = mapfile_open(dir, "map", MAGIC, BYTES);

	CHECK(p == NULL && errno == error, "%s is refused (%s)", what,
	    strerror(errno));
	mapfile_close(p, BYTES);
}

static void
test_hostile(void)
{
	char other[128];

	begin();
	if (symlink("/dev/zero", path) == -1)
		exit(99);
	refuse("a symbolic link", ELOOP);
	unlink(path);
	mkfifo(path, 0600);
	refuse("a FIFO", EPERM);
	unlink(path);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	chmod(path, 0666);
	refuse("a file that others may write to", EPERM);
	chmod(path, 0600);
	snprintf(other, sizeof(other), "%s/other", dir);
	if (link(path, other) == -1)
		exit(99);
	refuse("a file with two names", EPERM);
	unlink(other);
	CHECK(truncate(path, BYTES) == 0, "a file that is too short");
	{
		char *p = mapfile_open(dir, "map", MAGIC, BYTES);

		CHECK(p != NULL && p[BYTES - 1] == 0, "is made anew");
		mapfile_close(p, BYTES);
	}
	chmod(dir, 0770);
	refuse("a directory that the group may write to", EPERM);
	chmod(dir, 0750);
}

/* The file size limit simulates a full disk. */
static void
test_no_room(void)
{
	struct rlimit limit = { BYTES / 2, BYTES / 2 };
	int status;

	begin();
	if (fork() == 0) {
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		_exit(mapfile_open(dir, "map", MAGIC, BYTES) == NULL ? 0 : 1);
	}
	CHECK(wait(&status) != -1 && status == 0, "no room: no mapping");
	CHECK(access(path, F_OK) == -1, "and nothing half made is left");
}

/* A child that claims an index and lives until its end of the pipe is
 * closed. */
static pid_t
spawn_process(int *index, uint64_t *id)
{
	struct {
		int64_t index; /* no bytes between the two that are never set */
		uint64_t id;
	} child = { -1, 0 };
	int fds[2];
	pid_t pid;

	if (pipe(fds) == -1 || (pid = fork()) == -1)
		exit(99);
	if (pid == 0) {
		child.index = process_open(dir, why, sizeof(why));
		child.id = process_id();
		if (write(fds[1], &child, sizeof(child)) != sizeof(child))
			_exit(99);
		for (;;)
			pause();
	}
	close(fds[1]);
	if (read(fds[0], &child, sizeof(child)) != sizeof(child))
		exit(99);
	*index = (int)child.index;
	*id = child.id;
	close(fds[0]);
	return pid;
}

static void
test_processes(void)
{
	int mine, index, again;
	uint64_t id, other;
	pid_t pid;

	begin();
	CHECK(process_index() == -1 && process_id() == 0, "nobody yet");
	mine = process_open(dir, why, sizeof(why));
	id = process_id();
	CHECK(mine >= 0 && process_index() == mine && id != 0, "somebody");
	CHECK(process_open(dir, why, sizeof(why)) == mine && process_id() == id,
	    "the same when asked again");
	CHECK(process_alive(id) && process_id_pid(id) == (int)getpid(),
	    "alive, with our pid");
	pid = spawn_process(&index, &other);
	CHECK(index >= 0 && index != mine, "a child is somebody else");
	CHECK(process_alive(other), "and alive");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK(!process_alive(other), "killed, it is not");
	CHECK(process_alive(id), "we still are");
	pid = spawn_process(&again, &other);
	CHECK(again >= 0 && again != mine, "the next one finds a place");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	process_close();
	CHECK(process_look(dir, why, sizeof(why)) == 0 && !process_alive(id),
	    "after an orderly end an id is dead");
	mine = process_open(dir, why, sizeof(why));
	CHECK(mine >= 0 && process_id() != id, "and never used again");
	process_close();
}

int
main(void)
{
	snprintf(dir, sizeof(dir), "/tmp/mapfile_test.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return 99;
	setvbuf(stdout, NULL, _IOLBF, 0);
	test_many_makers();
	test_versions();
	test_hostile();
	test_no_room();
	test_processes();
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return check_done();
}
