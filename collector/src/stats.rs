//! Statistics: shares and their bounds, what stands out, and what homes say when they are weighted.
//!
//! Pure arithmetic over counts that were rounded first. The only floats of the collector live in here;
//! they use nothing but operations that IEEE 754 fixes to the last bit (+ - x / and square root; the
//! logarithm is made of these), so they are the same on every machine, and leave as basis points.

pub mod bounds;
pub mod enrichment;
pub mod hundredths;
pub mod logarithm;
pub mod share;
pub mod weighting;
