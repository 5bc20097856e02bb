//! Files that are applied once.

use crate::{
    check::{Checked, Wrong},
    failing::lost,
    observed::Observed,
    statements::{number, set_up},
};
use tower_egress::sql::{Database, Limits, MigrationError, Migrations, SqlErrorKind};

const FILES: [(&str, &str); 3] = [
    (
        "0001_m",
        "CREATE TABLE m_a (id INTEGER PRIMARY KEY, n TEXT); INSERT INTO m_a (n) VALUES ('one; two');\n-- that is all;\n",
    ),
    (
        "0002_m",
        ";ALTER TABLE m_a ADD COLUMN stars INTEGER\r\n; CREATE INDEX m_i ON m_a (stars);",
    ),
    ("0003_m", "-- nothing to do"),
];

async fn clean<D: Database>(d: &D) -> Checked {
    set_up(
        d,
        &[
            "DROP TABLE IF EXISTS egress_migrations",
            "DROP TABLE IF EXISTS m_a",
            "DROP TABLE IF EXISTS m_b",
        ],
    )
    .await
}

pub(crate) async fn files_are_applied_once_in_order<D: Database>(d: &D) -> Checked {
    clean(d).await?;
    same!(
        Migrations::new(FILES[..1].iter().copied())
            .apply(d)
            .await?
            .names,
        ["0001_m"]
    );
    same!(
        Migrations::new(FILES).apply(d).await?.names,
        ["0002_m", "0003_m"]
    );
    same!(
        Migrations::new(FILES).apply(d).await?.names,
        [] as [&str; 0]
    );
    same!(
        number(
            d,
            "SELECT count(*) FROM m_a WHERE n = 'one; two' AND stars IS NULL"
        )
        .await?,
        1
    );
    same!(
        number(
            d,
            "SELECT count(*) FROM egress_migrations WHERE applied_at > '2020'"
        )
        .await?,
        3
    );
    // In another table it is another history.
    d.run("DROP TABLE IF EXISTS \"m \"\"b\"".into()).await?;
    let other = Migrations::new([("other", "CREATE TABLE m_b (n)")]).with_table("m \"b");
    same!(other.apply(d).await?.names, ["other"]);
    Ok(())
}

pub(crate) async fn triggers_stay_whole<D: Database>(d: &D) -> Checked {
    clean(d).await?;
    let file = "CREATE TABLE m_a (n); CREATE TABLE m_b (n);
        CREATE TRIGGER m_t AFTER INSERT ON m_a BEGIN
            INSERT INTO m_b VALUES (CASE new.n WHEN 1 THEN ';' END); -- END;
            INSERT INTO m_b VALUES ('END;');
        END;
        INSERT INTO m_a VALUES (1);";
    Migrations::new([("trigger", file)]).apply(d).await?;
    same!(
        number(d, "SELECT count(*) FROM m_b WHERE n IN (';', 'END;')").await?,
        2
    );
    Ok(())
}

pub(crate) async fn a_file_that_fails_leaves_nothing<D: Database>(d: &D) -> Checked {
    clean(d).await?;
    let bad = [
        FILES[0],
        (
            "bad",
            "CREATE TABLE m_b (n); INSERT INTO nowhere VALUES (1)",
        ),
        FILES[2],
    ];
    for _ in 0..2 {
        match Migrations::new(bad).apply(d).await {
            Err(MigrationError::Failed { name, source }) => {
                same!(
                    (&*name, source.kind()),
                    ("bad", SqlErrorKind::InvalidStatement)
                );
            }
            other => return Err(Wrong(format!("{other:?}"))),
        }
        same!(
            number(d, "SELECT count(*) FROM sqlite_master WHERE name = 'm_b'").await?,
            0
        );
    }
    let mended = [FILES[0], ("bad", "CREATE TABLE m_b (n)"), FILES[2]];
    same!(
        Migrations::new(mended).apply(d).await?.names,
        ["bad", "0003_m"]
    );
    Ok(())
}

pub(crate) async fn changed_missing_and_reordered_files_are_named<D: Database>(d: &D) -> Checked {
    clean(d).await?;
    Migrations::new(FILES).apply(d).await?;
    let [a, b, c] = FILES;
    let name = |n: &str| n.to_owned();
    let changed = (b.0, "ALTER TABLE m_a ADD COLUMN planets INTEGER");
    let lines = b.1.replace('\n', "\r\n");
    same!(
        Migrations::new([a, (b.0, &*lines), c])
            .apply(d)
            .await?
            .names
            .len(),
        0,
        "ends of lines"
    );
    for (files, error) in [
        (
            vec![a, changed, c],
            MigrationError::Changed {
                name: name("0002_m"),
            },
        ),
        (
            vec![a, b],
            MigrationError::Missing {
                name: name("0003_m"),
            },
        ),
        (
            vec![b, c],
            MigrationError::Missing {
                name: name("0001_m"),
            },
        ),
        (
            vec![b, a, c],
            MigrationError::Reordered {
                name: name("0002_m"),
            },
        ),
        (
            vec![("0000_new", "SELECT 1"), a, b, c],
            MigrationError::Reordered {
                name: name("0000_new"),
            },
        ),
        (
            vec![a, b, c, a],
            MigrationError::Twice {
                name: name("0001_m"),
            },
        ),
    ] {
        same!(Migrations::new(files).apply(d).await, Err(error));
    }
    same!(
        number(d, "SELECT count(*) FROM egress_migrations").await?,
        3
    );
    Ok(())
}

pub(crate) async fn another_instance_may_be_quicker<D: Database>(d: &D) -> Checked {
    clean(d).await?;
    // The answer to the first file is lost, after it was done; as if another had done it.
    let o = Observed::new(d).failing(2, lost(), true);
    same!(
        Migrations::new(FILES).apply(&o).await?.names,
        ["0002_m", "0003_m"]
    );
    clean(d).await?;
    let o = Observed::new(d).failing(2, lost(), false);
    match Migrations::new(FILES).apply(&o).await {
        Err(MigrationError::Failed { name, .. }) => same!(name, "0001_m"),
        other => return Err(Wrong(format!("{other:?}"))),
    }
    clean(d).await?;
    let slow = Slow {
        inner: d,
        files: &FILES,
    };
    same!(
        Migrations::new(FILES).apply(&slow).await?.names,
        [] as [&str; 0]
    );
    same!(number(d, "SELECT count(*) FROM m_a").await?, 1);
    Ok(())
}

/// Another instance applies all files whenever this one is about to apply one.
struct Slow<'a, D> {
    inner: &'a D,
    files: &'a [(&'static str, &'static str)],
}

impl<D: Database> Database for Slow<'_, D> {
    async fn run(
        &self,
        statement: tower_egress::sql::Statement,
    ) -> Result<tower_egress::sql::Changes, tower_egress::sql::SqlError> {
        self.inner.run(statement).await
    }

    async fn first(
        &self,
        statement: tower_egress::sql::Statement,
    ) -> Result<Option<tower_egress::sql::Row>, tower_egress::sql::SqlError> {
        self.inner.first(statement).await
    }

    async fn all(
        &self,
        statement: tower_egress::sql::Statement,
    ) -> Result<Vec<tower_egress::sql::Row>, tower_egress::sql::SqlError> {
        self.inner.all(statement).await
    }

    async fn batch(
        &self,
        statements: Vec<tower_egress::sql::Statement>,
    ) -> Result<Vec<tower_egress::sql::Outcome>, tower_egress::sql::SqlError> {
        let other = Migrations::new(self.files.iter().copied());
        other.apply(self.inner).await.map_err(|error| {
            tower_egress::sql::SqlError::new(SqlErrorKind::Other, error.to_string())
        })?;
        self.inner.batch(statements).await
    }
}

pub(crate) async fn what_does_not_fit_is_not_sent<D: Database>(d: &D) -> Checked {
    clean(d).await?;
    let o = Observed::new(d).with_limits(Limits::D1.with_statements(3));
    let files = [
        FILES[0],
        FILES[1],
        ("large", "SELECT 1; SELECT 2; SELECT 3"),
    ];
    match Migrations::new(files).apply(&o).await {
        Err(MigrationError::Unfit { name, source }) => {
            same!((&*name, source.kind()), ("large", SqlErrorKind::TooLarge))
        }
        other => return Err(Wrong(format!("{other:?}"))),
    }
    same!(
        number(d, "SELECT count(*) FROM sqlite_master WHERE name = 'm_a'").await?,
        0,
        "not even the first"
    );
    Ok(())
}
