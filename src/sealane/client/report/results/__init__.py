"""Sections about a released result, each chosen by what the result holds, so that they serve every computation."""

from __future__ import annotations
