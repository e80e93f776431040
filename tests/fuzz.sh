#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Replays every input that the fuzzers have kept, without a fuzzer.
. "${abs_srcdir:-.}/tests/lib.sh"

for target in http1 multipart pattern sse jscan call config clients bridge \
    relay ledger keeper fcgi; do
	${TAILGATE_UNDER:-} "$bin/fuzz/${target}_fuzz" "$tests/fuzz/corpus/$target" \
	    >"$dir/$target.out" 2>"$dir/$target.err"
	status=$?
	inputs=$(grep -c '^ok' "$dir/$target.out")
	if [ "$status" -eq 0 ] && [ "$inputs" -gt 0 ]; then
		pass "$target: $inputs inputs of the corpus"
	else
		tail -n 5 "$dir/$target.err"
		fail "$target: status $status after $inputs inputs"
	fi
done
finish
