/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Which version this is.
 */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

/* For tests/upgrade.sh, which needs a second build that counts as another
 * version. */
#ifdef TAILGATE_OTHER_VERSION
#define TAILGATE_VERSION TAILGATE_OTHER_VERSION
#else
#define TAILGATE_VERSION PACKAGE_VERSION
#endif

#endif
