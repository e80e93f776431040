# Copyright (c) 2026 The tailgate authors SPDX-License-Identifier: ISC --- The
# rest is the same for every tool ------------------------------------
#
# Needs a POSIX shell and awk.  A file is changed as `tailgate setup` changes
# it: every other byte stays, the file is replaced whole, and the old one is
# kept below ${XDG_STATE_HOME:-~/.local/state}/tailgate/setup for --undo.

set -eu
umask 077
LC_ALL=C
export LC_ALL

say() { printf '%s\n' "$*"; }
die() {
	say "tailgate setup: $*" >&2
	exit 1
}
usage() {
	say "usage: sh SCRIPT [--key-file FILE | --undo]" >&2
	exit 2
}

key_from=
undo=
while [ $# -gt 0 ]; do
	case $1 in
	--undo) undo=1 ;;
	--key-file)
		[ $# -gt 1 ] || usage
		key_from=$2
		shift
		;;
	*) usage ;;
	esac
	shift
done
case ${HOME:-} in
/*) ;;
*) die "HOME is not set" ;;
esac
command -v awk >/dev/null || die "there is no awk here"

# place VALUE DEFAULT: a directory that a variable may name.
place() {
	case $1 in
	/*) say "$1" ;;
	*) say "$2" ;;
	esac
}
# pick PATH...: the first that exists, or else the first.
pick() {
	for one; do
		[ ! -e "$one" ] || {
			say "$one"
			return
		}
	done
	say "$1"
}
# real PATH: through symbolic links, if it exists.
real() {
	[ -e "$1" ] || {
		say "$1"
		return
	}
	at=$1
	while [ -h "$at" ]; do
		to=$(readlink "$at")
		case $to in
		/*) at=$to ;;
		*) at=${at%/*}/$to ;;
		esac
	done
	say "$(cd -P "${at%/*}/" && pwd -P)/${at##*/}"
}
# mode PATH: its permissions in octal.
mode() {
	# shellcheck disable=SC2012 # one file, of which the first word counts
	ls -ld "$1" | awk '{
		for (i = 0; i < 3; i++)
			s = s ((substr($1, 2 + 3 * i, 1) == "r") * 4 + \
			    (substr($1, 3 + 3 * i, 1) == "w") * 2 + \
			    (substr($1, 4 + 3 * i, 1) ~ /[xst]/))
		print s
		exit
	}'
}
# with_end FILE: its text, and a last line that marks its end.
with_end() {
	[ ! -f "$1" ] || cat "$1"
	say .
}
# replace FILE BY MODE: at once; a file that can't be written stays as it is.
replace() {
	if cat "$2" >"$1.tailgate-$$" && chmod "$3" "$1.tailgate-$$" &&
		mv -f "$1.tailgate-$$" "$1"; then
		return
	fi
	rm -f "$1.tailgate-$$"
	return 1
}
# make_dirs PATH: the directories of a file; prints the first on its path that
# this call made, or "-".
make_dirs() {
	dir=${1%/*}
	first=-
	missing=$dir
	while [ ! -d "$missing" ]; do
		first=$missing
		missing=${missing%/*}
		[ -n "$missing" ] || break
	done
	mkdir -p "$dir"
	[ "$first" = - ] || say "$first" >>"$work/made"
	while read -r one; do
		case $dir/ in
		"$one"/*)
			[ "$first" = - ] || [ ${#first} -ge ${#one} ] ||
				continue
			first=$one
			;;
		esac
	done <"$work/made"
	say "$first"
}
# remove_dirs PATH FIRST: the empty ones of them, up to the first.
remove_dirs() {
	dir=${1%/*}
	while [ ${#dir} -ge ${#2} ] && rmdir "$dir" 2>/dev/null; do
		dir=${dir%/*}
	done
}
# line N FILE
line() { sed -n "$1p" "$2"; }

state=$(place "${XDG_STATE_HOME:-}" "$HOME/.local/state")/tailgate/setup/$tool
keyfile=$(place "${XDG_CONFIG_HOME:-}" "$HOME/.config")/tailgate/$tool.key
now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
export keyfile now

# taken_back I FILE: the file of record I as it would be without the set-up.
taken_back() {
	if cmp -s "$2" "$state/$1.after" ||
		cmp -s "$2" "$state/$1.before"; then
		cat "$state/$1.before"
	else
		with_end "$state/$1.before" >"$work/a"
		with_end "$state/$1.after" >"$work/b"
		with_end "$2" >"$work/c"
		take_back "$work/a" "$work/b" "$work/c"
	fi
}
restore() {
	path=$(line 1 "$state/$1.path")
	was=$(line 2 "$state/$1.path")
	made=$(line 3 "$state/$1.path")
	[ -f "$path" ] || return 0
	taken_back "$1" "$path" >"$work/back" || {
		say "tailgate setup: $path was changed since, at the same" \
			"lines; it stays as it is.  As it was before:" \
			"$state" >&2
		return 1
	}
	if [ "$was" = new ] && [ ! -s "$work/back" ]; then
		say "remove $path"
		rm -f "$path" || return 1
		[ "$made" = - ] || remove_dirs "$path" "$made"
	else
		say "restore $path"
		[ "$was" != new ] || was=$(mode "$path")
		replace "$path" "$work/back" "$was"
	fi
}
undo_all() {
	[ -f "$state/0.path" ] || die "$tool is not set up"
	status=0
	for i in 0 1 2 3 4; do
		[ ! -f "$state/$i.path" ] || restore $i || status=1
	done
	[ $status -eq 0 ] || return 1
	rm -f "$state"/[0-4].path "$state"/[0-4].before "$state"/[0-4].after
	rmdir "$state" "${state%/*}" "${state%/*/*}" 2>/dev/null || :
}

work=$(mktemp -d "${TMPDIR:-/tmp}/tailgate.XXXXXX")
committing=
hidden=
finish() {
	status=$?
	trap '' HUP INT TERM
	[ -z "$hidden" ] || stty echo 2>/dev/null </dev/tty || :
	[ -z "$committing" ] || undo_all >&2 || :
	rm -rf "${work:?}"
	exit $status
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

if [ -n "$undo" ]; then
	undo_all
	exit
fi

# --- The key: from a file, from the last time, or asked for ------------------

if [ -n "$key_from" ]; then
	[ "$key_from" = - ] || [ -r "$key_from" ] ||
		die "$key_from: cannot read a key"
	[ "$key_from" = - ] || exec <"$key_from"
	IFS= read -r key || :
elif [ -r "$keyfile" ]; then
	IFS= read -r key <"$keyfile" || :
elif [ -n "$shows_only" ] || ! (: </dev/tty) 2>/dev/null; then
	key=
else
	printf 'The key of %s: ' "$url" >/dev/tty
	hidden=1
	stty -echo </dev/tty
	IFS= read -r key </dev/tty || :
	stty echo </dev/tty
	hidden=
	say >/dev/tty
fi
key=$(printf %s "$key" | tr -d '\r')
plain() {
	case $1 in
	'' | *[!A-Za-z0-9._~:/@+\[\]-]*) return 1 ;;
	esac
}
[ -z "$key" ] || plain "$key" || die "that is not a key"
plain "$keyfile" || die "$keyfile: tools would misread this path"

# --- Every file, made first, then written ------------------------------------

n=0
# add PATH SECRET [LANGUAGE NUMBER]: the next file, made by its edits.
add() {
	path=$(real "$1")
	made=-
	exists=
	was=new
	[ ! -f "$path" ] || {
		exists=1
		was=$(mode "$path")
		cat "$path" >"$work/$n.before"
	}
	[ -n "$exists" ] || [ ! -e "$path" ] || die "$path: it is no file"
	[ -n "$exists" ] || : >"$work/$n.before"
	for i in 0 1 2 3 4; do
		[ -f "$state/$i.path" ] || continue
		[ "$(line 1 "$state/$i.path")" = "$path" ] || continue
		made=$(line 3 "$state/$i.path")
		[ -n "$exists" ] || continue
		if taken_back $i "$path" >"$work/base"; then
			mv "$work/base" "$work/$n.before"
			was=$(line 2 "$state/$i.path")
			[ "$was" != new ] || [ ! -s "$work/$n.before" ] ||
				was=$(mode "$path")
		else
			say "tailgate setup: $path: what an earlier" \
				"set-up wrote was changed since; it is" \
				"taken as yours" >&2
		fi
	done
	case $was in
	new) perms=644 ;;
	*) perms=$was ;;
	esac
	[ "$was$exists" != new1 ] || perms=$(mode "$path")
	[ "$2" = no ] || perms=$(say "$perms" |
		sed 's/..$/00/; s/^7/6/; s/^5/4/; s/^3/2/; s/^1/0/')
	if [ $# -eq 2 ]; then
		say "$key" >"$work/$n.after"
	else
		with_end "$work/$n.before" >"$work/text"
		edits "$4" >"$work/edits"
		keypath=$work/0.after edit "$3" "$work/text" "$work/edits" \
			>"$work/$n.after" 2>"$work/why" ||
			die "$path: $(cat "$work/why"); it stays as it is"
	fi
	say "$path" >"$work/$n.path"
	say "$was" >>"$work/$n.path"
	say "$made" >>"$work/$n.path"
	say "$perms" >"$work/$n.mode"
	[ $n -gt 0 ] && [ ! -s "$work/$n.after" ] || n=$((n + 1))
}

if [ -n "$key" ]; then
	add "$keyfile" yes
	add_files
	: >"$work/made"
	make_dirs "$state/0.path" >/dev/null
	committing=1
	i=0
	while [ $i -lt $n ]; do
		path=$(line 1 "$work/$i.path")
		made=$(make_dirs "$path")
		[ "$(line 3 "$work/$i.path")" != - ] || {
			sed "3s|.*|$made|" "$work/$i.path" >"$work/path"
			mv "$work/path" "$work/$i.path"
		}
		for part in before after path; do
			replace "$state/$i.$part" "$work/$i.$part" 600
		done
		replace "$path" "$work/$i.after" "$(cat "$work/$i.mode")"
		i=$((i + 1))
	done
	while [ $i -lt 5 ]; do
		rm -f "$state/$i.path" "$state/$i.before" "$state/$i.after"
		i=$((i + 1))
	done
	committing=
	say "$title is set up for $url, with the model $model."
	i=0
	while [ $i -lt $n ]; do
		say "  $(line 1 "$work/$i.path")"
		i=$((i + 1))
	done
	note | sed "s|<keyfile>|$keyfile|"
	[ -z "$run" ] || say "Start it: $run"
	say "Take it back: this script with --undo"
elif [ -z "$shows_only" ]; then
	die "no key: name the file that has it (--key-file FILE)"
fi
show
