-- Schema 2: homes can replace their key, and leave.

-- A replaced key verifies batches of days up to `last_day` until that day's week is final; then its
-- row goes. `rotation_hash` and `receipt` belong to the rotation that brought the key, null for the
-- key that enrolled.
ALTER TABLE keys ADD COLUMN last_day INTEGER;      -- null: the home's current key
ALTER TABLE keys ADD COLUMN rotation_hash BLOB CHECK (length(rotation_hash) = 32);
ALTER TABLE keys ADD COLUMN receipt BLOB;
CREATE INDEX keys_of_home ON keys (home);

-- How often a home was erased from the week's journal: a release that was folded before is folded
-- again.
ALTER TABLE weeks ADD COLUMN erasures INTEGER NOT NULL DEFAULT 0;

-- What is left of a home that withdrew: nothing that can be read. `sealed` is the erasure it was
-- given, encrypted under a key that only the withdrawal's payload yields, and that is not here.
CREATE TABLE withdrawals (
  withdrawal_hash  BLOB    NOT NULL PRIMARY KEY CHECK (length(withdrawal_hash) = 32),
  sealed           BLOB    NOT NULL,
  forget_at        INTEGER NOT NULL,
  is_overwritten   INTEGER NOT NULL DEFAULT 0 CHECK (is_overwritten IN (0, 1)) -- the home's traces in the file
) STRICT, WITHOUT ROWID;
