# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Worlds (tests/world/README.md): those that have failed before, and as many
# others as time permits.
. "${abs_srcdir:-.}/tests/lib.sh"

TMPDIR=$dir
export TMPDIR

# world DESCRIPTION ARGUMENTS...
world()
{
	what=$1
	shift
	if ${TAILGATE_UNDER:-} "$bin/world/world" "$@" >"$dir/out" 2>&1; then
		pass "$what"
	else
		fail "$what"
	fi
	detail "$(tail -n 5 "$dir/out")"
}

while read -r seed what; do
	case $seed in
	'#'* | '') continue ;;
	esac
	world "seed $seed: $what" -s "$seed" -n 1
done <"$tests/world/seeds"

seconds=10
[ "${TAILGATE_CI:-0}" != 1 ] || seconds=60
world 'all others' -t "$seconds"
finish
