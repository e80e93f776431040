/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What a set-up's script is made of: the files script.sh and *.awk beside this
 * one, each as its lines and NULL; texts.sh makes them at build time.
 */
#ifndef SETUP_TEXTS_H
#define SETUP_TEXTS_H

extern const char *const setup_text_script[];
/* awk: the frame of the editors, the editors, and how a set-up is taken
 * back. */
extern const char *const setup_text_edit[];
extern const char *const setup_text_edit_env[];
extern const char *const setup_text_edit_json[];
extern const char *const setup_text_edit_toml[];
extern const char *const setup_text_edit_whole[];
extern const char *const setup_text_edit_yaml[];
extern const char *const setup_text_back[];

#endif
