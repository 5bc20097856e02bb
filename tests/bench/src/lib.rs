#![doc = include_str!("../README.md")]

mod exchange;
mod meter;
mod report;

pub use self::{
    exchange::{Origin, exchange, request},
    meter::{Cost, Effort, Entry, Meter, cost_of},
    report::Report,
};
