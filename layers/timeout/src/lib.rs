//! Tower layers: an attempt timeout from dispatch and a total deadline
