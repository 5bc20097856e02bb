//! A tower layer: the phases of a request and their percentiles
