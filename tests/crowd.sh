# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# As many clients and models as a configuration may have, each with a budget: a
# configuration that `check` accepts starts, serves the first and the last of
# them, reloads, and serves them again.
. "${abs_srcdir:-.}/tests/lib.sh"

need curl openssl awk

# crowd MARK: 4,096 models, and 65,536 clients in the clients' file.  The names
# hold the mark.  The digest of all but the first and the last client is its
# number: no client has such a key.
crowd()
{
	awk -v mark="$1" 'BEGIN {
		print "providers = ( { name = \"e\"; kind = \"echo\"; " \
		    "place = \"local\"; } );\nmodels = ("
		for (i = 0; i < 4096; i++)
			printf("%s{ id = \"%s-%d\"; budget = " \
			    "{ tokens_per_day = 1000000; }; targets = ( " \
			    "{ provider = \"e\"; model = \"m\"; } ); }",
			    (i > 0 ? ",\n" : ""), mark, i)
		print "\n);"
	}' >"$dir/crowd.in"
	new_config <"$dir/crowd.in"
	awk -v mark="$1" -v first="$first" -v last="$last" 'BEGIN {
		print "clients = ("
		for (i = 0; i < 65536; i++) {
			key = sprintf("%064x", i)
			if (i == 0)
				key = first
			if (i == 65535)
				key = last
			printf("%s{ name = \"%s-%d\"; key_sha256 = \"%s\"; " \
			    "budget = { requests_per_minute = 2; }; }",
			    (i > 0 ? ",\n" : ""), mark, i, key)
		}
		print "\n);"
	}' >"$dir/clients.conf"
}

digest()
{
	printf %s "$1" | openssl dgst -sha256 -r | cut -c 1-64
}

# ask KEY MODEL: $status of a chat.
ask()
{
	status=$(curl -s -o "$dir/body" -w '%{http_code}' -m 30 \
		-H "Authorization: Bearer $1" \
		-H 'Content-Type: application/json' \
		-d "{\"model\":\"$2\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}" \
		"$base/v1/chat/completions")
}

# serves_crowd MARK: all that a client of this crowd meets.
serves_crowd()
{
	for who in first last; do
		ask "tg-$who" "$1-4095"
		is "$1: the $who client, the last model" "$status" 200
		ask "tg-$who" "$1-0"
		is "$1: the $who client, the first model" "$status" 200
		ask "tg-$who" "$1-0"
		is "$1: the $who client's budget is its own" "$status" 429
	done
	ask tg-nobody "$1-0"
	is "$1: a wrong key" "$status" 401
}

first=$(digest tg-first)
last=$(digest tg-last)

crowd a
check 'check says good' "$TAILGATE" -f "$conf" check
start_tailgate
start_lighttpd
serves_crowd a

# Other names for all: none of the rows of before is theirs.
crowd b
check 'check says good of the other names' "$TAILGATE" -f "$conf" check
# A worker of before may serve for a moment after the first of the new ones does.
renew_workers -t 300
serves_crowd b

# One more than there may be: check and reload refuse it alike.
sed -i '$d' "$dir/clients.conf"
echo ', { name = "more"; user = "more"; } );' >>"$dir/clients.conf"
check_not 'one client more is not good' "$TAILGATE" -f "$conf" check
kill -HUP "$tailgate_pid"
wait_until -t 300 -p "$tailgate_pid" file_has "$dir/tailgate.log" \
	'must be 0..65536'
ask tg-nobody b-0
is 'and the gateway goes on' "$status" 401

finish
