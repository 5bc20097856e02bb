//! tower-egress
