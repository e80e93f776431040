# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# A file that is ours alone.

function edit_make() { put(value "\n") }
