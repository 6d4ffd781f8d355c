"""Pure HTTP/1.1: strict readers and writers without I/O, the canonical target, field hygiene (RFC 9110, RFC 9112).

Nothing here knows sockets, time or policy. Bytes go in, values come out, and hostile bytes raise only RequestError
(towards clients) or ResponseError (towards origins).
"""

from gateway.message.events import (
    CHUNKED,
    END_OF_MESSAGE,
    NO_BODY,
    UNTIL_CLOSE,
    Chunked,
    ContentLength,
    Data,
    EndOfMessage,
    Framing,
    InformationalHead,
    NoBody,
    RequestHead,
    ResponseHead,
    UntilClose,
)
from gateway.message.fields import Fields, Pair
from gateway.message.host import Authority, parse_authority
from gateway.message.hygiene import request_to_origin, response_to_client
from gateway.message.limits import DEFAULT_LIMITS, Limits
from gateway.message.reader import RequestReader, ResponseReader
from gateway.message.response import Known
from gateway.message.target import Target, canonical_path, parse_target
from gateway.message.writer import (
    LAST_CHUNK,
    NO_FIELDS,
    FieldBlock,
    field_block,
    write_chunk,
    write_request_head,
    write_response_head,
)

__all__ = [
    "CHUNKED",
    "DEFAULT_LIMITS",
    "END_OF_MESSAGE",
    "LAST_CHUNK",
    "NO_BODY",
    "NO_FIELDS",
    "UNTIL_CLOSE",
    "Authority",
    "Chunked",
    "ContentLength",
    "Data",
    "EndOfMessage",
    "FieldBlock",
    "Fields",
    "Framing",
    "InformationalHead",
    "Known",
    "Limits",
    "NoBody",
    "Pair",
    "RequestHead",
    "RequestReader",
    "ResponseHead",
    "ResponseReader",
    "Target",
    "UntilClose",
    "canonical_path",
    "field_block",
    "parse_authority",
    "parse_target",
    "request_to_origin",
    "response_to_client",
    "write_chunk",
    "write_request_head",
    "write_response_head",
]
