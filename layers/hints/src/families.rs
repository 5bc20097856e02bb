//! The figures of all families in one response.

#[cfg(test)]
mod tests;

use crate::{
    clocks::Clocks,
    family::{Family, Figure},
    policy::Policies,
    quota::{Resource, ServerQuota},
    table::Table,
};

/// One table for each family that is there.
#[derive(Debug, Default)]
pub(crate) struct Families {
    tables: [Option<Table>; Family::ALL.len()],
}

impl Families {
    /// Takes one line of one header.
    pub(crate) fn add(&mut self, family: Family, figure: Figure, line: &[u8], clocks: &Clocks<'_>) {
        self.tables[family as usize]
            .get_or_insert_default()
            .add(figure, line, clocks);
    }

    /// Calls `each` for every quota that any family describes.
    pub(crate) fn quotas(&self, policies: &Policies<'_>, mut each: impl FnMut(&ServerQuota)) {
        for (family, table) in Family::ALL.into_iter().zip(&self.tables) {
            let Some(table) = table else { continue };
            let resource = match family.resource() {
                Some(name) => Resource::new(name.as_bytes()),
                None => table.resource(),
            };
            table.quotas(|column| {
                each(&ServerQuota {
                    limit: column.limit,
                    remaining: column.remaining,
                    reset_after: column.reset.map(|reset| reset.after),
                    resets_at: column.reset.map(|reset| reset.at),
                    window: column.limit.and_then(|limit| policies.window_of(limit)),
                    unit: family.unit(),
                    resource,
                });
            });
        }
    }
}
