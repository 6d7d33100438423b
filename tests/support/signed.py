"""Agreements and refusals signed for a test, without a node."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sealane.crypto.signing import SigningKey
from sealane.governance.agreement import Agreement, sign_agreement
from sealane.governance.signed_statement import Refusal, SignedAgreement, SignedRefusal, sign_refusal
from sealane.governance.study import Study
from sealane.governance.terms import Terms, terms_of

AT = "2026-06-01T12:00:00Z"
CODE = "c0" * 32


def terms(study: Study, **narrower: Any) -> Terms:
    return replace(terms_of(study, code=CODE, outputs=("result",)), **narrower)


def agreed(study: Study, key: SigningKey, name: str, *, dataset: str = "loans", version: str = "0" * 64, at: str = AT,
           node: str | None = None, fingerprint: str | None = None, **narrower: Any) -> Agreement:
    return Agreement(study.hash, node or name, fingerprint or key.fingerprint, dataset, version,
                     terms(study, **narrower), at)


def agreement(study: Study, key: SigningKey, name: str, **said: Any) -> SignedAgreement:
    return sign_agreement(key, agreed(study, key, name, **said))


def refusal(study: Study, key: SigningKey, name: str, reason: str = "no", at: str = AT) -> SignedRefusal:
    return sign_refusal(key, Refusal(study.hash, name, key.fingerprint, reason, at))
