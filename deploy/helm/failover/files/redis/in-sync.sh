# Readiness: loaded, and the master or connected to it.
. "${SETTINGS:=/etc/redis/settings}/common.sh"
in_sync
