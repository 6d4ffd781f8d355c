from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.identifiers import IdentifierError, check_insz, check_kbo, is_bis, mask_insz

VALID_INSZ = [
    "85073003328",
    "17073003384",
    "98472899765",
    "01490700185",
    "81050003552",
    "10200100128",
    "92521506931",
    "00003241778",
    "19282416134",
    "01050399864",
    "93051822361",
]
INVALID_INSZ = [
    "81130103578",
    "81022903534",
    "47060200096",
    "99020299964",
    "81043103522",
    "81050103521",
    "12345678901",
    "73040102750",
]


@pytest.mark.parametrize("number", VALID_INSZ)
def test_an_insz_is_accepted_in_both_spellings(number: str) -> None:
    dotted = f"{number[:2]}.{number[2:4]}.{number[4:6]}-{number[6:9]}.{number[9:]}"
    assert check_insz(number) == check_insz(dotted) == number


@pytest.mark.parametrize(
    "number", [*INVALID_INSZ, "", "8507300332", "850730033280", " 85073003328", "85073003328\n", "8507300332８"]
)
def test_an_insz_is_refused_without_being_repeated(number: str) -> None:
    with pytest.raises(IdentifierError) as raised:
        check_insz(number)
    assert not number or number not in str(raised.value)


@pytest.mark.parametrize("number", ["0884303369", "0428759497", "0403019261", "0671516647", "0308357753"])
def test_a_kbo_number_is_accepted_in_both_spellings(number: str) -> None:
    assert check_kbo(number) == check_kbo(f"{number[:4]}.{number[4:7]}.{number[7:]}") == number


@pytest.mark.parametrize("number", ["0884303370", "2111111111", "", "403019261", "BE0403019261", "0403 019 261"])
def test_a_kbo_number_is_refused(number: str) -> None:
    with pytest.raises(IdentifierError):
        check_kbo(number)


@pytest.mark.parametrize("number", VALID_INSZ)
@pytest.mark.parametrize("position", range(11))
def test_one_wrong_digit_never_passes_unless_another_century_has_it(number: str, position: int) -> None:
    wrong = number[:position] + str((int(number[position]) + 1) % 10) + number[position + 1 :]
    try:
        accepted = check_insz(wrong)
    except IdentifierError:
        return
    # 97 has two check digits for each number, one a century: then the number is another person's, and valid.
    first, check = int(accepted[:9]), int(accepted[9:])
    assert check in (97 - first % 97, 97 - (2_000_000_000 + first) % 97)


@given(st.text(max_size=20))
def test_any_text_gives_digits_or_our_error(text: str) -> None:
    for check in (check_insz, check_kbo):
        try:
            assert check(text).isdecimal()
        except IdentifierError:
            continue


@pytest.mark.parametrize(
    ("path", "masked"),
    [
        ("/dossiers/85073003328", "/dossiers/{insz}"),
        ("/dossiers/85.07.30-033.28/edit", "/dossiers/{insz}/edit"),
        ("/a/85073003328/b/17073003384", "/a/{insz}/b/{insz}"),
        ("/dossiers/%38%3507300%33328", "/dossiers/{insz}"),
        ("/dossiers/x85073003328.pdf", "/dossiers/x{insz}.pdf"),
        ("/dossiers/81130103578", "/dossiers/{insz}"),
        ("/dossiers/850730%2D033.28", "/dossiers/{insz}"),
        ("/at/1795521600250", "/at/1795521600250"),
        ("/kbo/0403019261", "/kbo/0403019261"),
        ("/", "/"),
    ],
)
def test_an_insz_in_a_path_is_masked(path: str, masked: str) -> None:
    assert mask_insz(path) == masked


@given(st.text(st.characters(codec="ascii")), st.text(st.characters(codec="ascii")))
def test_an_insz_is_masked_wherever_it_stands(before: str, after: str) -> None:
    path = f"{before.rstrip('0123456789')}/85073003328/{after}"
    assert "85073003328" not in mask_insz(path)


@pytest.mark.parametrize(
    ("path", "subject", "masked"),
    [
        ("/dossiers/85%20073003328/x", "85%20073003328", "/dossiers/{insz}/x"),
        ("/dossiers/somebody/85073003328", "somebody", "/dossiers/{insz}/{insz}"),
        ("/dossiers", None, "/dossiers"),
    ],
)
def test_what_stands_for_the_data_subject_is_masked_in_any_form(path: str, subject: str | None, masked: str) -> None:
    assert mask_insz(path, subject) == masked


@pytest.mark.parametrize(
    ("insz", "bis"),
    [
        ("85073003328", False),
        ("17073003384", False),
        ("01490700185", True),
        ("10200100128", True),
        ("98472899765", True),
    ],
)
def test_a_bis_number_is_told_by_its_month(insz: str, bis: bool) -> None:
    assert is_bis(check_insz(insz)) is bis
