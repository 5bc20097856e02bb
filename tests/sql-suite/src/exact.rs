//! What is stored is what one INSERT with bound values stores, to the bit.

use crate::{
    check::{Checked, Wrong},
    observed::{both_ways, every_way},
    statements::{number, set_up},
};
use tower_egress::sql::{Database, Statement, Table, Value};

/// A random number generator that is the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // SplitMix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn real(&mut self) -> f64 {
        loop {
            let real = match self.below(4) {
                0 => f64::from_bits(self.next()),
                1 => {
                    f64::from(u32::try_from(self.below(1 << 32)).unwrap_or(0)) / 4_294_967_296.0
                        * 1000.0
                }
                2 => f64::from(u32::try_from(self.below(1_000_000)).unwrap_or(0)) / 100.0,
                // Of every size that is not out of the ordinary.
                _ => f64::from_bits(self.next() & !(0x7ff << 52) | (893 + self.below(260)) << 52),
            };
            if real.is_finite() {
                return real;
            }
        }
    }

    fn value(&mut self) -> Value {
        match self.below(6) {
            0 => Value::Null,
            1 => Value::Integer(i64::from_ne_bytes(self.next().to_ne_bytes()) >> self.below(64)),
            2 => self.real().into(),
            3 => (0..self.below(9))
                .map(|_| (self.next() >> 56).to_le_bytes()[0])
                .collect::<Vec<u8>>()
                .into(),
            4 => {
                let text = [
                    "", "a", "\"", "\\", "\0", "\n", "é", "🦀", "1", ".5", " ", "e9", "\u{feff}",
                    "'", "\u{1}",
                ];
                let part = |random: &mut Self| text[usize::try_from(random.below(15)).unwrap_or(0)];
                (0..self.below(7))
                    .map(|_| part(self))
                    .collect::<String>()
                    .into()
            }
            _ => self.next().to_string().into(),
        }
    }
}

fn special() -> Vec<Value> {
    let mut values: Vec<Value> = [
        i64::MIN,
        i64::MIN + 1,
        -9_007_199_254_740_993,
        -1,
        0,
        1,
        9_007_199_254_740_993,
        i64::MAX,
    ]
    .map(Value::from)
    .to_vec();
    values.extend(
        [
            0.0,
            -0.0,
            0.1,
            -0.1,
            1.0,
            2.5,
            907.303_832_202_868_9,
            1e15,
            1e21,
            1e300,
            -1e300,
            f64::MAX,
            f64::MIN,
            f64::MIN_POSITIVE,
            5e-324,
            1e-5,
            1e-9,
            1.234_567_890_123_456_7e-19,
            9_007_199_254_740_993.0,
            9_223_372_036_854_775_807.0,
            1.0 / 3.0,
        ]
        .map(Value::from),
    );
    values.extend(
        [
            "",
            "a",
            "a\0b",
            "\0",
            "1",
            "1.0",
            "1e5",
            " 7 ",
            "0x10",
            "NULL",
            "[1]",
            "{\"a\":1}",
            "\u{feff}\u{ffff}\u{10ffff}",
            "é\n\"\\",
        ]
        .map(Value::from),
    );
    values.extend([
        b"".into(),
        b"\0".into(),
        b"abc".into(),
        (0..=255).collect::<Vec<u8>>().into(),
        Value::Null,
    ]);
    values
}

const COLUMNS: [&str; 6] = ["n", "t", "i", "r", "m", "b"];

/// Makes two tables, of columns of every affinity.
async fn tables<D: Database>(d: &D) -> Checked {
    for table in ["x_bulk", "x_single"] {
        d.run(Statement::new(format!("DROP TABLE IF EXISTS {table}")))
            .await?;
        d.run(Statement::new(format!(
            "CREATE TABLE {table} (id INTEGER PRIMARY KEY, n, t TEXT, i INTEGER, r REAL, m NUMERIC, b BLOB)"
        )))
        .await?;
    }
    Ok(())
}

/// Checks that all columns of both tables are the same, by SQLite's own account: D1 rounds what it returns.
async fn compare<D: Database>(d: &D, rows: usize, values: &[Value]) -> Checked {
    let same = COLUMNS
        .map(|c| {
            format!("x_bulk.{c} IS x_single.{c} AND typeof(x_bulk.{c}) = typeof(x_single.{c})")
        })
        .join(" AND ");
    let from = "FROM x_bulk JOIN x_single USING (id)";
    let count = number(d, Statement::new(format!("SELECT count(*) {from}"))).await?;
    same!(count, i64::try_from(rows)?);
    let differs = format!("SELECT id {from} WHERE NOT ({same}) LIMIT 1");
    if let Some(row) = d.first(Statement::new(differs)).await? {
        let id: usize = row.get_as("id")?;
        return Err(Wrong(format!("stored otherwise: {:?}", values.get(id))));
    }
    Ok(())
}

async fn insert_single<D: Database>(d: &D, values: &[Value]) -> Checked {
    let insert = |(id, value): (i64, &Value)| {
        Statement::new("INSERT INTO x_single VALUES (?1, ?2, ?2, ?2, ?2, ?2, ?2)")
            .bind(id)
            .bind(value.clone())
    };
    let inserts: Vec<Statement> = (0..).zip(values).map(insert).collect();
    for inserts in inserts.chunks(500) {
        d.batch(inserts.to_vec()).await?;
    }
    Ok(())
}

fn row(id: usize, value: &Value) -> Vec<Value> {
    let id = Value::from(i64::try_from(id).unwrap_or(-1));
    let mut row = vec![value.clone(); 7];
    row[0] = id;
    row
}

fn table() -> Table {
    Table::new("x_bulk", ["id"].into_iter().chain(COLUMNS)).with_key(["id"])
}

pub(crate) async fn every_value_is_stored_as_a_single_insert_stores_it<D: Database>(
    d: &D,
) -> Checked {
    let mut random = Random(4711);
    let mut values = special();
    values.extend((0..400).map(|_| random.value()));
    for o in both_ways(d) {
        // All kinds in one column, and one kind by itself, which may travel otherwise.
        for class in 0..6 {
            let of_class = |value: &&Value| match class {
                0 => true,
                1 => matches!(value, Value::Integer(_) | Value::Null),
                2 => matches!(value, Value::Real(_) | Value::Null),
                3 => matches!(value, Value::Text(_)),
                4 => matches!(value, Value::Blob(_) | Value::Null),
                _ => matches!(value, Value::Real(_) | Value::Integer(_) | Value::Text(_)),
            };
            let values: Vec<Value> = values.iter().filter(of_class).cloned().collect();
            tables(d).await?;
            insert_single(d, &values).await?;
            let rows = values.iter().enumerate().map(|(id, value)| row(id, value));
            table().insert(&o, rows).await?;
            compare(d, values.len(), &values).await?;
        }
    }
    Ok(())
}

pub(crate) async fn random_reals_are_stored_to_the_last_bit<D: Database>(d: &D) -> Checked {
    let mut random = Random(1);
    let values: Vec<Value> = (0..3_000).map(|_| random.real().into()).collect();
    tables(d).await?;
    insert_single(d, &values).await?;
    for o in both_ways(d) {
        d.run("DELETE FROM x_bulk".into()).await?;
        let rows = values.iter().enumerate().map(|(id, value)| row(id, value));
        table().insert(&o, rows).await?;
        compare(d, values.len(), &values).await?;
    }
    Ok(())
}

pub(crate) async fn updates_and_keys_are_exact<D: Database>(d: &D) -> Checked {
    let mut random = Random(7);
    let mut values = special();
    values.extend((0..300).map(|_| random.value()));
    for o in every_way(d) {
        tables(d).await?;
        insert_single(d, &values).await?;
        let rows = |of: &[Value]| {
            of.iter()
                .enumerate()
                .map(|(id, value)| row(id, value))
                .collect::<Vec<_>>()
        };
        table()
            .insert(&o, rows(&vec![Value::Null; values.len()]))
            .await?;
        let written = table().update(&o, rows(&values)).await?;
        same!(written.keys_missing, 0);
        compare(d, values.len(), &values).await?;
        // Each value is found again by itself.
        set_up(
            d,
            &[
                "DROP TABLE IF EXISTS x_key",
                "CREATE TABLE x_key (k PRIMARY KEY)",
            ],
        )
        .await?;
        let keys = Table::new("x_key", ["k"]).with_key(["k"]);
        keys.upsert(&o, values.iter().cloned()).await?;
        let stored = number(d, "SELECT count(*) FROM x_key WHERE k IS NOT NULL").await?;
        let deleted = keys.delete(&o, values.iter().cloned()).await?;
        same!(i64::try_from(deleted.rows_changed)?, stored);
    }
    Ok(())
}
