//! The one integration binary: the rules of the house, and the real program in a hermetic home.

mod crash;
mod house;
mod lifecycle;
mod readme;
mod refusals;
mod secrets;
mod support;
