"""What a refusal or failure page says: for every reason a title, what happened, and what the person can do.

The sentences of DOMAIN section 5 stand here word for word. A text never says more than the reason may disclose: which of them a
person sees is the decision's to say (`Decision.shown`).
"""

from __future__ import annotations

from typing import Final

from gateway.decision import NOT_FOR_YOU
from gateway.portal.catalogue import N_
from gateway.portal.words import Act, Where, Words

_AGAIN = N_("Try again in a few minutes.")
_STILL = N_("If the problem stays, call the help desk and read out the reference on this page.")
_FORM = N_("If you were sending a form, check first whether your change has arrived before you send it again.")
_BACK = N_("Close this tab, and open the application again from “My applications”.")
_ADDRESS = N_("Check the address for typing errors.")
_BROWSER = N_(
    "Use an up-to-date browser, such as Firefox, Chrome, Edge or Safari, without extensions that change requests."
)
_HIDDEN = N_(
    "If you were using such a browser, an extension, a setting or your institution's network may hide that: ask your ICT service, and keep the reference at hand."
)
_LOCAL = N_("If you need this transaction for your work, ask the local administrator of your institution.")
_LOCAL_KSZ = N_(
    "Ask the local administrator of your institution; they can ask the Crossroads Bank what the state of the authorisation is."
)
_LIST = N_("“My applications” shows what you can open now.")

_NOT_AUTHORISED = N_("You are not authorised for this transaction.")
_SUSPENDED_OR_EXPIRED = N_("Your authorisation is suspended or has expired.")
_PROGRAMS = N_("Application-to-application connections over the internet are forbidden.")
_UNREADABLE = N_("This request could not be read")
_UNAVAILABLE = N_("This service is not available at the moment")
_ORIGIN = N_("The application does not answer")
_WRONG_HOST = N_("This address does not exist here")
_ENDED = N_("Your session has ended")
CONFIRM = N_("Please confirm who you are")

WORDS: Final[dict[str, Words]] = {
    "plain_http": Words(
        N_("Only HTTPS is permitted."),
        N_("Your browser asked for this address over http, a connection that others can read. Nothing was passed on."),
        (
            N_("Type the address again, beginning with https://."),
            N_("If a link or a bookmark brought you here, correct it, or tell whoever published it."),
        ),
        Act.HTTPS,
        linked=False,
    ),
    "tls_failed": Words(
        N_("No secure connection could be made"),
        N_("Your browser and this service could not agree on a secure connection."),
        (_BROWSER, _STILL),
        Act.NONE,
        Where.CLIENT,
        linked=False,
    ),
    "too_many_connections": Words(
        _UNAVAILABLE,
        N_("More connections are open than this service takes, in all or from your network."),
        (_AGAIN, _STILL),
        Act.NONE,
        linked=False,
    ),
    "no_request": Words(
        N_("No request arrived"),
        N_("A secure connection was made, but no request came over it."),
        (_AGAIN,),
        Act.NONE,
        Where.CLIENT,
        linked=False,
    ),
    "misdirected": Words(
        _WRONG_HOST,
        N_("The address in the request is not the one that the secure connection was made for."),
        (N_("Close this tab and type the address in a new one."), _BROWSER, _STILL),
        Act.NONE,
        Where.CLIENT,
        linked=False,
    ),
    "unknown_host": Words(
        _WRONG_HOST,
        N_("No page of this service has the address that your browser asked for."),
        (_ADDRESS, N_("If a link brought you here, tell whoever published it.")),
        linked=False,
    ),
    "malformed": Words(
        _UNREADABLE,
        N_("What arrived does not follow the rules of HTTP. It was not passed on."),
        (
            _BROWSER,
            N_(
                "If your institution has a proxy or security software, it may have changed the request: ask your ICT service."
            ),
            _STILL,
        ),
        Act.NONE,
        Where.CLIENT,
        linked=False,
    ),
    "ambiguous_framing": Words(
        _UNREADABLE,
        N_("What arrived could be read in more than one way. It was not passed on."),
        (
            _BROWSER,
            N_(
                "If your institution has a proxy or security software, it may have changed the request: ask your ICT service."
            ),
            _STILL,
        ),
        Act.NONE,
        Where.CLIENT,
        linked=False,
    ),
    "unsafe_target": Words(
        _UNREADABLE,
        N_("The address holds characters that can be read in more than one way. The request was not passed on."),
        (_ADDRESS, _BACK, _STILL),
        linked=False,
    ),
    "field_refused": Words(
        _UNREADABLE,
        N_("The request carried information (a header field or a cookie) that is not accepted. It was not passed on."),
        (N_("Delete the cookies of this site in your browser, then try again."), _BROWSER, _STILL),
        Act.NONE,
        Where.CLIENT,
        linked=False,
    ),
    "too_large": Words(
        N_("This is too large to send"),
        N_("What your browser sent is larger than this address accepts. It was not passed on."),
        (N_("Send a smaller file, or fewer at a time."), _STILL),
        Act.NONE,
        linked=False,
    ),
    "too_slow": Words(
        N_("Your request did not arrive in time"),
        N_("The connection from your device was too slow, or broke off, before everything had arrived."),
        (N_("Check your internet connection and try again."), _FORM, _STILL),
        Act.NONE,
        Where.CLIENT,
        linked=False,
    ),
    "user_agent_missing": Words(
        _PROGRAMS,
        N_("This service is for persons with a browser. What contacted it does not say what it is."),
        (_BROWSER, _HIDDEN),
        Act.NONE,
        linked=False,
    ),
    "automated_browser": Words(
        _PROGRAMS,
        N_("This service is for persons with a browser. This browser says that a program drives it."),
        (_BROWSER, _HIDDEN),
        Act.NONE,
        linked=False,
    ),
    "signed_agent": Words(
        _PROGRAMS,
        N_("This service is for persons with a browser. This request bears the signature of an automatic agent."),
        (N_("Open the address yourself in a browser, without an assistant that acts for you."), _STILL),
        Act.NONE,
        linked=False,
    ),
    "office_link": Words(
        N_("Open this link in your browser"),
        N_("An office program fetched the link. The page itself opens in your browser."),
        (N_("Open the link in a browser and sign in with your user ID."),),
        Act.NONE,
    ),
    "machine_client": Words(
        _PROGRAMS,
        N_("This service is for persons with a browser. What contacted it says that it is a program."),
        (_BROWSER, _HIDDEN),
        Act.NONE,
        linked=False,
    ),
    "inbound_credential": Words(
        _PROGRAMS,
        N_("The request brought a key, a password or a token of its own. Here a person signs in, in a browser."),
        (N_("Open the address in a browser and sign in with your user ID."), _STILL),
    ),
    "foreign_websocket": Words(
        _PROGRAMS,
        N_("A live connection was asked for by a page of another website, or by a program. It was not opened."),
        (_BACK, N_("If you did not expect this, close the page you came from and tell your help desk.")),
    ),
    "too_fast": Words(
        N_("Too many requests at once"),
        N_(
            "More was asked of this transaction with your session than a person can do by hand. This request was not passed on."
        ),
        (
            N_("Wait a few seconds, then load the page again."),
            N_(
                "If you did not do anything special, tell your help desk: an extension or a program may be using your session."
            ),
            _STILL,
        ),
        Act.APPLICATIONS,
    ),
    "doubtful_client": Words(
        CONFIRM,
        N_(
            "What your browser sends looks more like a program than like a person. So you are asked to confirm that you are there."
        ),
        (N_("Confirm who you are, then repeat what you did."), _STILL),
        Act.STEP_UP,
    ),
    "cross_site": Words(
        N_("This came from another website"),
        N_("A page of another website tried to send something here in your name. It was not passed on."),
        (
            N_("If you wanted to do this, open the application from “My applications” and do it there."),
            N_("If you did not expect this, close the page you came from and tell your help desk."),
        ),
    ),
    "table_unavailable": Words(
        _UNAVAILABLE,
        N_("The authorisations cannot be read at the moment, and without them nothing may be passed on."),
        (_AGAIN, _STILL),
        Act.NONE,
        Where.GATEWAY,
    ),
    "table_expired": Words(
        _UNAVAILABLE,
        N_("The authorisations have expired and were not renewed in time. Without them nothing may be passed on."),
        (N_("Your help desk can tell you when the service is available again."),),
        Act.NONE,
        Where.GATEWAY,
    ),
    "records_unavailable": Words(
        _UNAVAILABLE,
        N_(
            "The register of users and designations cannot be read at the moment, and without it nothing may be passed on."
        ),
        (_AGAIN, _FORM, _STILL),
        Act.NONE,
        Where.GATEWAY,
    ),
    "ledger_unavailable": Words(
        _UNAVAILABLE,
        N_(
            "The security log cannot be written at the moment, and without it nothing may be passed on. Your request did not reach the application."
        ),
        (_AGAIN, _STILL),
        Act.NONE,
        Where.GATEWAY,
    ),
    "gateway_error": Words(
        _UNAVAILABLE,
        N_("Something went wrong in this access service."),
        (_AGAIN, _FORM, _STILL),
        Act.NONE,
        Where.GATEWAY,
    ),
    "draining": Words(
        _UNAVAILABLE,
        N_("This access service is being restarted. Your request did not reach the application."),
        (N_("Try again in a minute."), _STILL),
        Act.NONE,
        Where.GATEWAY,
    ),
    "sign_in_required": Words(
        N_("Please sign in"),
        N_("This page is only for persons who are signed in."),
        (N_("Sign in with your user ID."),),
        Act.SIGN_IN,
    ),
    "session_expired": Words(
        _ENDED,
        N_("You did nothing here for a while, or the longest time that a session may last is over."),
        (N_("Sign in again to go on."),),
        Act.SIGN_IN,
    ),
    "session_revoked": Words(
        _ENDED,
        N_("You signed out or signed in again elsewhere, or an administrator ended your session."),
        (N_("Sign in again to go on."), N_("If you did not do this yourself, tell your help desk.")),
        Act.SIGN_IN,
    ),
    "session_moved": Words(
        CONFIRM,
        N_(
            "Your session is used by another browser than the one you signed in with, or your browser or network has changed since."
        ),
        (
            N_("Confirm who you are, then repeat what you did."),
            N_("If you did not change anything, tell your help desk: somebody else may have your session."),
        ),
        Act.STEP_UP,
    ),
    "regulation_not_accepted": Words(
        N_("Please accept the user regulation first."),
        N_("There is a version of the user regulation that you have not accepted yet."),
        (N_("Open “My applications”: the user regulation is shown there first."),),
    ),
    NOT_FOR_YOU: Words(
        _NOT_AUTHORISED,
        N_(
            "There is no transaction at this address, or there is one that you are not designated for. For reasons of security this page does not say which."
        ),
        (_ADDRESS, _LIST, _LOCAL),
    ),
    "no_transaction": Words(
        _NOT_AUTHORISED,
        N_("There is no transaction at this address."),
        (_ADDRESS, _LIST),
    ),
    "not_authorised": Words(
        _NOT_AUTHORISED,
        N_("Your institution has no authorisation of the Crossroads Bank for this transaction."),
        (_LOCAL_KSZ, _LIST),
    ),
    "not_activated": Words(
        N_("This transaction has not been activated yet."),
        N_("Your institution's request is known, but the Crossroads Bank has not given a favourable opinion yet."),
        (_LOCAL_KSZ, _LIST),
    ),
    "not_yet_valid": Words(
        N_("Your authorisation has not begun yet."),
        N_("Your institution has an authorisation for this transaction that begins on a later day."),
        (N_("Come back on the day on which it begins."), _LIST),
    ),
    "expired": Words(
        _SUSPENDED_OR_EXPIRED,
        N_("The authorisation of your institution for this transaction has ended."),
        (_LOCAL_KSZ, _LIST),
    ),
    "suspended_by_ksz": Words(
        N_("The Crossroads Bank has stopped this for now"),
        N_(
            "In an emergency the Crossroads Bank has suspended access: to everything, to this transaction, or for your institution or you. Nothing was passed on. This is not an error of yours."
        ),
        (
            N_(
                "There is nothing that you can do yourself. Try again later: it opens by itself when the suspension ends."
            ),
            N_("If your work cannot wait, ask the local administrator of your institution what to do meanwhile."),
            _STILL,
        ),
        Act.NONE,
    ),
    "suspended": Words(
        _SUSPENDED_OR_EXPIRED,
        N_("The Crossroads Bank has suspended the authorisation of your institution for this transaction."),
        (_LOCAL_KSZ, _LIST),
    ),
    "revoked": Words(
        N_("Your authorisation has been revoked."),
        N_("The Crossroads Bank has revoked the authorisation of your institution for this transaction."),
        (_LOCAL_KSZ, _LIST),
    ),
    "person_blocked": Words(
        N_("Your user ID is blocked"),
        N_("Your user ID is blocked, or has come to its end. It opens no transaction."),
        (N_("Ask the local administrator of your institution why, and whether it can be opened again."),),
        Act.NONE,
    ),
    "not_designated": Words(
        _NOT_AUTHORISED,
        N_("Your institution is authorised, but you are not designated by name for this transaction now."),
        (N_("Ask the local administrator of your institution; the head official designates who may use it."), _LIST),
    ),
    "designation_ended": Words(
        _NOT_AUTHORISED,
        N_("You were designated for this transaction, and that designation has ended."),
        (
            N_(
                "If you still need it for your work, ask the local administrator of your institution for a new designation."
            ),
            _LIST,
        ),
    ),
    "mandate_ended": Words(
        _NOT_AUTHORISED,
        N_(
            "You were designated by a local administrator whose mandate does not cover that designation, or ended too long ago."
        ),
        (
            N_(
                "The head official of your institution can confirm your designation, or a local administrator with a mandate can make a new one."
            ),
            _LIST,
        ),
    ),
    "role_missing": Words(
        _NOT_AUTHORISED,
        N_(
            "This transaction shows social personal data, for which a role in the user management is needed. You do not have it."
        ),
        (N_("Ask the local administrator of your institution for the role."), _LIST),
    ),
    "role_source_unavailable": Words(
        N_("Your roles cannot be looked up at the moment"),
        N_(
            "The user management that says who has which role has not answered for too long, and without its answer this transaction stays closed."
        ),
        (_AGAIN, _STILL),
        Act.APPLICATIONS,
        Where.GATEWAY,
    ),
    "use_not_covered": Words(
        N_("You may not do this in this transaction"),
        N_(
            "What you asked for is not among the things that you may do here. Perhaps you may consult data in this transaction, but not communicate them."
        ),
        (
            N_("Go back, and use only what “My applications” names for this transaction."),
            N_("If you need it for your work, ask the local administrator of your institution."),
        ),
    ),
    "purpose_missing": Words(
        N_("This consultation has no purpose"),
        N_("Social personal data may be consulted only for a purpose that is stated in the authorisation. None is."),
        (_LOCAL_KSZ, _LIST),
    ),
    "outside_context": Words(
        N_("Not from here, or not at this time"),
        N_(
            "The authorisation allows this only from certain networks, at certain hours or on certain days. You are outside them now."
        ),
        (
            N_("Try again within the hours and on the days that the authorisation names, from one of its networks."),
            N_(
                "If that does not fit your work, ask the local administrator of your institution: the Crossroads Bank can change the authorisation."
            ),
            _LIST,
        ),
    ),
    "means_too_weak": Words(
        N_("The means of authentication used is too weak for this transaction."),
        N_("You are signed in, but this transaction asks for a stronger means of authentication."),
        (N_("Confirm who you are with one of the means named below."), _LIST),
        Act.STEP_UP,
    ),
    "means_not_agreed": Words(
        N_("This means of authentication is not agreed for this transaction"),
        N_(
            "You are signed in, but with a means of authentication that the deliberation does not name for this transaction."
        ),
        (N_("Confirm who you are with one of the means named below."), _LIST),
        Act.STEP_UP,
    ),
    "authentication_too_old": Words(
        CONFIRM,
        N_("You signed in too long ago for this transaction."),
        (N_("Confirm who you are, then repeat what you did."),),
        Act.STEP_UP,
    ),
    "revocation_unknown": Words(
        N_("Your card cannot be checked at the moment"),
        N_(
            "The service that knows which identity cards are revoked has not answered for too long, and without its answer this transaction stays closed."
        ),
        (
            _AGAIN,
            N_("If this transaction takes another means of authentication, sign out, and sign in with that one."),
            _STILL,
        ),
        Act.APPLICATIONS,
        Where.GATEWAY,
    ),
    "client_closed": Words(
        N_("The connection broke off"),
        N_("The connection from your device ended before the answer was delivered."),
        (N_("Check your internet connection and try again."), _FORM),
        Act.NONE,
        Where.CLIENT,
    ),
    "access_ended": Words(
        N_("Your access has ended"),
        N_("Your session or your access to this transaction ended while you were using it."),
        (_LIST, _LOCAL),
    ),
    "origin_refused": Words(
        _ORIGIN,
        N_("No secure connection to the application could be made. Your request did not reach it."),
        (_AGAIN, _STILL),
        Act.APPLICATIONS,
        Where.ORIGIN,
    ),
    "origin_timeout": Words(
        _ORIGIN,
        N_("The application took too long to answer."),
        (_AGAIN, _FORM, _STILL),
        Act.APPLICATIONS,
        Where.ORIGIN,
    ),
    "origin_broken": Words(
        _ORIGIN,
        N_("The application broke off its answer."),
        (_AGAIN, _FORM, _STILL),
        Act.APPLICATIONS,
        Where.ORIGIN,
    ),
    "origin_malformed": Words(
        _ORIGIN,
        N_("The application gave an answer that cannot be read."),
        (_AGAIN, _FORM, _STILL),
        Act.APPLICATIONS,
        Where.ORIGIN,
    ),
}


def words_of(shown: str) -> Words:
    """The words for `Decision.shown`; a key without words of its own (no refusal has one) gets the gateway's own trouble."""
    return WORDS.get(shown, WORDS["gateway_error"])
