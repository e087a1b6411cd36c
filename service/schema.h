#pragma once

#include <array>
#include <cstdint>

namespace sluice::service {

/// The steps that make the tables of a new state file, or bring an older one up to date: the n-th
/// leads from version n to n + 1 (PRAGMA user_version). Times are Unix milliseconds.
inline constexpr std::array schema_steps{
    R"sql(
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE jobs(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  type TEXT NOT NULL,
  instance TEXT NOT NULL,           -- empty: of a whole repository
  repository TEXT NOT NULL,
  backup TEXT,
  state TEXT NOT NULL,              -- queued running done failed cancelled interrupted
  cause TEXT NOT NULL,              -- manual schedule catch-up retry
  actor TEXT,
  attempt INTEGER NOT NULL,
  retry_of INTEGER,
  created_at INTEGER NOT NULL,
  not_before INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER,
  options TEXT NOT NULL,            -- JSON
  notices TEXT NOT NULL DEFAULT '[]',
  error TEXT,                       -- JSON
  result TEXT);                     -- JSON
CREATE INDEX jobs_by_instance ON jobs(instance, id);
CREATE INDEX jobs_by_state ON jobs(state, id);

CREATE TABLE origins(backup TEXT PRIMARY KEY, cause TEXT NOT NULL, job INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE analyses(backup TEXT PRIMARY KEY, job INTEGER NOT NULL, result TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE policies(instance TEXT PRIMARY KEY, policy TEXT NOT NULL) WITHOUT ROWID;
-- The newest time of a schedule that was seen to; kind: backup, verify, drill.
CREATE TABLE handled(instance TEXT, kind TEXT, due_at INTEGER NOT NULL, PRIMARY KEY(instance, kind)) WITHOUT ROWID;

CREATE TABLE drills(
  job INTEGER PRIMARY KEY, instance TEXT NOT NULL, backup TEXT NOT NULL, at INTEGER NOT NULL,
  seconds REAL NOT NULL, ok INTEGER NOT NULL, digest_equal INTEGER, keys INTEGER NOT NULL,
  message TEXT NOT NULL);
CREATE INDEX drills_by_instance ON drills(instance, at);

CREATE TABLE clones(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  backup TEXT NOT NULL, instance TEXT NOT NULL, target TEXT NOT NULL,
  uri TEXT,                         -- without secrets
  address TEXT,                     -- with them, as JSON; never leaves the service
  directory TEXT, pid INTEGER,
  created_at INTEGER NOT NULL,
  state TEXT NOT NULL,              -- making ready failed gone promoted
  verified INTEGER, keys INTEGER NOT NULL DEFAULT 0, digest TEXT, job INTEGER NOT NULL);

CREATE TABLE users(
  name TEXT PRIMARY KEY, role TEXT NOT NULL, password TEXT NOT NULL,  -- scrypt$…
  created_at INTEGER NOT NULL, last_seen_at INTEGER) WITHOUT ROWID;
-- Of sessions and tokens the SHA-256 is kept: whoever reads the file cannot use them.
CREATE TABLE sessions(
  hash TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES users(name) ON DELETE CASCADE,
  csrf TEXT NOT NULL, created_at INTEGER NOT NULL, seen_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE tokens(
  id INTEGER PRIMARY KEY AUTOINCREMENT, hash TEXT NOT NULL UNIQUE, label TEXT NOT NULL,
  role TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER, last_used_at INTEGER);

CREATE TABLE audit(
  seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL, address TEXT NOT NULL,
  action TEXT NOT NULL, object TEXT NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL,
  chain TEXT NOT NULL);             -- SHA-256 over the row before and this one
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'append only'); END;
)sql"};

inline constexpr auto schema_current = static_cast<std::int64_t>(schema_steps.size());

}  // namespace sluice::service
