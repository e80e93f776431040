# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Anthropic's official SDK for JavaScript speaks Messages, passed through and
# bridged to chat completions (tests/clients/anthropic.mjs).
. "${abs_srcdir:-.}/tests/lib.sh"
. "$tests/clients/suite.sh"

need_js @anthropic-ai/sdk
js_suite anthropic.mjs
finish
