//! A tower layer: no response keeps a connection longer than it is read
