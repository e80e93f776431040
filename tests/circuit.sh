# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# A circuit is shared by all.  Other processes know what one worker has found
# out workers, plain CGI and the operator.  Half open, it lets exactly one
# request through, however many come at once.  Requests that waited for a slot
# ask it once more.
. "${abs_srcdir:-.}/tests/lib.sh"

shape= # one of its own, below

start_upstream stub

# config SCRIPT COOLDOWN_MAX
config()
{
	new_config <<-END
		processes = 3;
		providers = (
		  { name = "gpu"; place = "local";
		    url = "http://127.0.0.1:$stub_port/s/$1/v1";
		    circuit = { failures = 3; cooldown = $2;
		      cooldown_max = $2; }; },
		  { name = "other"; place = "local"; url = "$stub_url"; }
		);
		models = (
		  { id = "m"; targets = (
		    { provider = "gpu"; model = "x"; } ); },
		  { id = "with-fallback"; fallback = [ "unavailable" ];
		    targets = (
		    { provider = "gpu"; model = "x"; },
		    { provider = "other"; model = "plain"; } ); }
		);
	END
}

ask='{"model":"m","messages":[{"role":"user","content":"hello"}]}'

# circuit: of gpu, as `tailgate status` shows it.
circuit()
{
	"$TAILGATE" -f "$conf" status |
		sed -n 's/^gpu  *local  *\([a-z-]*\).*/\1/p'
}

# ask_cgi: one request as plain CGI; its status.
ask_cgi()
{
	printf '%s' "$ask" | env -i PATH="$PATH" GATEWAY_INTERFACE=CGI/1.1 \
		REQUEST_METHOD=POST SCRIPT_NAME=/v1/chat/completions \
		REQUEST_URI=/v1/chat/completions PATH_INFO= QUERY_STRING= \
		SERVER_PROTOCOL=HTTP/1.1 REMOTE_ADDR=127.0.0.1 \
		CONTENT_TYPE=application/json CONTENT_LENGTH=${#ask} \
		HTTP_AUTHORIZATION="Bearer $key" \
		"$TAILGATE_FCGI" -f "$conf" 2>>"$dir/cgi.log" |
		tr -d '\r' | sed -n 's/^Status: \([0-9]*\).*/\1/p'
}

# reload: SIGHUP, and until no worker of before is left.
reload()
{
	old=$(workers_of "$tailgate_pid")
	kill -HUP "$tailgate_pid"
	wait_until -p "$tailgate_pid" replaced ||
		broken "no reload"
}

# shellcheck disable=SC2317 # wait_until calls it
replaced()
{
	now=$(workers_of "$tailgate_pid")
	[ "$(printf '%s\n' "$now" | wc -l)" -eq 3 ] || return 1
	for child in $old; do
		case " $(echo "$now" | tr '\n' ' ') " in
		*" $child "*) return 1 ;;
		esac
	done
}

# limited SCRIPT SCRIPT SCRIPT SCRIPT: of one provider four models that say so,
# and a fifth.
limited()
{
	new_config <<-END
		processes = 3;
		providers = (
		  { name = "cloud"; place = "local"; url = "$stub_url";
		    circuit = { failures = 3; cooldown = 600;
		      cooldown_max = 600; }; }
		);
		models = (
		  { id = "no"; targets = (
		    { provider = "cloud"; model = "$1"; } ); },
		  { id = "too"; targets = (
		    { provider = "cloud"; model = "$2"; } ); },
		  { id = "three"; targets = (
		    { provider = "cloud"; model = "$3"; } ); },
		  { id = "soon"; targets = (
		    { provider = "cloud"; model = "$4"; } ); },
		  { id = "yes"; targets = (
		    { provider = "cloud"; model = "plain"; } ); }
		);
	END
}

ask_for()
{
	post /v1/chat/completions "$(echo "$ask" | sed "s/\"m\"/\"$1\"/")"
}

# shellcheck disable=SC2317 # wait_until calls it
says()
{
	ask_for "$1"
	[ "$status" = "$2" ]
}

config 500 300
add_client chief --operator
add_client anna
start_tailgate
start_lighttpd

for n in 1 2 3; do
	post /v1/chat/completions "$ask"
	is "failure $n is the upstream's" "$status" 500
done
is "three failures open the circuit" "$(circuit)" open
for n in 1 2 3 4 5 6 7 8; do
	post /v1/chat/completions "$ask"
	[ "$status" = 503 ] || break
done
check "every worker knows it" error_is 503 provider_unavailable
like "and says when to come back" "$(header retry-after)" '^[1-9][0-9]*$'
is "a CGI run knows it" "$(ask_cgi)" 503
is "the upstream was left alone" "$(stat stub requests)" 3
post /v1/chat/completions "$(echo "$ask" | sed 's/"m"/"with-fallback"/')"
is "the next target serves it if that is permitted" "$status" 200

# A cooldown_max below what is left: a trial is due, without waiting for it.
config stall-head 1
reload
tell stub reset >/dev/null
is "half open" "$(circuit)" half-open

# many N: N requests at once; their responses are in $dir/many/.
many()
{
	rm -rf "$dir/many"
	mkdir "$dir/many"
	n=0
	while [ $n -lt "$1" ]; do
		n=$((n + 1))
		[ $n -eq 1 ] || echo next
		echo "url = \"$base/v1/chat/completions\""
		echo "header = \"Authorization: Bearer $key\""
		echo 'header = "Content-Type: application/json"'
		echo "data-binary = \"@$dir/ask\""
		echo "output = \"$dir/many/$n\""
		echo 'max-time = 300'
	done >"$dir/many.curl"
	curl -sS --no-progress-meter -Z --parallel-max "$1" \
		--parallel-immediate -K "$dir/many.curl" 2>"$dir/many.err" &
	adopt many $!
}

# many_say N ERE: that many of the responses have it.
# shellcheck disable=SC2317 # wait_until calls it
many_say()
{
	[ "$(cat "$dir/many"/* 2>/dev/null | grep -E -o "$2" | wc -l)" \
		-eq "$1" ]
}

printf '%s' "$ask" >"$dir/ask"
many 50
check "of 50 at once 49 are sent away" wait_until -p "$many_pid" \
	many_say 49 '"code":"provider_unavailable"'
check "and one has gone to the upstream" wait_until stat_is stub requests 1
is "a CGI run waits for it too" "$(ask_cgi)" 503
tell stub release >/dev/null
wait "$many_pid"
check "that one is served well" many_say 1 '"object":"chat.completion"'
is "and closes the circuit" "$(circuit)" closed

config plain 300
reload
post /v1/chat/completions "$ask"
is "all go through again" "$status" 200

# The one that tries dies with its worker.
config 500 300
reload
for n in 1 2 3; do
	post /v1/chat/completions "$ask"
done
is "open again" "$(circuit)" open
config stall-head 1
reload
tell stub reset >/dev/null
many 1
check "a trial is on its way" wait_until -p "$many_pid" \
	stat_is stub in_flight 1
is "no other request tries" "$(ask_cgi)" 503
for child in $(workers_of "$tailgate_pid"); do
	kill -KILL "$child"
done
wait "$many_pid"
check "its worker killed, the next one may" wait_until -p "$tailgate_pid" \
	sh -c "'$TAILGATE' -f '$conf' status | grep '^gpu.*half-open'"
"$TAILGATE" -f "$conf" status >"$dir/status.out"
is "and nothing is in flight" \
	"$(awk '/^gpu/ { print $(NF - 2) }' "$dir/status.out")" 0

# One model's 429 is not the provider's: limits are often by model.
limited 429,retry=505 429,retry=506 429,retry=507 429,retry=5
reload
tell stub reset >/dev/null
ask_for no
is "a model is rate limited" "$status" 429
for n in 1 2 3 4; do
	ask_for no
	check "then left alone by every worker: $n" \
		error_is 503 provider_unavailable
done
like "with its own time" "$(header retry-after)" '^([34][0-9][0-9]|50[0-5])$'
is "and not asked" "$(stat stub requests)" 1
echo "$ask" | sed 's/"m"/"no"/' >"$dir/ask"
like "explain says so" \
	"$("$TAILGATE" -f "$conf" explain --client anna "$dir/ask" 2>&1)" \
	'rate limited or loading'
ask_for yes
is "another model of the provider goes on" "$status" 200
ask_for too
is "a second model's 429 meanwhile" "$status" 429
ask_for three
is "and a third's" "$status" 429
for n in 1 2 3; do
	ask_for yes
	is "are theirs: $n" "$status" 200
done
"$TAILGATE" -f "$conf" status >"$dir/status.out"
for model in 429,retry=505 429,retry=506 429,retry=507; do
	like "status names them: $model" "$(cat "$dir/status.out")" \
		"^cloud +$model +one model rate limited +[0-9]+m[0-9]+s"
done
is "status --json too" "$("$TAILGATE" -f "$conf" status --json |
	jq '.providers[0].held | length')" 3
key=$chief_key
request /metrics
like "and /metrics" "$(body)" \
	'^tailgate_provider_models_held[{]provider="cloud"[}] 3$'
key=$anna_key
ask_for soon
is "a model is rate limited for a while" "$status" 429
asked=$(stat stub requests)
check "after its time it is asked again" \
	wait_until -t 60 -p "$tailgate_pid" says soon 429
is "and not before" "$(stat stub requests)" $((asked + 1))

# Requests that wait for a slot do not each try what is dead by then.  A
# provider's failure opens its circuit; those that get its slot next are sent
# away, or to the next target.
new_config <<-END
	processes = 3;
	limits = ( { name = "card"; slots = 1; queue = 16; wait = 60; } );
	providers = (
	  { name = "dead"; place = "local"; limit = "card";
	    url = "http://127.0.0.1:$stub_port/s/stall-head,500/v1";
	    circuit = { failures = 1; cooldown = 300; cooldown_max = 300; }; },
	  { name = "hangs"; place = "local"; limit = "card";
	    url = "http://127.0.0.1:$stub_port/s/stall-head,500/v1";
	    circuit = { failures = 1; cooldown = 300; cooldown_max = 300; }; },
	  { name = "other"; place = "local"; url = "$stub_url"; }
	);
	models = (
	  { id = "m"; targets = ( { provider = "dead"; model = "x"; } ); },
	  { id = "with-fallback"; fallback = [ "unavailable" ]; targets = (
	    { provider = "hangs"; model = "x"; },
	    { provider = "other"; model = "plain"; } ); }
	);
END
reload

# The one that has the slot, and those that wait.
# shellcheck disable=SC2317 # wait_until calls it
card_is()
{
	[ "$("$TAILGATE" -f "$conf" status --json |
		jq -c '.limits[0] | [.used, .queued]')" = "$1" ]
}
for model in m with-fallback; do
	tell stub reset >/dev/null
	echo "$ask" | sed "s/\"m\"/\"$model\"/" >"$dir/ask"
	many 5
	check "$model: one has the slot and four wait" \
		wait_until -p "$many_pid" card_is '[1,4]'
	check "$model: one was sent" wait_until stat_is stub requests 1
	tell stub release >/dev/null
	wait "$many_pid"
	check "$model: it failed" many_say 1 '"code": ?"stub_error"'
	if [ $model = m ]; then
		check "the others are told that the circuit is open" \
			many_say 4 '"code":"provider_unavailable"'
		is "and were not sent" "$(stat stub requests)" 1
	else
		check "or get the next target" \
			many_say 4 '"object":"chat.completion"'
		is "only" "$(stat stub requests)" 5
	fi
	check "$model: the slot is free" card_is '[0,0]'
done

# The circuit has opened and its cooldown is over when they get the slot: the
# first one is the trial, which fails, and the second one is sent away.
new_config <<-END
	processes = 3;
	limits = ( { name = "card"; slots = 2; queue = 16; wait = 60;
	  per_client = 1; } );
	providers = (
	  { name = "late"; place = "local"; limit = "card";
	    url = "http://127.0.0.1:$stub_port/s/stall-head/v1";
	    timeouts = { first_byte = 1; };
	    circuit = { failures = 1; cooldown = 8; cooldown_max = 8; }; },
	  { name = "patient"; place = "local"; limit = "card";
	    url = "$stub_url"; }
	);
	models = (
	  { id = "m"; targets = ( { provider = "late"; model = "x"; } ); },
	  { id = "hold"; targets = (
	    { provider = "patient"; model = "stall-head"; } ); }
	);
END
reload
tell stub reset >/dev/null
echo "$ask" >"$dir/ask"
hold_slot "$anna_key" hold
many 2
check "two wait, as their client has a slot" \
	wait_until -p "$many_pid" card_is '[1,2]'
key=$chief_key
post /v1/chat/completions "$ask"
check "another client's request fails" error_is 504 upstream_timeout
check "its cooldown ends" wait_until -p "$many_pid" \
	sh -c "'$TAILGATE' -f '$conf' status | grep '^late.*half-open'"
is "before they have a slot" "$(stat stub requests)" 2
let_slot_go
wait "$many_pid"
check "the first one tries" many_say 1 '"code":"upstream_timeout"'
check "the second one does not" many_say 1 '"code":"provider_unavailable"'
is "which the upstream sees" "$(stat stub requests)" 3
check "both slots are free" card_is '[0,0]'
check "a later one may try" wait_until -p "$tailgate_pid" says m 504

finish
