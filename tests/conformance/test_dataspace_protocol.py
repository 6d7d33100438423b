"""What we sign, against the published schemas and scenario names of the Dataspace Protocol 2025-1.

They lie beside the project, in ``../shared/conformance``; their source is named in that folder. Nothing is fetched:
every schema is registered under its own id and under the relative path by which others name it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import signed

from sealane.coordinator.run_state import RunState, step
from sealane.core.canonical import parse_canonical
from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.errors import ProtocolError
from sealane.governance.agreement import document
from sealane.governance.recipient import recipient_of
from sealane.governance.study import Participant, Study, make_study
from sealane.governance.tariff import Tariff

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "conformance"
SCHEMAS = FOLDER / "dataspace-protocol-schemas"
EXAMPLES = FOLDER / "dataspace-protocol-examples"
needs_schemas = pytest.mark.skipif(not SCHEMAS.is_dir(), reason="../shared/conformance is not beside the project")
KEYS = {name: SigningKey(Secret(name.encode() * 32)) for name in "abc"}
MESSAGE = "negotiation/contract-agreement-message-schema.json"


def study() -> Study:
    return make_study(
        name="s", sector="finance", purpose="credit-risk", data_contract="test.rows/v1", computation="glm.fit",
        parameters={"outcome": "bad"}, expires="2027-07-01T00:00:00Z",
        participants=[Participant(name=n, fingerprint=k.fingerprint) for n, k in KEYS.items()],
        recipients=[recipient_of("iris", SigningKey(Secret(b"i" * 32)), bytes(32))])


NARROWER: list[dict[str, Any]] = [
    {}, {"jurisdictions": ("DE",), "starts": "2026-06-02T00:00:00Z", "rounds": 3,
         "tariff": Tariff(currency="EUR", per_run="9.5", per_epsilon="100"), "epsilon": "1.5",
         "delta": "0.000001", "waives_differencing": True}]


@pytest.fixture(scope="module")
def validate() -> Any:
    from jsonschema import Draft201909Validator
    from referencing import Registry, Resource

    def resources() -> Iterator[tuple[str, Any]]:
        for path in sorted(SCHEMAS.rglob("*-schema.json")):
            resource = Resource.from_contents(json.loads(path.read_bytes()))
            relative = str(path.relative_to(SCHEMAS))
            yield f"https://w3id.org/dspace/2025/1/{relative}", resource
            yield from ((one, resource) for one in {resource.id()} - {None} if one is not None)

    registry: Any = Registry().with_resources(resources())

    def check(relative: str, instance: Any, definition: str | None = None) -> list[str]:
        schema = {"$ref": f"https://w3id.org/dspace/2025/1/{relative}"
                          + (f"#/definitions/{definition}" if definition else "")}
        return [error.message for error in Draft201909Validator(schema, registry=registry).iter_errors(instance)]

    return check


@needs_schemas
def test_the_registry_tells_good_from_bad(validate: Any) -> None:
    """The specification's own examples pass, and lose their validity with what they must have."""
    good = json.loads((EXAMPLES / "contract-agreement-message-full.json").read_bytes())
    assert validate(MESSAGE, good) == []
    for path in (("consumerPid",), ("agreement", "assignee"), ("agreement", "target"), ("agreement", "permission"),
                 ("agreement", "permission", 0, "constraint", 0, "operator")):
        bad = deepcopy(good)
        place = bad
        for part in path[:-1]:
            place = place[part]
        del place[path[-1]]
        assert validate(MESSAGE, bad) != [], path


@needs_schemas
@pytest.mark.parametrize("narrower", NARROWER)
def test_a_signed_agreement_is_a_message_of_the_protocol(validate: Any, narrower: dict[str, Any]) -> None:
    agreement = signed.agreed(study(), KEYS["a"], "a", **narrower)
    assert validate(MESSAGE, document(agreement)) == []
    assert validate("negotiation/contract-schema.json", document(agreement)["agreement"], "Agreement") == []
    body = parse_canonical(signed.agreement(study(), KEYS["a"], "a", **narrower).body)
    assert validate(MESSAGE, body) == []


@needs_schemas
def test_every_operator_and_prefix_is_known_to_the_contexts() -> None:
    """What a connector expands the agreement with: terms and operators must be in the published contexts, or IRIs."""
    odrl = json.loads((SCHEMAS / "context" / "odrl.jsonld").read_bytes())["@context"]
    content = document(signed.agreed(study(), KEYS["a"], "a", **NARROWER[1]))["agreement"]
    names = set(content) - {"@id", "@type", "timestamp"}
    rules = [*content["permission"], *content["obligation"]]
    constraints = [one for rule in rules for one in rule["constraint"]]
    names |= {key for part in [*rules, *constraints] for key in part} | {one["operator"] for one in constraints}
    assert names <= set(odrl)
    for rule in rules:
        assert rule["action"] in odrl or rule["action"].startswith("odrl:")
        for one in rule["constraint"]:
            assert one["leftOperand"].startswith(("odrl:", "urn:sealane:odrl:v1:"))
    assert odrl["odrl"] == "http://www.w3.org/ns/odrl/2/"


# A transfer process is a run. A word is a step; ! marks one that must be refused and change nothing. Runs complete by
# way of RELEASING, which no single step leaves out.
TRANSFERS = {
    "TP:01-01": "start terminate", "TP:01-02": "start complete", "TP:01-03": "start suspend terminate",
    "TP:01-04": "start suspend start complete", "TP:01-05": "terminate", "TP:02-01": "start terminate",
    "TP:02-02": "start complete", "TP:02-03": "start suspend terminate", "TP:02-04": "start suspend start complete",
    "TP:02-05": "terminate", "TP:03-01": "!complete", "TP:03-03": "start suspend !complete",
    "TP:03-04": "start terminate !start", "TP:03-05": "start terminate !suspend",
    "TP:03-06": "start terminate !complete",
}
TRANSFERS |= {name.replace("TP:", "TP_C:"): steps for name, steps in TRANSFERS.items()}
STEPS = {"start": (RunState.ADMITTED, RunState.RUNNING), "suspend": (RunState.PAUSED,),
         "terminate": (RunState.ABORTED,), "complete": (RunState.RELEASING, RunState.COMPLETED)}
ELSEWHERE = {"TP:03-02", "TP_C:03-02"}
"""A suspension before the start: the protocol refuses it, a run may pause while it waits for its nodes to join."""


@pytest.mark.parametrize("name", TRANSFERS)
def test_transfer_scenario(name: str) -> None:
    state = RunState.PROPOSED
    for word in TRANSFERS[name].split():
        steps = STEPS[word.removeprefix("!")]
        if word.startswith("!"):
            with pytest.raises(ProtocolError):
                step(state, steps[-1])
            continue
        for new in steps[1:] if state is RunState.PAUSED and word == "start" else steps:
            state = step(state, new)


@needs_schemas
def test_every_named_scenario_has_its_test() -> None:
    from importlib.util import module_from_spec, spec_from_file_location

    path = Path(__file__).resolve().parents[1] / "unit" / "governance" / "test_negotiation.py"
    spec = spec_from_file_location("negotiation_scenarios", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    lines = (FOLDER / "dataspace-protocol-scenarios.txt").read_text("utf-8").splitlines()
    named = {line.rsplit(": ", 1)[0] for line in lines if line.startswith(("CN", "TP"))}
    assert named == set(module.SCENARIOS) | set(TRANSFERS) | ELSEWHERE
