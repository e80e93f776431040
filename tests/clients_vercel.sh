# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The Vercel AI SDK, whose parsers are strict, speaks chat completions and
# Responses, passed through and bridged (tests/clients/vercel.mjs).
. "${abs_srcdir:-.}/tests/lib.sh"
. "$tests/clients/suite.sh"

need_js ai
js_suite vercel.mjs
finish
