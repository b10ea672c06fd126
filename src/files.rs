//! Private files.
