//! A tower layer: at most N requests in flight, counted to headers or to the end of the body
