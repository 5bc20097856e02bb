-- Each time that something was done by the clock: a slice of a scan, the clean-up.
CREATE TABLE runs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    job         TEXT NOT NULL,
    started_at  INTEGER NOT NULL,
    -- How long it took.
    took_ms     INTEGER NOT NULL,
    -- How many repositories were looked at, or figures deleted.
    done        INTEGER NOT NULL,
    is_ok       INTEGER NOT NULL
) STRICT;
CREATE INDEX runs_by_job ON runs (job, id);
CREATE INDEX runs_by_started_at ON runs (started_at);
