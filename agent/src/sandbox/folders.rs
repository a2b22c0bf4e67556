//! The folders the daemon works in: made, looked at, and handed to the user it becomes.

use super::{SandboxError, user};
use crate::durable;
use rustix::process::geteuid;
use std::path::Path;

/// Makes the folders that are not there, refuses those others could write to, and, if root asks,
/// gives them and what is in them to `user`.
///
/// # Errors
/// [`SandboxError::NoSuchUser`], [`SandboxError::UserIsRoot`], [`SandboxError::Folder`].
pub fn prepare_folders(user: &str, folders: &[&Path]) -> Result<(), SandboxError> {
    let account = if geteuid().is_root() {
        Some(user::find(user)?)
    } else {
        None
    };
    for folder in folders {
        let wrong = |what: String| SandboxError::Folder {
            path: folder.to_path_buf(),
            what,
        };
        durable::make_folder(folder).map_err(|error| wrong(format!("cannot be made: {error}")))?;
        if let Some(account) = &account {
            durable::give(folder, account.uid, account.gid)
                .map_err(|error| wrong(format!("cannot be given to {user}: {error}")))?;
        }
        durable::is_private(folder)
            .map_err(|error| wrong(format!("cannot be looked at: {error}")))?
            .map_err(|exposed| wrong(exposed.to_string()))?;
    }
    Ok(())
}
