/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What usage_fields.c (the numbers) does for usage.c (finding them).
 */
#ifndef WIRE_USAGE_INTERNAL_H
#define WIRE_USAGE_INTERNAL_H

#include "wire/usage.h"

/* Reads the text of one usage object into *out; false: it is not one, or is
 * empty. */
bool usage_fold(enum endpoint_usage, struct span text, struct usage *out);

#endif
