"""What PATCH and purge on Front Door take. What is absent stays; what is given replaces, an array or an object whole."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from deploy.lab.azure.bodies import AnyCase, OnOff, Sent


class Reference(Sent):
    """Another resource."""

    id: str


class Protocol(AnyCase):
    """How a route may be reached."""

    HTTP = "Http"
    HTTPS = "Https"


class Forwarding(AnyCase):
    """How an origin is reached."""

    HTTP_ONLY = "HttpOnly"
    HTTPS_ONLY = "HttpsOnly"
    MATCH_REQUEST = "MatchRequest"


class QueryStrings(AnyCase):
    """Which part of a query string is a part of a cached object's name."""

    IGNORE_QUERY_STRING = "IgnoreQueryString"
    USE_QUERY_STRING = "UseQueryString"
    IGNORE_SPECIFIED = "IgnoreSpecifiedQueryStrings"
    INCLUDE_SPECIFIED = "IncludeSpecifiedQueryStrings"


class Compression(Sent):
    """What is sent compressed."""

    content_types_to_compress: tuple[str, ...] | None = None
    is_compression_enabled: bool = False


class Cache(Sent):
    """What is kept at the edge."""

    query_string_caching_behavior: QueryStrings | None = None
    query_parameters: str | None = None
    compression_settings: Compression | None = None


class RouteProperties(Sent):
    """What of a route may be changed. A null for the cache switches it off."""

    custom_domains: tuple[Reference, ...] = ()
    origin_group: Reference = Reference(id="")
    origin_path: str | None = None
    rule_sets: tuple[Reference, ...] = ()
    supported_protocols: tuple[Protocol, ...] = ()
    patterns_to_match: tuple[str, ...] = ()
    cache_configuration: Cache | None = None
    forwarding_protocol: Forwarding = Forwarding.MATCH_REQUEST
    link_to_default_domain: OnOff = OnOff.DISABLED
    https_redirect: OnOff = OnOff.DISABLED
    enabled_state: OnOff = OnOff.ENABLED


class OriginProperties(Sent):
    """What of an origin may be changed."""

    azure_origin: Reference | None = None
    host_name: str = ""
    http_port: int = Field(default=80, ge=1, le=65535)
    https_port: int = Field(default=443, ge=1, le=65535)
    origin_host_header: str | None = None
    priority: int | None = Field(default=None, ge=1, le=5)
    weight: int | None = Field(default=None, ge=1, le=1000)
    shared_private_link_resource: dict[str, Any] | None = None
    enabled_state: OnOff = OnOff.ENABLED
    enforce_certificate_name_check: bool = True


class ProbeMethod(AnyCase):
    """With what an origin is asked."""

    NOT_SET = "NotSet"
    GET = "GET"
    HEAD = "HEAD"


class ProbeProtocol(AnyCase):
    """Over what an origin is asked."""

    NOT_SET = "NotSet"
    HTTP = "Http"
    HTTPS = "Https"


class HealthProbe(Sent):
    """How origins are asked."""

    probe_path: str | None = None
    probe_request_type: ProbeMethod | None = None
    probe_protocol: ProbeProtocol | None = None
    probe_interval_in_seconds: int | None = Field(default=None, ge=1)


class LoadBalancing(Sent):
    """How many of how many answers must be good."""

    sample_size: int | None = Field(default=None, ge=1, le=255)
    successful_samples_required: int | None = Field(default=None, ge=1, le=255)
    additional_latency_in_milliseconds: int | None = Field(default=None, ge=0)


class GroupProperties(Sent):
    """What of an origin group may be changed."""

    load_balancing_settings: LoadBalancing | None = None
    health_probe_settings: HealthProbe | None = None
    traffic_restoration_time_to_healed_or_new_endpoints_in_minutes: int | None = Field(default=None, ge=0, le=50)
    session_affinity_state: OnOff = OnOff.DISABLED


class RoutePatch(Sent):
    """The body of PATCH on a route."""

    properties: RouteProperties = RouteProperties()


class OriginPatch(Sent):
    """The body of PATCH on an origin."""

    properties: OriginProperties = OriginProperties()


class GroupPatch(Sent):
    """The body of PATCH on an origin group."""

    properties: GroupProperties = GroupProperties()


class Purge(Sent):
    """The body of POST purge."""

    content_paths: tuple[str, ...] = Field(min_length=1)
    domains: tuple[str, ...] | None = None
