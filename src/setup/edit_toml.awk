# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# One pair of a TOML text, as edit_toml.c sets it.  A position of 0 says that
# the text is none.

function skip(i, set) {
	while (i <= N && index(set, C[i]) > 0)
		i++
	return i
}
function skip_quoted(i, quote) {
	quote = C[i]
	for (i++; i <= N && C[i] != "\n"; i++) {
		if (C[i] == quote)
			return i + 1
		if (C[i] == "\\" && quote == "\"")
			i++
	}
	return 0
}
function skip_string(i, quote) {
	quote = C[i]
	if (c(i + 1) != quote || c(i + 2) != quote)
		return skip_quoted(i)
	for (i += 3; i <= N; i++) {
		if (C[i] == "\\" && quote == "\"")
			i++
		else if (C[i] == quote && c(i + 1) == quote && \
		    c(i + 2) == quote)
			return skip(i + 3, quote)
	}
	return 0
}
function skip_nest(i, depth) {
	for (; i <= N; i++) {
		if (C[i] == "\"" || C[i] == "\047") {
			if ((i = skip_string(i)) == 0)
				return 0
			i--
		} else if (C[i] == "#") {
			while (i <= N && C[i] != "\n")
				i++
		} else if (C[i] == "[" || C[i] == "{")
			depth++
		else if ((C[i] == "]" || C[i] == "}") && --depth == 0)
			return i + 1
	}
	return 0
}
function skip_value(i, start) {
	start = i
	if (c(i) == "\"" || c(i) == "\047")
		return skip_string(i)
	if (c(i) == "[" || c(i) == "{")
		return skip_nest(i)
	while (i <= N && index("#\r\n", C[i]) == 0)
		i++
	while (i > start && (C[i - 1] == " " || C[i - 1] == "\t"))
		i--
	return i > start ? i : 0
}

# A dotted key, added to `path`; where it ends, or 0.
function read_key(i, word) {
	path = ""
	for (;;) {
		word = ""
		if (c(i) == "\"" || c(i) == "\047") {
			start = i + 1
			if ((i = skip_quoted(i)) == 0)
				return 0
			for (; start < i - 1; start++)
				word = word C[start]
		} else {
			for (; c(i) ~ /^[A-Za-z0-9_-]$/; i++)
				word = word C[i]
			if (word == "")
				return 0
		}
		path = path word "\037"
		i = skip(i, " \t")
		if (c(i) != ".")
			return i
		i = skip(i + 1, " \t")
	}
}
function line_end(i) {
	i = skip(i, " \t\r")
	if (c(i) == "#")
		while (i <= N && C[i] != "\n")
			i++
	if (i <= N && C[i] != "\n")
		return 0
	return i <= N ? i + 1 : i
}

# The statement at `start`: kind, path, s_end, s_value, s_vend.
function read_statement(start, i, many) {
	s_value = s_vend = 0
	i = skip(start, " \t\r")
	if (start > N)
		return kind = "end"
	if (i > N || c(i) == "\n" || c(i) == "#") {
		s_end = line_end(i)
		return kind = "empty"
	}
	if (c(i) == "[") {
		many = c(i + 1) == "["
		i = read_key(skip(i + 1 + many, " \t"))
		if (i == 0 || c(i) != "]" || (many && c(i + 1) != "]"))
			return kind = "bad"
		s_end = line_end(i + 1 + many)
		return kind = s_end == 0 ? "bad" : many ? "tables" : "table"
	}
	i = read_key(i)
	if (i == 0 || c(i) != "=")
		return kind = "bad"
	s_value = skip(i + 1, " \t")
	s_vend = skip_value(s_value)
	if (s_vend == 0 || (s_end = line_end(s_vend)) == 0)
		return kind = "bad"
	return kind = "pair"
}
function begins(s, with) { return substr(s, 1, length(with)) == with }

# Finds the pair (f_start, f_end, f_value, f_vend) and the end of its table.
function look(table, want, i, here, listed, whole, dotted) {
	f_start = table_end = 0
	table_seen = 0
	here = ""
	for (i = 1; read_statement(i) != "end"; i = s_end) {
		if (kind == "bad")
			fail("it is not TOML")
		if (kind == "table" || kind == "tables") {
			here = path
			listed = kind == "tables"
			if (listed && begins(want, here))
				fail("a table on the path is an array of tables")
		}
		if (kind == "pair" && !listed) {
			whole = here path
			if (whole == want) {
				f_start = i
				f_end = s_end
				f_value = s_value
				f_vend = s_vend
			} else if (begins(want, whole))
				fail("a table on the path is written in one line")
			else if (begins(whole, table) && !begins(here, table))
				dotted = 1
		}
		if ((kind == "pair" || kind == "table") && !listed && \
		    here == table) {
			table_seen = 1
			table_end = s_end
		}
	}
	if (dotted && !table_seen && !f_start)
		fail("a table on the path is made by dotted keys")
}
function key_text(k) {
	return k ~ /^[A-Za-z0-9_-]+$/ ? k : "\"" k "\""
}
function toml_insert(end, i, pair, head) {
	pair = key_text(K[nk]) " = " value NL
	end = table_end
	if (table_seen) {
		put_text(1, end)
		if (end > 1 && C[end - 1] != "\n")
			put(NL)
		put(pair)
	} else if (nk == 1) {
		end = 1
		put(pair)
		if (c(1) == "[")
			put(NL)
	} else {
		end = N + 1
		put_text(1, end)
		if (N > 0 && C[N] != "\n")
			put(NL)
		for (i = 1; i < nk; i++)
			head = head (i > 1 ? "." : "") key_text(K[i])
		put((N > 0 ? NL : "") "[" head "]" NL pair)
	}
	put_text(end, N + 1)
}
function edit_make(i, table, want) {
	for (i = 1; i <= nk; i++) {
		table = want
		want = want K[i] "\037"
	}
	look(table, want)
	if (mode == "out") {
		if (f_start) {
			put_text(1, f_start)
			put_text(f_end, N + 1)
		} else
			put_text(1, N + 1)
	} else if (f_start && mode == "keep")
		put_text(1, N + 1)
	else if (f_start) {
		put_text(1, f_value)
		put(value)
		put_text(f_vend, N + 1)
	} else
		toml_insert()
}
