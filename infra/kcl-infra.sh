#!/bin/sh
# Runs kcl-infra: builds it in a checkout, otherwise uses the one on PATH. create.sh and
# delete.sh call it.
set -eu

folder=$(cd "$(dirname "$0")" && pwd)
if [ -f "$folder/go.mod" ] && command -v go >/dev/null; then
	# Built, not "go run": that would look for files named by flags in the
	# module's folder, and lose the exit status.
	bin=$(mktemp -d)
	trap 'rm -rf "$bin"' EXIT
	trap 'exit 1' INT TERM HUP
	go build -C "$folder" -o "$bin/kcl-infra" ./cmd/kcl-infra
	infra=$bin/kcl-infra
elif command -v kcl-infra >/dev/null; then
	infra=kcl-infra
else
	echo "kcl-infra.sh: neither go nor kcl-infra is on the PATH: install one of them" >&2
	exit 1
fi
status=0
"$infra" "$@" || status=$?
exit $status
