# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The status page through the shipped web server configurations, in headless
# Chromium (tests/page/page.mjs), over a week of generated traffic.
#
#   TAILGATE_SHOTS=DIR   leave screenshots there
. "${abs_srcdir:-.}/tests/lib.sh"

. "$tests/clients/suite.sh"

need_js playwright-core
need curl jq chromium

www=$abs_srcdir/contrib/www
start_upstream stub -n
new_config <<-END
	limits = ( { name = "gpu"; slots = 2; queue = 16; wait = 120; } );
	providers = (
	  { name = "qwen-local"; place = "local"; url = "$stub_url";
	    limit = "gpu"; },
	  { name = "free-local"; place = "local"; url = "$stub_url"; },
	  { name = "deepseek"; place = "external"; url = "$stub_url"; }
	);
	models = (
	  { id = "stub/*"; targets = (
	    { provider = "qwen-local"; model = "*"; } ); },
	  { id = "free/*"; targets = (
	    { provider = "free-local"; model = "*"; } ); }
	);
END
ledger=$dir/state/ledger.jsonl
"$node" "$tests/page/week.mjs" "$ledger" || broken "no ledger was made"
# A process that can write to the ledger can write anything.
"$node" -e '
	const fs = require("fs"), crypto = require("crypto"), file = process.argv[1];
	const last = fs.readFileSync(file, "latin1").trimEnd().split("\n").pop();
	const line = JSON.stringify({ ...JSON.parse(last), id: "<i>id</i>",
		provider: "<b>bold</b>", n: JSON.parse(last).n + 1,
		prev: crypto.createHash("sha256").update(last).digest("hex")
			.slice(0, 32) });
	fs.appendFileSync(file, line + "\n");
' "$ledger"
like "the week is a whole ledger" \
	"$("$TAILGATE" -f "$conf" usage --verify)" '^[0-9]+ lines, none changed'
add_client laptop --usd-per-day 5 --concurrent 10
add_client operator --operator
start_tailgate

# Caddy serves the same files with the same headers.
heads()
{
	start_server "$1"
	for file in '' app.js style.css icon.svg; do
		request "/tailgate/$file"
		is "$1: /tailgate/$file is served" "$status" 200
		header Content-Security-Policy >"$dir/csp.$1.$file"
	done
	request /tailgate
	is "$1: /tailgate leads there" "$(header Location)" /tailgate/
	key=$operator_key
	request '/tailgate/usage.json?days=1&recent=3'
	is "$1: usage.json" "$status $(jq '.recent | length' "$dir/body")" \
		"200 3"
	key=
	request /tailgate/usage.json
	check "$1: not without a key" error_is 401 invalid_api_key
	key=$laptop_key
	request /tailgate/usage.json
	is "$1: no operator sees more than what is its own" \
		"$status $(jq -c 'keys' "$dir/body")" \
		'200 ["at","budgets","client"]'
	request /tailgate/status.json
	check "$1: for operators only" error_is 403 endpoint_not_allowed
}
if command -v caddy >/dev/null; then
	heads caddy
	stop_server
	heads lighttpd
	same "both send the same policy" "$dir/csp.caddy." "$dir/csp.lighttpd."
else
	heads lighttpd
fi

# Two requests hold the slots and one waits.
key=$laptop_key
for i in 1 2 3; do
	spawn "gate$i" curl -s -N -o /dev/null --max-time 300 \
		-H "Authorization: Bearer $key" \
		-H 'Content-Type: application/json' \
		-d "$(chat gate '"stream":true')" "$base/v1/chat/completions"
done
queue_is()
{
	[ "$("$TAILGATE" -f "$conf" status --json |
		jq -c '.limits[0] | [.used, .queued]')" = "$1" ]
}
check "two run and one waits" wait_until queue_is '[2,1]'

like "laptop is recorded" "$("$TAILGATE" -f "$conf" capture --client laptop \
	--for 20m --max 1)" '^Recording client laptop until '

mkdir "$dir/js"
cp "$tests/page/page.mjs" "$dir/js/"
ln -s "$clients/node_modules" "$dir/js/node_modules"
BASE=$base OPERATOR_KEY=$operator_key CLIENT_KEY=$laptop_key \
	GATEWAY_PID=$tailgate_pid CHROMIUM=$(command -v chromium) \
	SHOTS=${TAILGATE_SHOTS:-} HOME=$dir \
	"$node" "$dir/js/page.mjs" >"$dir/page.out" 2>&1
is "the script ran to its end" "$?" 0
take "$dir/page.out" page
like "all of it" "$(tail -n 1 "$dir/page.out")" '^done$'
finish
