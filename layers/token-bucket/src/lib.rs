//! A tower layer: rate, burst, spacing and a strict window, with reservations that move
