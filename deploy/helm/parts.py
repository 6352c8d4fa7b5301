"""The changes that several templates of the chart have in common."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.helm.template import CONTAINER, POD, Template, index

_PLACEMENT = """\
{{{{- with $.Values.imagePullSecrets }}}}
imagePullSecrets:
{{{{- range . }}}}
- name: {{{{ . | quote }}}}
{{{{- end }}}}
{{{{- end }}}}
{{{{- with {values}.nodeSelector }}}}
nodeSelector: {{{{ toJson . }}}}
{{{{- end }}}}
{{{{- with {values}.tolerations }}}}
tolerations: {{{{ toJson . }}}}
{{{{- end }}}}"""
_IDENTITY = """\
{{{{- with $.Values.workloadIdentity.{who} }}}}
{line}: {{{{ {value} }}}}
{{{{- end }}}}"""
_VOLUMES = """\
{{{{- range $secret, $folder := {values}.secrets }}}}
- name: {{{{ $folder | quote }}}}
  secret:
    secretName: {{{{ $secret | quote }}}}
{{{{- end }}}}"""
_MOUNTS = """\
{{{{- range $secret, $folder := {values}.secrets }}}}
- name: {{{{ $folder | quote }}}}
  mountPath: /var/run/secrets/failover/{{{{ $folder }}}}
  readOnly: true
{{{{- end }}}}"""
_ENVIRONMENT = """\
{{{{- range $name, $value := {values}.environment }}}}
- name: {{{{ $name | quote }}}}
  value: {{{{ $value | quote }}}}
{{{{- end }}}}"""
_CLASS = """\
{{{{- with {values}.class }}}}
storageClassName: {{{{ . | quote }}}}
{{{{- end }}}}"""
KEEP = "helm.sh/resource-policy"


def placed(template: Template, values: str, image: str) -> Template:
    """Let a workload's image, resources and nodes be chosen."""
    template.put((*CONTAINER, "image"), f'include "failover.image" $.Values.images.{image}')
    template.names((*CONTAINER, "resources"), f"{values}.resources")
    return template.insert(POD, _PLACEMENT.format(values=values))


def disk(template: Template, values: str, path: tuple[str | int, ...] = ("spec", "volumeClaimTemplates", 0)) -> Template:
    """Let the size and the storage class of a claim be chosen."""
    template.text((*path, "spec", "resources", "requests", "storage"), f"{values}.size")
    return template.insert((*path, "spec"), _CLASS.format(values=values))


def secret(template: Template, volume: str, key: str, *, droppable: bool = False) -> Template:
    """Let a mounted Secret be named; ``droppable``: no name, no mount."""
    volumes, mounts = template.at((*POD, "volumes")), template.at((*CONTAINER, "volumeMounts"))
    where, mount = index(volumes, volume), index(mounts, volume)
    template.text((*POD, "volumes", where, "secret", "secretName"), f"$.Values.secrets.{key}")
    if droppable:
        template.only((*POD, "volumes", where), f"$.Values.secrets.{key}")
        template.only((*CONTAINER, "volumeMounts", mount), f"$.Values.secrets.{key}")
    return template


def looks(template: Template, who: str) -> Template:
    """Let a worker or witness have its Secrets, environment and identity."""
    values = f"$.Values.{who}"
    for volume, key in {"gate": "gate", "postgresql": "postgresql", "redis": "redis"}.items():
        secret(template, volume, key, droppable=True)
    template.insert((*POD, "volumes"), _VOLUMES.format(values=values))
    template.insert((*CONTAINER, "volumeMounts"), _MOUNTS.format(values=values))
    template.insert((*CONTAINER, "env"), _ENVIRONMENT.format(values=values))
    label = _IDENTITY.format(who=who, line="azure.workload.identity/use", value='"true" | quote')
    template.insert(("spec", "template", "metadata", "labels"), label)
    return temporal(template)


def temporal(template: Template) -> Template:
    """Let it read how Temporal is reached."""
    template.text((*CONTAINER, "envFrom", 0, "configMapRef", "name"), 'include "failover.temporalName" $')
    return template.text((*CONTAINER, "envFrom", 1, "secretRef", "name"), "$.Values.secrets.temporal")


def account(template: Template, who: str) -> Template:
    """Let Azure know the service account as an identity."""
    line = _IDENTITY.format(who=who, line="annotations: {azure.workload.identity/client-id", value=". | quote")
    return template.insert(("metadata",), line.replace(" }}\n{{- end", " }}}\n{{- end"))


def limited(template: Template, names: Mapping[tuple[str, ...], str]) -> Template:
    """Let the rules of a Role name what the estate names. A rule without a name would grant all: it is left out then.

    Raises:
        KeyError: the base has a rule whose names nobody has said how to derive.
    """
    for number, rule in enumerate(template.at(("rules",))):
        if "resourceNames" in rule:
            found = names[tuple(rule["resourceNames"])]
            template.names(("rules", number, "resourceNames"), found)
            template.only(("rules", number), found)
    return template


def cluster_wide(template: Template, *paths: tuple[str | int, ...]) -> Template:
    """Give what belongs to the cluster a name of this release's own."""
    for path in (("metadata", "name"), *paths):
        template.text(path, f'printf "%s%s" "{template.at(path)}" $.Values.clusterSuffix')
    return template


def kept(template: Template) -> Template:
    """Have Helm never delete the object: it holds what must outlive a release."""
    return template.literal(("metadata", "annotations", KEEP), "keep")
