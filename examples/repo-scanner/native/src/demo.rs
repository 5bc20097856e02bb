//! What the program does without arguments: all that it can.

use crate::{
    asked::Asked,
    failure::Failure,
    interrupt,
    list::List,
    program::Program,
    scan::{self, ScanCommand},
    serve::{self, Listen},
    target::Target,
};
use std::net::{IpAddr, Ipv4Addr};

/// So many repositories are described: that takes a second.
const ANALYSE: u32 = 10;

/// A file of its own: what somebody has scanned for themselves is in another.
const DATABASE: &str = "repo-scanner-demo.db";

/// What to show.
#[derive(Debug)]
pub(crate) struct DemoCommand(ScanCommand);

impl DemoCommand {
    pub(crate) fn new(mut asked: Asked) -> Self {
        asked.analyse = ANALYSE;
        Self(ScanCommand {
            asked,
            repos: None,
            db: DATABASE.into(),
            json: false,
        })
    }
}

/// Scans what the program ships with at a test server inside, and serves the dashboard for more of the same.
pub(crate) async fn run(DemoCommand(options): DemoCommand) -> Result<(), Failure> {
    let list = List::open(None)?;
    let target = Target::of(&options.asked).await?;
    let flags = crate::flags::new(&Default::default())?;
    let program = Program::new(&options.asked, &target, &options.db, flags).await?;
    interrupt::heeded(async |told| {
        let mut result = scan::scan(&options, &target, &program, list, &told).await;
        if result.is_ok() && !told.already() {
            let listen = Listen {
                host: IpAddr::V4(Ipv4Addr::LOCALHOST),
                port: 8787,
            };
            result = match listen.bind().await {
                Ok(listener) => serve::serve(&program, listener, None, &told).await,
                Err(failure) => Err(failure),
            };
        }
        program.close().await;
        target.leave().await;
        result
    })
    .await
}
