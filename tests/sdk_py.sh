# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The official OpenAI SDK for Python does everything through both web servers
# (tests/clients/sdk.py).
. "${abs_srcdir:-.}/tests/lib.sh"
. "$tests/clients/suite.sh"

need_py openai
py_suite sdk.py
finish
