//! What each optimisation is good for: the same work with it and without, in one run.

mod cost;
mod far;
mod folder;
mod listing;
mod scanned;
mod situation;
mod table;
mod verdict;

use self::{
    folder::Folder,
    scanned::Scanned,
    situation::Situation,
    table::Tables,
    verdict::{Unit, Verdict},
};
use crate::{failure::Failure, interrupt, output};
use clap::Args;

/// What can be switched off, in the order of the issue of a request: from its way out to the database.
const FLAGS: [&str; 7] = [
    "connectionLimit",
    "rateLimit",
    "retries",
    "cleanup",
    "batching",
    "streaming",
    "monitoring",
];

const BROKEN: &str = "rules of the server broken";

/// How much to measure with.
#[derive(Debug, Args)]
pub(crate) struct MeasureArgs {
    /// How many repositories each scan fetches: the first of those that ship with the program, and generated ones beyond
    #[arg(long, value_name = "N", default_value = "1200", value_parser = clap::value_parser!(u32).range(60..=20_000))]
    repositories: u32,

    /// How many repositories are generated where long lists matter
    #[arg(long, value_name = "N", default_value = "100000", value_parser = clap::value_parser!(u32).range(1_000..=1_000_000))]
    rows: u32,
}

/// Measures, and prints.
pub(crate) async fn run(options: MeasureArgs) -> Result<(), Failure> {
    interrupt::heeded(async |told| {
        tokio::select! {
            measured = measure(&options) => output::print(measured?),
            () = told.to_end() => Err(Failure::interrupted("interrupted; nothing is left behind")),
        }
    })
    .await
}

async fn measure(options: &MeasureArgs) -> Result<Tables, Failure> {
    let folder = Folder::new()?;
    let MeasureArgs { repositories, rows } = *options;
    let (mut tables, mut verdicts) = (Tables::new(options), Vec::new());
    let mut verdict = |flag, of, unit, on, off| {
        verdicts.push(Verdict {
            flag,
            of,
            unit,
            on,
            off,
        });
    };

    let strict = Situation::strict(repositories);
    let on = strict.scan(&folder, &[]).await?;
    let mut scans = vec![on.clone()];
    for flag in FLAGS {
        let off = strict.scan(&folder, &[flag]).await?;
        if flag == "rateLimit" {
            let broken = [&on, &off].map(|scan| Some(scan.broken()));
            verdict(flag, BROKEN, Unit::Count, broken[0], broken[1]);
        }
        scans.push(off);
    }
    scans.push(strict.scan(&folder, &FLAGS).await?);
    tables.push(strict.title(), scans);

    let slow = Situation::slow(repositories);
    let [on, off] = slow.both(&folder, "connectionLimit").await?;
    let broken = [&on, &off].map(|scan| Some(scan.broken()));
    verdict("connectionLimit", BROKEN, Unit::Count, broken[0], broken[1]);
    tables.push(slow.title(), vec![on, off]);

    let faulty = Situation::faulty(repositories);
    let [on, off] = faulty.both(&folder, "retries").await?;
    let of = "repositories not scanned";
    verdict(
        "retries",
        of,
        Unit::Count,
        Some(on.failed),
        Some(off.failed),
    );
    tables.push(faulty.title(), vec![on, off]);

    let verbose = Situation::verbose(repositories);
    let [on, off] = verbose.both(&folder, "cleanup").await?;
    let of = "connections opened";
    let connections = [&on, &off].map(|scan| Some(scan.connections));
    verdict("cleanup", of, Unit::Count, connections[0], connections[1]);
    tables.push(verbose.title(), vec![on, off]);

    let [on, off] = far::both(&folder, repositories).await?;
    verdict("batching", far::TITLE, Unit::Micros, Some(on), Some(off));

    let long = Situation::long(rows);
    let on = long.scan(&folder, &[]).await?;
    let alone = long.scan(&folder, &["batching"]).await?;
    let of = "database at work for the long list, a file";
    let at_work = [&on, &alone].map(Scanned::database_us);
    verdict("batching", of, Unit::Micros, at_work[0], at_work[1]);
    let whole = long.scan(&folder, &["streaming"]).await?;
    let of = "peak memory of a scan of the long list";
    verdict("streaming", of, Unit::Bytes, on.peak_rss, whole.peak_rss);
    tables.push(long.title(), vec![on, alone, whole]);

    let [on, off] = listing::both(&folder, rows).await?;
    let of = "peak memory of /api/repos, the long list";
    verdict("streaming", of, Unit::Bytes, on.peak_rss, off.peak_rss);
    let of = "until /api/repos begins to answer";
    verdict(
        "streaming",
        of,
        Unit::Micros,
        Some(on.begins_us),
        Some(off.begins_us),
    );
    let of = "until /api/repos has answered";
    verdict(
        "streaming",
        of,
        Unit::Micros,
        Some(on.ends_us),
        Some(off.ends_us),
    );

    let [on, off] = cost::both().await?;
    verdict("monitoring", cost::TITLE, Unit::Nanos, Some(on), Some(off));

    verdicts.sort_by_key(|verdict| FLAGS.iter().position(|flag| *flag == verdict.flag));
    tables.set_verdicts(verdicts);
    Ok(tables)
}
