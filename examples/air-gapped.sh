#!/bin/sh
# Carries a model to a machine without a network: sh examples/air-gapped.sh MODEL.gguf
# Two homes stand for the two machines. Where there is a network, `llmspell model pull` takes the place of the first import.
set -eu
model=$1
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

echo "On the machine that has the model:"
export LLMSPELL_HOME="$place/first"
llmspell model import "$model" --name carried
llmspell model export carried "$place/carried.tar"

echo "On any machine, with tar and coreutils alone:"
mkdir "$place/look"
tar -xf "$place/carried.tar" -C "$place/look"
(cd "$place/look" && sha256sum -c SHA256SUMS)

echo "On the machine without a network:"
export LLMSPELL_HOME="$place/second"
llmspell model import "$place/carried.tar"
llmspell model list
llmspell exec 'print(Agent.create({ model = "local/carried" }):complete("Hello"))'
