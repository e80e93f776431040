# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# A file of our own.

function edit_make() { put(value "\n") }
