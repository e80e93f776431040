/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * How much memory a process holds on to.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

/* Before threads are started: what is free goes back to the system. */
void memory_tune(void);

/* Gives back what starting has touched of the program's and the libraries'
 * unchanged pages (code, constants): a process that only waits needs few of
 * them, and the kernel has the rest at hand. */
void memory_give_back(void);

#endif
