/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The parts of a set-up's script: the files script.sh and *.awk beside this
 * file, each as its lines and NULL.  texts.sh makes the C text at build time.
 */
#ifndef SETUP_TEXTS_H
#define SETUP_TEXTS_H

extern const char *const setup_text_script[];
/* awk texts: the frame of the editors, the editors, and the undoing of a
 * set-up. */
extern const char *const setup_text_edit[];
extern const char *const setup_text_edit_env[];
extern const char *const setup_text_edit_json[];
extern const char *const setup_text_edit_toml[];
extern const char *const setup_text_edit_whole[];
extern const char *const setup_text_edit_yaml[];
extern const char *const setup_text_back[];

#endif
