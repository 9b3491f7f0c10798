#!/bin/sh
# Deletes the sample's tables: kcl-infra delete with the sample's names.
# Flags are passed on and override the names: infra/delete.sh --stream --yes
exec sh "$(dirname "$0")/kcl-infra.sh" delete --application kclgosample --stream-name kclgosample "$@"
