"""R24: what is tested on one database is tested on the other one, too.

A test that asks for a database asks for one of each kind (``stores``, ``database_url`` ...). What
is about one kind alone stands here with its reason.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent
SQLITE = {"sqlite_url", "sqlite_template"}
POSTGRES = {"postgres_url", "fresh_postgres_url"}
ALONE = {
    "an archive's own form, whatever is in it": (
        "test_a_backup_is_readable_by_its_owner_alone_and_overwrites_nothing",
        "test_a_picture_that_is_lost_is_told_and_the_others_are_kept",
        "test_a_backup_without_encryption_is_restored_where_keys_are_set",
        "test_jobs_orphans_and_backups_work_as_in_a_folder",
    ),
    "a file that one process holds": (
        "test_the_lock_of_a_running_bot_stops_a_restore_but_no_backup",
        "test_nothing_that_is_there_is_overwritten",
        "test_a_database_swapped_for_another_is_refused",
        "test_sqlite_writes_ahead_synchronously_and_checks_references",
        "test_readers_do_not_wait_for_the_writer_and_see_no_half_of_it",
        "test_upgrading_again_changes_and_copies_nothing",
        "test_an_sqlite_file_is_copied_before_it_is_migrated",
        "test_looking_at_the_schema_needs_no_turn_at_writing",
        "test_nothing_is_left_in_the_file_of_an_sqlite_database",
    ),
    "how one kind plans a query": (
        "test_a_report_scans_neither_the_jobs_nor_the_sums",
        "test_postgres_knows_how_many_sums_of_all_together_there_are",
    ),
    "a server, and its own programs": (
        "test_a_database_with_tables_is_not_restored_over",
        "test_without_postgresqls_programs_it_says_what_to_install",
        "test_processes_that_book_at_once_overdraw_nothing_and_one_may_be_killed",
    ),
    "beside it stands the same on the other kind": (
        "test_r12_no_acknowledged_job_is_lost_to_kill_minus_nine",
        "test_r23_a_backup_of_postgresql_and_a_store_under_writes_is_restored_whole",
        "test_q4_the_ledger_equals_the_balance_whatever_happens",
        "test_what_was_added_up_is_what_a_count_says_of_any_history",
    ),
}


def on_one_kind() -> Iterator[str]:
    """Yield the tests of this folder that ask for one kind of database by its name."""
    for path in sorted(FOLDER.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                asked = {argument.arg for argument in node.args.args}
                on_sqlite = asked & SQLITE and not asked & {*POSTGRES, "empty_postgres_url"}
                on_postgres = asked & POSTGRES and not asked & SQLITE
                if node.name.startswith("test_") and (on_sqlite or on_postgres):
                    yield node.name


def test_r24_every_test_runs_on_both_databases_or_says_why_not() -> None:
    reasons = [name for names in ALONE.values() for name in names]
    assert sorted(on_one_kind()) == sorted(reasons)
