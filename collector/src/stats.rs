//! Statistics: shares and their bounds, out of counts that were rounded first.
//!
//! Pure arithmetic. The only floats of the collector live in here; they use nothing but operations
//! that IEEE 754 fixes to the last bit (+ - x / and square root), and leave as basis points.

pub mod bounds;
pub mod share;
