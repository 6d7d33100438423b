"""What a column's content looks like: identity numbers, cards, telephone numbers, addresses, names.

A detector says yes or no to one text; what leaves this module are numbers of texts, never a text.

Sources: GB 11643-1999 (check digit by ISO 7064 MOD 11-2); ISO/IEC 7812-1 annex B (Luhn); ISO 13616 (IBAN, MOD 97-10).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

_IDENTITY = re.compile(r"[1-9]\d{16}[\dXx]")
_IDENTITY_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_IDENTITY_CHECK = "10X98765432"
_MOBILE = re.compile(r"(?:\+?86[ -]?)?1[3-9]\d(?:[ -]?\d{4}){2}")
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_CARD = re.compile(r"\d(?:[ -]?\d){12,18}")
_IBAN = re.compile(r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}")
_WESTERN_NAME = re.compile(r"[A-Z][a-z]+(?:[ -][A-Z](?:[a-z]+|\.))?[ -](?:[A-Z][a-z]*['-])?[A-Z][a-z]+")
# The hundred most frequent surnames or so of the 2020 census bulletin, and some of two characters.
_SURNAMES = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许邓冯韩曹曾彭萧蔡潘田董袁于余叶蒋杜苏魏程吕丁沈任姚卢傅钟姜崔谭廖范汪陆金石戴贾韦夏邱方"
    "侯邹熊孟秦白江阎薛尹段雷黎史龙陶贺顾毛郝龚邵万钱严赖覃洪武莫孔汤向常温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁"
) | {"欧阳", "上官", "司马", "诸葛", "东方", "皇甫", "尉迟", "慕容", "夏侯"}
_HAN_NAME = re.compile(r"[\u4e00-\u9fff·]{2,4}")


def is_resident_identity(text: str) -> bool:
    """Tell whether a text is a Chinese resident identity number: 17 digits with a date, and the right check digit."""
    if not _IDENTITY.fullmatch(text):
        return False
    try:
        date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(text[:17], _IDENTITY_WEIGHTS, strict=True))
    return _IDENTITY_CHECK[total % 11] == text[17].upper()


def is_mobile_number(text: str) -> bool:
    """Tell whether a text is a mobile number of mainland China, with or without the country's code."""
    return _MOBILE.fullmatch(text) is not None


def is_email(text: str) -> bool:
    """Tell whether a text is an e-mail address."""
    return _EMAIL.fullmatch(text) is not None


def passes_luhn(digits: str) -> bool:
    """Tell whether the last digit is the Luhn check digit of the others."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def is_card_number(text: str) -> bool:
    """Tell whether a text is a payment card's number: 13 to 19 digits that pass Luhn's check."""
    if not _CARD.fullmatch(text):
        return False
    digits = text.replace(" ", "").replace("-", "")
    return digits[0] in "23456789" and passes_luhn(digits)


def is_iban(text: str) -> bool:
    """Tell whether a text is an international bank account number."""
    if not _IBAN.fullmatch(text):
        return False
    plain = text.replace(" ", "")
    return int("".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])) % 97 == 1


def is_personal_name(text: str) -> bool:
    """Tell whether a text looks like a person's name, Chinese or Western; a guess, not a check."""
    if _HAN_NAME.fullmatch(text):
        return text[0] in _SURNAMES or text[:2] in _SURNAMES
    return _WESTERN_NAME.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Detector:
    """One kind of content.

    Attributes:
        kind: name, by which a rule table gives it a label.
        matches: tells whether one text is of that kind.
        share: of the present texts that must match before the kind is reported: nearly none for a kind with a check
            digit and a date, half of them for one that chance meets often.
    """

    kind: str
    matches: Callable[[str], bool]
    share: float


DETECTORS = (
    Detector("resident-identity", is_resident_identity, 0.0),
    Detector("bank-card", is_card_number, 0.5),
    Detector("mobile-number", is_mobile_number, 0.2),
    Detector("e-mail", is_email, 0.0),
    Detector("iban", is_iban, 0.0),
    Detector("personal-name", is_personal_name, 0.5),
)


def detect(texts: Iterable[tuple[str, int]]) -> Mapping[str, int]:
    """Return in how many rows a column's content is of each kind that it is found to be of.

    Args:
        texts: the distinct texts that are present, each with its number of rows.
    """
    counted = [(text.strip(), rows) for text, rows in texts]
    present = sum(rows for _, rows in counted)
    found: dict[str, int] = {}
    for detector in DETECTORS:
        matching = sum(rows for text, rows in counted if detector.matches(text))
        if matching and matching >= detector.share * present:
            found[detector.kind] = matching
    return found
