//! What a sink may be called.
