"""FHIR R4: bundles and Bulk Data's NDJSON become one table under a data contract, by a declared mapping."""
