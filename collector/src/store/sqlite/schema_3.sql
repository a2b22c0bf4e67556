-- Schema 3: three ways in, one way out, and how many homes a place has sent.

-- pending: waits for the operator, and is forgotten if nobody says a word. admitted: reports; days
-- before `counted_from` count in nothing. revoked: refused for good; receipt and hash are blank.
ALTER TABLE homes ADD COLUMN state TEXT NOT NULL DEFAULT 'admitted'
  CHECK (state IN ('pending', 'admitted', 'revoked'));
ALTER TABLE homes ADD COLUMN counted_from INTEGER; -- days since 1970-01-01; null: every day counts
ALTER TABLE homes ADD COLUMN is_overwritten INTEGER NOT NULL DEFAULT 1
  CHECK (is_overwritten IN (0, 1));                -- what a revoked home left in the file
CREATE INDEX homes_pending ON homes (enrolled_day) WHERE state = 'pending';

-- An invite may let in several homes. Which these are is not kept.
ALTER TABLE invites ADD COLUMN uses_left INTEGER NOT NULL DEFAULT 1 CHECK (uses_left >= 0);
UPDATE invites SET uses_left = 1 - spent;
ALTER TABLE invites DROP COLUMN spent;

-- New homes by where they came from: HMAC(the month's key, kind || prefix). Two months at most; the
-- key is a file outside the database and is destroyed with the month.
CREATE TABLE places (
  month  INTEGER NOT NULL,                              -- its first day
  place  BLOB    NOT NULL CHECK (length(place) = 32),
  homes  INTEGER NOT NULL CHECK (homes > 0),
  PRIMARY KEY (month, place)
) STRICT, WITHOUT ROWID;

-- Of a day on which its home was on probation: held, and counted in nothing.
ALTER TABLE journal ADD COLUMN on_probation INTEGER NOT NULL DEFAULT 0
  CHECK (on_probation IN (0, 1));

-- Homes revoked from the week since its last release: a reason to revise it.
ALTER TABLE weeks ADD COLUMN revocations INTEGER NOT NULL DEFAULT 0;
