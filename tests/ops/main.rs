//! Integer operators against reference outputs.
