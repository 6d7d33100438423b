"""The catalog as DCAT-AP 3 in JSON-LD. The context stands in the document, so that it reads the same without a network.

Source: DCAT-AP 3.0.1 (SEMIC), which profiles DCAT 3 (W3C Recommendation, 22 August 2024); CSV on the Web vocabulary
for columns; ODRL 2.2 for purposes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sealane.governance.publication import Publication, PublishedField

PREFIXES = {
    "dcat": "http://www.w3.org/ns/dcat#", "dct": "http://purl.org/dc/terms/", "foaf": "http://xmlns.com/foaf/0.1/",
    "vcard": "http://www.w3.org/2006/vcard/ns#", "odrl": "http://www.w3.org/ns/odrl/2/",
    "csvw": "http://www.w3.org/ns/csvw#", "spdx": "http://spdx.org/rdf/terms#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#", "xsd": "http://www.w3.org/2001/XMLSchema#",
    "sealane": "urn:sealane:term:",
}
APPLICATION_PROFILE = "https://semiceu.github.io/DCAT-AP/releases/3.0.1"
RESTRICTED = "http://publications.europa.eu/resource/authority/access-right/RESTRICTED"
_DATATYPES = {"number": "double", "integer": "integer", "category": "string", "boolean": "boolean", "date": "date",
              "text": "string"}


def dcat_ap(publications: Sequence[Publication], coordinator: str) -> dict[str, Any]:
    """Return a DCAT-AP catalog of what is published.

    Args:
        publications: the datasets.
        coordinator: its address, as host:port.
    """
    return {
        "@context": dict(PREFIXES),
        "@id": f"urn:sealane:catalog:{coordinator}", "@type": "dcat:Catalog",
        "dct:title": f"Datasets that nodes publish at {coordinator}",
        "dct:description": "Metadata that institutions signed. The rows stay with them: studies bring computations to "
                           "the rows, and only agreed aggregates come back.",
        "dct:publisher": _agent(f"urn:sealane:coordinator:{coordinator}", f"Sealane coordinator at {coordinator}"),
        "dct:conformsTo": {"@id": APPLICATION_PROFILE, "@type": "dct:Standard", "dct:title": "DCAT-AP 3.0.1"},
        "dcat:dataset": [_dataset(one) for one in publications],
        "dcat:record": [_record(one) for one in publications],
        "dcat:service": [{
            "@id": service_iri(coordinator), "@type": "dcat:DataService",
            "dct:title": "Studies over published datasets",
            "dct:description": "Propose a study; every institution decides for itself whether its node takes part.",
            "dcat:endpointURL": {"@id": f"https://{coordinator}", "@type": "rdfs:Resource"},
            "dcat:servesDataset": [{"@id": dataset_iri(one)} for one in publications],
        }],
    }


def dataset_iri(publication: Publication) -> str:
    """Return the name of a dataset: its node's key and its name there."""
    return f"urn:sealane:dataset:{publication.fingerprint}:{publication.dataset}"


def service_iri(coordinator: str) -> str:
    """Return the name of what a coordinator offers."""
    return f"urn:sealane:service:{coordinator}"


def _dataset(publication: Publication) -> dict[str, Any]:
    described = publication.description or (
        f"{publication.title}, under the data contract {publication.contract}, at {publication.node}")
    content: dict[str, Any] = {
        "@id": dataset_iri(publication), "@type": ["dcat:Dataset", "dcat:Resource"],
        "dct:identifier": f"{publication.node}/{publication.dataset}",
        "dct:title": publication.title, "dct:description": described,
        "dct:publisher": _agent(f"urn:sealane:node:{publication.fingerprint}", publication.node),
        "dct:modified": _moment(publication.updated_at), "dct:issued": _moment(publication.published_at),
        "dcat:version": publication.dataset_version,
        "dcat:keyword": list(publication.keywords),
        "dct:accessRights": {"@id": RESTRICTED, "@type": "dct:RightsStatement",
                             "rdfs:label": "Only computations that the institution agreed to, over its node"},
        "dct:conformsTo": _contract(publication),
        "odrl:hasPolicy": policy(publication),
        "sealane:sector": publication.sector,
        "sealane:rowsAtLeast": publication.rows,
    }
    if publication.steward is not None:
        content["dcat:contactPoint"] = {"@type": "vcard:Kind", "vcard:fn": publication.steward}
    if publication.grade is not None:
        content["sealane:grade"] = publication.grade
    if publication.fresh_until is not None:
        content["sealane:freshUntil"] = _moment(publication.fresh_until)
    return content


def policy(publication: Publication) -> dict[str, Any]:
    """Return what is offered, as an ODRL offer: use for the purposes, under the terms as they are written."""
    permission: dict[str, Any] = {"odrl:action": {"@id": "odrl:use"}}
    if publication.purposes:
        permission["odrl:constraint"] = [{
            "@type": "odrl:Constraint", "odrl:leftOperand": {"@id": "odrl:purpose"},
            "odrl:operator": {"@id": "odrl:isAnyOf"}, "odrl:rightOperand": list(publication.purposes)}]
    return {"@id": f"{dataset_iri(publication)}:offer", "@type": "odrl:Offer", "odrl:permission": [permission],
            "rdfs:comment": list(publication.terms)}


def _contract(publication: Publication) -> dict[str, Any]:
    return {"@id": f"urn:sealane:contract:{publication.contract}", "@type": "dct:Standard",
            "dct:title": publication.contract, "dct:identifier": publication.contract_hash,
            "csvw:tableSchema": {"@type": "csvw:Schema", "csvw:column": {
                "@list": [_column(field) for field in publication.fields]}}}


def _column(field: PublishedField) -> dict[str, Any]:
    column: dict[str, Any] = {"@type": "csvw:Column", "csvw:name": field.name,
                              "csvw:datatype": _DATATYPES[field.type], "csvw:required": not field.nullable}
    if field.description:
        column["dct:description"] = field.description
    if field.unit is not None:
        column["sealane:unit"] = field.unit
    return column


def _record(publication: Publication) -> dict[str, Any]:
    return {"@id": f"{dataset_iri(publication)}:record", "@type": "dcat:CatalogRecord",
            "dct:modified": _moment(publication.published_at),
            "dct:identifier": f"{publication.node}/{publication.dataset}#{publication.sequence}",
            "foaf:primaryTopic": {"@id": dataset_iri(publication)}}


def _agent(name: str, title: str) -> dict[str, Any]:
    return {"@id": name, "@type": "foaf:Agent", "foaf:name": title}


def _moment(text: str) -> dict[str, str]:
    return {"@type": "xsd:dateTime", "@value": text}
