# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# certificates.sh: a certificate authority for a test, and what it signs; for
# tests that source it after lib.sh.

# Variables of lib.sh.
# shellcheck disable=SC2154

# authority NAME, certificate NAME AUTHORITY SUBJECT-ALT-NAME
authority()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-days 2 -subj "/CN=$1" -keyout "$dir/$1.key" -out "$dir/$1.pem" \
		-addext 'keyUsage=critical,keyCertSign' \
		>"$dir/openssl.log" 2>&1 || broken 'openssl req -x509'
}

certificate()
{
	printf 'subjectAltName=%s\n' "$3" >"$dir/$1.ext"
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-subj "/CN=$1" -keyout "$dir/$1.key" -out "$dir/$1.csr" \
		>"$dir/openssl.log" 2>&1 || broken "openssl req $1"
	openssl x509 -req -in "$dir/$1.csr" -CA "$dir/$2.pem" \
		-CAkey "$dir/$2.key" -set_serial 7 -days 2 \
		-extfile "$dir/$1.ext" -out "$dir/$1.pem" \
		>"$dir/openssl.log" 2>&1 || broken "openssl x509 $1"
}
