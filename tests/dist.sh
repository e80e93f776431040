# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# A release is bit for bit the same wherever it is made: twice, with another
# time, time zone, umask and order of files; its checksums and its list of
# parts are right.
. "${abs_srcdir:-.}/tests/lib.sh"

need xz sha256sum
tar --version 2>/dev/null | grep -q GNU || skip_all 'tar is not GNU tar'

make=${MAKE:-make}
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR
SOURCE_DATE_EPOCH=1700000000
export SOURCE_DATE_EPOCH

# release NAME: into $dir/NAME.
release()
{
	mkdir "$dir/$1"
	"$make" -s -C "$abs_builddir" release \
		releasedir="$dir/$1" || broken 'make release'
}

dist=$(sed -n 's/^PACKAGE_STRING = \([^ ]*\) \(.*\)/\1-\2/p' \
	"$abs_builddir/Makefile")
release one >"$dir/one.log" 2>&1
(umask 077 && TZ=Asia/Tokyo release two) >"$dir/two.log" 2>&1
for file in "$dist.tar.xz" SHA256SUMS; do
	same "$file is the same twice" "$dir/one/$file" "$dir/two/$file"
done
check 'the checksums are right' sh -c "cd '$dir/one' && sha256sum -c SHA256SUMS"
xz -dc "$dir/one/$dist.tar.xz" | tar -tvf - --numeric-owner >"$dir/list"
is 'no particular user owns a file' \
	"$(awk '$2 != "0/0"' "$dir/list" | head -n 1)" ''
check 'its configure is in it' grep -q " $dist/configure\$" "$dir/list"
if command -v jq >/dev/null; then
	is 'the list of parts names what it is linked with' \
		"$(jq -r '[.components[].name] | index("libcurl") != null' \
			"$dir/one/$dist.cdx.json")" true
fi

finish
