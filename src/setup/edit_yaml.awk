# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# One value, or a part of a list, in a YAML text of block mappings, as
# edit_yaml.c sets it.  The text is in L[1..nl], a line each with its end; -1 is
# no place.

function lines_make(i, s) {
	nl = 0
	s = ""
	for (i = 1; i <= N; i++) {
		s = s C[i]
		if (C[i] == "\n") {
			L[++nl] = s
			s = ""
		}
	}
	if (s != "")
		L[++nl] = s
}
function line_at(i, s) {
	s = L[i]
	sub(/[\r\n]+$/, "", s)
	return s
}
function indent_of(s, i) {
	for (i = 0; substr(s, i + 1, 1) == " "; i++)
		;
	return i
}
function rest_of(s) { return substr(s, indent_of(s) + 1) }
function is_content(s) { return rest_of(s) ~ /^[^#]/ }
function is_item(s) { return rest_of(s) ~ /^-( |$)/ }
function starts(s, with) {
	return substr(s, indent_of(s) + 1, length(with)) == with
}

# How many characters are before the value of `key:`; -1: another line.
function key_value(s, key, i, quote) {
	i = indent_of(s)
	quote = substr(s, i + 1, 1)
	if (quote != "\"" && quote != "\047")
		quote = ""
	key = quote key quote
	if (substr(s, i + 1, length(key)) != key)
		return -1
	i += length(key)
	while (substr(s, i + 1, 1) == " ")
		i++
	if (substr(s, i + 1, 1) != ":" || substr(s, i + 2, 1) !~ /^ ?$/)
		return -1
	for (i++; substr(s, i + 1, 1) == " "; i++)
		;
	return i
}
function value_end(s, i, quote, end, ch) {
	quote = substr(s, i + 1, 1)
	if (quote == "\"" || quote == "\047") {
		for (i++; i < length(s) && \
		    (ch = substr(s, i + 1, 1)) != quote; i++)
			if (ch == "\\" && quote == "\"")
				i++
		return i < length(s) ? i + 1 : length(s)
	}
	for (end = i; end < length(s); end++)
		if (substr(s, end + 1, 1) == "#" && \
		    (end == i || substr(s, end, 1) == " "))
			break
	while (end > i && substr(s, end, 1) == " ")
		end--
	return end
}

# The mapping of the whole text: r_start, r_end, r_indent.
function document(i, s, begun) {
	r_start = 1
	r_end = nl + 1
	r_indent = -1
	for (i = 1; i <= nl; i++) {
		s = line_at(i)
		if (rest_of(s) ~ /^\t/)
			fail("it is indented by tabs")
		if (!is_content(s) || s ~ /^%/)
			continue
		if (s ~ /^(---|\.\.\.)/) {
			if (begun)
				fail("it has several documents")
			r_start = i + 1
			continue
		}
		if (!begun && (is_item(s) || rest_of(s) ~ /^[{[|>&*!]/))
			fail("it is not a block of `key: value` lines")
		if (!begun)
			r_indent = indent_of(s)
		begun = 1
	}
}

# Finds the key: its lines a_start to a_end, the indent of what is in it, and
# the characters before its value.
function find(key, i, s, indent, found, v) {
	for (i = r_start; i < r_end; i++) {
		s = line_at(i)
		indent = indent_of(s)
		if (found && starts(s, "# tailgate setup: end") && \
		    indent >= r_indent) {
			a_end = i + 1
			continue
		}
		if (!is_content(s))
			continue
		if (found && (indent > r_indent || \
		    (indent == r_indent && is_item(s)))) {
			if (a_indent == -1)
				a_indent = indent
			a_end = i + 1
			continue
		}
		if (found)
			return 1
		if (indent != r_indent || (v = key_value(s, key)) == -1)
			continue
		found = 1
		at_value = v
		a_start = i
		a_end = i + 1
		a_indent = -1
	}
	return found
}
function put_lines(from, to) {
	put_plain(from, to)
	if (to > from && L[to - 1] !~ /\n$/)
		put(NL)
}
function spaces(n, s) {
	for (s = ""; n > 0; n--)
		s = s " "
	return s
}
function key_text(k) {
	return k ~ /^[A-Za-z0-9_][A-Za-z0-9_-]*$/ ? k : "\"" k "\""
}
function put_items(indent, n, items, i) {
	n = split(value, items, "\n")
	put(spaces(indent) "# tailgate setup: begin" NL)
	for (i = 1; i <= n; i++)
		if (i < n || items[i] != "")
			put(spaces(indent) items[i] NL)
	put(spaces(indent) "# tailgate setup: end" NL)
}
function yaml_append(from, list, indent) {
	indent = r_indent == -1 ? 0 : r_indent
	put_lines(1, r_end)
	for (; from <= nk; from++) {
		put(spaces(indent) key_text(K[from]) ":" \
		    (from == nk && !list ? " " value : "") NL)
		indent += 2
	}
	if (list)
		put_items(indent)
	put_lines(r_end, nl + 1)
}
function yaml_replace(s, end) {
	s = line_at(a_start)
	end = value_end(s, at_value)
	if (substr(s, at_value + 1, 1) ~ /^[|>]$/)
		end = length(s)
	put_plain(1, a_start)
	put(substr(s, 1, at_value))
	if (substr(s, at_value, 1) == ":")
		put(" ")
	put(value)
	if (end == at_value && end < length(s))
		put(" ")
	put(substr(L[a_start], end + 1))
	put_plain(a_end, nl + 1)
}
function put_plain(from, to) {
	for (; from < to; from++)
		put(L[from])
}
function yaml_list(s, end, inside, i, b, e, indent) {
	s = line_at(a_start)
	end = value_end(s, at_value)
	inside = substr(s, at_value + 1, end - at_value)
	indent = a_indent == -1 ? r_indent + 2 : a_indent
	if (inside != "" && inside != "[]")
		fail("the list is written in one line")
	b = e = -1
	for (i = a_start + 1; i < a_end; i++) {
		if (b == -1 && starts(line_at(i), "# tailgate setup: begin"))
			b = i
		if (starts(line_at(i), "# tailgate setup: end"))
			e = i + 1
	}
	if (b == -1 || e == -1)
		b = e = a_end
	put_plain(1, a_start)
	put(substr(s, 1, at_value) substr(L[a_start], end + 1))
	put_plain(a_start + 1, b)
	if (O[no] !~ /\n$/)
		put(NL)
	put_items(indent)
	put_plain(e, nl + 1)
}
function edit_make(list, depth, s) {
	list = language == "list"
	lines_make()
	document()
	a_indent = -1
	for (depth = 1; depth <= nk; depth++) {
		if (r_indent == -1 || !find(K[depth]))
			break
		if (depth == nk) {
			if (mode == "keep")
				put_plain(1, nl + 1)
			else if (list)
				yaml_list()
			else
				yaml_replace()
			return
		}
		s = line_at(a_start)
		if (value_end(s, at_value) > at_value)
			fail("a value on the path is not a block")
		r_start = a_start
		r_end = a_end
		r_indent = a_indent == -1 ? r_indent + 2 : a_indent
	}
	yaml_append(depth, list)
}
