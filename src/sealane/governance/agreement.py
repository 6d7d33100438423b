"""The agreement: what one institution signed for one study, one version of one dataset, under its own terms."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sealane.core.canonical import canonical_bytes
from sealane.core.ids import NAME
from sealane.crypto.signing import SigningKey
from sealane.errors import ProtocolError
from sealane.governance.odrl import CONTEXT, PROFILE, read_policy, write_policy
from sealane.governance.signed_statement import SignedAgreement, check_moment, check_signer, verified_document
from sealane.governance.study import Study
from sealane.governance.terms import Terms, check_within

_TARGET = re.compile(rf"urn:sealane:dataset:([a-z2-7]{{52}}):({NAME.pattern}):([0-9a-f]{{64}})")


@dataclass(frozen=True, slots=True)
class Agreement:
    """One institution's yes to one study, for one version of one dataset.

    Attributes:
        study: study hash, hex.
        node: the institution's name in the study.
        fingerprint: of the key that signs.
        dataset: name of the dataset at that node.
        dataset_version: its SHA-256 version, hex.
        terms: what is allowed, at most what the study says.
        signed_at: RFC 3339, UTC.
    """

    study: str
    node: str
    fingerprint: str
    dataset: str
    dataset_version: str
    terms: Terms
    signed_at: str

    @property
    def waives_differencing(self) -> bool:
        """Whether sums may be opened from which this institution's own contribution follows."""
        return self.terms.waives_differencing

    @property
    def id(self) -> str:
        """Its identifier in a dataspace."""
        return f"urn:sealane:agreement:{self.study}:{self.fingerprint}"


def document(agreement: Agreement) -> dict[str, Any]:
    """Return an agreement as the Dataspace Protocol's message that carries it, JSON-ready."""
    party = f"urn:sealane:party:{agreement.fingerprint}"
    study = f"urn:sealane:study:{agreement.study}"
    return {
        "@context": [CONTEXT], "@type": "ContractAgreementMessage",
        "providerPid": f"urn:sealane:negotiation:{agreement.study}:{agreement.node}", "consumerPid": study,
        "agreement": {
            "@id": agreement.id, "@type": "Agreement", "profile": PROFILE, "timestamp": agreement.signed_at,
            "target": f"urn:sealane:dataset:{agreement.fingerprint}:{agreement.dataset}:{agreement.dataset_version}",
            "assigner": party, "assignee": study, **write_policy(agreement.terms),
        },
    }


def sign_agreement(key: SigningKey, agreement: Agreement) -> SignedAgreement:
    """Sign an agreement with the institution's own key."""
    body = canonical_bytes(document(agreement))
    return SignedAgreement(body, key.public_key, key.sign(SignedAgreement.kind, body))


def verify_agreement(signed: SignedAgreement, study: Study) -> Agreement:
    """Return what a participant of ``study`` agreed to.

    Raises:
        ProtocolError: the signature, the form, the study hash or the signer is wrong.
        RefusedError: a term that is not understood, or one that allows more than the study.
    """
    content = verified_document(signed)
    agreement = _read(content)
    check_signer(study, agreement.study, agreement.node, agreement.fingerprint, signed.public_key)
    check_moment(agreement.signed_at)
    check_within(agreement.terms, study)
    return agreement


def _read(content: dict[str, Any]) -> Agreement:
    """Read a document, and refuse it unless it is exactly what :func:`document` makes of what was read."""
    policy = content.get("agreement")
    if not isinstance(policy, dict):
        raise _malformed("no policy")
    plain = ("@id", "@type", "profile", "timestamp", "target", "assigner", "assignee")
    texts = {name: policy.get(name) for name in plain}
    pids = {name: content.get(name) for name in ("consumerPid", "providerPid")}
    if not all(isinstance(value, str) for value in [*texts.values(), *pids.values()]):
        raise _malformed("a missing or mistyped field")
    target = _TARGET.fullmatch(str(texts["target"]))
    if target is None:
        raise _malformed("a target that is no dataset version")
    terms = read_policy({name: value for name, value in policy.items() if name not in plain})
    study = str(pids["consumerPid"]).removeprefix("urn:sealane:study:")
    node = str(pids["providerPid"]).removeprefix(f"urn:sealane:negotiation:{study}:")
    agreement = Agreement(study, node, target[1], target[2], target[3], terms, str(texts["timestamp"]))
    if document(agreement) != content:
        raise _malformed("other fields, identifiers or context")
    return agreement


def _malformed(got: str) -> ProtocolError:
    return ProtocolError("agreement.malformed", "an agreement has another form than this version writes", got=got,
                         expected="a ContractAgreementMessage of the Dataspace Protocol 2025-1",
                         hint="is the signer's Sealane of the same version?")
