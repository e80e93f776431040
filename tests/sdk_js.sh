# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The official OpenAI SDK for JavaScript does everything through both web
# servers (tests/clients/sdk.mjs).
. "${abs_srcdir:-.}/tests/lib.sh"
. "$tests/clients/suite.sh"

need_js openai
js_suite sdk.mjs
finish
