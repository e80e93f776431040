# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The frame of the editors in a script of `tailgate setup --script`.  Reads the
# text and a last line ".", then, as its second file, the edits:
#
#	edit LANGUAGE MODE KEYS		MODE: set, keep, out; keys separated by "|"
#	 VALUE				each line after a space
#
# and writes the text with the edits made, as src/setup/edit_*.c would.  The
# text is in C[1..N], a character each; the output is collected in O.  ENVIRON
# names the files, and the key comes from one: it is in no argument.  There are
# no quotes of the shell in these files.

function c(i) { return i <= N ? C[i] : "" }
function put(s) { O[++no] = s }
function put_text(from, to) { for (; from < to; from++) O[++no] = C[from] }
function is_blank(ch) {
	return ch != "" && index(" \t\r\n", ch) > 0
}
function fail(why) {
	print why > "/dev/stderr"
	failed = 1
	exit 1
}

# The output becomes the text.
function take(i, k, n) {
	N = 0
	for (i = 1; i <= no; i++) {
		n = length(O[i])
		for (k = 1; k <= n; k++)
			C[++N] = substr(O[i], k, 1)
	}
	no = 0
}

# The line end of the text, by its first line.
function newline(i) {
	for (i = 1; i <= N && C[i] != "\n"; i++)
		;
	return i <= N && i > 1 && C[i - 1] == "\r" ? "\r\n" : "\n"
}

# The fields whose values only this machine knows.
function put_in(s, field, value, i) {
	while ((i = index(s, field)) > 0)
		s = substr(s, 1, i - 1) value substr(s, i + length(field))
	return s
}
function fill(s) {
	s = put_in(s, "<keyfile>", ENVIRON["keyfile"])
	s = put_in(s, "<key>", KEY)
	return put_in(s, "<now>", ENVIRON["now"])
}

function edit_end() {
	if (language == "")
		return
	nk = split(keys, K, "|")
	NL = newline()
	no = 0
	value = fill(value)
	edit_make()
	take()
	language = ""
}

BEGIN {
	keypath = ENVIRON["keypath"]
	if (keypath != "")
		getline KEY < keypath
}
FNR == 1 { nfile++ }
nfile == 1 {
	if (FNR > 1)
		C[++N] = "\n"
	n = length($0)
	for (i = 1; i <= n; i++)
		C[++N] = substr($0, i, 1)
	next
}
FNR == 1 { N-- } # the last line
/^edit / {
	edit_end()
	language = $2
	mode = $3
	keys = $4
	value = ""
	nv = 0
	next
}
{ value = value (nv++ > 0 ? "\n" : "") substr($0, 2) }
END {
	if (!failed) {
		edit_end()
		for (i = 1; i <= N; i++)
			printf "%s", C[i]
	}
}
