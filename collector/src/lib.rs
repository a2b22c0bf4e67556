//! The observatory.
