# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# NAME=value lines, as edit_env.c has them.

# The place where the value begins in the line from i to stop; 0: the line sets
# another name.
function env_sets(i, stop, k) {
	while (i < stop && (C[i] == " " || C[i] == "\t"))
		i++
	if (i + 7 < stop && env_has(i, "export "))
		i += 7
	k = length(K[1])
	return i + k < stop && env_has(i, K[1]) && C[i + k] == "=" ? \
	    i + k + 1 : 0
}
function env_has(i, s, k) {
	for (k = 1; k <= length(s); k++)
		if (c(i + k - 1) != substr(s, k, 1))
			return 0
	return 1
}
function edit_make(i, stop, at, done) {
	for (i = 1; i <= N; i = stop) {
		for (stop = i; stop <= N && C[stop] != "\n"; stop++)
			;
		if (stop <= N)
			stop++
		at = env_sets(i, stop)
		if (at == 0)
			put_text(i, stop)
		else {
			put_text(i, at)
			put(value NL)
			done = 1
		}
	}
	if (done)
		return
	if (N > 0 && C[N] != "\n")
		put(NL)
	put(K[1] "=" value NL)
}
