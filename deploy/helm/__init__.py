"""The Helm chart, made from the kustomize base: the base stays the only description of what runs.

``python -m deploy.helm`` builds the base with kubectl and writes the generated part of ``deploy/helm/failover``: the
templates and what they include. Names are replaced by what the user's estate says. ``values.yaml``, its schema, the notes and
``_estate.tpl``, which reads the estate, are written by hand. A test renders the chart and compares it with the base.
"""
