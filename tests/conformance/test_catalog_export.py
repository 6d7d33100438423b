"""Exports of the catalog against the published DCAT-AP 3 shapes and the schemas of Dataspace Protocol 2025-1.

Neither document makes its reader fetch anything: the first carries its context, the second is checked by schemas
that lie here. Sockets are closed while both are read.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from made_publication import KEYS, made

from sealane.governance.dcat import dcat_ap
from sealane.governance.dsp_catalog import dsp_catalog
from sealane.governance.publication import Publication
from sealane.node.publications import Description, describe_dataset
from sealane.node.register import DatasetEntry
from sealane.sectors.registry import contract

PUBLISHED = Path(__file__).resolve().parents[2] / ".." / "shared" / "conformance"
COORDINATOR = "coordinator.example:7443"
pytestmark = pytest.mark.skipif(not PUBLISHED.is_dir(), reason="../shared/conformance is not here")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*arguments: object, **options: object) -> None:
        raise AssertionError("something was to be fetched")

    monkeypatch.setattr(socket, "create_connection", closed)
    monkeypatch.setattr(socket.socket, "connect", closed)
    monkeypatch.setattr(socket, "getaddrinfo", closed)


def publications() -> list[Publication]:
    """One with everything said, one with as little as possible, and one of a whole contract."""
    terse = made(node="south", fingerprint=KEYS["south"].fingerprint, description="", keywords=(), grade=None,
                 steward=None, fresh_until=None, purposes=(), terms=(), rows=0)
    whole = contract("finance.credit-application/v1")
    entry = DatasetEntry("all", "all.csv", {field.name: field.name for field in whole.fields}, whole.id, whole.hash,
                         "ef" * 32, 12345, 0, False, "2026-03-01T12:00:00Z")
    described = describe_dataset(entry, Description(), node="north", fingerprint=KEYS["north"].fingerprint,
                                 sequence=1, published_at="2026-03-02T00:00:00Z")
    return [made(), terse, described]


def as_graph(document: dict[str, Any]) -> Any:
    rdflib = pytest.importorskip("rdflib")
    return rdflib.Graph().parse(data=json.dumps(document), format="json-ld")


@pytest.fixture(scope="module")
def shapes() -> Any:
    """The published shapes, without two references of DataServiceShape to property shapes that they do not define."""
    rdflib = pytest.importorskip("rdflib")
    shacl = rdflib.Namespace("http://www.w3.org/ns/shacl#")
    graph = rdflib.Graph().parse(PUBLISHED / "dcat-ap-3-shapes.ttl")
    undefined = [(s, p, o) for s, p, o in graph.triples((None, shacl.property, None))
                 if (o, None, None) not in graph]
    assert len(undefined) == 2
    assert {str(subject).rpartition("#")[2] for subject, _, _ in undefined} == {"dcat:DataServiceShape"}
    for triple in undefined:
        graph.remove(triple)
    return graph


def conforms(document: dict[str, Any], shapes: Any) -> tuple[bool, str]:
    pyshacl = pytest.importorskip("pyshacl")
    fits, _, text = pyshacl.validate(as_graph(document), shacl_graph=shapes, advanced=False)
    return bool(fits), str(text)


def test_the_dcat_ap_export_passes_the_published_shapes(shapes: Any) -> None:
    fits, text = conforms(dcat_ap(publications(), COORDINATOR), shapes)
    assert fits, text


def test_an_empty_catalog_passes_too(shapes: Any) -> None:
    assert conforms(dcat_ap([], COORDINATOR), shapes)[0]


@pytest.mark.parametrize("spoil", [
    lambda d: d.pop("dct:title"), lambda d: d.pop("dct:publisher"), lambda d: d["dcat:dataset"][0].pop("dct:title"),
    lambda d: d["dcat:dataset"][1].pop("dct:description"), lambda d: d["dcat:service"][0].pop("dcat:endpointURL"),
    lambda d: d["dcat:record"][0].pop("dct:modified"),
    lambda d: d["dcat:dataset"][0].update({"dcat:contactPoint": "somebody"}),
])
def test_the_shapes_notice_what_is_missing(spoil: Any, shapes: Any) -> None:
    document = dcat_ap(publications(), COORDINATOR)
    spoil(document)
    assert not conforms(document, shapes)[0]


def test_the_graph_holds_what_was_published() -> None:
    rdflib = pytest.importorskip("rdflib")
    graph = as_graph(dcat_ap(publications(), COORDINATOR))
    dcat, dct = rdflib.Namespace("http://www.w3.org/ns/dcat#"), rdflib.Namespace("http://purl.org/dc/terms/")
    datasets = set(graph.subjects(rdflib.RDF.type, dcat.Dataset))
    assert len(datasets) == 3
    assert {str(graph.value(d, dct.title)) for d in datasets} == {"Consumer loans",
                                                                  "Application for an instalment loan"}
    csvw = rdflib.Namespace("http://www.w3.org/ns/csvw#")
    columns = {str(name) for name in graph.objects(None, csvw.name)}
    assert columns >= set(contract("finance.credit-application/v1").names)
    served = set(graph.objects(None, dcat.servesDataset))
    assert served == datasets


def validator() -> Any:
    jsonschema = pytest.importorskip("jsonschema")
    referencing = pytest.importorskip("referencing")
    files = [*PUBLISHED.glob("dataspace-protocol-schemas/*/*-schema.json")]
    schemas = {(content := json.loads(file.read_text()))["$id"]: content for file in files}
    registry = referencing.Registry().with_resources(
        (name, referencing.Resource.from_contents(content)) for name, content in schemas.items())
    schema = schemas["https://w3id.org/dspace/2025/1/catalog/catalog-schema.json"]
    return jsonschema.Draft201909Validator(schema, registry=registry)


@pytest.mark.parametrize("some", [True, False])
def test_the_dsp_export_is_a_catalog_of_the_protocol(some: bool) -> None:
    document = dsp_catalog(publications() if some else [], COORDINATOR)
    assert [error.message for error in validator().iter_errors(json.loads(json.dumps(document)))] == []


@pytest.mark.parametrize("spoil", [
    lambda d: d.pop("participantId"), lambda d: d["dataset"][0].pop("hasPolicy"),
    lambda d: d["dataset"][0]["distribution"][0].pop("format"), lambda d: d.update({"@context": []}),
    lambda d: d["dataset"][0]["hasPolicy"][0].update(target="x"), lambda d: d.update({"@type": "dcat:Catalog"}),
])
def test_the_schema_notices_what_is_wrong(spoil: Any) -> None:
    document = dsp_catalog(publications(), COORDINATOR)
    spoil(document)
    assert not validator().is_valid(document)


def test_one_document_cannot_be_both() -> None:
    """Why there are two formats: the protocol's schema allows names of contexts only, not a context itself."""
    document = dsp_catalog(publications(), COORDINATOR)
    document["@context"] = [document["@context"][0], dcat_ap([], COORDINATOR)["@context"]]
    assert not validator().is_valid(document)
