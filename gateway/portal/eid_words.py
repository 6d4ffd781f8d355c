"""What a person reads at the eID door when their card, or its absence, signs nobody in: what happened and what to do, by reason code."""

from __future__ import annotations

from typing import Final, NamedTuple

from gateway.portal.catalogue import N_


class Told(NamedTuple):
    """`steps` are what the person can do; all are messages of the catalogues."""

    title: str
    text: str
    steps: tuple[str, ...]


_ISSUER: Final = N_(
    "If it is your card's, and it was issued to you in Belgium, tell the help desk the reference below: then something is wrong that you cannot mend."
)
_OTHER_CERTIFICATE: Final = N_(
    "Choose “Use another card”, and in your browser's window the certificate that bears your name and the word “Authentication”."
)

WORDS: Final[dict[str, Told]] = {
    "certificate_missing": Told(
        N_("No card was shown"),
        N_(
            "Your browser sent no certificate: the card was not in the reader, or no certificate was chosen in your browser's window."
        ),
        (
            N_("Put your card in the reader, and wait until your computer knows it. Then choose “Try again”."),
            N_(
                "If your browser asks nothing, it remembers your choice for this address until it is closed: choose “Use another card”."
            ),
            N_("If it still asks nothing, the software of the eID (eid.belgium.be) may be missing on this computer."),
            N_(
                "Most browsers offer no certificate that has expired: if your card's has, ask your municipality for new ones."
            ),
        ),
    ),
    "certificate_unreadable": Told(
        N_("This certificate cannot be read"),
        N_("What your browser sent is no certificate of an eID card that can be read."),
        (_OTHER_CERTIFICATE, _ISSUER),
    ),
    "certificate_untrusted": Told(
        N_("This is not the certificate of a Belgian eID card"),
        N_(
            "No authority that issues certificates for Belgian eID cards vouches for it. Your browser may have others: of your employer, or of another card."
        ),
        (_OTHER_CERTIFICATE, _ISSUER),
    ),
    "certificate_expired": Told(
        N_("The certificate has expired."),
        N_("The certificates of an eID card end, at the latest, with the card itself. Yours cannot be used any more."),
        (
            N_("If you have a newer card, put it in the reader and choose “Use another card”."),
            N_("If not, ask your municipality for a new card or new certificates."),
        ),
    ),
    "certificate_not_yet_valid": Told(
        N_("This certificate is not valid yet"),
        N_("Its first day is still to come."),
        (
            N_("A new card can be used when it has been activated at your municipality."),
            N_("If you have an older card that is still valid, put it in the reader and choose “Use another card”."),
        ),
    ),
    "certificate_weak": Told(
        N_("This card is too old"),
        N_("Its keys or signatures are of a kind that proves nothing any more."),
        (N_("Ask your municipality for a new card."),),
    ),
    "certificate_for_signing": Told(
        N_("This is your card's certificate for signing"),
        N_("A card has two certificates: one to sign documents with, and one to sign in with. The first was chosen."),
        (_OTHER_CERTIFICATE,),
    ),
    "certificate_not_a_person": Told(
        N_("This certificate type is not permitted."),
        N_(
            "The certificate is an organisation's, a server's or a seal's. Here, persons sign in with the certificate of their own eID card."
        ),
        (_OTHER_CERTIFICATE,),
    ),
    "certificate_wrong_type": Told(
        N_("This certificate type is not permitted."),
        N_("It is not the certificate of an eID card that persons sign in with."),
        (_OTHER_CERTIFICATE, _ISSUER),
    ),
    "certificate_not_yours": Told(
        N_("This card does not belong to the user ID"),
        N_("The card is in order, but the user ID that was filled in is not one of its holder's."),
        (
            N_("Check the user ID: choose “Sign in in another way”, and fill it in again."),
            N_("If somebody else's card is in the reader, put in your own and choose “Use another card”."),
        ),
    ),
    "certificate_revoked": Told(
        N_("The certificate has been revoked."),
        N_(
            "The card was reported lost or stolen, or it was replaced, or its certificates were withdrawn. It cannot be used any more."
        ),
        (
            N_("If you have a newer card, put it in the reader and choose “Use another card”."),
            N_("If you know of no reason, ask your municipality."),
        ),
    ),
    "user_id_blocked": Told(
        N_("This user ID cannot be used"),
        N_("The user ID is blocked, or it has ended. Ask the local administrator of your institution."),
        (),
    ),
}
"""By the code of an attempt. An unknown user ID is told as `certificate_not_yours`: which of the two it is, nobody learns here."""
