# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# LangChain for JavaScript: invoke, stream, tools, structured output,
# embeddings, as chat completions and as Responses (tests/clients/langchain.mjs).
. "${abs_srcdir:-.}/tests/lib.sh"
. "$tests/clients/suite.sh"

need_js @langchain/openai
js_suite langchain.mjs
finish
