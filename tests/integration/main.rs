//! Integration tests: one module per subject.
