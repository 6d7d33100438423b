"""The catalog as the Catalog message of Dataspace Protocol 2025-1.

Its schema allows only names of remote contexts, so it cannot also be the DCAT-AP document, which carries its own.
Source: Dataspace Protocol 2025-1, catalog-schema.json.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sealane.governance.dcat import dataset_iri, service_iri
from sealane.governance.odrl import CONTEXT
from sealane.governance.publication import Publication

FORMAT = "urn:sealane:format:study"
"""How a dataset is reached: not by a transfer of rows, but by a study."""


def dsp_catalog(publications: Sequence[Publication], coordinator: str) -> dict[str, Any]:
    """Return a Dataspace Protocol catalog of what is published.

    Args:
        publications: the datasets.
        coordinator: its address, as host:port.
    """
    content: dict[str, Any] = {
        "@context": [CONTEXT], "@id": f"urn:sealane:catalog:{coordinator}", "@type": "Catalog",
        "participantId": f"urn:sealane:coordinator:{coordinator}",
        "service": [{"@id": service_iri(coordinator), "@type": "DataService",
                     "endpointURL": f"https://{coordinator}"}],
    }
    if publications:
        content["dataset"] = [_dataset(one, coordinator) for one in publications]
    return content


def _dataset(publication: Publication, coordinator: str) -> dict[str, Any]:
    permission: dict[str, Any] = {"action": "use"}
    if publication.purposes:
        permission["constraint"] = [{"leftOperand": "purpose", "operator": "isAnyOf",
                                     "rightOperand": list(publication.purposes)}]
    return {
        "@id": dataset_iri(publication), "@type": "Dataset",
        "dct:title": publication.title, "dct:description": publication.description,
        "dct:publisher": f"urn:sealane:node:{publication.fingerprint}",
        "dct:conformsTo": publication.contract, "dcat:version": publication.dataset_version,
        "hasPolicy": [{"@id": f"{dataset_iri(publication)}:offer", "@type": "Offer", "permission": [permission]}],
        "distribution": [{"@type": "Distribution", "format": FORMAT, "accessService": service_iri(coordinator)}],
    }
