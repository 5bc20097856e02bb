//! A tower layer: retries with schedule, budget and server hints
