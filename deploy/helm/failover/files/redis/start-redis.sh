{{- $n := include "failover.names" . | fromYaml -}}
# Starts Redis in the role that a majority of all sentinels gives it, and not before there is such a majority.
#
# A server that was the master does not simply go on. Its replicas may have more than its disk has, and may be about to be
# promoted; so it hands over to one that can be elected and comes back as a replica. It leads again only when there is none,
# as after a stop of everything. A server without data never leads others that have some, or may have some: they would copy
# its emptiness. For the same reason nobody can be elected who has not been in sync since it started (replica-priority 0).
. "${SETTINGS:=/etc/redis/settings}/common.sh"
: "${HANDOVER_SECONDS:=40}" # longer than a Sentinel's own pause after its clock has jumped (TILT, 30 s)
COMPLETE=$DATA/complete     # this disk has everything that a master had; see settle
umask 077
trap 'exit 0' TERM INT
asked_since=''

state_of() { # MEMBER: what another server is, in one word
  case $(ask "$1" 6379 info persistence replication keyspace) in
    *loading:1*) echo loading ;;
    *role:master*) echo master ;;
    *role:slave*slave_priority:[1-9]*) echo electable ;;
    *role:slave*keys=*) echo holding-data ;;
    *role:slave*) echo empty ;;
    *) echo silent ;;
  esac
}

others() { # every other server with its state, as in "{{ $n.redisSet }}-1=electable {{ $n.redisSet }}-2=silent"
  for other in $SERVERS; do
    if [ "$other" != "$MEMBER" ]; then echo "$other=$(state_of "$other")" & fi
  done | sort | tr '\n' ' '
}

handing_over() { # whether Sentinel still has time to elect another one
  now=$(date +%s)
  : "${asked_since:=$now}"
  [ $((now - asked_since)) -lt "$HANDOVER_SECONDS" ]
}

may_lead() {
  peers=$(others)
  case $peers in
    *=master*) waiting "the sentinels do not yet name the one that leads: $peers" && return 1 ;;
    *=electable*) if handing_over; then waiting "Sentinel may elect another one: $peers" && return 1; fi ;;
  esac
  if [ -e "$COMPLETE" ]; then return 0; fi
  case $peers in
    *=electable* | *=holding-data* | *=loading* | *=silent*)
      waiting "I am named but have no data, and others have some or may have: $peers" && return 1 ;;
  esac
  say "nobody has any data: this is the first start"
}

configure() { # LINE...: the settings, and what only this pod knows
  address "$MEMBER"
  password=$(quoted "$REDISCLI_AUTH")
  {
    echo "include $SETTINGS/redis.conf"
    echo "dir $DATA"
    echo "replica-announce-ip $found"
    printf 'requirepass %s\n' "$password"
    printf 'masterauth %s\n' "$password"
    for line in "$@"; do echo "$line"; done
  } >"$DATA/redis.conf"
}

on_disk() { # the append-only file is whole again: a full copy from a master has it written anew
  case $(here info persistence) in
    *aof_rewrite_in_progress:0*aof_rewrite_scheduled:0*aof_last_bgrewrite_status:ok*) return 0 ;;
  esac
  return 1
}

synced() { # look 50 times a second: what a Sentinel sees just before, it may believe for ten seconds
  redis-cli -h "$LOCAL" -r -1 -i 0.02 info replication 2>/dev/null | grep -q -e role:master -e master_link_status:up
}

settle() { # beside the server: electable once it is in sync, complete once its disk is
  until synced; do sleep 0.1; done
  until [ "$(here config set replica-priority 100)" = OK ]; do sleep 0.1; done
  until on_disk; do sleep 1; done
  : >"$COMPLETE"
}

follow() {
  say "following $1"
  rm -f "$COMPLETE"
  address "$1"
  configure "replicaof $found 6379" "replica-priority 0"
  settle 9>&- &
  fresh_links 6379 9>&- &
  exec redis-server "$DATA/redis.conf"
}

seen() { # every sentinel that answers, and more than half of all, sees this server up and elects nobody
  views=$(for sentinel in $SENTINELS; do ask "$sentinel" 26379 sentinel master "$MASTER" | view & done; wait)
  address "$MEMBER"
  good=$(echo "$views" | grep -cx "$found [0-9a-f][0-9a-f]* master")
  [ "$good" -eq "$(echo "$views" | grep -c .)" ] && [ "$good" -ge "$MAJORITY" ]
}

open_up() { # beside the server: no write before it is seen, since an election may be under way that finds the others electable
  until seen || here info replication | grep -q role:slave; do sleep 0.2; done
  usual=$(sed -n 's/^min-replicas-to-write //p' "$SETTINGS/redis.conf")
  until [ "$(here config set min-replicas-to-write "${usual:-0}")" = OK ]; do sleep 0.1; done
}

lead() {
  say "leading"
  configure "min-replicas-to-write 1000"
  : >"$COMPLETE"
  open_up 9>&- &
  fresh_links 6379 9>&- &
  exec redis-server "$DATA/redis.conf"
}

must_have_addresses
lock_disk
while :; do
  named=$(names)
  leader=$(majority "$named")
  case $leader in
    '') waiting "a majority of $SENTINELS must name one master; named: $(echo $named)" ;;
    "$MEMBER") if may_lead; then lead; fi ;;
    *) follow "$leader" ;;
  esac
done
