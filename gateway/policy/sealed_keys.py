"""A signer's private key under a passphrase: PKCS#8, encrypted by PBES2 (RFC 8018 section 6.2) with scrypt (RFC 7914 section 7) and AES-256.

What the library writes by itself takes 2,048 rounds of PBKDF2, and who has stolen the file tries passphrases without any limit; scrypt
takes memory as well as time. The library reads this, and so does `openssl pkey -in FILE`.
"""

from __future__ import annotations

import base64
import os
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7

LABEL: Final = "ENCRYPTED PRIVATE KEY"
"""RFC 7468 section 11."""
COST: Final = 2**14
BLOCKS: Final = 8
PASSES: Final = 5
"""A third of a second. OWASP's password storage cheat sheet names them; more COST is more memory than OpenSSL gives to a key's file."""
_SALT_BYTES = 16
_SEQUENCE, _INTEGER, _OCTETS, _OBJECT = 0x30, 0x02, 0x04, 0x06
_PBES2 = bytes.fromhex("2a864886f70d01050d")
_SCRYPT = bytes.fromhex("2b06010401da47040b")
_AES256_CBC = bytes.fromhex("60864801650304012a")


def seal(private: Ed25519PrivateKey, passphrase: str) -> bytes:
    """The key as PEM, which only the passphrase opens again."""
    salt, vector = os.urandom(_SALT_BYTES), os.urandom(AES256.block_size // 8)
    key = Scrypt(salt, 32, COST, BLOCKS, PASSES).derive(passphrase.encode())
    plain = private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    padder, cipher = PKCS7(AES256.block_size).padder(), Cipher(AES256(key), CBC(vector)).encryptor()
    content = cipher.update(padder.update(plain) + padder.finalize()) + cipher.finalize()
    costs = _der(_SEQUENCE, _der(_OCTETS, salt), *map(_integer, (COST, BLOCKS, PASSES)))
    derivation = _der(_SEQUENCE, _der(_OBJECT, _SCRYPT), costs)
    encryption = _der(_SEQUENCE, _der(_OBJECT, _AES256_CBC), _der(_OCTETS, vector))
    algorithm = _der(_SEQUENCE, _der(_OBJECT, _PBES2), _der(_SEQUENCE, derivation, encryption))
    return _pem(_der(_SEQUENCE, algorithm, _der(_OCTETS, content)))


def _der(tag: int, *parts: bytes) -> bytes:
    """One value (X.690); none here has 256 bytes or more."""
    content = b"".join(parts)
    length = [len(content)] if len(content) < 0x80 else [0x81, len(content)]
    return bytes([tag, *length]) + content


def _integer(number: int) -> bytes:
    return _der(_INTEGER, number.to_bytes(number.bit_length() // 8 + 1))


def _pem(content: bytes) -> bytes:
    """RFC 7468 section 2: lines of 64."""
    text = base64.b64encode(content).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {LABEL}-----", *lines, f"-----END {LABEL}-----", ""]).encode()
