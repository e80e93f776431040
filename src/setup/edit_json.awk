# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# One member of a JSON text, as edit_json.c sets it.  A position of 0 says that
# the text is none.

function skip_blank(i) {
	for (;;) {
		while (is_blank(c(i)))
			i++
		if (c(i) != "/")
			return i
		if (c(i + 1) == "/") {
			while (i <= N && C[i] != "\n")
				i++
		} else if (c(i + 1) == "*") {
			for (i += 2; c(i) != "*" || c(i + 1) != "/"; i++)
				if (i > N)
					return 0
			i += 2
		} else
			return i
	}
}
function skip_string(i) {
	for (i++; i <= N; i++) {
		if (C[i] == "\"")
			return i + 1
		if (C[i] == "\n")
			return 0
		if (C[i] == "\\")
			i++
	}
	return 0
}
function skip_scalar(i, start) {
	start = i
	while (i <= N && index(",:{}[]\"/ \t\r\n", C[i]) == 0)
		i++
	return i > start ? i : 0
}
function skip_nest(i, ch, depth, closers) {
	do {
		ch = c(i)
		if (ch == "{" || ch == "[") {
			closers = (ch == "{" ? "}" : "]") closers
			depth++
			i++
		} else if (ch == "}" || ch == "]") {
			if (substr(closers, 1, 1) != ch)
				return 0
			closers = substr(closers, 2)
			depth--
			i++
		} else if (ch == "\"")
			i = skip_string(i)
		else if (ch == "," || ch == ":")
			i++
		else
			i = skip_scalar(i)
		if (i == 0 || depth == 0)
			return i
		if (depth > 64 || (i = skip_blank(i)) == 0)
			return 0
	} while (i <= N)
	return 0
}
function skip_value(i) {
	if (c(i) == "{" || c(i) == "[")
		return skip_nest(i)
	return c(i) == "\"" ? skip_string(i) : skip_scalar(i)
}
function text_of(from, to, s) {
	for (s = ""; from < to; from++)
		s = s C[from]
	return s
}

# Reads the object at i: open, close, nmembers, first_key, last_end, comma, and
# vstart and vend of the member of that name, or 0.
function object_read(i, name, key, key_end, v, word) {
	open = i
	nmembers = first_key = last_end = vstart = vend = 0
	comma = 1
	for (i = skip_blank(i + 1); c(i) == "\"" && comma; i = skip_blank(i)) {
		key = i
		if ((key_end = skip_string(key)) == 0)
			return 0
		v = skip_blank(key_end)
		if (v == 0 || c(v) != ":")
			return 0
		v = skip_blank(v + 1)
		if (v == 0 || (i = skip_value(v)) == 0)
			return 0
		if (nmembers++ == 0)
			first_key = key
		last_end = i
		word = text_of(key + 1, key_end - 1)
		if (word ~ /\\[u\/]/)
			fail("it has a name with an escape in it (" word ")")
		if (word == name) {
			vstart = v
			vend = i
		}
		if ((i = skip_blank(i)) == 0)
			return 0
		comma = c(i) == ","
		i += comma
	}
	close_at = i
	return i != 0 && c(i) == "}"
}
function count_blanks(i, n) {
	for (n = 0; c(i + n) == " " || c(i + n) == "\t"; n++)
		;
	return n
}
function line_indent(i) {
	while (i > 1 && C[i - 1] != "\n")
		i--
	return text_of(i, i + count_blanks(i))
}
function indent_unit(i, n) {
	for (i = 1; i < N; i++) {
		if (C[i] != "\n")
			continue
		n = count_blanks(i + 1)
		if (n > 0 && c(i + 1 + n) == "\"")
			return C[i + 1] == "\t" ? "\t" : \
			    text_of(i + 1, i + 1 + n)
	}
	return "  "
}
function put_line(depth) {
	put(NL base)
	while (depth-- > 0)
		put(unit)
}

# A compact value, laid out: a member on a line each.
function put_value(p, i, n, ch, next_ch, depth, lines, opens) {
	n = length(p)
	lines[0] = 0
	for (i = 1; i <= n; i++) {
		ch = substr(p, i, 1)
		next_ch = substr(p, i + 1, 1)
		opens = ch == "{" || ch == "["
		if (ch == "\"") {
			do {
				put(ch)
				i++
				ch = substr(p, i, 1)
				if (ch == "\\") {
					put(ch)
					i++
					put(substr(p, i, 1))
					ch = ""
				}
			} while (ch != "\"" && i <= n)
			put(ch)
			continue
		}
		if ((ch == "}" || ch == "]") && lines[depth--])
			put_line(depth)
		put(ch)
		if (opens) {
			lines[++depth] = next_ch != "}" && next_ch != "]" && \
			    (ch == "{" || next_ch == "{" || next_ch == "[")
			if (lines[depth])
				put_line(depth)
		} else if (ch == ",") {
			if (lines[depth])
				put_line(depth)
			else
				put(" ")
		} else if (ch == ":")
			put(" ")
	}
}
function member_make(from, i, s) {
	for (i = from; i <= nk; i++)
		s = s (i > from ? "{" : "") "\"" K[i] "\":"
	s = s value
	for (i = from + 1; i <= nk; i++)
		s = s "}"
	return s
}
function has_newline(from, to) {
	for (; from < to; from++)
		if (C[from] == "\n")
			return 1
	return 0
}
function json_insert(member, outer, end) {
	outer = base = line_indent(open)
	unit = indent_unit()
	for (end = close_at; is_blank(C[end - 1]); end--)
		;
	if (nmembers > 0 && !has_newline(open, first_key)) {
		put_text(1, last_end)
		put(", " member)
		put_text(last_end, N + 1)
		return
	}
	if (nmembers == 0) {
		put_text(1, end)
		put_line(1)
		base = base unit
	} else {
		base = line_indent(first_key)
		put_text(1, last_end)
		put(comma ? "" : ",")
		put_text(last_end, end)
		put(NL base)
	}
	put_value(member)
	if (!has_newline(end, close_at)) {
		base = outer
		put_line(0)
		end = close_at
	}
	put_text(end, N + 1)
}
function edit_make(top, end, i, depth) {
	top = c(1) == "\357" && c(2) == "\273" && c(3) == "\277" ? 4 : 1
	top = skip_blank(top)
	if (N == 0 || (top == N + 1 && N <= 2)) {
		N = 0
		C[++N] = "{"
		C[++N] = "}"
		C[++N] = "\n"
		top = 1
	}
	if (top == 0 || (end = skip_value(top)) == 0 || skip_blank(end) != N + 1)
		fail("it is not JSON")
	i = top
	for (depth = 1; ; depth++) {
		if (c(i) != "{")
			fail(depth == 1 ? "it is not a JSON object" : \
			    "a value on the path is not an object")
		if (!object_read(i, K[depth]))
			fail("it is not JSON")
		if (vstart == 0 || depth == nk)
			break
		i = vstart
	}
	if (vstart > 0 && mode == "keep")
		put_text(1, N + 1)
	else if (vstart > 0) {
		base = line_indent(vstart)
		unit = indent_unit()
		put_text(1, vstart)
		put_value(value)
		put_text(vend, N + 1)
	} else
		json_insert(member_make(depth))
}
