# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Undoes a set-up: reads the text before it, the text after it and the text of
# today, each with a last line ".", and writes the text of today without the
# lines of the set-up, as src/ctl/diff.c would.  Exit 1: that is not certain.

function hunk(from_a, to_a, from_b, to_b) {
	if (to_a > from_a || to_b > from_b) {
		nh++
		HA[nh] = from_a
		HNA[nh] = to_a - from_a
		HB[nh] = from_b
		HNB[nh] = to_b - from_b
	}
}
function compare(na, nb, head, tail, i, j, fa, fb, best) {
	head = tail = fa = fb = 0
	while (head < na && head < nb && A[head] == B[head])
		head++
	while (tail < na - head && tail < nb - head && \
	    A[na - 1 - tail] == B[nb - 1 - tail])
		tail++
	na -= head + tail
	nb -= head + tail
	if ((na + 1) * (nb + 1) > 400000) {
		hunk(head, head + na, head, head + nb)
		return
	}
	for (i = na - 1; i >= 0; i--)
		for (j = nb - 1; j >= 0; j--)
			best[i, j] = A[head + i] == B[head + j] ? \
			    best[i + 1, j + 1] + 1 : \
			    best[i + 1, j] + 0 > best[i, j + 1] + 0 ? \
			    best[i + 1, j] + 0 : best[i, j + 1] + 0
	for (i = j = 0; i < na && j < nb; )
		if (A[head + i] == B[head + j]) {
			hunk(head + fa, head + i, head + fb, head + j)
			fa = ++i
			fb = ++j
		} else if (best[i + 1, j] + 0 >= best[i, j + 1] + 0)
			i++
		else
			j++
	hunk(head + fa, head + na, head + fb, head + nb)
}

# The place of the new side of hunk h now, with as many lines around it as make
# it the only one; -1: there is none, or several.
function find(h, start, around, before, left, n, i, k, found, count) {
	for (around = 0; around <= 3; around++) {
		before = HB[h] < around ? HB[h] : around
		left = NB - (HB[h] + HNB[h])
		n = before + HNB[h] + (left < around ? left : around)
		found = -1
		count = 0
		if (n == 0 && NC > 0)
			continue
		for (i = start < before ? 0 : start - before; i + n <= NC; i++) {
			for (k = 0; k < n && T[i + k] == B[HB[h] - before + k]; k++)
				;
			if (k == n) {
				found = i + before
				count++
			}
		}
		if (count == 1)
			return found
		if (count == 0 && HNB[h] > 0)
			return -1
	}
	return -1
}
FNR == 1 { nfile++ }
nfile == 1 { A[NA++] = $0 "\n" }
nfile == 2 { B[NB++] = $0 "\n" }
nfile == 3 { T[NC++] = $0 "\n" }
# The line "."  marks the end: text before it on its line has no line end.
function trim(line) { return substr(line, 1, length(line) - 2) }
END {
	if ((A[NA - 1] = trim(A[NA - 1])) == "")
		NA--
	if ((B[NB - 1] = trim(B[NB - 1])) == "")
		NB--
	if ((T[NC - 1] = trim(T[NC - 1])) == "")
		NC--
	compare(NA, NB)
	at = 0
	for (h = 1; h <= nh; h++) {
		place = find(h, at)
		if (place < at)
			exit 1
		for (; at < place; at++)
			out = out T[at]
		for (k = 0; k < HNA[h]; k++)
			out = out A[HA[h] + k]
		at += HNB[h]
	}
	for (; at < NC; at++)
		out = out T[at]
	printf "%s", out
}
