-- The collector's database, schema 1. Times are whole seconds since 1970-01-01T00:00:00Z, weeks
-- the day number of their Monday. No address, name or time of a contact stands anywhere in it.

-- The one collector this database belongs to.
CREATE TABLE collector (
  one         INTEGER PRIMARY KEY CHECK (one = 1),
  audience    BLOB    NOT NULL CHECK (length(audience) = 32),   -- SHA-256 of its first public key
  purpose     TEXT    NOT NULL,                                 -- observatory | exercise; never changes
  rules_hash  BLOB    NOT NULL CHECK (length(rules_hash) = 32), -- of the rules last announced
  serial      INTEGER NOT NULL CHECK (serial > 0)               -- of those rules; only rises
) STRICT;

-- Registry: who may report. Kept until a home withdraws.
CREATE TABLE homes (
  home            BLOB    NOT NULL PRIMARY KEY CHECK (length(home) = 32), -- SHA-256 of its first key
  enrolled_day    INTEGER NOT NULL,                                       -- days since 1970-01-01
  enrolment_hash  BLOB    NOT NULL CHECK (length(enrolment_hash) = 32),   -- of the enrolment's payload
  receipt         BLOB    NOT NULL                                        -- repeated to a repeated enrolment
) STRICT, WITHOUT ROWID;

-- Registry: which keys speak for which home.
CREATE TABLE keys (
  key_hash  BLOB NOT NULL PRIMARY KEY CHECK (length(key_hash) = 32), -- SHA-256 of the key
  home      BLOB NOT NULL CHECK (length(home) = 32),
  key       BLOB NOT NULL CHECK (length(key) = 32)                   -- Ed25519, public
) STRICT, WITHOUT ROWID;

-- Registry: invites, by the hash of their token. Who gave or used one is not kept.
CREATE TABLE invites (
  token_hash  BLOB    NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
  expires_at  INTEGER NOT NULL,
  spent       INTEGER NOT NULL DEFAULT 0 CHECK (spent IN (0, 1))
) STRICT, WITHOUT ROWID;

-- Weeks that took at least one batch.
CREATE TABLE weeks (
  week       INTEGER NOT NULL PRIMARY KEY,
  state      TEXT    NOT NULL CHECK (state IN ('open', 'closed', 'released', 'final')), -- only moves on
  key_check  BLOB    NOT NULL CHECK (length(key_check) = 32) -- which key the rows were sealed with
) STRICT;

-- Journal: sealed batches of weeks that are not final. Clustered by token, so that a week is read
-- home by home, and the order of arrival is not kept.
CREATE TABLE journal (
  week          INTEGER NOT NULL,
  home_token    BLOB    NOT NULL CHECK (length(home_token) = 32),   -- HMAC(week key, home)
  batch_token   BLOB    NOT NULL CHECK (length(batch_token) = 32),  -- HMAC(week key, home || batch id)
  payload_hash  BLOB    NOT NULL CHECK (length(payload_hash) = 32), -- SHA-256; tells repetition from conflict
  country       TEXT,                                               -- the home's; null: in no table
  network       INTEGER,                                            -- the home's; null with country, 0: in no table
  sealed        BLOB    NOT NULL,                                   -- AEAD(week key, batch || receipt)
  PRIMARY KEY (week, home_token, batch_token)
) STRICT, WITHOUT ROWID;

-- Releases, as published. Never changed, never deleted.
CREATE TABLE releases (
  week       INTEGER NOT NULL,
  revision   INTEGER NOT NULL,
  text       TEXT    NOT NULL,                                -- release.json
  signature  BLOB    NOT NULL CHECK (length(signature) = 64), -- Ed25519 over the text
  PRIMARY KEY (week, revision)
) STRICT;

-- Ledger: what was done to weeks, each link hashed over the one before.
CREATE TABLE ledger (
  number  INTEGER NOT NULL PRIMARY KEY, -- 1, 2, 3, ...
  at      INTEGER NOT NULL,
  event   TEXT    NOT NULL,
  hash    BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;
