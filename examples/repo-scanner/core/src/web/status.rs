//! What the program tells of itself.

use super::{Problem, Web, Whole, pages};
use crate::{Run, ScanStatus};
use futures_util::future::{Either, select};
use http::{HeaderValue, header::CONTENT_TYPE};
use serde::Serialize;
use std::{pin::pin, time::Duration};
use tower_egress::{
    FetchExt, SleepUntil, Status, Timer,
    monitor::{Report, prometheus},
    sql::Database,
};

/// For how long metrics wait for the database.
const PATIENCE: Duration = Duration::from_secs(2);

/// Of what the figures are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// Of a process.
    Process,
    /// Of a Durable Object, since the platform started it last.
    Object,
}

#[derive(Serialize)]
struct Told {
    scope: Scope,
    #[serde(flatten)]
    status: Status,
    monitor: Report,
    scan: ScanStatus,
    /// What was done by the clock, when it was done last.
    runs: Vec<Run>,
}

impl<C: FetchExt, D: Database + Clone, T: Timer, X> Web<C, D, T, X> {
    pub(super) async fn status(&self) -> Result<Whole, Problem> {
        let scan = self.scan_status().await?;
        let told = Told {
            scope: self.scope,
            status: self.egress_status(&scan).await?,
            monitor: self.monitor.report(),
            scan,
            runs: self.scans.store().last_runs().await?,
        };
        Ok(pages::json(&told))
    }

    async fn egress_status(&self, scan: &ScanStatus) -> Result<Status, Problem> {
        let business = self.scans.store().business().await?;
        let calls = self.egress.timings().overall().minute().attempts();
        let known = scan.scanned + scan.unchanged;
        #[allow(clippy::cast_precision_loss, reason = "a share for people")]
        let hits = (known > 0).then(|| scan.unchanged as f64 / known as f64);
        let status = self
            .egress
            .status()
            .with_business("repositories", business.repositories)
            .with_business("failures", business.failures)
            .with_business("analysed", business.analysed)
            .with_business("repositoriesPerHour", business.scanned_last_hour)
            .with_business("apiCallsPerMinute", calls)
            .with_business("cacheHitRate", hits);
        Ok(status)
    }

    pub(super) async fn metrics(&self) -> Whole {
        let status = async { self.egress_status(&self.scan_status().await?).await };
        let clock = self.monitor.clock();
        let late = SleepUntil::new(clock.clone(), clock.now() + PATIENCE);
        let status = match select(pin!(status), pin!(late)).await {
            Either::Left((Ok(status), _)) => status,
            // Of a database that fails or hangs the rest tells.
            _ => self.egress.status(),
        };
        let text = prometheus::render(&status, &self.monitor.report());
        let mut response = Whole::new(text.into());
        let text = HeaderValue::from_static(prometheus::CONTENT_TYPE);
        response.headers_mut().insert(CONTENT_TYPE, text);
        response
    }
}
