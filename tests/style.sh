#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# `make lint`: checks the conventions that a machine can check.  Prints one line
# "FILE: what" per finding; exit 1 if there is one.  A tool that is not
# installed is named and skipped; in CI (TAILGATE_CI=1) that is a finding.
# shellcheck disable=SC2046,SC2086 # lists of our files: no blanks in them
set -eu
cd "$(dirname "$0")/.."

findings=$(mktemp)
trap 'rm -f "$findings"' EXIT

# Reads findings from stdin.
found() {
	tee -a "$findings"
}

# Our files: in a clone those that git knows or would add; elsewhere, all.
ours() {
	if [ -e .git ] && command -v git >/dev/null; then
		git ls-files -co --exclude-standard -- "$@"
	else
		pattern=$(printf '%s\n' "$@" | sed -e 's/[.]/\\./g' \
		    -e 's/\*/.*/g' -e 's/.*/^&$/' | paste -sd '|' -)
		find . -type f ! -path './build*' ! -path './autom4te*' |
		    sed 's|^\./||' | grep -E "$pattern"
	fi | while read -r file; do
		[ ! -f "$file" ] || printf '%s\n' "$file"
	done
}

have() {
	command -v "$1" >/dev/null && return 0
	if [ -n "${TAILGATE_CI:-}" ]; then
		echo "$1: not installed" | found
	else
		echo "(no $1 here: left out)"
	fi
	return 1
}

c_files=$(ours '*.c' '*.h')
sh_files=$(for file in $(ours '*'); do
	case $file in
	*.sh | bootstrap) printf '%s\n' "$file" ;;
	*.*/* | *.[a-z]*) ;;
	*) head -n 1 "$file" | grep -q '^#!/bin/sh' && printf '%s\n' "$file" ;;
	esac
done; ours '.ci/*')

# --- The floors: an include points down or sideways, never up -----------------

# "serve" and "ctl" share the top floor, "state" and "wire" a lower one;
# neighbours never see each other.
awk '
	BEGIN {
		n = split("base:config setup:policy sandbox:bridge:wire state:ledger:fleet:serve ctl", row, ":")
		for (i = 1; i <= n; i++) {
			split(row[i], names, " ")
			for (j in names)
				floor[names[j]] = i
		}
	}
	/^#[ \t]*include[ \t]*"[a-z]+\/[a-z0-9_]+\.h"/ {
		split(FILENAME, at, "/")
		split($0, quoted, "\"")
		split(quoted[2], to, "/")
		down = (to[1] in floor) && floor[to[1]] < floor[at[2]]
		if (!down && to[1] != at[2])
			printf "%s:%d: %s must not know of %s\n",
			    FILENAME, FNR, at[2], to[1]
	}
	# One foreign library, one place.
	/^#[ \t]*include[ \t]*<fcgi/ && FILENAME !~ /^src\/wire\/fcgi/ ||
	/^#[ \t]*include[ \t]*<curl/ && FILENAME !~ /^src\/wire\/connector/ ||
	/^#[ \t]*include[ \t]*<hiredis/ && FILENAME !~ /^src\/fleet\/resp/ ||
	/^#[ \t]*include[ \t]*<utf8proc/ && FILENAME !~ /^src\/base\/unicode/ ||
	/^#[ \t]*include[ \t]*<seccomp/ && FILENAME !~ /^src\/sandbox\/seccomp/ ||
	/^#[ \t]*include[ \t]*<libconfig/ && FILENAME !~ /^src\/config\// {
		printf "%s:%d: %s does not belong here\n", FILENAME, FNR, $2
	}
' $(ours 'src/*.c' 'src/*.h') | found

# A config.h of our own would hide the build's.
ours 'src/*/config.h' | sed 's/$/: hides the config.h of the build/' | found

# --- Form ---------------------------------------------------------------------

for file in $c_files $sh_files; do
	head -n 6 "$file" | grep -q 'SPDX-License-Identifier: ISC' ||
	    echo "$file: no licence line"
done | found

for file in $(ours '*.c'); do
	# The comment that says what the file hides.
	sed -n 5p "$file" | grep -q '^/\*' ||
	    echo "$file: does not open with a paragraph"
	grep -q '^#include "config\.h"' "$file" ||
	    echo "$file: does not include config.h"
done | found

# How long functions are (tests/functions.sh prints the table).
sh tests/functions.sh | grep '^src' | found

# A file over 450 lines holds several things, except for these.
long() {
	case $1 in
	src/config/schema_table.c) ;; # one table: a row for each setting
	*) return 1 ;;
	esac
}
for file in $(ours 'src/*.c' 'src/*.h'); do
	lines=$(wc -l <"$file")
	[ "$lines" -le 450 ] || long "$file" ||
	    echo "$file: $lines lines; cut it along what it holds"
done | found

# A function is static unless another file calls it: besides its own file and
# header a third one of src/ names it.  Left out: one that only an inline
# function of its header calls (jscan), one that a library calls, and the text
# of another host's nsswitch.conf, which a test reads.
awk '
	FNR == 1 { before = "" }
	/^[a-z_0-9]+\(/ && before != "" && before !~ /static/ &&
	    FILENAME ~ /c$/ {
		name = $0
		sub(/\(.*/, "", name)
		where[name] = FILENAME ":" FNR
	}
	{
		before = $0
		n = split($0, words, /[^A-Za-z0-9_]+/)
		for (i = 1; i <= n; i++)
			if (!((words[i], FILENAME) in seen)) {
				seen[words[i], FILENAME] = 1
				files[words[i]]++
			}
	}
	END {
		for (name in where)
			if (files[name] < 3 && name !~ \
			    /^(main|jscan_escaped_key_is|services_read|_gnutls_global_init_skip)$/)
				printf "%s: %s() has no caller in another file\n",
				    where[name], name
	}
' $(ours 'src/*.c' 'src/*.h') | found

LC_ALL=C awk '
	{
		gsub(/[\200-\277]/, "") # one column per character
		width = 0
		n = split($0, parts, "\t")
		for (i = 1; i < n; i++) {
			width += length(parts[i])
			width += 8 - width % 8
		}
		width += length(parts[n])
		# A script may quote a request in one piece.
		most = FILENAME ~ /^(tests\/.*\.sh|bench\/run)$/ ? 132 : 80
		if (width > most && !/https?:\/\//)
			printf "%s:%d: %d columns\n", FILENAME, FNR, width
	}
	/[ \t\r]$/ { printf "%s:%d: white space at the end\n", FILENAME, FNR }
	tolower($0) ~ /(^|[^a-z])(todo|fixme|xxx)([^a-z]|$)/ {
		if (FILENAME != "tests/style.sh")
			printf "%s:%d: unfinished\n", FILENAME, FNR
	}
' $c_files $sh_files | found

# --- The build ----------------------------------------------------------------

for file in $(ours 'src/*.c' 'src/*.h' 'tests/unit/*.c' 'tests/*.sh'); do
	name=${file%_test.c}
	[ "$name" = "$file" ] || name=${name}_test
	grep -qF "$name" Makefile.am || echo "$file: not in Makefile.am"
done | found

# --- The cage -----------------------------------------------------------------

# Every test runs in it, except for these.
uncaged() {
	case $1 in
	tests/valgrind.sh) ;; # valgrind's own calls are none of the program's
	tests/unit/ledger_test.c) ;; # stands in for the disk below the writer
	tests/unit/sandbox_test.c) ;; # tries "off" itself
	tests/lessened.sh) ;; # the same
	tests/world/config.c) ;; # its process is the whole world
	bench/pair) ;; # compares the two
	bench/instructions) ;; # valgrind and strace make calls of their own
	tests/style.sh) ;;
	*) return 1 ;;
	esac
}
grep -El 'sandbox *= *\\*"off|CONFINE_OFF' $(ours 'tests/*' 'bench/*' '.ci/*') |
    while read -r file; do
	uncaged "$file" ||
	    echo "$file: switches the sandbox off, and is not on the list"
done | found

# Each row of what stops an attack names tests that exist.
awk '
	/^## / { inside = /What stops an attack/ }
	inside && /^\|/ && !/^\|[-|]*$/ && !/^\| attack / {
		n = split($0, cells, "|")
		if (cells[n - 1] !~ /`tests\//)
			printf "SECURITY.md:%d: names no test\n", FNR
	}
' SECURITY.md | found
# shellcheck disable=SC2016 # of Markdown
grep -o '`tests/[^`]*`' SECURITY.md | tr -d '`' | sort -u | while read -r file; do
	[ -f "$file" ] || echo "SECURITY.md: $file: no such test"
done | found

# --- The documents ------------------------------------------------------------

# What is named as a file, a function or a table of ours exists; x is any module.
# shellcheck disable=SC2016 # of Markdown
for doc in doc/architecture.md CONTRIBUTING.md; do
	grep -oE '`[a-z_]+(/[a-z_.*-]+)+`|`[a-z_*]+\.[ch]`|`[a-z_]+(\(\)|\[\])`' \
	    "$doc" | tr -d '`' | sort -u | while read -r name; do
		case $name in
		x_* | x.c) continue ;;
		*'()' | *'[]') grep -rqw "${name%??}" src && continue ;;
		*) [ -z "$(ls -d $name src/$name src/$name.c src/*/$name \
		    2>/dev/null)" ] || continue ;;
		esac
		echo "$doc: $name: there is no such thing"
	done
done | found

# --- Tools --------------------------------------------------------------------

if have clang-format; then
	# Not the headers: their columns of comments are set by hand.
	clang-format --dry-run $(ours '*.c') 2>&1 |
	    sed -n 's/:[0-9]*:[0-9]*: warning:.*//p' | sort | uniq -c |
	    sed 's/^ *\([0-9]*\) \(.*\)/\2: clang-format: \1 places/' | found
fi
if have cppcheck; then
	# Not uninitvar: wrong about arrays that a callee fills; gcc knows.
	# Not syntaxError: wrong about <sys/queue.h>.
	cppcheck --quiet --std=c11 --language=c --inline-suppr -j 2 \
	    --enable=warning,portability \
	    --suppress=missingInclude --suppress=unknownMacro \
	    --suppress=uninitvar --suppress=legacyUninitvar \
	    --suppress=syntaxError \
	    --template='{file}:{line}: {id}: {message}' -Isrc \
	    -D_GNU_SOURCE -D__linux__ $(ours 'src/*.c') 2>&1 | found
fi
if have shellcheck; then
	# A test and its lib.sh set variables for each other.
	shellcheck -s sh -f gcc \
	    -e SC1090,SC1091,SC2034,SC2119,SC2120,SC2154 $sh_files | found
	# Of other systems, whose own scripts read them and set their variables.
	shellcheck -s sh -f gcc -e SC1091,SC2034,SC2154 \
	    $(ours 'packaging/alpine/*' 'packaging/openrc/*' \
		'packaging/freebsd/files/*') | found
	shellcheck -s ksh -f gcc -e SC1091,SC2034,SC2086,SC2154 \
	    $(ours 'packaging/openbsd/pkg/*.rc') | found
fi
if have mandoc; then
	for page in $(ours 'man/*'); do
		mandoc -Tlint -W warning "$page" || :
	done | found
	sh tests/manuals.sh -c $(ours 'man/*') | found
fi

[ ! -s "$findings" ] || {
	echo "lint: $(wc -l <"$findings") findings"
	exit 1
}
