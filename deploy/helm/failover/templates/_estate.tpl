{{- /*
What the templates take from the estate. Helm's functions return text, so names come as YAML. Whatever is missing or does not
fit stops Helm with a sentence that says which field, before anything is sent to Kubernetes.
*/ -}}

{{- define "failover.estate" -}}
{{- .Values.estate | default (.Files.Get "files/estate.yaml") -}}
{{- end -}}

{{- /* The estate's name of the region that this release runs in. */ -}}
{{- define "failover.region" -}}
{{- $space := .root.Release.Namespace -}}
{{- $found := list -}}
{{- range $name, $one := .estate.regions -}}
  {{- if and (eq (toString $one.namespace) $space) (has $.root.Values.region (list "" $name)) -}}
    {{- $found = append $found $name -}}
  {{- end -}}
{{- end -}}
{{- if not $found -}}
  {{- $named := .root.Values.region | default "none of its regions" -}}
  {{- fail (printf "estate: regions: %s has the namespace %q of this release; give your estate with --set-file estate=FILE, and --namespace as it says" $named $space) -}}
{{- else if gt (len $found) 1 -}}
  {{- fail (printf "region: the estate has several regions with the namespace %s: %s; name one of them" $space (join ", " $found)) -}}
{{- end -}}
{{- first $found -}}
{{- end -}}

{{- /* The entries of a section of the estate that are in the region. */ -}}
{{- define "failover.here" -}}
{{- $found := dict -}}
{{- range $name, $one := index .estate .section -}}
  {{- if eq (toString $one.region) $.region -}}{{- $_ := set $found $name $one -}}{{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{- /* The name of the one entry that this release runs. */ -}}
{{- define "failover.chosen" -}}
{{- $names := keys .entries | sortAlpha -}}
{{- if .named -}}
  {{- if not (has .named $names) -}}
    {{- fail (printf "%s: the estate has no %s.%s in region %s; it has: %s" .field .section .named .region (join ", " $names | default "none")) -}}
  {{- end -}}
  {{- .named -}}
{{- else if eq (len $names) 1 -}}
  {{- first $names -}}
{{- else if $names -}}
  {{- fail (printf "%s: the estate has several in region %s: %s; name one of them" .field .region (join ", " $names)) -}}
{{- else -}}
  {{- fail (printf "%s.enabled: the estate has no %s in region %s; set it to false" .values .section .region) -}}
{{- end -}}
{{- end -}}

{{- /* The StatefulSet whose pods these are. */ -}}
{{- define "failover.set" -}}
{{- $set := regexReplaceAll "-[0-9]+$" (first .pods | default "") "" -}}
{{- range $number, $pod := .pods -}}
  {{- if ne $pod (printf "%s-%d" $set $number) -}}
    {{- fail (printf "estate: %s: %s must be %s-%d: the pods of one StatefulSet are numbered from 0" $.field $pod $set $number) -}}
  {{- end -}}
{{- end -}}
{{- $set -}}
{{- end -}}

{{- define "failover.postgresqlNames" -}}
{{- $entries := include "failover.here" (dict "estate" .estate "section" "postgres" "region" .region) | fromYaml -}}
{{- $given := .root.Values.postgresql -}}
{{- $writes := list -}}
{{- $members := list -}}
{{- $deployments := list -}}
{{- range $entries -}}
  {{- $writes = append $writes .write_service -}}
  {{- $members = concat $members .members -}}
  {{- range .applications -}}{{- $deployments = append $deployments .deployment -}}{{- end -}}
{{- end -}}
{{- $names := dict "writes" $writes "members" $members "deployments" $deployments -}}
{{- if $given.enabled -}}
  {{- $chosen := include "failover.chosen" (dict "entries" $entries "named" $given.cluster "field" "postgresql.cluster" "values" "postgresql" "section" "postgres" "region" .region) -}}
  {{- $one := index $entries $chosen -}}
  {{- $sets := list -}}
  {{- range $one.members -}}
    {{- if not (hasSuffix "-0" .) -}}
      {{- fail (printf "estate: postgres.%s.members: %s must end in -0: the chart makes a StatefulSet of one pod for each member" $chosen .) -}}
    {{- end -}}
    {{- $sets = append $sets (trimSuffix "-0" .) -}}
  {{- end -}}
  {{- $address := dig "gate" "address" "" $one | default "" -}}
  {{- if and $address (not (regexMatch "^\\{member\\}\\.[a-z0-9-]+\\." $address)) -}}
    {{- fail (printf "estate: postgres.%s.gate.address: %s must begin with {member}.SERVICE. where the chart makes the Service" $chosen $address) -}}
  {{- end -}}
  {{- $headless := index (splitList "." ($address | default "{member}.postgresql-members")) 1 -}}
  {{- $names = merge $names (dict "cluster" $chosen "database" $one.database "write" $one.write_service "read" ($one.read_service | default "") "own" $one.members "sets" $sets "address" $address "headless" $headless "durability" ($one.durability | default "available")) -}}
{{- end -}}
{{- toYaml $names -}}
{{- end -}}

{{- define "failover.redisNames" -}}
{{- $entries := include "failover.here" (dict "estate" .estate "section" "redis" "region" .region) | fromYaml -}}
{{- $given := .root.Values.redis -}}
{{- $pods := list -}}
{{- range $entries -}}{{- $pods = concat $pods .servers .sentinels -}}{{- end -}}
{{- $names := dict "redisPods" $pods -}}
{{- if $given.enabled -}}
  {{- $chosen := include "failover.chosen" (dict "entries" $entries "named" $given.master "field" "redis.master" "values" "redis" "section" "redis" "region" .region) -}}
  {{- $one := index $entries $chosen -}}
  {{- $servers := include "failover.set" (dict "pods" $one.servers "field" (printf "redis.%s.servers" $chosen)) -}}
  {{- $sentinels := include "failover.set" (dict "pods" $one.sentinels "field" (printf "redis.%s.sentinels" $chosen)) -}}
  {{- $names = merge $names (dict "master" $chosen "servers" $one.servers "sentinels" $one.sentinels "redisSet" $servers "sentinelSet" $sentinels) -}}
{{- end -}}
{{- toYaml $names -}}
{{- end -}}

{{- /* Everything that the templates name. A list may be empty: its rule is then left out, since a rule without names grants all. */ -}}
{{- define "failover.names" -}}
{{- $estate := include "failover.estate" . | fromYaml -}}
{{- with $estate.Error -}}{{- fail (printf "estate: is not YAML: %s" .) -}}{{- end -}}
{{- $region := include "failover.region" (dict "root" . "estate" $estate) -}}
{{- $asked := dict "root" . "estate" $estate "region" $region -}}
{{- $names := dict "region" $region -}}
{{- $names = merge $names (include "failover.postgresqlNames" $asked | fromYaml) (include "failover.redisNames" $asked | fromYaml) -}}
{{- $services := list -}}
{{- $deployments := $names.deployments -}}
{{- range include "failover.here" (dict "estate" $estate "section" "workloads" "region" $region) | fromYaml -}}
  {{- $deployments = append $deployments .deployment -}}
  {{- with .service -}}{{- $services = append $services . -}}{{- end -}}
{{- end -}}
{{- $_ := set $names "deployments" (uniq $deployments) -}}
{{- $_ := set $names "services" (uniq $services) -}}
{{- $witnesses := $estate.witnesses | default list -}}
{{- $_ := set $names "witnesses" $witnesses -}}
{{- $_ := set $names "witnessSet" (include "failover.set" (dict "pods" $witnesses "field" "witnesses")) -}}
{{- $leases := list -}}
{{- $applications := list -}}
{{- range $name, $one := $estate.region_failovers -}}
  {{- if eq $one.to $region -}}{{- $leases = append $leases (printf "failover-region-%s" $name) -}}{{- end -}}
  {{- if eq $name $region -}}{{- $applications = $one.applications -}}{{- end -}}
{{- end -}}
{{- $_ := set $names "leases" $leases -}}
{{- $_ := set $names "applications" ($applications | default list) -}}
{{- toYaml $names -}}
{{- end -}}

{{- define "failover.image" -}}
{{- printf "%s%s%s" .name (.tag | empty | ternary "" (printf ":%s" .tag)) (.digest | empty | ternary "" (printf "@%s" .digest)) | quote -}}
{{- end -}}

{{- /* The beginning of the variables in which Kubernetes tells pods the address of a Service. */ -}}
{{- define "failover.variable" -}}
{{- . | upper | replace "-" "_" -}}
{{- end -}}

{{- define "failover.gateSettings" -}}
{{- $more := .values.postgresql.gate -}}
{{- if eq .names.durability "strict" -}}{{- $more = merge (dict "GATE_DURABILITY" "strict") $more -}}{{- end -}}
{{- with .names.address -}}{{- $more = merge (dict "GATE_ADDRESS" .) $more -}}{{- end -}}
{{- range $name, $value := $more }}
  {{ $name }}: {{ $value | quote }}
{{- end -}}
{{- end -}}

{{- /* A ConfigMap's name with a hash of what is in it, as kustomize makes it (its hash leaves the name out): what reads it is replaced. */ -}}
{{- define "failover.hashed" -}}
{{- $hash := dict "kind" "ConfigMap" "name" "" "data" .data | toJson | sha256sum | trunc 10 -}}
{{- range $old, $new := dict "0" "g" "1" "h" "3" "k" "a" "m" "e" "t" -}}{{- $hash = replace $old $new $hash -}}{{- end -}}
{{- printf "%s-%s" .name $hash -}}
{{- end -}}

{{- define "failover.temporalSettings" -}}
{{- with .Values.temporal -}}
TEMPORAL_ADDRESS: {{ .address | quote }}
{{- with .namespace }}
TEMPORAL_NAMESPACE: {{ . | quote }}
{{- end }}
{{- with .queue }}
FAILOVER_TASK_QUEUE: {{ . | quote }}
{{- end }}
{{- if .tls }}
TEMPORAL_TLS: "true"
{{- end }}
{{- end -}}
{{- end -}}

{{- define "failover.temporalName" -}}
{{- include "failover.hashed" (dict "name" "failover-temporal" "data" (include "failover.temporalSettings" . | fromYaml)) -}}
{{- end -}}

{{- define "failover.redisSettings" -}}
{{- $files := dict -}}
{{- range $path, $_ := .Files.Glob "files/redis/*" -}}
  {{- $_ := set $files (base $path) (tpl ($.Files.Get $path) $) -}}
{{- end -}}
{{- toYaml $files -}}
{{- end -}}

{{- define "failover.redisName" -}}
{{- include "failover.hashed" (dict "name" "redis-settings" "data" (include "failover.redisSettings" . | printf "%s\n" | fromYaml)) -}}
{{- end -}}
