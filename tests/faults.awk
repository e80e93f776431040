# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The needs of the rows of tests/faults.tsv, and their results; run by
# tests/faults.sh with -v what=
#
#	providers, models  of the configuration, one for each row
#	requests  curl's config: one transfer for each row that needs no order
#	judge     the rows as they were seen, against what they say
#	manual    the manual's table of errors (the first file) against them
#
# Rows come as "ID<TAB>columns".

BEGIN {
	FS = "\t"
	split("status code retry-after should-retry end ledger tries flags " \
	    "usage next sdk requests", column, " ")
	path["chat"] = "chat/completions"
	path["completions"] = "completions"
	path["embeddings"] = "embeddings"
	path["rerank"] = "rerank"
	path["responses"] = path["responses-bridged"] = "responses"
	path["messages"] = path["messages-bridged"] = "messages"
	path["count_tokens"] = "messages/count_tokens"
	path["speech"] = "audio/speech"
	path["transcriptions"] = "audio/transcriptions"
	asks["chat"] = "\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]"
	asks["completions"] = "\"prompt\":\"hello\""
	asks["embeddings"] = "\"input\":\"hello\""
	asks["rerank"] = "\"query\":\"a\",\"documents\":[\"b\"]"
	asks["responses"] = asks["responses-bridged"] = "\"input\":\"hello\""
	asks["count_tokens"] = asks["chat"]
	asks["messages"] = asks["messages-bridged"] = \
	    asks["chat"] ",\"max_tokens\":99"
	asks["speech"] = "\"input\":\"hello\",\"voice\":\"alloy\""
	if (what == "judge")
		read_facts()
}

what == "providers" { print_provider($1, $2) }
what == "models" { print_model($1, $2, $3, $5) }
what == "requests" && $2 !~ /leave|close-reuse/ { print_request($1, $3, $4) }
what == "judge" { judge() }
what == "manual" && FNR == NR { note_manual($0) }
what == "manual" && FNR != NR && $7 ~ /^[a-z_]+$/ { hold_against_manual() }
END { exit wrong > 0 }

# A lesson from a provider (429 and its Retry-After) must not affect the other
# rows; those that teach nothing share one for each kind of patience.
function provider(id, fault)
{
	if (fault ~ /429|loading|retry/)
		return id
	if (fault ~ /refuse/)
		return "dead"
	if (fault ~ /close-reuse/)
		return "kept"
	if (fault ~ /stall-head|stall-first/)
		return "hasty"
	if (fault ~ /stall-mid/)
		return "lazy"
	return fault ~ /too-slow/ ? "brief" : "first"
}

function print_provider(id, fault)
{
	if (provider(id, fault) == id)
		printf ", { name = \"%s\"; %s }\n", id, like
}

function print_model(id, fault, endpoint, fallback,    script, speaks)
{
	script = fault == "close-reuse" ? "plain" : fault
	speaks = endpoint ~ /-bridged/ ? " endpoints = [ \"chat\" ];" : ""
	if (fallback == "-") # a reason that no row has
		fallback = "busy"
	gsub(/,/, "\", \"", fallback)
	printf ", { id = \"%s\"; fallback = [ \"%s\" ]; targets = (\n",
	    id, fallback
	printf "  { provider = \"%s\"; model = \"%s,%s\";%s },\n",
	    provider(id, fault), script, id, speaks
	printf "  { provider = \"second\"; model = \"next-%s\";%s } ); }\n",
	    id, speaks
}

function print_request(id, endpoint, stream,    body)
{
	print "next"
	print "silent"
	print "max-time = 60"
	printf "header = \"Authorization: Bearer %s\"\n", key
	printf "output = \"%s/%s.body\"\n", out, id
	printf "dump-header = \"%s/%s.head\"\n", out, id
	printf "write-out = \"%s %%{http_code} %%{exitcode} " \
	    "%%{size_download}\\n\"\n", id
	if (endpoint == "models") {
		printf "url = \"%s/v1/models/%s\"\n", base, id
		return
	}
	printf "url = \"%s/v1/%s\"\n", base, path[endpoint]
	if (endpoint == "transcriptions") {
		printf "form-string = \"model=%s\"\n", id
		if (stream == "yes")
			print "form-string = \"stream=true\""
		printf "form = \"file=@%s\"\n", audio
		return
	}
	print "header = \"Content-Type: application/json\""
	body = sprintf("{\"model\":\"%s\",%s%s}", id, asks[endpoint],
	    stream == "yes" ? ",\"stream\":true" : "")
	gsub(/"/, "\\\"", body)
	printf "data-raw = \"%s\"\n", body
}

# --- The results -----------------------------------------------------------

function read_facts(    f, line, id)
{
	while ((getline line < (out "/curl")) > 0) {
		split(line, f, " ")
		http[f[1]] = f[2]
		exit_code[f[1]] = f[3]
		size[f[1]] = f[4]
	}
	while ((getline line < (out "/seen")) > 0)
		seen[line] = 1
	while ((getline line < (out "/ledger")) > 0)
		ledger[text(line, "model")] = line
	while ((getline line < (out "/sdk")) > 0) {
		split(line, f, " ")
		raised[f[1]] = f[2]
	}
	while ((getline line < (out "/retried")) > 0)
		requests[text(line, "model")]++
}

# A member of a flat JSON object.
function text(line, name)
{
	if (!match(line, "\"" name "\": ?\"[^\"]*\""))
		return "-"
	line = substr(line, RSTART, RLENGTH - 1)
	sub(/^[^:]*: ?"/, "", line)
	return line
}

function number(line, name)
{
	if (!match(line, "\"" name "\": ?-?[0-9]+"))
		return "-"
	line = substr(line, RSTART, RLENGTH)
	sub(/^[^:]*: ?/, "", line)
	return line
}

function head(id,    file, line, at, value)
{
	file = out "/" id ".head"
	seen_head["retry-after"] = seen_head["x-should-retry"] = "-"
	while ((getline line < file) > 0) {
		sub(/\r$/, "", line)
		at = index(line, ":")
		value = substr(line, at + 1)
		sub(/^ */, "", value)
		seen_head[tolower(substr(line, 1, at - 1))] = value
	}
	close(file)
	if (seen_head["retry-after"] ~ /GMT$/)
		seen_head["retry-after"] = "date"
}

# The error's code (Anthropic's errors have but a type), and how it ends.
function body(id, endpoint, stream, fault,    file, line, last, done, event)
{
	file = out "/" id ".body"
	code = last = "-"
	while ((getline line < file) > 0) {
		sub(/\r$/, "", line)
		if (line ~ /\[DONE\]/ || line ~ /^event: message_stop/ ||
		    line ~ /^event: response\.(completed|incomplete)/ ||
		    line ~ /^data: .*"transcript\.text\.done"/)
			done++
		if (line ~ /^event: (error|response\.failed)/ ||
		    line ~ /^data: \{"error"/)
			event++
		if (match(line, /"error": ?[{"]/))
			code = error_code(substr(line, RSTART))
		if (line ~ /[^ \t]/)
			last = line
	}
	close(file)
	if (exit_code[id] != 0)
		return "cut"
	if (http[id] >= 400)
		return last ~ /\}$/ ? "whole" : "short"
	if (size[id] == 0)
		return "empty"
	if (endpoint == "speech")
		return size[id] == 4096 ? "whole" : "short"
	if (stream != "yes")
		return last ~ /\}$/ ? "whole" : "short"
	if (event > 0)
		return done > 0 ? "event-and-whole" : "event"
	return done > 0 ? "whole" : "open"
}

function error_code(line)
{
	if (text(line, "code") != "-")
		return text(line, "code")
	return number(line, "code") != "-" ? number(line, "code") \
	    : text(line, "type")
}

function outcomes(line,    all)
{
	while (match(line, /"outcome":"[a-z_0-9]*"/)) {
		all = all (all == "" ? "" : ",") \
		    substr(line, RSTART + 11, RLENGTH - 12)
		line = substr(line, RSTART + RLENGTH)
	}
	return all == "" ? "-" : all
}

function flags(line,    all)
{
	if (line ~ /"cut":true/)
		all = "cut"
	if (line ~ /"client_gone":true/)
		all = all (all == "" ? "" : "+") "gone"
	return all == "" ? "-" : all
}

# What the ledger says of the try by which it ended, or of the request where
# that was not sent.
function last_try(line,    tries)
{
	tries = line
	if (!sub(/.*"tries":\[/, "", tries))
		return line
	sub(/\].*/, "", tries)
	sub(/.*\{"provider":/, "", tries)
	if (tries ~ /"sent":true/)
		return tries
	sub(/"tries":\[[^]]*\]/, "", line)
	return line
}

# A cell may hold one value for both web servers, or "lighttpd's|Caddy's".
function wanted(cell,    both)
{
	if (split(cell, both, "|") == 2)
		return both[server == "caddy" ? 2 : 1]
	return cell
}

function judge(    id, line, n, i, bad, want, row)
{
	id = $1
	head(id)
	got[5] = body(id, $3, $4, $2)
	got[1] = http[id]
	got[2] = code
	got[3] = seen_head["retry-after"]
	got[4] = seen_head["x-should-retry"]
	line = ledger[id]
	got[6] = number(line, "status")
	got[7] = outcomes(line)
	got[8] = flags(line)
	got[9] = text(last_try(line), "usage")
	got[10] = ("next-" id) in seen ? "yes" : "no"
	got[11] = id in raised ? raised[id] : "n/a"
	got[12] = id in requests ? requests[id] : "-"
	row = $2 "\t" $3 "\t" $4 "\t" $5
	for (i = 1; i <= 12; i++) {
		want = wanted($(5 + i))
		row = row "\t" got[i]
		if (got[i] != want && (sdk || i < 11) && want != "*")
			bad = bad "# " column[i] " is " got[i] ", not " want \
			    "\n"
	}
	print row > (out "/got.tsv")
	printf "%sok %s: %s %s%s, fallback %s\n", bad == "" ? "" : "not ",
	    id, $2, $3, $4 == "yes" ? " streamed" : "", $5
	printf "%s", bad
}

# --- The manual --------------------------------------------------------------

function note_manual(line,    f)
{
	if (line !~ /^\.It [0-9]+ Ta /)
		return
	split(substr(line, 5), f, / Ta /)
	in_manual[f[3]] = 1
	advice[f[1], f[3]] = f[4]
}

# Columns after the id: 6 status, 7 code, 8 and 9 the advice.
function hold_against_manual(    says)
{
	if ($3 ~ /^(messages|count_tokens)/ || $7 ~ /^(stub|server)_/)
		return
	if (!($7 in in_manual))
		differ("is no code of the manual")
	if (!(($6, $7) in advice))
		return # wrapped: the status is the upstream's
	says = advice[$6, $7]
	if (($8 != "-") != (says == "Retry-After") && $2 !~ /retry=/)
		differ("has Retry-After " $8)
	if (($9 == "false") != (says == "x-should-retry: false"))
		differ("has x-should-retry " $9)
}

function differ(how)
{
	print $1 ", " $2 " " $3 ": " $6 " " $7 " " how
	wrong++
}
