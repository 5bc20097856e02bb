//! What a call through the whole stack allocates when nothing is in its way.

use allocation_counter::measure;
use bench::{Origin, exchange, request};
use std::time::Duration;
use tower_egress::{Api, Egress, Quota};

/// Two for the copy of the headers that another attempt would need, four for the context and its place in the
/// request's extensions, one for what is known of the open body, one for a body that others can cancel.
#[test]
fn an_idle_call_makes_eight_small_allocations() {
    let mut bare = Origin::new();
    let api = Api::new("github").with_host("api.github.com");
    let quota = Quota::new(1_000_000, Duration::from_secs(1)).unwrap();
    let egress = Egress::builder()
        .deadline(Duration::from_secs(30))
        .api(api.with_quota(quota))
        .build();
    let mut client = egress.layer(Origin::new());
    let request = request();
    let without = measure(|| _ = exchange(&mut bare, request.clone()));
    // The least of many: a duration of a magnitude that was never seen makes room for its counters.
    let calls = (0..100).map(|_| measure(|| _ = exchange(&mut client, request.clone())));
    let with = calls
        .min_by_key(|call| (call.count_total, call.bytes_total))
        .unwrap();
    let (more, bytes) = (
        with.count_total - without.count_total,
        with.bytes_total - without.bytes_total,
    );
    assert!(more <= 8, "{more} allocations, {bytes} bytes");
    assert!(bytes <= 2048, "{bytes} bytes in {more}");
    assert_eq!(with.count_current, 0, "it leaves nothing behind");
}
