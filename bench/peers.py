"""The peers: what people would otherwise put before their applications, each with an authorisation call for every request.

All do the same work: TLS 1.2 and 1.3 with the same certificate, a call to the authorisation server before each request, a JSON line
of it in a file, and proxying to the same origin over kept connections. They run on one core with one worker or thread, with pools
large enough that no connection is opened in the steady state, and otherwise as they ship. The configurations below stand whole in
docs/performance.md: whoever sees one that is slower than it could be is asked to say so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.processes import LOAD_CORE, SERVER_CORE, Process, free_port, start, wait_for_port
from bench.programs import program


@dataclass(frozen=True, slots=True)
class Ground:
    """What all servers stand on: a directory for their files, the certificate, its key and name, and where the origin listens.

    `origin`, `verdict` and `echo` are the ports of the application, the authorisation server, and what echoes behind the application.
    """

    directory: Path
    certificate: Path
    key: Path
    host: str
    origin: int
    verdict: int
    echo: int


@dataclass(frozen=True, slots=True)
class Server:
    """A server under test, running. `fields` go with each request, the same for all."""

    name: str
    process: Process
    host: str
    port: int
    fields: Mapping[str, str]

    def url(self, path: str) -> str:
        return f"https://{self.host}:{self.port}{path}"


# --------------------------------------------------------------------------------------------------------------- origin
ORIGIN = """\
worker_processes 1;
daemon off;
pid {directory}/origin.pid;
error_log {directory}/origin-error.log;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  sendfile on;
  client_body_temp_path {directory}/origin-body;
  proxy_temp_path {directory}/origin-proxy;
  fastcgi_temp_path {directory}/origin-fastcgi;
  uwsgi_temp_path {directory}/origin-uwsgi;
  scgi_temp_path {directory}/origin-scgi;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  server {{                                            # the authorisation server: yes to everything
    listen 127.0.0.1:{verdict} backlog=4096;
    location / {{ return 200; }}
  }}
  server {{                                            # the application
    listen 127.0.0.1:{origin} backlog=4096;
    root {directory}/files;
    location / {{ return 200 "hello, world\\n"; }}     # 13 bytes
    location /each/ {{ add_header X-Page $uri; return 200 "hello, world\\n"; }}
    location /upload {{                                # `return` would answer before the body is there, as no application does
      client_body_buffer_size 2m;
      proxy_pass http://127.0.0.1:{verdict};
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
    }}
    location /files/ {{ }}
    location /live {{                                  # websockets, and requests that wait: a small echo server
      proxy_pass http://127.0.0.1:{echo};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
      proxy_read_timeout 1h;
    }}
  }}
}}
"""

# ---------------------------------------------------------------------------------------------------------------- nginx
NGINX = """\
worker_processes 1;
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/nginx-error.log;
events {{ worker_connections 16384; }}
http {{
  sendfile on;
  client_body_buffer_size 128k;                        # as shipped (16k), each upload of 64 KiB goes through a file
  proxy_buffer_size 16k;                               # as shipped (4k and 8 x 4k), the large download takes a third more CPU time
  proxy_buffers 8 64k;
  proxy_busy_buffers_size 128k;
  proxy_max_temp_file_size 0;                          # as shipped, what the client has not yet read goes through a file
  client_body_temp_path {directory}/nginx-body;
  proxy_temp_path {directory}/nginx-proxy;
  fastcgi_temp_path {directory}/nginx-fastcgi;
  uwsgi_temp_path {directory}/nginx-uwsgi;
  scgi_temp_path {directory}/nginx-scgi;
  log_format line escape=json '{{"time":"$time_iso8601","id":"$request_id","client":"$remote_addr","host":"$host",'
    '"method":"$request_method","path":"$uri","status":$status,"bytes":$body_bytes_sent,'
    '"agent":"$http_user_agent","seconds":$request_time}}';
  access_log {directory}/nginx.jsonl line;
  upstream origin {{ server 127.0.0.1:{origin}; keepalive 256; keepalive_requests 1000000000; }}
  upstream verdict {{ server 127.0.0.1:{verdict}; keepalive 256; keepalive_requests 1000000000; }}
  map $http_upgrade $connection_of {{ "" ""; default upgrade; }}
  server {{
    listen 127.0.0.1:{port} ssl backlog=4096;
    server_name {host};
    keepalive_requests 1000000000;
    client_max_body_size 0;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3;
    location / {{
      auth_request /verdict;
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_of;
      proxy_set_header Host $host;
      proxy_set_header X-Request-Id $request_id;
      proxy_read_timeout 1h;
    }}
    location = /verdict {{
      internal;
      proxy_pass http://verdict;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
    }}
  }}
}}
"""

# ---------------------------------------------------------------------------------------------------------------- Caddy
CADDY = """\
{{
  admin off
  auto_https off
  persist_config off
  log default {{
    output file {directory}/caddy-error.log
    level ERROR
    exclude http.log.access
  }}
  servers {{
    protocols h1
  }}
}}
https://{host}:{port} {{
  bind 127.0.0.1
  tls {certificate} {key}
  log {{
    output file {directory}/caddy.jsonl {{
      roll_disabled
    }}
    format json
  }}
  forward_auth 127.0.0.1:{verdict} {{
    uri /verdict
    transport http {{
      keepalive_idle_conns 256
      keepalive_idle_conns_per_host 256
    }}
  }}
  reverse_proxy 127.0.0.1:{origin} {{
    transport http {{
      keepalive_idle_conns 256
      keepalive_idle_conns_per_host 256
    }}
  }}
}}
"""

# ---------------------------------------------------------------------------------------------------------------- Envoy
ENVOY = """\
static_resources:
  listeners:
  - name: user
    address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
    filter_chains:
    - transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [http/1.1]
            tls_params: {{ tls_minimum_protocol_version: TLSv1_2, tls_maximum_protocol_version: TLSv1_3 }}
            tls_certificates:
            - certificate_chain: {{ filename: {certificate} }}
              private_key: {{ filename: {key} }}
      filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: user
          codec_type: HTTP1
          upgrade_configs: [{{ upgrade_type: websocket }}]
          stream_idle_timeout: 3600s
          access_log:
          - name: envoy.access_loggers.file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: {directory}/envoy.jsonl
              log_format:
                json_format:
                  time: "%START_TIME%"
                  id: "%REQ(X-REQUEST-ID)%"
                  client: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"
                  host: "%REQ(:AUTHORITY)%"
                  method: "%REQ(:METHOD)%"
                  path: "%REQ(:PATH)%"
                  status: "%RESPONSE_CODE%"
                  bytes: "%BYTES_SENT%"
                  agent: "%REQ(USER-AGENT)%"
                  seconds: "%DURATION%"
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{ prefix: / }}
                route: {{ cluster: origin, timeout: 0s }}
          http_filters:
          - name: envoy.filters.http.ext_authz
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
              http_service:
                server_uri: {{ uri: "http://127.0.0.1:{verdict}", cluster: verdict, timeout: 5s }}
                path_prefix: /verdict
              failure_mode_allow: false
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
  - name: origin
    type: STATIC
    connect_timeout: 5s
    circuit_breakers:
      thresholds: [{{ max_connections: 16384, max_pending_requests: 16384, max_requests: 16384 }}]
    load_assignment:
      cluster_name: origin
      endpoints:
      - lb_endpoints:
        - endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {origin} }} }} }}
  - name: verdict
    type: STATIC
    connect_timeout: 5s
    circuit_breakers:
      thresholds: [{{ max_connections: 16384, max_pending_requests: 16384, max_requests: 16384 }}]
    load_assignment:
      cluster_name: verdict
      endpoints:
      - lb_endpoints:
        - endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {verdict} }} }} }}
"""

# -------------------------------------------------------------------------------------------------------------- HAProxy
HAPROXY = """\
global
  nbthread 1
  maxconn 8192
  log stdout format raw local0 info
  ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
  mode http
  log global
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
  http-reuse always
frontend user
  bind 127.0.0.1:{port} ssl crt {directory}/haproxy.pem alpn http/1.1 backlog 4096
  unique-id-format %{{+X}}o\\ %ci:%cp_%fi:%fp_%Ts_%rt:%pid
  log-format '{{"time":"%tr","id":"%ID","client":"%ci","method":"%HM","path":"%HP","status":%ST,"bytes":%B,"seconds":%Ta}}'
  default_backend origin
backend origin
  server origin 127.0.0.1:{origin} pool-max-conn 256
"""

BARE = "uvloop, nothing of the job"
"""TLS and forwarding in Python by themselves: bench/bare.py."""
CONFIGURATIONS = {
    "nginx": ("nginx.conf", NGINX),
    "Envoy": ("envoy.yaml", ENVOY),
    "Caddy": ("Caddyfile", CADDY),
    "HAProxy, no authorisation": ("haproxy.cfg", HAPROXY),
}
"""Each peer's name, the name of its file, and the file. HAProxy alone makes no authorisation call, as Debian's cannot without a
script: it shows what TLS and proxying cost by themselves."""


def start_origin(ground: Ground) -> Process:
    """The origin and the authorisation server: one nginx on the load's core."""
    config = _write(ground, "origin.conf", ORIGIN, 0)
    process = start(
        "origin", [program("nginx"), "-c", str(config), "-p", str(ground.directory)], LOAD_CORE, ground.directory
    )
    wait_for_port(process, ground.origin)
    return process


def start_peer(name: str, ground: Ground, fields: Mapping[str, str]) -> Server:
    """Starts one of CONFIGURATIONS on the server's core."""
    return _STARTERS[name](ground, fields)


def start_bare(ground: Ground, fields: Mapping[str, str]) -> Server:
    """No peer, but the floor: bare.py, which does nothing of the job, in the Python that the gateway runs in."""
    port = free_port()
    about = [str(ground.certificate), str(ground.key), str(port), str(ground.origin)]
    command = [sys.executable, str(Path(__file__).with_name("bare.py")), *about]
    process = start("bare", command, SERVER_CORE, ground.directory)
    wait_for_port(process, port)
    return Server(BARE, process, ground.host, port, fields)


def _nginx(ground: Ground, fields: Mapping[str, str]) -> Server:
    return _start(
        "nginx", ground, fields, lambda config: [program("nginx"), "-c", config, "-p", str(ground.directory)], {}
    )


def _envoy(ground: Ground, fields: Mapping[str, str]) -> Server:
    def command(config: str) -> list[str]:
        return [program("envoy"), "-c", config, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warn"]

    return _start("Envoy", ground, fields, command, {})


def _caddy(ground: Ground, fields: Mapping[str, str]) -> Server:
    # Go takes a thread for each core that it may use by itself; said here so that a reader need not know.
    environment = {"GOMAXPROCS": "1", "HOME": str(ground.directory)}
    return _start(
        "Caddy",
        ground,
        fields,
        lambda config: [program("caddy"), "run", "--adapter", "caddyfile", "--config", config],
        environment,
    )


def _haproxy(ground: Ground, fields: Mapping[str, str]) -> Server:
    both = ground.directory / "haproxy.pem"
    both.write_bytes(ground.certificate.read_bytes() + ground.key.read_bytes())
    return _start(
        "HAProxy, no authorisation", ground, fields, lambda config: [program("haproxy"), "-db", "-f", config], {}
    )


def _start(
    name: str,
    ground: Ground,
    fields: Mapping[str, str],
    command: Callable[[str], list[str]],
    environment: dict[str, str],
) -> Server:
    port = free_port()
    file, text = CONFIGURATIONS[name]
    config = _write(ground, file, text, port)
    process = start(name, command(str(config)), SERVER_CORE, ground.directory, environment)
    wait_for_port(process, port)
    return Server(name, process, ground.host, port, fields)


def _write(ground: Ground, name: str, text: str, port: int) -> Path:
    path = ground.directory / name
    path.write_text(
        text.format(
            directory=ground.directory,
            certificate=ground.certificate,
            key=ground.key,
            host=ground.host,
            origin=ground.origin,
            verdict=ground.verdict,
            echo=ground.echo,
            port=port,
        )
    )
    return path


_STARTERS: Mapping[str, Callable[[Ground, Mapping[str, str]], Server]] = {
    "nginx": _nginx,
    "Envoy": _envoy,
    "Caddy": _caddy,
    "HAProxy, no authorisation": _haproxy,
}
