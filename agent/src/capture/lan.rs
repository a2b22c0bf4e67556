//! The home's own networks: which interfaces lead to phones, and which addresses are the home's.
