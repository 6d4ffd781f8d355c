"""The demo's passwords as they are kept, made once: they stand on the screen, so nothing is lost, and a first start hashes for seconds less.

Each is `hash_password` with the parameters of today, as everybody else's; a test says so, and whoever adds a person adds theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

HASHED: Final[Mapping[str, str]] = {
    "harbour bicycle lantern":
        "$argon2id$v=19$m=65536,t=3,p=4$dn87u6cjeMSUtH8QCNLOcQ$m3tkgDfHlpstbTDSvLfsNqx8vStwHHkKM3kF08isSwY",
    "seven quiet tractors":
        "$argon2id$v=19$m=65536,t=3,p=4$LI21h9TVFa6ghYbDQ4gR2g$THAtEB+Fua7iWMnGqmE57w9bNeuVJRJGUdGFC9sOFIU",
    "velvet marmot parade":
        "$argon2id$v=19$m=65536,t=3,p=4$G/yjcZ7EEiol0hTwfgMc2g$Eqh9SfDa53O6wisM/+XbzORiu3oLn0CT7zPP7RnZ9JE",
    "copper kettle weather":
        "$argon2id$v=19$m=65536,t=3,p=4$4fra6DLE5TFCz9WPbeUTmw$z6nmdBJMaJQrv943VXRGXkS2deJtQAB1hEdOI5T9GMs",
    "paper boats at dawn":
        "$argon2id$v=19$m=65536,t=3,p=4$BsOskcG+FRd4JiNE7rLpCw$5spq2xKcrQpPtUcBh/BIPfngCrOuEHz1bV1M5pI8Q5c",
    "granite pancake orchestra":
        "$argon2id$v=19$m=65536,t=3,p=4$5/CMcR9g2BxmIYOYAnRd5A$JJ+ezbRjuzK6EXrAYq9td+Fb6rmJcXPXRmcfLhTkAzY",
    "umbrella for a heron":
        "$argon2id$v=19$m=65536,t=3,p=4$ly/cX8xEX9jSeKCjwr14kg$6CGplAynatkivaWzWaYUIccLuJiO2NyYJ2/qfV1YtY0",
    "winter apples downhill":
        "$argon2id$v=19$m=65536,t=3,p=4$uFlwb18AyUnkPE54X5WAnA$OpUz3w4V3Tse0VljQ3YCtuWR3EBgUMaR+LVhOLnXJCU",
    "seagull on saturday":
        "$argon2id$v=19$m=65536,t=3,p=4$J3Hryco+W6haM3Ew/Geavg$SkXMyeg2Pk9ITq+7WxwP3TZyttWprBVBb9wJ2qPUDvc",
    "ladder under the moon":
        "$argon2id$v=19$m=65536,t=3,p=4$WbyH+MXbHZwbCu75+1PopQ$4/NQmmsq/2qxPsO8q2rszsJCVnR46FGJWFFF7e0V1PA",
    "first day with marmalade":
        "$argon2id$v=19$m=65536,t=3,p=4$e/H52bgX9J3t/iFTpSOfHQ$d+RXHxFMOJxAxAkYrO6v/ca0W58qKvxUwlp1rF4PdnE",
    "thirteen patient otters":
        "$argon2id$v=19$m=65536,t=3,p=4$rbqGvps0xSK/uDZviDzsEg$PI+p4/x84f5u7x6EfJ+fRmhQkBIcr89BNOYiQAm1BNo",
    "lantern over the dunes":
        "$argon2id$v=19$m=65536,t=3,p=4$rgBtJkkz2wrggx1iEzo3vQ$TzC1k2S3TfKmjaJ6L5a8L+ayE0n5n17dX6cLNtLabAc",
    "kingfisher under the bridge":
        "$argon2id$v=19$m=65536,t=3,p=4$X2nivNpqnTFkI6F5ugYLLQ$p4QrQIXoVpzgYxr5K2IHbcuzPXgJx0nd4Cxg24I43y0",
    "eleven lamps in a row":
        "$argon2id$v=19$m=65536,t=3,p=4$858aBt/T7ap5MzoAlJQSrA$g57kkAMxBTkYBKd03QGpNys29HwtyxmoTeRWDonGyy8",
    "the quiet alarm clock":
        "$argon2id$v=19$m=65536,t=3,p=4$FHcrHdXT7CVWStj9oZW+AQ$PEEbV0LrGjws8Suw7Q1jnqoECfPaC2vVIjQHfhbKFzg",
}  # fmt: skip
"""By the password."""
