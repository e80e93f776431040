# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Budgets as a client sees them: the right code, when to come back, what is
# left; over both workers, a reload and a restart, and rebuilt from the ledger
# when their own state is lost.
. "${abs_srcdir:-.}/tests/lib.sh"

need curl lighttpd

start_upstream stub

# A request of 11 tokens in and 20 out costs 31 millionths of a dollar; its
# estimate, with at most 20 tokens out, is no more than 60.
price='price = { input = 1.0; output = 1.0; };'
more_models=", { id = \"daily\"; targets = ( { provider = \"stub\";
	  model = \"n=20\"; $price } ); budget = { usd_per_day = 0.00031; }; },
	{ id = \"minute\"; targets = ( { provider = \"stub\"; model = \"plain\"; } );
	  budget = { requests_per_minute = 5; }; },
	{ id = \"tokens\"; targets = ( { provider = \"stub\"; model = \"n=20\"; } );
	  budget = { tokens_per_minute = 100000; }; },
	{ id = \"once\"; targets = ( { provider = \"stub\";
	  model = \"stall-head\"; } ); budget = { concurrent = 1; }; }"
stub_config
add_client anna
start_tailgate
start_server lighttpd

# ask MODEL: a chat request of at most 20 tokens.
ask()
{
	post /v1/chat/completions "{\"model\":\"$1\",\"max_tokens\":20,
		\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
}

# ask_until_refused MODEL: how often it was served before.
ask_until_refused()
{
	served=0
	while ask "$1" && [ "$status" = 200 ] && [ "$served" -lt 50 ]; do
		served=$((served + 1))
	done
}

# --- Requests per minute -----------------------------------------------------

ask minute
is 'what may be asked in a minute' \
	"$(header x-ratelimit-limit-requests)" 5
is 'what is left of it' "$(header x-ratelimit-remaining-requests)" 4
ask_until_refused minute
is 'four more, over two workers' "$served" 4
check 'then 429' error_is 429 rate_limit_exceeded
like 'with the time to come back' "$(header retry-after)" '^[1-9][0-9]?$'
is 'nothing is left' "$(header x-ratelimit-remaining-requests)" 0
like 'the message says whose bound it is' "$(body)" \
	'Model minute may make 5 requests per minute'

ask tokens
is 'tokens have headers too' "$(header x-ratelimit-limit-tokens)" 100000
like 'with what is left' "$(header x-ratelimit-remaining-tokens)" '^99[0-9]{3}$'

# --- Money -------------------------------------------------------------------

ask_until_refused daily
check 'ten requests of a budget of ten, one more at the most' \
	[ "$served" -ge 10 -a "$served" -le 11 ]
check 'then 429, and not a rate' error_is 429 budget_exceeded
is 'no use in trying again' "$(header x-should-retry)" false
like 'with the type that SDKs know' "$(body)" '"insufficient_quota"'

old=$(workers_of "$tailgate_pid")
none_of_old()
{
	for each in $old; do
		case " $(workers_of "$tailgate_pid" | tr '\n' ' ') " in
		*" $each "*) return 1 ;;
		esac
	done
}
kill -HUP "$tailgate_pid"
wait_until -p "$tailgate_pid" none_of_old
ask daily
is 'a reload changes nothing' "$status" 429

stop "$tailgate_pid"
start_tailgate
ask daily
is 'nor does a restart' "$status" 429

stop "$tailgate_pid"
rm -rf "$dir/run"
start_tailgate
ask daily
is 'nor the loss of its state: the ledger knows' "$status" 429

# --- At once -----------------------------------------------------------------

tell stub reset >/dev/null
post /v1/chat/completions '{"model":"once","messages":[]}' &
adopt waiting $!
wait_until stat_is stub in_flight 1
ask once
check 'one at once' error_is 429 rate_limit_exceeded
for worker in $(workers_of "$tailgate_pid"); do
	kill -9 "$worker"
done
wait "$waiting_pid"
forget "$waiting_pid"
wait_until stat_is stub in_flight 0
# Another one goes up, or is refused and ends.
free_again()
{
	post /v1/chat/completions '{"model":"once","messages":[]}' &
	adopt waiting $!
	wait_until -p "$waiting_pid" stat_is stub in_flight 1 && return
	wait "$waiting_pid"
	forget "$waiting_pid"
	return 1
}
check 'a killed worker gives back what it held' \
	wait_until -t 60 -p "$tailgate_pid" free_again
tell stub release >/dev/null
wait "$waiting_pid"
forget "$waiting_pid"

finish
