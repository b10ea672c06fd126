//! Replacing a file.
