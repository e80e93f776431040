/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The trial of a new program, before it takes the place of this one: it is
 * started once, only to report whether it can, while everything else goes on.
 */
#ifndef SERVE_PROOF_H
#define SERVE_PROOF_H

#include <sys/types.h>

#include <stdbool.h>

struct config;
struct proof;

/* A clients file that does not exist yet has no clients; one that is gone had
 * some, who would all be refused.  The message for it if `next` has lost the
 * one that the running program has read (NULL: none), otherwise NULL; valid
 * until the next call. */
const char *
proof_clients_are_gone(const char *read_file, const struct config *next);

/* NULL with errno. */
struct proof *proof_start(const char *config_path, const char *read_file);
pid_t proof_pid(const struct proof *);
/* Readable: call proof_read(). */
int proof_fd(const struct proof *);
void proof_read(struct proof *);
/* Kills a program that has run for too long. */
void proof_expire(struct proof *);
/* After it ended with this status of waitpid(2): logs its messages, and
 * returns true if it can take over.  Frees the proof. */
bool proof_end(struct proof *, int status);

#endif
