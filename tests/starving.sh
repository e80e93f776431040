# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Memory runs out once at each place: requests of every kind are sent again and
# again, and in each the worker's next allocation fails (alone, a few in a row,
# many in a row, all large ones).  A response that looks complete is complete;
# everything else is an honest error.  No provider is blamed, nothing goes to a
# fallback, nothing private leaves, and the worker lives on.
#
# KINDS='plain;stream' and MODES='one many' choose.
. "${abs_srcdir:-.}/tests/lib.sh"

need python3 lighttpd openssl
if sanitized; then
	pass 'a sanitizer is in this build, with an allocator of its own'
	finish
fi

starving=$abs_srcdir/tests/starving.py
far_key=$(sed -n 's/^FAR_KEY = "\(.*\)"/\1/p' "$starving")
mkdir "$dir/raw" "$dir/spool"
printf '%s\n' "$far_key" >"$dir/far.key"
chmod 600 "$dir/far.key"
{
	printf 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n'
	printf 'Connection: close\r\n\r\n: %s\n\n' "$far_key"
	for n in 1 2 3; do
		printf 'data: {"choices":[{"index":0,"delta":{"content":'
		printf '"%s"}}]}\n\n' "$far_key"
	done
	printf 'data: [DONE]\n\n'
} >"$dir/raw/key.http"
# A whole response, although a stream was asked for.
whole='{"id":"c","object":"chat.completion","created":1,"model":"m","choices":
[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":
"hello"}}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'
{
	printf 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n'
	printf 'Content-Length: %d\r\n\r\n%s' ${#whole} "$whole"
} >"$dir/raw/whole.http"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
	-subj /CN=127.0.0.1 -addext 'subjectAltName=IP:127.0.0.1' \
	-keyout "$dir/tls.key" -out "$dir/tls.pem" >"$dir/openssl.log" 2>&1 ||
	broken 'openssl req'
python3 "$starving" tls "$dir" "$dir/tls.pem" "$dir/tls.key" \
	>"$dir/secure.log" 2>&1 &
adopt secure $!
wait_until -p "$secure_pid" test -s "$dir/tls.port"

start_upstream stub -n --raw "$dir/raw"
start_upstream far -n
start_upstream paid -n
faults='circuit = { failures = 1; cooldown = 1000.0; cooldown_max = 1000.0; };'
key_file="key = { file = \"$dir/far.key\"; };"
permits='fallback = [ "unavailable", "error", "timeout", "busy" ];'
new_config <<-END
	processes = 1;
	body = { spool_dir = "$dir/spool"; spool_over = 65536; };
	limits = ( { name = "gpu"; slots = 2; queue = 8; } );
	providers = (
	  { name = "stub"; place = "local"; url = "$stub_url"; $faults
	    $key_file endpoints = [ "chat", "transcriptions" ]; },
	  { name = "gpu"; place = "local"; url = "$stub_url"; limit = "gpu";
	    $faults },
	  { name = "far"; place = "external"; url = "$far_url"; $faults
	    $key_file endpoints = [ "chat", "transcriptions" ]; },
	  { name = "secure"; place = "local"; $faults
	    url = "https://127.0.0.1:$(cat "$dir/tls.port")/v1";
	    ca_file = "$dir/tls.pem"; },
	  { name = "named"; place = "local"; $faults
	    url = "http://named.test:$stub_port/v1"; },
	  { name = "echo"; kind = "echo"; place = "local"; },
	  { name = "paid"; place = "local"; url = "$paid_url";
	    endpoints = [ "chat", "transcriptions" ]; }
	);
	models = (
	  { id = "any/*"; $permits targets = (
	    { provider = "stub"; model = "*"; },
	    { provider = "paid"; model = "plain"; } ); },
	  { id = "slot/*"; $permits targets = (
	    { provider = "gpu"; model = "*"; },
	    { provider = "paid"; model = "plain"; } ); },
	  { id = "far"; place = "external"; targets = (
	    { provider = "far"; model = "plain"; } ); },
	  { id = "secure"; $permits targets = (
	    { provider = "secure"; model = "plain"; },
	    { provider = "paid"; model = "plain"; } ); },
	  { id = "named"; $permits targets = (
	    { provider = "named"; model = "plain"; },
	    { provider = "paid"; model = "plain"; } ); },
	  { id = "echo"; targets = ( { provider = "echo"; model = "echo"; } ); }
	);
	private = ( { name = "marked"; pattern = "OMEGA-[0-9]{3}"; } );
END
add_client anna --place external --operator
head -c 56 /dev/zero >"$dir/starve"
cat >"$dir/starved" <<-END
	#!/bin/sh
	TAILGATE_TEST_STARVE=$dir/starve LD_PRELOAD=$bin/starve.so
	export TAILGATE_TEST_STARVE LD_PRELOAD
	exec "$TAILGATE_FCGI" "\$@"
END
chmod 755 "$dir/starved"
TAILGATE_FCGI=$dir/starved
start_tailgate
start_lighttpd

no_provider_blamed()
{
	"$TAILGATE" -f "$conf" status --json | jq -c \
		'[.providers[] | select(.failures > 0 or .state != "closed")
		| .name]'
}

# walk KIND MODE
walk()
{
	worker=$(workers_of "$tailgate_pid")
	python3 "$starving" walk "$dir" "$base" "$key" "$stub_port" "$worker" \
		"$1" "$2" >"$dir/walk" 2>&1
	walk_rc=$?
	detail "$(cat "$dir/walk")"
	is "$1, $2: whole, or an honest error" "$walk_rc" 0
	is "$1, $2: the worker lives on" "$(workers_of "$tailgate_pid")" \
		"$worker"
	is "$1, $2: no provider is blamed" "$(no_provider_blamed)" '[]'
	is "$1, $2: nothing goes to the fallback" "$(stat paid requests)" 0
	tell paid reset >/dev/null
	case $1 in
	private*)
		is "$1, $2: nothing private has left" "$(stat far requests)" 0
		;;
	esac
	tell far reset >/dev/null
}

# lookups_fail N: of the resolver's next look-ups so many lack memory
# (EAI_MEMORY); curl does not say so.
lookups_fail()
{
	python3 -c 'import struct, sys
with open(sys.argv[1], "r+b") as f:
    f.seek(48)
    f.write(struct.pack("=q", int(sys.argv[2])))' "$dir/starve" "$1"
}

# ask_named ROW: nobody else is blamed or asked, whatever becomes of it.
ask_named()
{
	post /v1/chat/completions '{"model":"named","messages":[]}'
	is "$1: no provider is blamed" "$(no_provider_blamed)" '[]'
	is "$1: nothing goes to the fallback" "$(stat paid requests)" 0
}

lookups_fail 1
ask_named 'a resolver without memory for a moment'
is 'a resolver without memory for a moment: the provider serves' \
	"$status $(header x-tailgate-provider)" '200 named'
is 'a resolver without memory for a moment: it was asked' "$(od -An -td8 -j48 \
	-N8 "$dir/starve" | tr -d ' ')" 0
renew_workers # a connection that is kept needs no name
lookups_fail 1000
ask_named 'a resolver without memory'
check 'a resolver without memory: our own failure' \
	error_is 503 gateway_exhausted
like 'a resolver without memory: the log says so' \
	"$(cat "$dir/tailgate.log")" 'named: .*to resolve its name'
TAILGATE_TEST_STARVE=$dir/starve LD_PRELOAD=$bin/starve.so \
	"$TAILGATE" -f "$conf" probe named >"$dir/probe" 2>&1
like 'a resolver without memory: a probe says so' "$(cat "$dir/probe")" \
	'to resolve its name'
is 'a resolver without memory: a probe blames no provider' \
	"$(no_provider_blamed)" '[]'
lookups_fail 0
ask_named 'a resolver with memory again'
is 'a resolver with memory again: the provider serves' \
	"$status $(header x-tailgate-provider)" '200 named'

kinds=${KINDS:-$(sed -n 's/^    "\([a-z ]*\)": ("\/.*/\1/p' "$starving" |
	tr '\n' ';')}
IFS=';'
for kind in $kinds; do
	IFS=' '
	for mode in ${MODES:-one many large}; do
		walk "$kind" "$mode"
	done
	IFS=';'
done
IFS=' '
finish
