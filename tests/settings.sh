#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Every setting of the schema is in tailgate.conf(5) with its type, range and
# default, and in etc/tailgate.conf.  Neither names a setting that does not
# exist.  etc/tailgate.conf works as shipped and with everything in it switched
# on.

. "${abs_srcdir:-.}/tests/lib.sh"

manual=$abs_srcdir/man/tailgate.conf.5
shipped=$abs_srcdir/etc/tailgate.conf

"$TAILGATE" check --settings | grep -v '^#' >"$dir/settings" ||
	broken "tailgate check --settings says nothing"

# The manual's items as "path<TAB>Type: … default …." lines.  The paths of an
# installation stand in it as @names@.
awk '
/^\.It Va / { path = $3; type = ""; next }
/^\.(It|El|Sh|Ss)/ { path = "" }
path != "" && (type != "" || /^Type: /) {
	type = type (type == "" ? "" : " ") $0
	if (/\.$/) { print path "\t" type; path = "" }
}' "$manual" >"$dir/manual"

is 'the manual has each setting, in the order of the table' \
    "$(cut -f 1 "$dir/manual")" "$(cut -f 1 "$dir/settings")"

awk -F '\t' '
{
	line = "Type: " $2
	if ($3 != "-") line = line ", " $3
	if ($4 == "required") line = line "; required"
	else if ($4 != "-") line = line "; default " $4
	print $1 "\t" line "."
}' "$dir/settings" >"$dir/wanted"
# What configure decides: only the end of such a path is compared.
sed 's,default @[a-z]*@/.*\(/[a-z]*\)$,default \1,
     s,default @[a-z]*@\(/.*\)$,default \1,' "$dir/manual" >"$dir/manual.ends"
sed 's,\(^[a-z]*_dir	.*default \)/.*\(/[a-z]*\.\)$,\1\2,' \
    "$dir/wanted" >"$dir/wanted.ends"
sed 's,\(^[a-z]*_dir	.*default \)/.*\(/[a-z]*\.\)$,\1\2,' \
    "$dir/manual.ends" >"$dir/manual.cut"
is 'with its type, range and default' "$(cat "$dir/manual.cut")" \
    "$(cat "$dir/wanted.ends")"

# --- etc/tailgate.conf

mkdir "$dir/etc" "$dir/credentials"
# The defaults of this build may be directories of no installation.
{
	printf 'runtime_dir = "%s/run";\nstate_dir = "%s/state";\n' "$dir" "$dir"
	cat "$shipped"
} >"$dir/etc/tailgate.conf"
check 'the shipped configuration works as it is' \
    "$TAILGATE" -f "$dir/etc/tailgate.conf" check
"$TAILGATE" -f "$dir/etc/tailgate.conf" check --dump >"$dir/dump" 2>/dev/null
like 'its echo provider is active' "$(cat "$dir/dump")" 'kind = "echo"'

# "#" with no space or with two after it is a setting that is switched off.
sed -e 's/^\( *\)#\([^ #]\)/\1\2/' -e 's/^\( *\)#  /\1  /' \
    "$shipped" >"$dir/etc/full.conf"
(
	umask 077
	echo key-of-a-test >"$dir/etc/deepseek.key"
	echo key-of-a-test >"$dir/credentials/openrouter"
	echo key-of-a-test-2 >"$dir/credentials/openrouter-2"
	echo password >"$dir/credentials/store"
)
echo 'prices = ( );' >"$dir/etc/prices.conf"
: >"$dir/etc/lab-ca.pem"
mkdir "$dir/certs" "$dir/lib"
sed "s,/etc/ssl/certs,$dir/certs,; s,@[a-z]*dir@,$dir,g" "$dir/etc/full.conf" \
    >"$dir/etc/all.conf"
CREDENTIALS_DIRECTORY=$dir/credentials
ANTHROPIC_API_KEY='key-of-a-test'
export CREDENTIALS_DIRECTORY ANTHROPIC_API_KEY
check 'and with everything in it switched on' \
    "$TAILGATE" -f "$dir/etc/all.conf" check

grep -v '^ *#' "$dir/etc/all.conf" >"$dir/switched"
missing=
while IFS='	' read -r path _; do
	case $path in
	prices*) continue ;;	# in price_file
	threads) continue ;;	# has no effect
	esac
	grep -Eq "(^|[ {(,])${path##*.} = " "$dir/switched" ||
	    missing="$missing $path"
done <"$dir/settings"
is 'it mentions every setting' "$missing" ''

# The dump, loaded again, gives the same dump.
"$TAILGATE" -f "$dir/etc/all.conf" check --dump 2>/dev/null |
    grep -v '^#' >"$dir/etc/dump1.conf"
"$TAILGATE" -f "$dir/etc/dump1.conf" check --dump 2>/dev/null |
    grep -v '^#' >"$dir/etc/dump2.conf"
check 'its dump is a configuration' \
    "$TAILGATE" -f "$dir/etc/dump1.conf" check
same 'that means the same' "$dir/etc/dump1.conf" "$dir/etc/dump2.conf"
unlike 'and holds no key' "$(cat "$dir/etc/dump1.conf")" 'key-of-a-test'

finish
