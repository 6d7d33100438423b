"""Data contracts, studies, approvals and the decisions taken over them: pure rules, no I/O."""
