//! The statements of a table.

use std::fmt::Write;

/// What is done with rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Insert,
    Upsert,
    Update,
    Delete,
    Select,
}

/// A table with its columns, all of them quoted.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) table: String,
    pub(crate) columns: Vec<String>,
    /// The indices of the columns of the key.
    pub(crate) key: Vec<usize>,
}

/// Where the rows of a statement are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    /// In a placeholder for each value.
    Values { rows: usize, width: usize },
    /// In one text of JSON, of which these are the columns.
    Json(&'a [String]),
}

/// No table is called so: it would be hidden.
const ROWS: &str = "\"tower-egress rows\"";

impl Source<'_> {
    /// `VALUES (?, ?), (?, ?)`, or a SELECT; with the number of each row before its values, if they are `numbered`.
    fn write(self, numbered: bool, out: &mut String) {
        match self {
            Self::Values { rows, width } => {
                for row in 0..rows {
                    out.push_str(if row == 0 { "VALUES (" } else { ", (" });
                    if numbered {
                        let _ = write!(out, "{row}, ");
                    }
                    for column in 0..width {
                        out.push_str(if column == 0 { "?" } else { ", ?" });
                    }
                    out.push(')');
                }
            }
            Self::Json(expressions) => {
                let number = if numbered { "key, " } else { "" };
                let _ = write!(
                    out,
                    "SELECT {number}{} FROM json_each(?)",
                    expressions.join(", ")
                );
            }
        }
    }
}

impl Shape {
    /// Returns the indices of the columns of which an operation has values.
    pub(crate) fn columns_of(&self, operation: Operation) -> Vec<usize> {
        match operation {
            Operation::Delete | Operation::Select => self.key.clone(),
            _ => (0..self.columns.len()).collect(),
        }
    }

    pub(super) fn sql(&self, operation: Operation, source: Source<'_>) -> String {
        let mut sql = String::new();
        let Self {
            table,
            columns,
            key,
        } = self;
        let others = || (0..columns.len()).filter(|index| !key.contains(index));
        let name = |index: usize| &columns[index];
        let list = |parts: Vec<String>| parts.join(", ");
        let mut with = |names: Vec<usize>, numbered: bool| {
            let mut names: Vec<String> = names.iter().map(|index| format!("c{index}")).collect();
            if numbered {
                names.insert(0, "n".to_owned());
            }
            let _ = write!(sql, "WITH {ROWS} ({}) AS (", list(names));
            source.write(numbered, &mut sql);
            sql.push_str(") ");
        };
        let same = || {
            let same = key
                .iter()
                .map(|&k| format!("{table}.{} = {ROWS}.c{k}", name(k)));
            same.collect::<Vec<_>>().join(" AND ")
        };
        match operation {
            Operation::Insert | Operation::Upsert => {
                // A table may be called `excluded` itself.
                let alias = match operation {
                    Operation::Upsert => " AS t",
                    _ => "",
                };
                let _ = write!(sql, "INSERT INTO {table}{alias} ({}) ", columns.join(", "));
                source.write(false, &mut sql);
                if operation == Operation::Upsert {
                    // Without WHERE its ON would belong to a join.
                    if matches!(source, Source::Json(_)) {
                        sql.push_str(" WHERE true");
                    }
                    let keys = list(key.iter().map(|&k| name(k).clone()).collect());
                    let set = others().map(|i| format!("{0} = excluded.{0}", name(i)));
                    let _ = match list(set.collect()) {
                        set if set.is_empty() => write!(sql, " ON CONFLICT ({keys}) DO NOTHING"),
                        set => write!(sql, " ON CONFLICT ({keys}) DO UPDATE SET {set}"),
                    };
                }
            }
            Operation::Update if matches!(source, Source::Values { rows: 1, .. }) => {
                let is = |i: usize| format!("{} = ?{}", name(i), i + 1);
                let set = list(others().map(is).collect());
                let same = key.iter().map(|&k| format!("{table}.{}", is(k)));
                let same = same.collect::<Vec<_>>().join(" AND ");
                let _ = write!(sql, "UPDATE {table} SET {set} WHERE {same}");
            }
            Operation::Update => {
                with((0..columns.len()).collect(), false);
                let set = others().map(|i| format!("{} = {ROWS}.c{i}", name(i)));
                let set = list(set.collect());
                let _ = write!(sql, "UPDATE {table} SET {set} FROM {ROWS} WHERE {}", same());
            }
            Operation::Delete => {
                let keys = key.iter().map(|&k| format!("{table}.{}", name(k)));
                let keys = list(keys.collect());
                let _ = write!(sql, "DELETE FROM {table} WHERE ({keys}) IN (");
                source.write(false, &mut sql);
                sql.push(')');
            }
            Operation::Select => {
                with(key.clone(), true);
                let read = columns
                    .iter()
                    .map(|column| format!("{table}.{column} AS {column}"));
                let read = list(read.collect());
                // CROSS: in this order, so that the index of the table is used.
                let _ = write!(
                    sql,
                    "SELECT {read} FROM {ROWS} CROSS JOIN {table} ON {} ORDER BY {ROWS}.n",
                    same()
                );
            }
        }
        sql
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_statements_of_a_table() {
        let quoted = |name: &str| format!("\"{name}\"");
        let shape = Shape {
            table: quoted("t"),
            columns: ["a", "b", "c"].map(quoted).to_vec(),
            key: vec![0, 2],
        };
        let values = |width| Source::Values { rows: 2, width };
        let expressions = ["x", "y", "z"].map(str::to_owned);
        let json = Source::Json(&expressions);
        for (operation, source, expected) in [
            (
                Operation::Insert,
                values(3),
                r#"INSERT INTO "t" ("a", "b", "c") VALUES (?, ?, ?), (?, ?, ?)"#,
            ),
            (
                Operation::Insert,
                json,
                r#"INSERT INTO "t" ("a", "b", "c") SELECT x, y, z FROM json_each(?)"#,
            ),
            (
                Operation::Upsert,
                json,
                r#"INSERT INTO "t" AS t ("a", "b", "c") SELECT x, y, z FROM json_each(?) WHERE true ON CONFLICT ("a", "c") DO UPDATE SET "b" = excluded."b""#,
            ),
            (
                Operation::Update,
                json,
                r#"WITH "tower-egress rows" (c0, c1, c2) AS (SELECT x, y, z FROM json_each(?)) UPDATE "t" SET "b" = "tower-egress rows".c1 FROM "tower-egress rows" WHERE "t"."a" = "tower-egress rows".c0 AND "t"."c" = "tower-egress rows".c2"#,
            ),
            (
                Operation::Update,
                Source::Values { rows: 1, width: 3 },
                r#"UPDATE "t" SET "b" = ?2 WHERE "t"."a" = ?1 AND "t"."c" = ?3"#,
            ),
            (
                Operation::Delete,
                values(2),
                r#"DELETE FROM "t" WHERE ("t"."a", "t"."c") IN (VALUES (?, ?), (?, ?))"#,
            ),
            (
                Operation::Select,
                values(2),
                r#"WITH "tower-egress rows" (n, c0, c2) AS (VALUES (0, ?, ?), (1, ?, ?)) SELECT "t"."a" AS "a", "t"."b" AS "b", "t"."c" AS "c" FROM "tower-egress rows" CROSS JOIN "t" ON "t"."a" = "tower-egress rows".c0 AND "t"."c" = "tower-egress rows".c2 ORDER BY "tower-egress rows".n"#,
            ),
        ] {
            assert_eq!(shape.sql(operation, source), expected);
        }
    }
}
