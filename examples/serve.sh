#!/bin/sh
# Programs that speak OpenAI's API use the local models: sh examples/serve.sh
set -eu
out=$(mktemp)
llmspell serve --port 0 > "$out" & # a free port
server=$!
trap 'kill $server; rm -f "$out"' EXIT
until grep -q Listening "$out"; do
  kill -0 $server # ends this script where the server could not start
  sleep 0.1
done
url=$(sed 's/^Listening on //' "$out")

ask() { curl -sS "$url/$1" -H 'Content-Type: application/json' -d "$2"; }

curl -sS "$url/models"
echo
ask chat/completions '{"model": "spell-mini", "messages": [{"role": "user", "content": "Hello"}]}'
echo
# Held to a schema while it writes.
ask chat/completions '{"model": "spell-mini", "messages": [{"role": "user", "content": "Is water wet?"}],
  "response_format": {"type": "json_schema", "json_schema": {"name": "vote", "schema": {"enum": ["yes", "no"]}}}}'
echo
ask embeddings '{"model": "spell-mini", "input": ["Hello", "Goodbye"], "encoding_format": "float"}'
echo
