# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The programs as the linker made them: the compiler's protections against
# memory faults are on by default.  Read from the files, not from the flags.
. "${abs_srcdir:-.}/tests/lib.sh"

need readelf nm

# Sanitizers and -O0 builds turn some of these off; they are not shipped.
# A build that was configured with the flags of its own is its maker's.
grep -q '^CFLAGS = .*\(sanitize\|-O0\)' "$abs_builddir/Makefile" &&
	skip_all 'a build for debugging'

# accepts FLAG: the compiler of this build knows it.
accepts()
{
	grep -q "^AM_CFLAGS = .*$1" "$abs_builddir/Makefile" ||
		grep -q "^AM_LDFLAGS = .*$1" "$abs_builddir/Makefile"
}

for program in tailgate tailgate.fcgi; do
	file=$abs_builddir/$program
	readelf -W -h "$file" >"$dir/head"
	readelf -W -l "$file" >"$dir/segments"
	readelf -W -d "$file" >"$dir/dynamic"
	nm -D --undefined-only "$file" >"$dir/imports"

	like "$program is position independent" \
		"$(grep Type: "$dir/head")" 'DYN'
	like "$program says so to the loader" \
		"$(cat "$dir/dynamic")" 'Flags:.* PIE'
	like "$program has its relocations read-only" \
		"$(cat "$dir/segments")" GNU_RELRO
	like "$program binds everything at start" \
		"$(cat "$dir/dynamic")" 'NOW'
	is "$program has a stack that is not executable" \
		"$(awk '$1 == "GNU_STACK" { print $7 }' "$dir/segments")" RW
	is "$program has no segment both writable and executable" \
		"$(awk '$1 == "LOAD" && /RWE/' "$dir/segments")" ''
	like "$program guards its stack" \
		"$(cat "$dir/imports")" '__stack_chk_fail'
	like "$program checks the sizes of its buffers" \
		"$(cat "$dir/imports")" '__[a-z]*printf_chk'
	is "$program names no directory to load from" \
		"$(grep -c 'RPATH\|RUNPATH' "$dir/dynamic")" 0
done
# A large frame touches each of its pages.
if accepts -fstack-clash-protection && [ "$(uname -m)" = x86_64 ] &&
	command -v objdump >/dev/null; then
	check 'no stack grows past its guard' sh -c "objdump -d \
		'$abs_builddir/tailgate.fcgi' | grep -q 'orq  *\\\$0x0,(%rsp)'"
fi
# fortified FLAG...: the level that the C library sees.
compiler=$(sed -n 's/^CC = //p' "$abs_builddir/Makefile")
fortified()
{
	# shellcheck disable=SC2086 # ccache gcc
	printf '%s\n' '#include "config.h"' '#include <features.h>' \
		'LEVEL __USE_FORTIFY_LEVEL' |
		$compiler -O2 -I"$abs_builddir" "$@" -E - 2>/dev/null |
		sed -n 's/^LEVEL //p'
}
best=$(fortified -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
[ -z "$best" ] || is 'sizes that only the run knows are checked, too' \
	"$(fortified)" "$best"
# In our own objects: the mark is lost in a program when the C library's start
# files do not bear it.
if accepts -fcf-protection; then
	like 'our code is built for control-flow checks' \
		"$(readelf -W -n "$abs_builddir/src/serve/main.o")" 'IBT, SHSTK'
fi
finish
