{{- $n := include "failover.names" . | fromYaml -}}
# Starts Sentinel with what it must remember (the master's address, epochs, its vote) and everything else anew.
#
# Members and identities are declared, not discovered: nothing has to be found before an election is possible, and a Sentinel
# that has lost its disk is the same one as before. Until it has met the master it waits longer before it takes it for dead: when all
# were stopped and start again, the master may come up last.
. "${SETTINGS:=/etc/redis/settings}/common.sh"
umask 077
trap 'exit 0' TERM INT
STATE=$DATA/sentinel.conf
: "${START_MILLISECONDS:=10000}"

identity() { # MEMBER: 40 digits that stay the same
  printf '%040d\n' "$((${1##*-} + 1))"
}

remembered() { # WORD: the rest of a line "sentinel WORD {{ $n.master }} …" or "sentinel WORD …" of the last run
  sed -n "s/^sentinel $1 \(${MASTER} \)\{0,1\}//p" "$STATE"
}

lost() { # who leads, as far as the others can tell; the first server when nobody can
  for sentinel in $SENTINELS; do
    if [ "$sentinel" != "$MEMBER" ]; then named_by "$sentinel"; fi
  done
  for server in $SERVERS; do
    case $(ask "$server" 6379 info replication) in
      *role:master*connected_slaves:[1-9]*) echo "$server" ;;
    esac
  done
  echo "${SERVERS%% *}"
}

settings() { # LEADER
  password=$(quoted "$REDISCLI_AUTH")
  echo "include $SETTINGS/sentinel.conf"
  echo "dir $DATA"
  printf 'requirepass %s\n' "$password"
  address "$MEMBER"
  echo "sentinel announce-ip $found"
  echo "sentinel announce-port 26379"
  printf 'sentinel sentinel-pass %s\n' "$password"
  echo "sentinel myid $(identity "$MEMBER")"
  address "$1"
  echo "sentinel monitor $MASTER $found 6379 $MAJORITY"
  printf 'sentinel auth-pass %s %s\n' "$MASTER" "$password"
  echo "sentinel down-after-milliseconds $MASTER $START_MILLISECONDS"
}

members() { # LEADER
  for server in $SERVERS; do
    address "$server"
    if [ "$server" != "$1" ]; then echo "sentinel known-replica $MASTER $found 6379"; fi
  done
  for sentinel in $SENTINELS; do
    address "$sentinel"
    if [ "$sentinel" != "$MEMBER" ]; then
      echo "sentinel known-sentinel $MASTER $found 26379 $(identity "$sentinel")"
    fi
  done
}

epochs() {
  for word in config-epoch leader-epoch; do
    number=$(remembered "$word")
    echo "sentinel $word $MASTER ${number:-0}"
  done
  number=$(remembered current-epoch)
  echo "sentinel current-epoch ${number:-0}"
}

settle() { # beside Sentinel: the usual time, from when it has met the master, or the long one has passed
  until here -p 26379 sentinel master "$MASTER" | view | grep -q -e ' [0-9a-f][0-9a-f]* master$' -e _down; do sleep 0.5; done
  usual=$(sed -n "s/^sentinel down-after-milliseconds $MASTER //p" "$SETTINGS/sentinel.conf")
  until [ "$(here -p 26379 sentinel set "$MASTER" down-after-milliseconds "$usual")" = OK ]; do sleep 0.5; done
}

must_have_addresses
lock_disk
touch "$STATE"
leader=$(server_at "$(remembered monitor | cut -d ' ' -f 1)")
if [ -z "$leader" ]; then
  leader=$(lost | head -n 1)
  say "this disk does not say who leads; going by $leader"
fi
{ settings "$leader" && members "$leader" && epochs; } >"$STATE.new" || exit 1
sync "$STATE.new" 2>/dev/null
mv "$STATE.new" "$STATE"
settle 9>&- &
fresh_links 26379 9>&- &
exec redis-server "$STATE" --sentinel
