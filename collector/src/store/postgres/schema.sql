-- The collector's database on PostgreSQL 15, Citus or YugabyteDB, schema 1. Times are whole seconds since
-- 1970-01-01T00:00:00Z, days are counted from then, weeks are the day number of their Monday. No address,
-- name or time of a contact stands anywhere in it.
--
-- Two kinds of tables. Those of homes have the home's token, or the home itself, in every unique key and
-- in every join, so that a cluster can spread them by it; see citus.sql. The others are small, and the
-- same on every machine. Uniqueness beyond one home is kept by the desk (see turns), not by an index.

-- Who may change what, one at a time: a transaction locks rows of this table first, always in order.
-- 0 is the desk, which every change of the registry and of the weeks holds. 1 to 32 are the doors, of
-- which an append holds one; whoever changes what may be appended holds all of them too.
CREATE TABLE turns (
  number  integer NOT NULL PRIMARY KEY CHECK (number BETWEEN 0 AND 32)
);
INSERT INTO turns (number) SELECT generate_series(0, 32);

-- The one collector this database belongs to.
CREATE TABLE collector (
  one         integer NOT NULL PRIMARY KEY CHECK (one = 1),
  audience    bytea   NOT NULL CHECK (octet_length(audience) = 32),   -- SHA-256 of its first public key
  purpose     text    NOT NULL,                                       -- observatory | exercise; never changes
  rules_hash  bytea   NOT NULL CHECK (octet_length(rules_hash) = 32), -- of the rules last announced
  serial      bigint  NOT NULL CHECK (serial > 0)                     -- of those rules; only rises
);

-- Registry, by home: who may report, or waits to be approved, or was taken out. Kept until a home
-- withdraws.
CREATE TABLE homes (
  home            bytea   NOT NULL PRIMARY KEY CHECK (octet_length(home) = 32), -- SHA-256 of its first key
  enrolled_day    integer NOT NULL,
  enrolment_hash  bytea   NOT NULL CHECK (octet_length(enrolment_hash) = 32),   -- of the enrolment's payload
  receipt         bytea   NOT NULL,                                             -- repeated to a repeated enrolment
  state           text    NOT NULL CHECK (state IN ('pending', 'admitted', 'revoked')),
  counted_from    integer                                                       -- null: every day counts
);

-- Registry, by home: which keys speak for it. A replaced key verifies batches of days up to `last_day`
-- until that day's week is final; then its row goes. `rotation_hash` and `receipt` belong to the rotation
-- that brought the key, null for the key that enrolled.
CREATE TABLE keys (
  home           bytea   NOT NULL CHECK (octet_length(home) = 32),
  key_hash       bytea   NOT NULL CHECK (octet_length(key_hash) = 32), -- SHA-256 of the key; one home's only
  key            bytea   NOT NULL CHECK (octet_length(key) = 32),      -- Ed25519, public
  last_day       integer,                                              -- null: the home's current key
  rotation_hash  bytea   CHECK (octet_length(rotation_hash) = 32),
  receipt        bytea,
  PRIMARY KEY (home, key_hash)
);
CREATE INDEX keys_by_hash ON keys (key_hash);

-- Registry: invites, by the hash of their token. Who gave or used one is not kept.
CREATE TABLE invites (
  token_hash  bytea   NOT NULL PRIMARY KEY CHECK (octet_length(token_hash) = 32),
  expires_at  bigint  NOT NULL,
  uses_left   integer NOT NULL CHECK (uses_left >= 0)
);

-- Registry: how many homes came from a place in a month, under a name that dies with the month's key.
CREATE TABLE places (
  month  integer NOT NULL,                                    -- its first day
  place  bytea   NOT NULL CHECK (octet_length(place) = 32),   -- HMAC(month key, place)
  homes  integer NOT NULL CHECK (homes > 0),
  PRIMARY KEY (month, place)
);

-- What is left of a home that withdrew: nothing that can be read. `sealed` is the erasure it was given,
-- encrypted under a key that only the withdrawal's payload yields, and that is not here.
CREATE TABLE withdrawals (
  withdrawal_hash  bytea   NOT NULL PRIMARY KEY CHECK (octet_length(withdrawal_hash) = 32),
  sealed           bytea   NOT NULL,
  forget_at        bigint  NOT NULL
);

-- Weeks that took at least one batch.
CREATE TABLE weeks (
  week         integer NOT NULL PRIMARY KEY,
  state        text    NOT NULL CHECK (state IN ('open', 'closed', 'released', 'final')), -- only moves on
  key_check    bytea   NOT NULL CHECK (octet_length(key_check) = 32), -- which key the rows were sealed with
  erasures     integer NOT NULL DEFAULT 0,                            -- how often a home was erased from it
  revocations  integer NOT NULL DEFAULT 0                             -- homes revoked from it since it was released
);

-- Journal, by home token: sealed batches of weeks that are not final. Each week is a partition, made when
-- the week opens and dropped when it is final. `number` counts a home's batches in its week, and is unique,
-- so that two collectors cannot both append the last one a home may have.
CREATE TABLE journal (
  home_token    bytea   NOT NULL CHECK (octet_length(home_token) = 32),   -- HMAC(week key, home)
  batch_token   bytea   NOT NULL CHECK (octet_length(batch_token) = 32),  -- HMAC(week key, home || batch id)
  week          integer NOT NULL,
  number        integer NOT NULL CHECK (number > 0),
  payload_hash  bytea   NOT NULL CHECK (octet_length(payload_hash) = 32), -- SHA-256; tells repetition from conflict
  country       text,                                                     -- the home's; null: in no table
  network       bigint,                                                   -- the home's; null with country, 0: in no table
  on_probation  boolean NOT NULL,                                         -- held, and counted in nothing
  sealed        bytea   NOT NULL,                                         -- AEAD(week key, batch || receipt)
  PRIMARY KEY (home_token, batch_token, week),
  UNIQUE (home_token, number, week)
) PARTITION BY LIST (week);

-- Folding, shared by collectors: each part of a week is taken by one, for a time; what it found is sealed
-- under the week's key, and goes when the week is released or final.
CREATE TABLE folds (
  week      integer NOT NULL,
  pass      integer NOT NULL,
  part      integer NOT NULL,
  erasures  integer NOT NULL,        -- of the week when it was asked for; other ones make it worthless
  holder    bytea,                   -- who works on it; null: nobody
  until     bigint  NOT NULL,        -- and how long
  sealed    bytea,                   -- what was found; null: nothing yet
  PRIMARY KEY (week, pass, part)
);

-- Releases, as published. Never changed, never deleted.
CREATE TABLE releases (
  week       integer NOT NULL,
  revision   integer NOT NULL,
  text       text    NOT NULL,                                      -- release.json
  signature  bytea   NOT NULL CHECK (octet_length(signature) = 64), -- Ed25519 over the text
  PRIMARY KEY (week, revision)
);

-- Ledger: what was done to weeks and homes, each link hashed over the one before.
CREATE TABLE ledger (
  number  bigint NOT NULL PRIMARY KEY, -- 1, 2, 3, ...
  at      bigint NOT NULL,
  event   text   NOT NULL,
  hash    bytea  NOT NULL CHECK (octet_length(hash) = 32)
);
