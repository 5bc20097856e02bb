//! What every database has to do alike.
//!
//! Each case makes its own tables and says what it found. `tests/sql.rs` runs them on SQLite, `tests/worker` on D1 in
//! workerd.

#[macro_use]
mod check;
mod bulk;
mod exact;
mod failing;
mod hostile;
mod migrations;
mod observed;
mod statements;
mod transaction;
mod values;

use check::Checked;
use tower_egress::sql::Database;

macro_rules! cases {
    ($($module:ident: $($case:ident)*;)*) => {
        /// The names of all cases.
        pub const CASES: &[&str] = &[$($(concat!(stringify!($module), "/", stringify!($case)),)*)*];

        /// Runs the case of a name on a database.
        ///
        /// # Errors
        ///
        /// What was found that should not be; or that there is no such case.
        pub async fn run<D: Database>(case: &str, database: &D) -> Result<(), String> {
            $($(if case == concat!(stringify!($module), "/", stringify!($case)) {
                let checked: Checked = $module::$case(database).await;
                return checked.map_err(|wrong| wrong.0);
            })*)*
            Err(format!("there is no case {case:?}"))
        }
    };
}

cases! {
    statements:
        one_statement_is_what_is_left_without_semicolons
        what_is_no_statement_is_refused
        placeholders_and_values_match
        nan_and_infinities_are_refused
        every_value_comes_back
        a_text_keeps_u0000
        i64_is_exact
        a_batch_is_done_or_not_done
        errors_are_sorted_alike
        changes_are_counted
        limits_are_kept;
    values:
        an_integer_is_stored_as_itself_in_a_column_of_any_type
        a_bound_integer_stands_wherever_a_value_can
        every_value_comes_back_from_a_table
        large_blobs_and_texts_come_back_to_the_byte
        columns_keep_their_names_and_order
        what_is_never_polled_is_not_sent;
    bulk:
        insert_writes_any_number_of_rows
        upsert_writes_over_and_the_last_of_a_key_is_left
        update_gives_each_row_its_values
        update_of_one_key_twice_leaves_the_last
        delete_takes_the_keys
        select_reads_in_the_order_of_the_keys
        keys_of_several_columns
        no_rows_are_nothing_to_send
        a_row_of_another_width_is_refused_before_anything_is_sent
        more_columns_than_the_limit_are_refused
        a_value_above_the_limit_is_refused
        a_value_of_the_limit_is_written
        nan_is_refused_by_row_and_column
        a_hundred_columns
        names_are_quoted
        keys_compare_as_bound_values_do
        a_constraint_undoes_the_batch
        what_is_done_is_told_when_a_later_batch_fails
        what_is_unknown_is_told_when_the_connection_is_lost
        what_cannot_be_a_statement_is_refused
        ten_thousand_rows_take_few_statements;
    hostile:
        rows_are_cut_at_every_border
        keys_are_cut_at_ten_thousand
        what_is_not_told_as_done_is_not_done_whatever_the_schema_says
        no_more_sql_is_sent_than_the_limit
        keys_are_deleted_as_bound_values_compare
        a_part_of_a_key_that_is_null_finds_nothing
        rows_that_fit_into_no_json_go_by_values
        names_of_ours_are_names_of_anybody
        the_last_is_left_where_a_column_finds_keys_equal
        a_trigger_tells_no_value_that_was_bound;
    exact:
        every_value_is_stored_as_a_single_insert_stores_it
        random_reals_are_stored_to_the_last_bit
        updates_and_keys_are_exact;
    transaction:
        all_is_done_if_the_guards_hold
        a_guard_that_does_not_hold_undoes_all_and_is_named
        a_guard_sees_what_was_done_before_it
        a_version_guards_against_another_writer
        a_failing_statement_is_told
        no_value_hides_which_guard_it_was
        what_is_too_large_is_not_sent;
    migrations:
        files_are_applied_once_in_order
        triggers_stay_whole
        a_file_that_fails_leaves_nothing
        changed_missing_and_reordered_files_are_named
        another_instance_may_be_quicker
        what_does_not_fit_is_not_sent;
}
