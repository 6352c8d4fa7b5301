"""The Helm chart, made from the kustomize base: the base stays the only description of what runs.

``python -m deploy.helm`` builds the base with kubectl and writes the generated part of ``deploy/helm/failover``: the
templates and what they include. Names are replaced by what the user's estate says. By hand are written ``values.yaml``, its
schema, the notes, ``settings.yaml``, and ``_estate.tpl``, which reads the estate. A test compares what it renders with
the base.
"""
