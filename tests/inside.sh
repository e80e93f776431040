# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# inside.sh: the assertions of scripts that run inside a root of their own,
# where lib.sh is not.  The caller copies it beside the script, which sources
# it.  Output of commands is in $dir, which is removed by inside_end.
set -u
dir=$(mktemp -d)
count=0 failures=0

# check WHAT COMMAND...
check() {
	what=$1
	shift
	count=$((count + 1))
	if "$@" >"$dir/out" 2>&1; then
		echo "ok $count - $what"
	else
		failures=$((failures + 1))
		echo "not ok $count - $what"
		tail -n 30 "$dir/out" | sed 's/^/# /'
	fi
}

# is WHAT GOT WANT
is() {
	check "$1" test "$2" = "$3"
	[ "$2" = "$3" ] || printf '# got:  %s\n# want: %s\n' "$2" "$3"
}

# until_true COMMAND...: for at most 30 s.
until_true() {
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -lt 300 ] || return 1
		sleep 0.1
	done
}

# inside_end: false if a check failed.
inside_end() {
	rm -rf "$dir"
	echo "$count checks, $failures failed"
	[ "$failures" -eq 0 ]
}
