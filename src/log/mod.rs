//! log (in work)
