//! A storm: homes, network, disk and a collector in one thread, and everything goes wrong.
//!
//! Takes a [`Script`](script::Script), a list of operations that a seed decides or a person writes;
//! gives the hash of all that was said, or the step at which something did not hold. Nothing of the
//! product is imitated: homes seal, spool and send with the agent's code, over gRPC through pipes in
//! memory; the collector verifies, seals, appends, closes, folds, releases and destroys with its own,
//! on a real database and real key files in a folder. Made up are the weather of the network, the
//! clocks, and what a power cut leaves of a disk.
//!
//! Beside it goes an [`Oracle`](oracle::Oracle): maps and sets, and none of the product's code but its
//! nouns. It foretells every answer, and after every step it is held against the collector:
//! - what was acknowledged is held, once, until its week is final or its home has gone;
//! - a repetition gets the first receipt's bytes, a conflict is refused, and every other refusal is the
//!   one that the rules ask for;
//! - what came in is what was accepted, repeated, refused or put off;
//! - a week folds to the same bytes, however it is sliced, and every batch shows in it once: each
//!   home's day contacts an endpoint that no other contacts;
//! - nothing is counted of who has left, who was taken out, or who is on probation, and nothing is left of a
//!   week that is final;
//! - a release is made with the tables that are in use, and a week is revised when there is a reason, once;
//! - a database that was lost and restored knows all that it must not forget;
//! - a home deletes a batch for a receipt or a final refusal, and every other loss is counted.
//!
//! What really happened is counted, and `storm` fails if something that a storm is about never did
//! ([`happened`]). A script that fails is cut down to a few lines ([`shrink`]) that can be kept as a file and played
//! for ever; see `tests/data/storm`.
//!
//! Deterministic: one thread runs everything but the database's two, and nothing asks these a second
//! question before the first is answered, but where several homes report at once: then what is told
//! does not depend on the order. Left out are sockets, TLS and the program's own end, which other tests
//! hold; whether a file system keeps what it has synced; and database servers.
//!
//! ```text
//! operation   what can happen, a line of text each
//! script      a list of it, drawn from a seed
//! line        the network: loses, keeps, repeats
//! edition     the tables that are installed meanwhile
//! report      what a home's day says, in a cell of its own
//! home        keys, spool, uplink
//! disk        what a power cut leaves
//! collector   the collector, and what can be seen of it
//! oracle      what must hold
//! world       plays a script
//! happened    what really happened
//! shrink      a failing script becomes a short one
//! run         many seeds on all processors
//! ```

pub mod collector;
pub mod disk;
pub mod edition;
pub mod happened;
pub mod home;
pub mod line;
pub mod operation;
pub mod oracle;
pub mod report;
pub mod run;
pub mod script;
pub mod shrink;
pub mod world;
