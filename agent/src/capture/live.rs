//! A router's live source: the rings of its networks and the connection table, as one.
