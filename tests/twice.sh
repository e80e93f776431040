# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Values that are there twice are not believed: a header next to one that
# differs only in - and _ (both become one parameter), and a field of a form.
. "${abs_srcdir:-.}/tests/lib.sh"
need lighttpd

start_upstream stub
stub_config
add_client anna
start_tailgate

twice()
{
	post /v1/chat/completions "$(chat plain)" \
		-H 'X_Tailgate_Place: external' -H 'X-Tailgate-Place: local'
	is "$1: two places" "$status" 400
	post /v1/chat/completions "$(chat plain)" -H 'X-Tailgate-Place: local'
	is "$1: one place" "$status" 200
	request /v1/audio/transcriptions -F model=stub/plain \
		-F prompt=one -F prompt=two -F "file=@$dir/call;filename=a.wav"
	is "$1: two prompts" "$status" 400
	request /v1/audio/transcriptions -F model=stub/plain \
		-F prompt=one -F "file=@$dir/call;filename=a.wav"
	is "$1: one prompt" "$status" 200
}
chat plain >"$dir/call"
start_lighttpd
twice lighttpd
finish
