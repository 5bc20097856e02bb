//! Rows, cut into statements and batches.

use super::{
    Operation, Rows, Shape,
    duplicates::{Duplicates, Seen},
    json::Pack,
    kinds::Kinds,
    sql::Source,
};
use crate::sql::{Limits, Packing, Statement, Value};
use std::ops::Range;

/// As many values are in a statement at most, where each has a placeholder: with more it is no faster, and SQLite keeps
/// what it has prepared.
const VALUES: usize = 512;

/// As many keys are asked for at most in one statement: all that it finds is in memory at once.
const KEYS: usize = 10_000;

/// What is still to be sent.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    shape: &'a Shape,
    operation: Operation,
    limits: Limits,
    rows: Rows,
    /// The kinds and what makes them columns, if rows travel as JSON.
    kinds: Option<(Kinds, String)>,
    /// As many rows are in a statement at most, where each value has a placeholder.
    most: usize,
    /// The last SQL with placeholders, and of how many rows: most statements have the same.
    made: Option<(usize, String)>,
    next: usize,
    /// What was made and did not fit into a batch any more.
    left: Option<Part>,
}

/// A statement, and its rows.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) statement: Statement,
    /// The rows, by their numbers.
    pub(crate) rows: Range<usize>,
    /// How many of them are in the statement: the others are overwritten by them.
    pub(crate) kept: usize,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(shape: &'a Shape, operation: Operation, limits: Limits, rows: Rows) -> Self {
        let kinds = (limits.packing == Packing::Json).then(|| {
            let kinds = Kinds::of(&rows);
            let sql = shape.sql(operation, Source::Json(&kinds.expressions()));
            (kinds, sql)
        });
        let kinds = kinds.filter(|(_, sql)| sql.len() <= limits.sql_bytes);
        let most = most_valued(shape, operation, &limits, rows.width().max(1));
        Self {
            shape,
            operation,
            limits,
            rows,
            kinds,
            most,
            made: None,
            next: 0,
            left: None,
        }
    }

    /// Returns the statements of the next batch; none when all are made.
    pub(crate) fn batch(&mut self) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        let mut bytes = 0_usize;
        while let Some(part) = self.left.take().or_else(|| self.part()) {
            bytes = bytes.saturating_add(part.statement.bytes());
            let full = parts.len() >= self.limits.statements || bytes > self.limits.batch_bytes;
            if full && !parts.is_empty() {
                self.left = Some(part);
                break;
            }
            parts.push(part);
        }
        parts
    }

    /// Returns the values of all rows, but those that are in statements.
    pub(super) fn values(&self) -> impl Iterator<Item = &Value> {
        self.rows.values()
    }

    /// Returns the next statement.
    pub(crate) fn part(&mut self) -> Option<Part> {
        if self.next >= self.rows.len() {
            return None;
        }
        let part = self.json().unwrap_or_else(|| self.valued());
        self.next = part.rows.end;
        Some(part)
    }

    /// As many rows as fit into one value and can travel so, if the next one can.
    fn json(&self) -> Option<Part> {
        let (kinds, sql) = self.kinds.as_ref()?;
        let most = self.limits.value_bytes.min(self.limits.batch_bytes);
        let end = match self.operation {
            Operation::Select => self.rows.len().min(self.next + KEYS),
            _ => self.rows.len(),
        };
        let mut pack = Pack::new();
        let mut duplicates = Duplicates::default();
        for n in self.next..end {
            let row = self.rows.row(n);
            if !kinds.carry(row) || !pack.push(n, row, kinds, most) {
                break;
            }
            match self.seen(&mut duplicates, n) {
                Seen::Never => {}
                Seen::At(earlier) => pack.overwrite(earlier),
                Seen::Perhaps => {
                    pack.pop();
                    break;
                }
            }
        }
        (pack.len() > 0).then(|| Part {
            rows: self.next..self.next + pack.len(),
            kept: pack.kept(),
            statement: Statement::new(sql.clone()).bind(pack.into_text()),
        })
    }

    /// As many rows as have placeholders.
    fn valued(&mut self) -> Part {
        let width = self.rows.width().max(1);
        let singly = self.most == 1;
        let most_bytes = self.limits.value_bytes.min(self.limits.batch_bytes);
        let mut kept: Vec<Option<usize>> = Vec::with_capacity(self.most);
        let mut duplicates = Duplicates::default();
        let mut bytes = 0_usize;
        let last = self.rows.len().min(self.next + self.most);
        for n in self.next..last {
            let size: usize = self.rows.row(n).iter().map(Value::bytes).sum();
            bytes = bytes.saturating_add(size);
            if !kept.is_empty() && bytes > most_bytes {
                break;
            }
            let seen = match singly {
                true => Seen::Never,
                false => self.seen(&mut duplicates, n),
            };
            match seen {
                Seen::Never => {}
                Seen::At(earlier) => kept[earlier - self.next] = None,
                Seen::Perhaps => break,
            }
            kept.push(Some(n));
        }
        let rows = self.next..self.next + kept.len();
        let kept: Vec<usize> = kept.into_iter().flatten().collect();
        let sql = match self.made.take() {
            Some((rows, sql)) if rows == kept.len() => sql,
            _ => {
                let rows = kept.len();
                self.shape
                    .sql(self.operation, Source::Values { rows, width })
            }
        };
        let mut statement = Statement::new(sql.clone());
        self.made = Some((kept.len(), sql));
        for &n in &kept {
            statement = statement.bind_all(self.rows.take(n));
        }
        Part {
            statement,
            rows,
            kept: kept.len(),
        }
    }

    /// Whether a key was there before, where one statement must not have it twice: SQLite would take any of the two.
    fn seen(&self, duplicates: &mut Duplicates, n: usize) -> Seen {
        match self.operation {
            Operation::Update => {
                let row = self.rows.row(n);
                duplicates.add(self.shape.key.iter().map(|&index| &row[index]), n)
            }
            _ => Seen::Never,
        }
    }
}

/// Returns how many rows a statement may have, where each value has a placeholder.
fn most_valued(shape: &Shape, operation: Operation, limits: &Limits, width: usize) -> usize {
    // A join with what is new costs SQLite more than a statement for each row.
    if operation == Operation::Update && limits.statements == usize::MAX {
        return 1;
    }
    let most = limits.values.min(VALUES) / width;
    // D1 needs more, to make an integer of what it is sent.
    let placeholder = ", (+CAST(?100 AS INTEGER))".len();
    let row = "(512, ), ".len() + width * placeholder;
    let first = shape.sql(operation, Source::Values { rows: 1, width });
    let within = limits.sql_bytes.saturating_sub(first.len()) / row;
    most.min(within).max(1)
}

impl Iterator for Plan<'_> {
    type Item = Part;

    fn next(&mut self) -> Option<Part> {
        self.part()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::iter;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn shape() -> Shape {
        Shape {
            table: "t".into(),
            columns: vec!["k".into(), "v".into()],
            key: vec![0],
        }
    }

    fn parts(
        operation: Operation,
        limits: Limits,
        rows: &[[Value; 2]],
    ) -> Vec<(Range<usize>, usize, usize)> {
        let rows = Rows::collect(rows.to_vec(), &["k", "v"], &limits).unwrap();
        let shape = shape();
        let plan = Plan::new(&shape, operation, limits, rows);
        plan.map(|part| (part.rows, part.kept, part.statement.values().len()))
            .collect()
    }

    fn numbers(n: i64) -> Vec<[Value; 2]> {
        (0..n).map(|n| [n.into(), "x".into()]).collect()
    }

    const VALUED: Limits = Limits::D1.with_packing(Packing::Values);

    #[test]
    fn no_statement_has_more_values_than_it_may() {
        let parts = parts(Operation::Insert, VALUED, &numbers(120));
        assert_eq!(
            parts,
            [(0..50, 50, 100), (50..100, 50, 100), (100..120, 20, 40)]
        );
    }

    #[test]
    fn one_value_holds_all_rows_up_to_its_limit() {
        assert_eq!(
            parts(Operation::Insert, Limits::D1, &numbers(20_000)),
            [(0..20_000, 20_000, 1)]
        );
        let limits = Limits::D1.with_value_bytes(21);
        // [[0,"x"],[1,"x"]] has 17 bytes.
        assert_eq!(
            parts(Operation::Insert, limits, &numbers(5)),
            [(0..2, 2, 1), (2..4, 2, 1), (4..5, 1, 1)]
        );
    }

    #[test]
    fn what_json_does_not_carry_goes_by_placeholders_with_the_rows_after_it() {
        let mut rows = numbers(130);
        rows[20][1] = "a\0b".into();
        rows[22][1] = "a\0b".into();
        rows[129][1] = "a\0b".into();
        let parts = parts(Operation::Insert, Limits::D1, &rows);
        assert_eq!(
            parts,
            [
                (0..20, 20, 1),
                (20..70, 50, 100),
                (70..129, 59, 1),
                (129..130, 1, 2)
            ]
        );
    }

    #[test]
    fn of_one_key_in_an_update_the_last_row_is_left_and_what_may_be_equal_comes_later() {
        let row = |key: Value| [key, "x".into()];
        let rows = [
            row(1.into()),
            row(2.into()),
            row(1.into()),
            row("a".into()),
            row("A".into()),
            row("a".into()),
        ];
        let expected = [(0..4, 3), (4..5, 1), (5..6, 1)];
        for limits in [Limits::D1, VALUED] {
            let parts = parts(Operation::Update, limits, &rows);
            let parts: Vec<_> = parts
                .into_iter()
                .map(|(rows, kept, _)| (rows, kept))
                .collect();
            assert_eq!(parts, expected);
        }
        assert_eq!(
            parts(Operation::Upsert, Limits::D1, &rows).len(),
            1,
            "SQLite does one after the other"
        );
    }

    #[test]
    fn where_statements_are_not_counted_each_row_is_updated_by_its_own() {
        let parts = parts(Operation::Update, Limits::SQLITE, &numbers(3));
        assert_eq!(parts, [(0..1, 1, 2), (1..2, 1, 2), (2..3, 1, 2)]);
    }

    #[test]
    fn batches_keep_to_their_statements_and_bytes() {
        let batches = |limits: Limits| {
            let rows = Rows::collect(numbers(120), &["k", "v"], &limits).unwrap();
            let shape = shape();
            let mut plan = Plan::new(&shape, Operation::Insert, limits, rows);
            let batches = iter::from_fn(|| Some(plan.batch()).filter(|batch| !batch.is_empty()));
            batches.map(|batch| batch.len()).collect::<Vec<_>>()
        };
        assert_eq!(batches(VALUED), [3]);
        assert_eq!(batches(VALUED.with_statements(2)), [2, 1]);
        assert_eq!(batches(VALUED.with_batch_bytes(2_500)), [2, 1]);
        assert_eq!(
            batches(VALUED.with_batch_bytes(1)).len(),
            120,
            "each row by itself"
        );
    }
}
