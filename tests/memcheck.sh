#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# tests/memcheck.sh BUILDDIR TEST...: runs tests with all of the gateway's
# processes under valgrind, and fails if it reports anything: memory that is
# read or written out of bounds, after it was freed or before it was set.  What
# is lost is tests/valgrind.sh's.
#
# By hand only: `make check-valgrind [SCRIPTS='tests/relay.sh ...']`, without
# SCRIPTS the whole suite, one test after the other.  valgrind is some 30 times
# slower, so that assertions about time may fail; what a test itself says is
# shown, and does not count here.  The programs are those of the build but for
# the sandbox (tests/memcheck/uncaged.c).
#
#   MEMCHECK_DIR=DIR     keeps what each test printed (NAME.log), what valgrind
#                        reported of each process (NAME.PID.vg), and the counts
#   MEMCHECK_LIMIT=900   after so many seconds a test is ended
#   TAILGATE_PATIENCE=6  for tests/lib.sh
set -u
build=$(cd "${1:?usage: tests/memcheck.sh BUILDDIR TEST...}" && pwd)
source=$(cd "$(dirname "$0")/.." && pwd)
shift
valgrind=$(command -v valgrind) || {
	echo 'memcheck.sh: valgrind is not installed' >&2
	exit 1
}
dir=${MEMCHECK_DIR:-$(mktemp -d)}
[ -n "${MEMCHECK_DIR:-}" ] || trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/bin"
dir=$(cd "$dir" && pwd)
# The gateway may run as another user.
chmod 1777 "$dir"

abs_srcdir=$source abs_builddir=$build
TAILGATE=$dir/bin/tailgate TAILGATE_FCGI=$dir/bin/tailgate.fcgi
TAILGATE_UNDER=$dir/bin/under
TAILGATE_PATIENCE=${TAILGATE_PATIENCE:-6}
# Not each of packing_test's splits in order.
PACKING_RANDOM=1
export abs_srcdir abs_builddir TAILGATE TAILGATE_FCGI TAILGATE_UNDER \
	TAILGATE_PATIENCE PACKING_RANDOM
cd "$build" || exit 1

# memcheck NAME [PROGRAM]: the command that runs it.  What it runs of the
# system's is not ours.
memcheck()
{
	echo "'$valgrind' -q --vgdb=no --leak-check=no --num-callers=25" \
		"--suppressions='$source/tests/memcheck/suppressions'" \
		"--trace-children=yes --trace-children-skip='/bin/*,/usr/*'" \
		"--log-file='$dir/$1.%p.vg'" ${2:+"'$2'"}
}

# wrap NAME FILE PROGRAM: what a script runs in its place, $dir/bin/FILE.  A
# script as well, because tests do not always hand on the environment.
wrap()
{
	cat >"$dir/bin/$2" <<-END
		#!/bin/sh
		exec $(memcheck "$1" "${3:-}") "\$@"
	END
	chmod 755 "$dir/bin/$2"
}

# run TEST NAME
run()
{
	set -- "timeout -k 60 ${MEMCHECK_LIMIT:-900}" "$@"
	case $2 in
	*.sh)
		wrap "$3" tailgate "$build/tests/memcheck/tailgate"
		wrap "$3" tailgate.fcgi "$build/tests/memcheck/tailgate.fcgi"
		wrap "$3" under
		$1 sh "$source/$2"
		;;
	*) eval "$1 $(memcheck "$3" "$build/$2")" ;;
	esac
}

# one TEST NAME: runs it, and says what came of it.
one()
{
	find "$dir" -name "$2.*.vg" -delete
	began=$(date +%s)
	run "$1" "$2" >"$dir/$2.log" 2>&1
	how=$?
	# A report begins with a line that is not indented, or two, of which the
	# first is the thread's.
	found=$(find "$dir" -name "$2.*.vg" -exec cat {} + |
		grep '^==[0-9]*== [A-Z]' | grep -c -v '^==[0-9]*== Thread [0-9]')
	printf '%s - %s: %s reports of %s processes; %s ok, %s not, exit %s, %s s\n' \
		"$([ "$found" -eq 0 ] && echo ok || echo 'not ok')" "$1" \
		"$found" "$(find "$dir" -name "$2.*.vg" | wc -l)" \
		"$(grep -c '^ok ' "$dir/$2.log")" \
		"$(grep -c '^not ok ' "$dir/$2.log")" "$how" \
		"$(($(date +%s) - began))" | tee -a "$dir/counts"
	[ "$found" -ne 0 ] || return 0
	find "$dir" -name "$2.*.vg" -exec grep -h '^==' {} + | head -n 200 |
		sed 's/^/# /'
	return 1
}

status=0
for test; do
	name=$(basename "$test" .sh)
	if [ -f "$source/$test" ] &&
		grep -q -w -e gdb -e valgrind "$source/$test"; then
		echo "# $test: left out, it has a tracer of its own"
		continue
	fi
	one "$test" "$name" || status=1
done
exit $status
