//! Drafting from two `OpenAPI` documents.
