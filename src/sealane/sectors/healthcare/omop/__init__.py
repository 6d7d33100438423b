"""OMOP CDM 5.4: a declared cohort becomes read-only SQL, and its answer a table under a data contract."""
