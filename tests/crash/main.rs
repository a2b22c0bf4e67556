//! The collector's own program, killed at random points, out of room, on a disk that turned read-only:
//! nothing it acknowledged is lost, and nothing is held twice.
//!
//! The program is `collector/src/main.rs`, started as anybody starts it and killed as nothing else can
//! be: `SIGKILL`. Its clients are many, speak gRPC over loopback, and write down every receipt they are
//! given. Whether the books agree is seen by opening what the program left, as another program would.
//! What a killed process has written is in the kernel's hands, so these tests prove what holds when the
//! program dies; that it also waits for the disk is proven by how it opens its database.

mod books;
mod destroyed;
mod disk;
mod kills;
mod load;
mod migrating;
mod process;
mod weeks;
