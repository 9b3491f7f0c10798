#!/bin/sh
# Creates the sample's stream and tables: kcl-infra create with the sample's names.
# Flags are passed on and override the names: infra/create.sh --seed-leases TRIM_HORIZON
exec sh "$(dirname "$0")/kcl-infra.sh" create --application kclgosample --stream-name kclgosample --shards 2 "$@"
