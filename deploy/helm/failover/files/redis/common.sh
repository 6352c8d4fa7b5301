{{- $n := include "failover.names" . | fromYaml -}}
# What the start scripts and the probe share. POSIX sh and redis-cli are all there is in the image.
# Redis and Sentinel get addresses only: one that looks up a name stands still while DNS does not answer.

: "${DATA:=/data}" "${PASSWORD_FILE:=/etc/redis/password/password}" "${LOCAL:=127.0.0.1}"
MASTER={{ $n.master }}
SERVERS="{{ join " " $n.servers }}"
SENTINELS="{{ join " " $n.sentinels }}"
MAJORITY={{ add1 (div (len $n.sentinels) 2) }}
REDISCLI_AUTH=$(cat "$PASSWORD_FILE") || exit 1
export REDISCLI_AUTH

say() { echo "$MEMBER: $*"; }

address() { # MEMBER: its address, in $found: {{ $n.redisSet }}-0 -> ${{ include "failover.variable" $n.redisSet }}_0_SERVICE_HOST, which the kubelet takes from the Service {{ $n.redisSet }}-0
  case $1 in
    {{ $n.sentinelSet }}-*) found={{ include "failover.variable" $n.sentinelSet }}_${1##*-}_SERVICE_HOST ;;
    *) found={{ include "failover.variable" $n.redisSet }}_${1##*-}_SERVICE_HOST ;;
  esac
  eval "found=\${$found:-}"
}

must_have_addresses() {
  for member in $SERVERS $SENTINELS; do
    address "$member"
    [ -n "$found" ] || { say "the Service $member must exist before this pod starts"; exit 1; }
  done
}

ask() { # MEMBER PORT COMMAND...: the answer, or nothing when there is none within a second
  address "$1"
  asked_port=$2
  shift 2
  timeout 1 redis-cli -h "$found" -p "$asked_port" "$@" 2>/dev/null
}

here() { timeout 1 redis-cli -h "$LOCAL" "$@" 2>/dev/null; }

server_at() { # ADDRESS: the member that has it
  for one in $SERVERS; do
    address "$one"
    if [ "$found" = "$1" ]; then echo "$one"; fi
  done
}

named_by() { # the server that this sentinel calls the master
  ask "$1" 26379 sentinel get-master-addr-by-name "$MASTER" | { read -r at && server_at "$at"; }
}

names() { # what all sentinels say, a line each; silent ones say nothing
  for sentinel in $SENTINELS; do named_by "$sentinel" & done
  wait
}

majority() { # NAMES: the one that more than half of all sentinels name
  for one in $SERVERS; do
    votes=0
    for name in $1; do
      if [ "$name" = "$one" ]; then votes=$((votes + 1)); fi
    done
    if [ "$votes" -ge "$MAJORITY" ]; then echo "$one"; fi
  done
}

view() { # of what a sentinel says about the master: "ADDRESS RUN-ID STATE"; no run ID: not met yet, state "master": all is well
  sed -n '/^ip$/{n;p;}; /^runid$/{n;p;}; /^flags$/{n;p;}' | paste -s -d ' ' -
}

fresh_links() { # PORT, beside the server: the Sentinels connect anew
  # A connection that the Service's rules refused first, since no pod was there, and that came about all the same at a later
  # packet, stays marked as broken in the kernel: the Sentinel that holds it reads it without end and takes a whole processor.
  for pause in 3 10; do
    sleep "$pause"
    here -p "$1" client list | sed -n 's/^id=\([0-9]*\) .* name=sentinel-.*/\1/p' | while read -r id; do
      here -p "$1" client kill id "$id" >/dev/null
    done
  done
}

waiting() { # say so once, and let a moment pass
  if [ "$1" != "${reason:-}" ]; then say "waiting: $1"; fi
  reason=$1
  sleep 0.5
}

lock_disk() { # for as long as this process and the server after it live: a node that was cut off may still use it
  exec 9>"$DATA/lock"
  until flock -n 9; do waiting "another pod still uses this disk"; done
}

in_sync() { # this server has loaded its data, and leads or has everything that its master has
  case $(here info persistence replication) in
    *loading:1*) return 1 ;;
    *role:master* | *master_link_status:up*) return 0 ;;
  esac
  return 1
}

quoted() { # as Redis reads it in a file
  printf '"%s"\n' "$(printf '%s\n' "$1" | sed 's/[\\"]/\\&/g')"
}
