#!/bin/sh
# Removes the sample's tables: kcl-infra delete with the sample's names.
# Flags are passed on, and win: infra/delete.sh --stream --yes
exec sh "$(dirname "$0")/kcl-infra.sh" delete --application kclgosample --stream-name kclgosample "$@"
