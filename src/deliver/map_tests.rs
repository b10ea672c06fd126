//! Deliver maps.
