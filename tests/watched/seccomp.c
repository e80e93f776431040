/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The filter of a watched program: it reports what the table allows.
 */
#include "config.h"

#include "watched.h"

#include "sandbox/seccomp.c"
