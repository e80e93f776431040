# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# `tailgate check` accepts every stanza of doc/providers.md as a configuration,
# and warns only about what a "*" costs (and that the test is in /tmp).
. "${abs_srcdir:-.}/tests/lib.sh"

page=$abs_srcdir/doc/providers.md

# Each heading's stanza, in $dir/HEADING.stanza.
awk -v dir="$dir" '
	/^## / { name = substr($0, 4); gsub(/[^A-Za-z0-9.]/, "-", name) }
	/^```/ { on = $0 == "```conf"; next }
	on { print >(dir "/" name ".stanza") }
' "$page"

# The page begins with patterns, which go with whatever leads outside.
private=$dir/Private-patterns.stanza
cat >"$dir/clients.conf" <<-'END'
	clients = ( { name = "somebody"; user = "somebody";
	  place = "external"; } );
END
for stanza in "$dir"/*.stanza; do
	name=$(basename "$stanza" .stanza)
	if [ "$stanza" = "$private" ]; then
		new_config "$name" <"$stanza"
	else
		cat "$private" "$stanza" >"$dir/both"
		new_config "$name" <"$dir/both"
	fi
	sed -n 's/.*file = "\([^"]*\)".*/\1/p' "$stanza" |
		while read -r file; do
			echo secret-value >"$dir/$file"
			chmod 600 "$dir/$file"
		done
	"$TAILGATE" -f "$conf" check >"$dir/$name.out" 2>&1
	is "$name: check passes" "$?" 0
	unlike "$name: and warns of nothing" \
		"$(grep -v -e ': \* at [a-z]* has no price' -e 'there are no models' \
			-e 'models: there are none' \
			-e 'is in body.spool_dir' "$dir/$name.out")" \
		'warning|error'
done
for name in Private-patterns llama.cpp Ollama vLLM LM-Studio DeepSeek OpenRouter OpenAI \
	Anthropic whisper.cpp Other-speech-servers Kokoro-FastAPI LocalAI \
	Pictures--stable-diffusion.cpp; do
	check "$name has a stanza" test -s "$dir/$name.stanza"
done
is "every heading has one" "$(grep -c '^## ' "$page")" \
	"$(find "$dir" -name '*.stanza' | wc -l | tr -d ' ')"
finish
