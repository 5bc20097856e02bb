// What every database has to do alike, on D1. The cases are in tests/sql-suite, and run on SQLite as well.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoComplaint, startWorker } from "./harness.mjs";

const cases = [
  "statements/one_statement_is_what_is_left_without_semicolons",
  "statements/what_is_no_statement_is_refused",
  "statements/placeholders_and_values_match",
  "statements/nan_and_infinities_are_refused",
  "statements/every_value_comes_back",
  "statements/a_text_keeps_u0000",
  "statements/i64_is_exact",
  "statements/a_batch_is_done_or_not_done",
  "statements/errors_are_sorted_alike",
  "statements/changes_are_counted",
  "statements/limits_are_kept",
  "values/an_integer_is_stored_as_itself_in_a_column_of_any_type",
  "values/a_bound_integer_stands_wherever_a_value_can",
  "values/every_value_comes_back_from_a_table",
  "values/large_blobs_and_texts_come_back_to_the_byte",
  "values/columns_keep_their_names_and_order",
  "values/what_is_never_polled_is_not_sent",
  "bulk/insert_writes_any_number_of_rows",
  "bulk/upsert_writes_over_and_the_last_of_a_key_is_left",
  "bulk/update_gives_each_row_its_values",
  "bulk/update_of_one_key_twice_leaves_the_last",
  "bulk/delete_takes_the_keys",
  "bulk/select_reads_in_the_order_of_the_keys",
  "bulk/keys_of_several_columns",
  "bulk/no_rows_are_nothing_to_send",
  "bulk/a_row_of_another_width_is_refused_before_anything_is_sent",
  "bulk/more_columns_than_the_limit_are_refused",
  "bulk/a_value_above_the_limit_is_refused",
  "bulk/a_value_of_the_limit_is_written",
  "bulk/nan_is_refused_by_row_and_column",
  "bulk/a_hundred_columns",
  "bulk/names_are_quoted",
  "bulk/keys_compare_as_bound_values_do",
  "bulk/a_constraint_undoes_the_batch",
  "bulk/what_is_done_is_told_when_a_later_batch_fails",
  "bulk/what_is_unknown_is_told_when_the_connection_is_lost",
  "bulk/what_cannot_be_a_statement_is_refused",
  "bulk/ten_thousand_rows_take_few_statements",
  "hostile/rows_are_cut_at_every_border",
  "hostile/keys_are_cut_at_ten_thousand",
  "hostile/what_is_not_told_as_done_is_not_done_whatever_the_schema_says",
  "hostile/no_more_sql_is_sent_than_the_limit",
  "hostile/keys_are_deleted_as_bound_values_compare",
  "hostile/a_part_of_a_key_that_is_null_finds_nothing",
  "hostile/rows_that_fit_into_no_json_go_by_values",
  "hostile/names_of_ours_are_names_of_anybody",
  "hostile/the_last_is_left_where_a_column_finds_keys_equal",
  "hostile/a_trigger_tells_no_value_that_was_bound",
  "exact/every_value_is_stored_as_a_single_insert_stores_it",
  "exact/random_reals_are_stored_to_the_last_bit",
  "exact/updates_and_keys_are_exact",
  "transaction/all_is_done_if_the_guards_hold",
  "transaction/a_guard_that_does_not_hold_undoes_all_and_is_named",
  "transaction/a_guard_sees_what_was_done_before_it",
  "transaction/a_version_guards_against_another_writer",
  "transaction/a_failing_statement_is_told",
  "transaction/no_value_hides_which_guard_it_was",
  "transaction/what_is_too_large_is_not_sent",
  "migrations/files_are_applied_once_in_order",
  "migrations/triggers_stay_whole",
  "migrations/a_file_that_fails_leaves_nothing",
  "migrations/changed_missing_and_reordered_files_are_named",
  "migrations/another_instance_may_be_quicker",
  "migrations/what_does_not_fit_is_not_sent",
];

let worker;
before(async () => {
  worker = await startWorker();
});
after(() => worker?.stop());

test("every case of the suite is here", async () => {
  assert.deepEqual(await worker.ask("d1/cases"), cases);
});

for (const name of cases) {
  test(name.replaceAll("_", " "), async () => {
    const { wrong } = await worker.ask(`d1/case/${name}`);
    assert.equal(wrong, null, wrong);
  });
}

test("workerd has nothing to complain of", () => assertNoComplaint(worker));
