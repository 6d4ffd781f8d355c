"""What a running demo says of itself: the object that scripts read (DESIGN section 7), and what its guide shows besides."""

from __future__ import annotations

from typing import Any

from gateway.demo import stories
from gateway.demo.files import LOOPBACK, PKCS12_PASSWORD, PORTAL, Plan
from gateway.demo.stories import Person, Transaction
from gateway.demo.world import Home
from gateway.model import KSZ


def demo_facts(home: Home, plan: Plan) -> dict[str, Any]:
    """The one JSON object. Its schema is fixed; a key whose feature is not there is absent."""
    ports = plan.ports
    return {
        "addresses": {
            "user": f"{ports.portal_url}/",
            "eid": f"{ports.eid_url}/",
            "plain": f"http://{PORTAL}:{ports.plain}/",
            "operator": f"http://{LOOPBACK}:{ports.operator}/",
        },
        "config": str(home.config),
        "ledger": str(home.ledger),
        "ca": str(home.ca),
        "origin": plan.origin or f"{ports.origin_url}/",
        "people": [_person(person, home, plan) for person in plan.people],
        "transactions": [
            {"id": transaction.id, "url": plan.url(transaction), "story": transaction.story}
            for transaction in plan.transactions
        ],
    }


def guide_facts(home: Home, plan: Plan) -> dict[str, Any]:
    """The same, with names, reasons and where to go for each story: what `guide` shows."""
    facts = demo_facts(home, plan)
    names = {institution.kbo: institution.name.en for institution in stories.INSTITUTIONS}
    names[KSZ] = "Crossroads Bank for Social Security"
    for shown, person in zip(facts["people"], plan.people, strict=True):
        transaction = _transaction(person, plan)
        shown |= {
            "name": person.name,
            "institution_name": names[person.institution],
            "reason": person.reason,
            "title": transaction.title.en,
            "url": plan.url(transaction) + person.page,
            "hint": person.hint,
        }
    for shown, transaction in zip(facts["transactions"], plan.transactions, strict=True):
        shown["title"] = transaction.title.en
    return facts


def _transaction(person: Person, plan: Plan) -> Transaction:
    """Where a person's story plays: with an origin of somebody's own, the first transaction's is told there."""
    for transaction in plan.transactions:
        if transaction.id == person.transaction:
            return transaction
    return plan.transactions[0]


def _person(person: Person, home: Home, plan: Plan) -> dict[str, Any]:
    own = _transaction(person, plan) is stories.APP
    facts: dict[str, Any] = {
        "user_id": person.user_id,
        "password": person.password,
        "insz": person.insz,
        "institution": person.institution,
        "language": person.language,
        "story": stories.APP_STORY if own else person.story,
    }
    if person.totp_secret is not None:
        facts["totp_secret"] = person.totp_secret
    if person.code_card:
        facts["code_card"] = {str(number): code for number, code in enumerate(person.code_card, start=1)}
    if person.card:
        facts["pkcs12"] = str(home.cards / f"{person.user_id}.p12")
        facts["pkcs12_password"] = PKCS12_PASSWORD
    if person.activation_code:
        facts["activation_code"] = person.activation_code
    return facts
