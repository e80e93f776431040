#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# An external provider through an HTTP proxy: the proxy is asked to CONNECT,
# sees neither key nor request, and its refusal is the provider's.
. "${abs_srcdir:-.}/tests/lib.sh"
need python3

start_upstream stub

# A proxy that records its requests, and tunnels if the name ends in 1.
cat >"$dir/proxy.py" <<'END'
import socket, sys, threading
log = open(sys.argv[1], "a", buffering=1)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)

def copy(a, b):
    while data := a.recv(65536):
        b.sendall(data)
    b.shutdown(socket.SHUT_WR)

def serve(client):
    head = b""
    while b"\r\n\r\n" not in head:
        head += client.recv(65536)
    log.write(head.decode("latin-1").replace("\r\n", "|") + "\n")
    host, port = head.split()[1].decode().rsplit(":", 1)
    if not host.endswith("1"):
        client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        client.close()
        return
    upstream = socket.create_connection((host, int(port)))
    client.sendall(b"HTTP/1.1 200 Connected\r\nX-Proxy: seen\r\n\r\n")
    threading.Thread(target=copy, args=(client, upstream), daemon=True).start()
    copy(upstream, client)

while True:
    threading.Thread(target=serve, args=(listener.accept()[0],),
        daemon=True).start()
END
python3 "$dir/proxy.py" "$dir/asked" >"$dir/proxy.port" 2>"$dir/proxy.log" &
adopt proxy $!
wait_until -p "$proxy_pid" test -s "$dir/proxy.port" ||
	broken 'the proxy did not start'
proxy=http://127.0.0.1:$(cat "$dir/proxy.port")

printf 'sk-the-key-upstream' >"$dir/up.key"
chmod 600 "$dir/up.key"
new_config <<END
processes = 1;
providers = (
  { name = "far"; place = "external"; url = "$stub_url"; proxy = "$proxy";
    key = { file = "$dir/up.key"; }; },
  { name = "barred"; place = "external"; url = "http://localhost:$stub_port/v1";
    proxy = "$proxy"; }
);
models = (
  { id = "far"; place = "external";
    targets = ( { provider = "far"; model = "plain"; } ); },
  { id = "barred"; place = "external";
    targets = ( { provider = "barred"; model = "plain"; } ); }
);
END
add_client anna --place external
start_tailgate
start_lighttpd

for n in 1 2 3; do
	post /v1/chat/completions '{"model":"far","messages":[]}'
	is "through the proxy $n" "$status" 200
	same "the response is the upstream's $n" "$dir/body" \
		"$stub_dir/$(stat stub requests).answer"
done
is 'one tunnel serves them all' "$(wc -l <"$dir/asked" | tr -d ' ')" 1
like 'the proxy is asked to CONNECT' "$(cat "$dir/asked")" \
	"^CONNECT 127\.0\.0\.1:$stub_port HTTP/1\.1"
unlike 'it sees no key' "$(cat "$dir/asked")" 'sk-the-key|Authorization'
unlike 'the client sees nothing of the proxy' "$(cat "$dir/head")" \
	'[Xx]-[Pp]roxy'

post /v1/chat/completions '{"model":"barred","messages":[]}'
is 'refused by the proxy' "$status" 503
like 'is not reached' "$(cat "$dir/body")" provider_unavailable
finish
