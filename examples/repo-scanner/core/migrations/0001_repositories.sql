-- What is known of each repository. `name` is what was asked for, `full_name` what GitHub calls it today.
-- Times are milliseconds since the Unix epoch, topics are a JSON array.
CREATE TABLE repositories (
    name        TEXT PRIMARY KEY,
    full_name   TEXT NOT NULL,
    id          INTEGER NOT NULL,
    description TEXT,
    language    TEXT,
    topics      TEXT NOT NULL,
    stars       INTEGER NOT NULL,
    forks       INTEGER NOT NULL,
    open_issues INTEGER NOT NULL,
    pushed_at   TEXT,
    etag        TEXT,
    scanned_at  INTEGER NOT NULL,
    analysis    TEXT,
    analysed_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX repositories_by_full_name ON repositories (full_name COLLATE NOCASE);
CREATE INDEX repositories_by_stars ON repositories (stars, name);
CREATE INDEX repositories_by_forks ON repositories (forks, name);
CREATE INDEX repositories_by_scanned_at ON repositories (scanned_at, name);

-- How its figures were over time; a row for each time that it was fetched, and none where it is as it was.
CREATE TABLE metrics (
    name        TEXT NOT NULL,
    taken_at    INTEGER NOT NULL,
    stars       INTEGER NOT NULL,
    forks       INTEGER NOT NULL,
    open_issues INTEGER NOT NULL,
    PRIMARY KEY (name, taken_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX metrics_by_taken_at ON metrics (taken_at);

-- Each scan, and what came of it. What remains of its list is in scan_targets.
CREATE TABLE scans (
    -- Never used again: who still writes the list of a scan that is gone writes it for nobody.
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    state       TEXT NOT NULL,
    -- Names its list, so that the scan of another one is not taken for it.
    list        TEXT NOT NULL,
    why         TEXT,
    total       INTEGER NOT NULL,
    scanned     INTEGER NOT NULL DEFAULT 0,
    unchanged   INTEGER NOT NULL DEFAULT 0,
    failed      INTEGER NOT NULL DEFAULT 0,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    -- How long somebody worked on it.
    worked_ms   INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What a scan has still to fetch. A row goes in the transaction that stores what came of it: what is stored is not
-- fetched again, whatever crashes.
CREATE TABLE scan_targets (
    scan        INTEGER NOT NULL,
    place       INTEGER NOT NULL,
    name        TEXT NOT NULL,
    PRIMARY KEY (scan, place)
) STRICT, WITHOUT ROWID;

-- What could not be fetched when it was last tried.
CREATE TABLE failures (
    name        TEXT PRIMARY KEY,
    scan        INTEGER NOT NULL,
    reason      TEXT NOT NULL,
    failed_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX failures_by_scan ON failures (scan, reason);
