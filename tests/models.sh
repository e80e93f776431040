#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The models of what hosts share, checked by spin: leases, budgets, rates and
# circuits.  `make model-check` has that of the slots as well, and two cases
# more, which take long.
. "${abs_srcdir:-.}/tests/lib.sh"

need spin
QUICK=1 sh "$tests/model/run" leases purse files ahead circuits >"$dir/models" 2>&1
checked=$?
take "$dir/models" model
is 'all models were checked' "$checked" 0
at_most 'in more than forty cases' 40 "$(grep -c '^ok ' "$dir/models")"
[ $checked -eq 0 ] || detail "$(tail -n 30 "$dir/models")"

finish
